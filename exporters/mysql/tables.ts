/**
 * Collectors whose table becomes metrics column by column: a statement, which columns are labels, and what the others
 * are called. The tables themselves are in table-list.ts.
 */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { type Collector, type Emit, type QueryResult, type SqlValue, toNumber, toText } from './collector.ts'

export type Table = {
  readonly name: string
  readonly since: readonly [major: number, minor: number]
  readonly sql: string
  /** Positions of columns and their labels. */
  readonly labels: readonly (readonly [column: number, label: string])[]
  readonly metrics: readonly TableColumn[]
  /** Only where the server gathers user statistics (`userstat`). */
  readonly needsUserstat?: boolean
  /** Columns that a server may take below zero, which is none. */
  readonly notNegative?: readonly number[]
}
/** `divisor` makes seconds of what the server counts in parts of them. */
export type TableColumn = readonly [
  column: number,
  type: FamilyType,
  name: string,
  help: string,
  divisor?: number,
  labels?: readonly string[],
]

const USERSTAT = "SHOW GLOBAL VARIABLES WHERE Variable_Name='userstat' OR Variable_Name='userstat_running'"

/** Values that are null are left out. */
export function emitTable(
  table: Pick<Table, 'labels' | 'metrics' | 'notNegative'>,
  { rows }: Pick<QueryResult, 'rows'>,
  emit: Emit,
): void {
  for (const row of rows) {
    const labels = table.labels.flatMap(([column, label]) => [label, toText(row[column])])
    for (const [column, type, name, help, divisor = 1, own = []] of table.metrics) {
      const value = toNumber(row[column])
      if (value === null) continue
      const least = table.notNegative?.includes(column) ? Math.max(0, value) : value
      emit(type, name, help, least / divisor, [...labels, ...own])
    }
  }
}

export function tableCollector(table: Table): Collector {
  return {
    name: table.name,
    since: table.since,
    async scrape({ query }, emit) {
      if (table.needsUserstat && !hasUserstat((await query(USERSTAT)).rows)) return
      emitTable(table, await query(table.sql), emit)
    },
  }
}

/** Whether the answer to `USERSTAT` says that statistics are gathered; they are MariaDB's and Percona's. */
export function hasUserstat(rows: readonly (readonly SqlValue[])[]): boolean {
  return rows.length > 0 && toText(rows[0]![1]).toUpperCase() !== 'OFF'
}

export { USERSTAT }
