/** What a collector of the mysql exporter is, and how values of rows are read. */
import { type FamilyType, type Metric, type MetricFamily, readGoFloat } from '../../protocol/exposition/mod.ts'
import type { Flags } from '../contract.ts'

/** As the driver gives it; 64-bit integers as text or bigint. */
export type SqlValue = string | number | bigint | null
export type QueryResult = {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly SqlValue[])[]
}
/** Rejects with `SqlError` for what the server refused. */
export type Query = (sql: string, parameters?: readonly string[]) => Promise<QueryResult>

export class SqlError extends Error {
  /** The server's number: 1109 is an unknown table. */
  readonly errno: number
  constructor(message: string, errno: number, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SqlError'
    this.errno = errno
  }
}

export type ServerInfo = {
  readonly flavor: 'mysql' | 'mariadb'
  /** 8.0.35 is `[8, 0, 35]`. */
  readonly version: readonly [major: number, minor: number, patch: number]
}

export type ScrapeContext = { readonly query: Query; readonly server: ServerInfo; readonly flags: Flags }
/** One sample; `name` without `mysql_`, labels as flat pairs in any order. */
export type Emit = (type: FamilyType, name: string, help: string, value: number, labels?: readonly string[]) => void
/** The lines of a histogram or a summary. */
export type EmitLines = (type: 'histogram' | 'summary', name: string, help: string, lines: readonly Metric[]) => void

export interface Collector {
  /** As in the flag `collect.<name>`. */
  readonly name: string
  /** The first MySQL that has what it reads, as `[5, 6]`. */
  readonly since: readonly [major: number, minor: number]
  /** Its own flags, without `collect.<name>.`. */
  readonly flags?: readonly string[]
  scrape(context: ScrapeContext, emit: Emit, emitLines: EmitLines): Promise<void>
}

/** Samples into families, in the order of their first appearance. */
export class FamilyBuilder {
  readonly #families = new Map<string, MetricFamily & { readonly metrics: Metric[] }>()

  readonly emit: Emit = (type, name, help, value, labels = []) => {
    this.#family(type, name, help).push({ labels: sortPairs(labels), value })
  }

  readonly emitLines: EmitLines = (type, name, help, lines) => {
    this.#family(type, name, help).push(...lines)
  }

  get families(): MetricFamily[] {
    return [...this.#families.values()]
  }

  #family(type: FamilyType, name: string, help: string): Metric[] {
    const full = `mysql_${name}`
    let family = this.#families.get(full)
    if (!family) this.#families.set(full, (family = { name: full, type, help, metrics: [] }))
    return family.metrics
  }
}

export function sortPairs(labels: readonly string[]): readonly string[] {
  if (labels.length <= 2) return labels
  const pairs: [string, string][] = []
  for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i]!, labels[i + 1]!])
  return pairs.sort(([a], [b]) => (a < b ? -1 : 1)).flat()
}

/** null and what is not a number: null. */
export function toNumber(value: SqlValue | undefined): number | null {
  if (value === null || value === undefined || value === '') return null
  const number = Number(value)
  return Number.isNaN(number) ? null : number
}

export function toText(value: SqlValue | undefined): string {
  return value === null || value === undefined ? '' : String(value)
}

/** Without a prototype: any word may be looked up, `constructor` as well. */
const WORDS: Readonly<Record<string, number>> = {
  __proto__: null as never,
  yes: 1,
  on: 1,
  no: 0,
  off: 0,
  disabled: 0,
  // Slave_IO_Running while it does not.
  connecting: 0,
  // wsrep_cluster_status.
  primary: 1,
  'non-primary': 0,
  disconnected: 0,
}
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/**
 * The value of a status variable: a number, a word that stands for one, or a date as seconds. null: none of them.
 * Semantics: mysqld_exporter collector/collector.go, parseStatus (v0.20).
 */
export function parseStatus(value: SqlValue | undefined): number | null {
  const text = toText(value)
  const word = WORDS[text.toLowerCase()]
  if (word !== undefined) return word
  const number = readGoFloat(text)
  if (typeof number === 'number') return number
  // Parts of a second may stand there, and are left out.
  const iso = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:[.,]\d+)?$/.exec(text)
  if (iso) return utcSeconds(iso.slice(1).map(Number))
  const certificate = /^([A-Z][a-z]{2}) ([\d ]\d) (\d\d):(\d\d):(\d\d) (\d{4}) [A-Z]{3,4}$/.exec(text)
  if (!certificate) return null
  const [, month, day, hour, minute, second, year] = certificate
  const index = MONTHS.indexOf(month!)
  return index < 0 ? null : utcSeconds([year, index + 1, day, hour, minute, second].map(Number))
}

function utcSeconds([year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0]: readonly number[]):
  | number
  | null {
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second))
  // The 30th of February is no day, and 24:00 no time.
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && date.getUTCHours() === hour
  return isReal && minute < 60 && second < 60 ? date.getTime() / 1000 : null
}

/** Of a variable's name what a metric's name may have. */
export function metricName(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9_]/g, '_')
}
