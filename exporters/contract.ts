/** What an exporter is: something that turns a real system's present state into metric families. */

import { parseGoDuration } from '../protocol/durations/mod.ts'
import type { MetricFamily } from '../protocol/exposition/mod.ts'

export interface Exporter {
  readonly name: string
  /** The upstream program whose place it takes; absent for what has none, or tells of itself. */
  readonly program?: ProgramIdentity
  /**
   * Never rejects for what a collector could not read: that is told by the exporter's own metrics.
   * @param parameters of the URL, for exporters that choose by them (`collect[]`, `exclude[]`); others ignore them
   * @param timeoutMs how long the caller waits, where it says so
   * @throws ParameterError for those that it cannot use
   */
  collect(parameters?: URLSearchParams, timeoutMs?: number): Promise<readonly MetricFamily[]>
  /**
   * One target named by the caller, for exporters that upstream serves at `/scrape?target=` or `/probe?target=`.
   * @throws ParameterError for parameters that it cannot use
   */
  probe?(parameters: URLSearchParams, timeoutMs?: number): Promise<readonly MetricFamily[]>
  /**
   * HTTP of its own beyond pages of metrics, asked before anything else; null for what is not its business. Bodies are
   * bounded by whoever serves it.
   */
  handle?(request: Request): Promise<Response | null>
  /** Opens what it listens on, for exporters that are sent their samples. Rejects naming an address that is taken. */
  start?(): Promise<void>
  /** Reads the files that its flags name again; what it had stays when one is bad. @throws Error telling which */
  reload?(): void
  close(): Promise<void>
}

export type ProgramIdentity = {
  /** Of its own metrics: `mysqld_exporter` for `mysqld_exporter_build_info`. */
  readonly namespace: string
  readonly title: string
  readonly about: string
}

/** Flags of the upstream exporter by their names without dashes (`path.procfs`, `collector.cpu.info`), as written. */
export type Flags = Readonly<Record<string, string | readonly string[]>>

export class FlagError extends Error {
  readonly flag: string
  /** What is wrong, without the flag. */
  readonly problem: string
  constructor(flag: string, problem: string) {
    super(`Flag ${flag}: ${problem}`)
    this.name = 'FlagError'
    this.flag = flag
    this.problem = problem
  }
}

/** What a URL asks for cannot be given; the message is the answer, in upstream's words. */
export class ParameterError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ParameterError'
  }
}

export function stringFlag(flags: Flags, name: string, fallback: string): string {
  const value = flags[name]
  if (value === undefined) return fallback
  if (typeof value !== 'string') throw new FlagError(name, 'takes one value, got a list')
  return value
}

export function booleanFlag(flags: Flags, name: string, fallback: boolean): boolean {
  if (flags[`no-${name}`] !== undefined) return !booleanFlag({ [name]: flags[`no-${name}`]! }, name, true)
  const value = stringFlag(flags, name, String(fallback))
  if (value === 'true' || value === '') return true
  if (value === 'false') return false
  throw new FlagError(name, `must be true or false, got "${value}"`)
}

/** A duration as Go writes it (`5s`, `1m30s`, `500ms`), in milliseconds. */
export function durationFlag(flags: Flags, name: string, fallbackMs: number): number {
  const text = stringFlag(flags, name, '')
  if (text === '') return fallbackMs
  try {
    return parseGoDuration(text)
  } catch (error) {
    throw new FlagError(name, (error as Error).message)
  }
}

export function integerFlag(flags: Flags, name: string, fallback: number): number {
  const text = stringFlag(flags, name, String(fallback))
  if (!/^-?\d{1,15}$/.test(text)) throw new FlagError(name, `must be a whole number, got "${text}"`)
  return Number(text)
}

/** @throws FlagError for the first one that is not in `known` (with or without `no-`) */
export function refuseUnknownFlags(flags: Flags, known: readonly string[]): void {
  for (const flag of Object.keys(flags))
    if (!known.includes(flag) && !(flag.startsWith('no-') && known.includes(flag.slice(3))))
      throw new FlagError(flag, `unknown; known are ${known.join(', ')}`)
}

/** A flag that may be given several times; none is an empty list. */
export function listFlag(flags: Flags, name: string): readonly string[] {
  const value = flags[name]
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}
