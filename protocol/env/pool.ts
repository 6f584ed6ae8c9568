/** Worker threads: long-lived ones with a message channel (`spawn`), and a pool for short tasks (`run`). */
export type WorkerSpec = {
  /** Absolute file URL of the worker's entry module. */
  readonly url: string
  readonly name: string
  readonly data?: unknown
  /** The entry takes its port from agent/env/worker-port.ts, so that the runtime may give it a lighter thread. */
  readonly isPlain?: boolean
}

export interface WorkerHandle {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void
  onMessage(fn: (message: unknown) => void): void
  /** `error` is null on a clean exit. Called exactly once. */
  onExit(fn: (error: Error | null) => void): void
  terminate(): Promise<void>
}

export interface Pool {
  spawn(spec: WorkerSpec): WorkerHandle
}
