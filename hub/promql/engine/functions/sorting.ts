/**
 * sort(), sort_desc(), sort_by_label(), sort_by_label_desc(): the order of an instant vector. Range queries have an
 * order of their own, so there these functions only drop what they cannot sort.
 * Semantics: Prometheus promql/functions.go and github.com/facette/natsort.
 */
import { compareLabels, compareStrings, type Labels, labelValue } from '../../../../protocol/labels/mod.ts'
import type { QueryContext } from '../context.ts'
import { FLOAT, type Series } from '../types.ts'
import { mapFloats } from './math.ts'

/** NaN goes last, whichever way. */
export function sortByValue(all: Series[], descending: boolean): Series[] {
  for (const series of all) mapFloats(series, (x) => x)
  if (all[0]?.present.length !== 1) return all
  const kept = all.filter((series) => series.present[0] === FLOAT)
  return kept.sort((a, b) => {
    const x = a.values[0]!
    const y = b.values[0]!
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y))
    return descending ? y - x || 0 : x - y || 0
  })
}

export function sortByLabels(
  ctx: QueryContext,
  all: Series[],
  names: readonly string[],
  descending: boolean,
): Series[] {
  const sign = descending ? -1 : 1
  const keyed = all.map((series) => ({ series, labels: ctx.labelsOf(series) }))
  const compare = (a: Keyed, b: Keyed): number => {
    for (const name of names) {
      const x = labelValue(a.labels, name)
      const y = labelValue(b.labels, name)
      if (x !== y) return sign * (naturalLess(x, y) ? -1 : 1)
    }
    return sign * compareLabels(a.labels, b.labels)
  }
  if (keyed.length <= INSERTED_MAX) insertionSort(keyed, compare)
  else keyed.sort(compare)
  return keyed.map(({ series }) => series)
}

type Keyed = { readonly series: Series; readonly labels: Labels }

/**
 * An absent label is neither less nor greater than another, so that the way of sorting decides where it goes: as many as
 * this are sorted as Go's slices.SortFunc sorts them.
 */
const INSERTED_MAX = 12

function insertionSort<T>(items: T[], compare: (a: T, b: T) => number): void {
  for (let i = 1; i < items.length; i++)
    for (let j = i; j > 0 && compare(items[j]!, items[j - 1]!) < 0; j--) {
      const item = items[j]!
      items[j] = items[j - 1]!
      items[j - 1] = item
    }
}

/** Runs of digits compare as numbers if 64 bits hold both, the rest as text; a prefix comes first, but not nothing. */
export function naturalLess(a: string, b: string): boolean {
  const chunksA = a.match(/\d+|\D+/g) ?? []
  const chunksB = b.match(/\d+|\D+/g) ?? []
  for (let i = 0; i < chunksA.length; i++) {
    if (i >= chunksB.length) return false
    const x = chunksA[i]!
    const y = chunksB[i]!
    const m = wholeNumber(x)
    const n = wholeNumber(y)
    if (m !== null && n !== null) {
      if (m !== n) return m < n
    } else if (x !== y) return compareStrings(x, y) < 0
  }
  return chunksA.length > 0 && chunksA.length <= chunksB.length
}

function wholeNumber(chunk: string): bigint | null {
  if (!/^\d/.test(chunk)) return null
  const number = BigInt(chunk)
  return number < 2n ** 63n ? number : null
}
