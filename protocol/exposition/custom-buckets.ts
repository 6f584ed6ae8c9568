/**
 * Classic histograms as native ones with custom buckets (NHCB): a reader around another one that gathers the `_bucket`,
 * `_sum` and `_count` samples of each histogram into one sample, and keeps or drops the classic ones.
 *
 * It has slots of its own: one for every series of the inner reader, one for every histogram.
 *
 * Semantics: Prometheus model/textparse/nhcbparse.go and util/convertnhcb (v3.14). A histogram whose buckets cannot be
 * one (counts that fall, no buckets) gives no sample, as there.
 */
import { type Labels, labelsFromSorted, METRIC_NAME } from '../labels/mod.ts'
import { CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type Exemplar, type Histogram, type Span } from '../samples/mod.ts'
import { readGoFloat } from './go-float.ts'
import type { NewSeries, PageOptions, PageSource } from './page-source.ts'
import { ColumnBacked } from './sample-columns.ts'

type Part = 'bucket' | 'sum' | 'count'
const SUFFIXES: readonly (readonly [suffix: string, part: Part])[] = [
  ['_bucket', 'bucket'],
  ['_sum', 'sum'],
  ['_count', 'count'],
]

type Group = {
  readonly key: string
  slot: number
  /** What this page has said so far. */
  scrape: number
  bounds: number[]
  counts: number[]
  sum: number
  count: number | null
  timestampMs: number
  startMs: number
  exemplars: Exemplar[]
}

type Member = { readonly group: Group; readonly part: Part; readonly bound: number }

export class CustomBucketsSource extends ColumnBacked implements PageSource {
  newSeries: NewSeries[] = []
  readonly #inner: PageSource
  /** By slot of the inner reader; 0: not known yet. */
  #outer = new Int32Array(256)
  readonly #members = new Map<number, Member>()
  readonly #groups = new Map<string, Group>()
  #touched: Group[] = []
  #slotCount = 1
  #scrape = 0

  constructor(inner: PageSource) {
    super()
    this.#inner = inner
  }

  get scraped(): number {
    return this.#inner.duplicates + this.columns.count
  }
  get duplicates(): number {
    return this.#inner.duplicates
  }
  get duplicatesBySlot(): PageSource['duplicatesBySlot'] {
    return new Map([...this.#inner.duplicatesBySlot].map(([slot, count]) => [this.#outer[slot]!, count]))
  }
  get repeats(): number {
    return this.#inner.repeats
  }
  get metadata(): PageSource['metadata'] {
    return this.#inner.metadata
  }
  get unread(): PageSource['unread'] {
    return this.#inner.unread
  }
  get slotCount(): number {
    return this.#slotCount
  }

  read(page: Uint8Array, options: PageOptions): void {
    this.#scrape++
    this.columns.clear()
    this.newSeries = []
    this.#touched = []
    try {
      this.#inner.read(page, options)
    } finally {
      for (const series of this.#inner.newSeries) this.#learn(series)
    }
    this.#translate(options.classicHistograms === true)
    for (const group of this.#touched) this.#emit(group)
  }

  /** The inner reader decides; a histogram is forgotten with the last of its series. */
  compact(): Int32Array | null {
    const innerMap = this.#inner.compact()
    if (innerMap === null) return null
    const map = new Int32Array(this.#slotCount)
    const outer = new Int32Array(Math.max(256, 2 * this.#inner.slotCount))
    const members = [...this.#members]
    this.#members.clear()
    this.#groups.clear()
    this.#slotCount = 1
    for (let slot = 1; slot < innerMap.length; slot++) {
      if (innerMap[slot] === 0) continue
      const old = this.#outer[slot]!
      outer[innerMap[slot]!] = map[old] = this.#slotCount++
    }
    for (const [slot, member] of members) {
      const { group } = member
      if (innerMap[slot] === 0) continue
      this.#members.set(innerMap[slot]!, member)
      if (this.#groups.get(group.key) === group) continue
      this.#groups.set(group.key, group)
      map[group.slot] = this.#slotCount
      group.slot = this.#slotCount++
    }
    this.#outer = outer
    return map
  }

  #learn(series: NewSeries): void {
    const { slot } = series
    if (slot >= this.#outer.length) {
      const grown = new Int32Array(2 * slot)
      grown.set(this.#outer)
      this.#outer = grown
    }
    this.#outer[slot] = this.#slotCount++
    this.newSeries.push({ ...series, slot: this.#outer[slot]! })
    this.#members.delete(slot)
    const isClassic = this.#inner.metadata.get(series.family)?.type === 'histogram' && series.isNativeToo !== true
    if (isClassic) this.#join(series)
  }

  #join({ slot, labels, family }: NewSeries): void {
    const name = labels[labels.indexOf(METRIC_NAME) + 1]!
    const [, part] = SUFFIXES.find(([suffix]) => name === family + suffix) ?? []
    if (part === undefined) return
    const rest: string[] = []
    let bound = Number.NaN
    for (let i = 0; i < labels.length; i += 2) {
      if (part === 'bucket' && labels[i] === 'le') bound = boundOf(labels[i + 1]!)
      else rest.push(labels[i]!, labels[i] === METRIC_NAME ? family : labels[i + 1]!)
    }
    if (part === 'bucket' && Number.isNaN(bound)) return
    this.#members.set(slot, { group: this.#groupOf(labelsFromSorted(rest), family), part, bound })
  }

  #groupOf(labels: Labels, family: string): Group {
    const key = labels.join('\xff')
    const known = this.#groups.get(key)
    if (known !== undefined) return known
    const slot = this.#slotCount++
    const group = {
      key,
      slot,
      scrape: 0,
      bounds: [],
      counts: [],
      sum: 0,
      count: null,
      timestampMs: 0,
      startMs: 0,
      exemplars: [],
    }
    this.#groups.set(key, group)
    this.newSeries.push({ slot, labels, family })
    return group
  }

  #translate(keepsClassic: boolean): void {
    const { count, slots, values, timestamps, startTimestamps, histograms, exemplars } = this.#inner
    const columns = this.columns
    const words = new Uint32Array(values.buffer)
    const moved = new Int32Array(count).fill(-1)
    for (let i = 0; i < count; i++) {
      const member = this.#members.get(slots[i]!)
      const own = timestamps?.[i] ?? Number.NaN
      const startMs = startTimestamps?.[i] ?? 0
      if (member !== undefined) this.#gather(member, values[i]!, own, startMs)
      if (member !== undefined && !keepsClassic) continue
      const at = columns.add(this.#outer[slots[i]!]!)
      moved[i] = at
      const out = new Uint32Array(columns.values.buffer)
      out[2 * at] = words[2 * i]!
      out[2 * at + 1] = words[2 * i + 1]!
      if (!Number.isNaN(own)) columns.setTimestamp(at, own)
      if (startMs > 0) columns.setStartTimestamp(at, startMs)
      const histogram = histograms?.get(i)
      if (histogram !== undefined) columns.setHistogram(at, histogram)
    }
    for (const { position, exemplar } of exemplars) {
      if (moved[position]! >= 0) columns.exemplars.push({ position: moved[position]!, exemplar })
      this.#members.get(slots[position]!)?.group.exemplars.push(exemplar)
    }
  }

  #gather({ group, part, bound }: Member, value: number, timestampMs: number, startMs: number): void {
    if (group.scrape !== this.#scrape) {
      Object.assign(group, { scrape: this.#scrape, bounds: [], counts: [], sum: 0, count: null, exemplars: [] })
      this.#touched.push(group)
    }
    group.timestampMs = timestampMs
    group.startMs = startMs
    if (part === 'sum') group.sum = value
    else if (part === 'count') group.count = value
    else {
      group.bounds.push(bound)
      group.counts.push(value)
    }
  }

  #emit(group: Group): void {
    const histogram = customBuckets(group.bounds, group.counts, group.sum, group.count)
    if (histogram === null) return
    const at = this.columns.add(group.slot)
    this.columns.setHistogram(at, histogram)
    if (!Number.isNaN(group.timestampMs)) this.columns.setTimestamp(at, group.timestampMs)
    if (group.startMs > 0) this.columns.setStartTimestamp(at, group.startMs)
    for (const exemplar of group.exemplars) this.columns.exemplars.push({ position: at, exemplar })
  }
}

/**
 * @param bounds upper bounds in any order, +Inf among them or not; @param counts cumulative
 * @returns null when they make no histogram
 */
export function customBuckets(
  bounds: readonly number[],
  counts: readonly number[],
  sum: number,
  count: number | null,
): Histogram | null {
  const order = bounds.map((_, i) => i).sort((a, b) => bounds[a]! - bounds[b]!)
  const largest = order.length === 0 ? null : counts[order.at(-1)!]!
  const total = count ?? largest
  if (total === null) return null
  const last = order.length === 0 ? Number.NaN : bounds[order.at(-1)!]!
  if (last === Number.POSITIVE_INFINITY && largest !== total) return null
  const customValues: number[] = []
  const perBucket: number[] = []
  let below = 0
  for (const [at, i] of order.entries()) {
    // `1` and `1.0` are one bound: the first wins.
    if (at > 0 && bounds[i] === bounds[order[at - 1]!]) continue
    const own = counts[i]! - below
    if (!(own >= 0)) return null
    below = counts[i]!
    if (bounds[i] !== Number.POSITIVE_INFINITY) customValues.push(bounds[i]!)
    perBucket.push(own)
  }
  if (last !== Number.POSITIVE_INFINITY) perBucket.push(total - below)
  if (perBucket.at(-1)! < 0) return null
  const isFloat = !counts.every(Number.isInteger) || !Number.isInteger(total)
  const { spans, buckets } = withoutEmpty(perBucket, isFloat ? 0 : 2)
  return {
    isFloat,
    isStale: false,
    counterResetHint: CounterResetHint.unknown,
    schema: CUSTOM_BUCKETS_SCHEMA,
    zeroThreshold: 0,
    zeroCount: 0,
    count: total,
    sum,
    positiveSpans: spans,
    positiveBuckets: buckets,
    negativeSpans: [],
    negativeBuckets: [],
    customValues,
  }
}

/**
 * Empty buckets become gaps between spans; of integers, gaps within of two at most stay buckets, which costs less.
 * Semantics: Prometheus model/histogram, Compact.
 */
function withoutEmpty(
  perBucket: readonly number[],
  keptGap: number,
): { readonly spans: Span[]; readonly buckets: number[] } {
  const spans: { offset: number; length: number }[] = []
  const buckets: number[] = []
  let gap = 0
  for (const count of perBucket) {
    if (count === 0) {
      gap++
      continue
    }
    if (gap > keptGap || spans.length === 0) spans.push({ offset: gap, length: 1 })
    else {
      spans.at(-1)!.length += gap + 1
      for (; gap > 0; gap--) buckets.push(0)
    }
    gap = 0
    buckets.push(count)
  }
  return { spans, buckets }
}

function boundOf(text: string): number {
  const bound = readGoFloat(text)
  return typeof bound === 'string' ? Number.NaN : bound
}
