/** What comes of one page: whether it counts, and the columns it becomes. */
import type { Exemplar } from '../../protocol/samples/mod.ts'
import type { ColumnWriter } from './column-writer.ts'
import type { Refused } from './refused-samples.ts'

export type PageOutcome = {
  /** Samples on the page; after metric relabelling; series not seen before. */
  readonly scraped: number
  readonly kept: number
  readonly added: number
  /** '' when the page was good; else nothing of it may be recorded. */
  readonly error: string
  /** What a soft sample limit left out; null when nothing. */
  readonly refused: Refused | null
}

export type PageColumns = {
  readonly columns: ColumnWriter
  readonly exemplars: { readonly id: number; readonly exemplar: Exemplar }[] | null
  readonly repeats: readonly ColumnWriter[]
}
