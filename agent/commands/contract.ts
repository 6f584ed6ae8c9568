/** What a command of `heliograph-agent` is given, and what it gives back. */
import type { Env } from '../../protocol/env/mod.ts'
import type { FlagDefinition, ParsedFlags } from '../cli/mod.ts'
import type { HostTools } from '../install/mod.ts'

export type CommandContext = {
  readonly env: Env
  readonly tools: HostTools
  /** Variables of the process. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly version: string
  /** One line of the answer. */
  readonly say: (line: string) => void
  /** One line of what went wrong. */
  readonly complain: (line: string) => void
}

export type Command = {
  readonly summary: string
  /** Positional arguments as shown in the usage line. */
  readonly usage: string
  readonly flags: readonly FlagDefinition[]
  readonly maxArguments: number
  /** Exit status. @throws UsageError */
  run(flags: ParsedFlags, context: CommandContext): Promise<number>
}

export const text = (name: string, fallback: string, help: string): FlagDefinition => ({
  name,
  kind: 'string',
  default: fallback,
  help,
})
export const toggle = (name: string, help: string, fallback = false): FlagDefinition => ({
  name,
  kind: 'boolean',
  default: String(fallback),
  help,
})

export const flagText = ({ values }: ParsedFlags, name: string): string => values.get(name)![0] ?? ''
export const flagOn = (flags: ParsedFlags, name: string): boolean => flagText(flags, name) === 'true'
