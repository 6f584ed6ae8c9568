/** What installing needs of the host beyond files: programs, owners, accounts. The adapter is `agent/env/host.ts`. */
export interface HostTools {
  /** Effective user of this process. */
  readonly isRoot: boolean
  /** Absolute program and first arguments that start this agent again. */
  readonly selfCommand: readonly string[]
  /** A compiled single file, which can be copied to where programs live. */
  readonly isSingleFile: boolean
  /** Runs a program to its end; status 127 when there is no such program. */
  run(program: string, args: readonly string[]): { readonly status: number; readonly output: string }
  copyFile(from: string, to: string, mode: number): void
  chmod(path: string, mode: number): void
  /** Names of an account and a group of this host. */
  chown(path: string, user: string, group: string): void
}
