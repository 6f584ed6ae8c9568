/** Samples that stand in a page beside another of their series, each at a timestamp of its own. */
import type { PageSource } from '../../protocol/exposition/mod.ts'
import { ColumnWriter } from './column-writer.ts'

/** A second sample of a series in one page: it cannot stand in the same columns. */
export type Repeat = { readonly id: number; readonly position: number }

/** Further columns, each with a series at most once. */
export function repeatColumns(
  repeats: readonly Repeat[],
  { timestamps, values, histograms }: Pick<PageSource, 'timestamps' | 'values' | 'histograms'>,
): ColumnWriter[] {
  const words = new Uint32Array(values.buffer)
  const out: ColumnWriter[] = []
  const rounds = new Map<number, number>()
  for (const { id, position } of repeats) {
    const round = rounds.get(id) ?? 0
    rounds.set(id, round + 1)
    const columns = (out[round] ??= new ColumnWriter(repeats.length))
    columns.copy(id, words, position)
    const histogram = histograms?.get(position)
    if (histogram !== undefined) columns.histogram(histogram)
    columns.timestamp(timestamps![position]!)
  }
  return out
}
