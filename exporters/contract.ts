/** What an exporter is: something that turns a real system's present state into metric families. */
import type { MetricFamily } from '../protocol/exposition/mod.ts'

export interface Exporter {
  readonly name: string
  /** Never rejects for what a collector could not read: that is told by the exporter's own metrics. */
  collect(): Promise<readonly MetricFamily[]>
  close(): Promise<void>
}

/** Flags of the upstream exporter by their names without dashes (`path.procfs`, `collector.cpu.info`), as written. */
export type Flags = Readonly<Record<string, string | readonly string[]>>

export class FlagError extends Error {
  readonly flag: string
  constructor(flag: string, problem: string) {
    super(`Flag ${flag}: ${problem}`)
    this.name = 'FlagError'
    this.flag = flag
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
