/** Series of a reader in the order of their labels, compactly: a few numbers a label, no arrays a series. */
import { compareStrings } from '../../protocol/labels/mod.ts'
import type { SeriesReader } from '../tsdb/mod.ts'

export type SortedSeries = {
  /** All label texts, ascending. */
  readonly symbols: readonly string[]
  readonly count: number
  /** The reader's reference of the nth series. */
  ref(n: number): number
  /** Its labels, name and value alternating, as positions in `symbols`; borrowed. */
  labels(n: number): Uint32Array
}

export function sortSeries(reader: SeriesReader, refs: Uint32Array): SortedSeries {
  const ends = new Float64Array(refs.length + 1)
  let flat = new Uint32Array(refs.length * 16 + 64)
  const ids = new Map<string, number>()
  const texts: string[] = []
  const known = new Map<number, number>()
  for (let i = 0; i < refs.length; i++) {
    const labels = reader.labelIds(refs[i]!)
    const from = ends[i]!
    if (from + labels.length > flat.length) {
      const grown = new Uint32Array(2 * flat.length + labels.length)
      grown.set(flat)
      flat = grown
    }
    for (let k = 0; k < labels.length; k++) flat[from + k] = textOf(labels[k]!)
    ends[i + 1] = from + labels.length
  }
  function textOf(symbol: number): number {
    let id = known.get(symbol)
    if (id !== undefined) return id
    // Merged readers may know one text under two numbers.
    const text = reader.symbol(symbol)
    id = ids.get(text)
    if (id === undefined) ids.set(text, (id = texts.push(text) - 1))
    known.set(symbol, id)
    return id
  }
  const byText = texts.map((_, id) => id).sort((a, b) => compareStrings(texts[a]!, texts[b]!))
  const rank = new Uint32Array(texts.length)
  byText.forEach((id, position) => {
    rank[id] = position
  })
  const used = ends[refs.length]!
  for (let i = 0; i < used; i++) flat[i] = rank[flat[i]!]!
  const order = Uint32Array.from(refs, (_, i) => i).sort((a, b) => compareRuns(flat, ends, a, b))
  return {
    symbols: byText.map((id) => texts[id]!),
    count: refs.length,
    ref: (n) => refs[order[n]!]!,
    labels: (n) => flat.subarray(ends[order[n]!]!, ends[order[n]! + 1]!),
  }
}

function compareRuns(flat: Uint32Array, ends: Float64Array, a: number, b: number): number {
  const fromA = ends[a]!
  const fromB = ends[b]!
  const lengthA = ends[a + 1]! - fromA
  const lengthB = ends[b + 1]! - fromB
  for (let i = 0; i < lengthA && i < lengthB; i++) {
    const difference = flat[fromA + i]! - flat[fromB + i]!
    if (difference !== 0) return difference
  }
  return lengthA - lengthB
}
