/**
 * A reader without what may not be shown any more: ranges that were deleted, and what is beyond the retention of its
 * series. The samples go for good when the block is written anew: by a merge, or by cleaning up.
 *
 * As upstream, a series of which nothing is left in a range is not selected, while label names and values come from the
 * index, and know deleted series until they are cleaned up. Semantics: Prometheus tsdb/querier.go, blockBaseSeriesSet.
 */
import { crc32c } from '../../protocol/crc/mod.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import type { SampleBuffer, SeriesReader, Shard, TimeRange } from '../tsdb/mod.ts'
import { removeSamples } from './merge-samples.ts'

/** A deletion; plain data, which crosses threads. Times in ms, both included. */
export type Tombstone = {
  /** From 1, ascending. A block that was written with it in force says so (`BlockMeta.deletes`). */
  readonly id: number
  readonly matchers: readonly Matcher[]
  readonly minTime: number
  readonly maxTime: number
  /** The head may still hold what was deleted. */
  readonly inHead: boolean
}

/** Retention by series: the first rule that matches has the say; samples before its `minTime` are not shown. */
export type Floors = {
  readonly rules: readonly { readonly matchers: readonly Matcher[]; readonly minTime: number }[]
  /** Of series that no rule matches. */
  readonly minTime: number
}

/** All that is to be hidden, from whatever reader. */
export type Hidden = { readonly tombstones: readonly Tombstone[]; readonly floors: Floors }

export const NO_FLOORS: Floors = { rules: [], minTime: Number.NEGATIVE_INFINITY }
export const NOTHING_HIDDEN: Hidden = { tombstones: [], floors: NO_FLOORS }
const EVER: TimeRange = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }

/** Refs that matchers select, found once; of a block they never change. */
export class MatchedRefs {
  readonly #reader: SeriesReader
  readonly #sets = new Map<string, Uint32Array>()

  constructor(reader: SeriesReader) {
    this.#reader = reader
  }

  of(matchers: readonly Matcher[]): Uint32Array {
    const key = JSON.stringify(matchers)
    let bits = this.#sets.get(key)
    if (!bits) this.#sets.set(key, (bits = bitsOf(this.#reader.select(matchers, EVER))))
    return bits
  }
}

/** What is hidden from a block that was written when the tombstones up to `deletes` were in force. */
export function hideFromBlock<T extends SeriesReader>(
  reader: T,
  { tombstones, floors }: Hidden,
  deletes: number,
  matched?: MatchedRefs,
): SeriesReader {
  const open = tombstones.filter(({ id }) => id > deletes)
  return hide(reader, { tombstones: open, floors }, matched)
}

export function hideFromHead(reader: SeriesReader, { tombstones, floors }: Hidden): SeriesReader {
  return hide(reader, { tombstones: tombstones.filter(({ inHead }) => inHead), floors })
}

/** The reader itself when it has nothing that is to be hidden. */
function hide(reader: SeriesReader, hidden: Hidden, matched = new MatchedRefs(reader)): SeriesReader {
  const hides = hidesWithin(reader.timeRange(), hidden, matched)
  if (hides.length === 0) return reader
  return hasLabelHash(reader) ? new HashedHidingReader(reader, hides) : new HidingReader(reader, hides)
}

/** Times included. */
type Hide = { readonly minTime: number; readonly maxTime: number; readonly has: (ref: number) => boolean }

function hidesWithin(range: TimeRange | null, hidden: Hidden, matched: MatchedRefs): Hide[] {
  if (!range) return []
  return hidesOf(hidden, matched).filter(({ minTime, maxTime }) => minTime <= range.maxTime && maxTime >= range.minTime)
}

function hidesOf({ tombstones, floors }: Hidden, matched: MatchedRefs): Hide[] {
  const hides: Hide[] = tombstones.map(({ matchers, minTime, maxTime }) => ({
    minTime,
    maxTime,
    has: (ref) => hasBit(matched.of(matchers), ref),
  }))
  const firstRule = (ref: number): number => floors.rules.findIndex(({ matchers }) => hasBit(matched.of(matchers), ref))
  const before = (minTime: number, rule: number): void => {
    if (minTime > Number.NEGATIVE_INFINITY)
      hides.push({ minTime: Number.NEGATIVE_INFINITY, maxTime: minTime - 1, has: (ref) => firstRule(ref) === rule })
  }
  floors.rules.forEach(({ minTime }, rule) => void before(minTime, rule))
  before(floors.minTime, -1)
  return hides
}

export class HidingReader implements SeriesReader {
  protected readonly inner: SeriesReader
  readonly #hides: readonly Hide[]

  constructor(inner: SeriesReader, hides: readonly Hide[]) {
    this.inner = inner
    this.#hides = hides
  }

  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    const refs = this.inner.select(matchers, range, shard)
    const hides = refs.length > 0 ? this.#within(range) : []
    if (hides.length === 0) return refs
    const left = new Map<string, readonly Uint32Array[]>()
    let count = 0
    for (const ref of refs) {
      const those = hides.filter(({ has }) => has(ref))
      if (those.length > 0) {
        const key = those.map((each) => hides.indexOf(each)).join()
        let sets = left.get(key)
        if (!sets) {
          const gaps = gapsOf(this.#known(range), those)
          left.set(key, (sets = gaps.map((gap) => bitsOf(this.inner.select(matchers, gap)))))
        }
        if (!sets.some((bits) => hasBit(bits, ref))) continue
      }
      refs[count++] = ref
    }
    return refs.slice(0, count)
  }

  matchBound(matchers: readonly Matcher[]): number {
    return this.inner.matchBound?.(matchers) ?? Number.POSITIVE_INFINITY
  }

  read(ref: number, range: TimeRange, out: SampleBuffer): void {
    this.inner.read(ref, range, out)
    if (out.count === 0) return
    for (const { has, minTime, maxTime } of this.#hides) {
      if (minTime > range.maxTime || maxTime < range.minTime || !has(ref)) continue
      removeSamples(out, minTime, maxTime)
      if (out.count === 0) return
    }
  }

  labels(ref: number): Labels {
    return this.inner.labels(ref)
  }

  labelIds(ref: number): Uint32Array {
    return this.inner.labelIds(ref)
  }

  symbol(id: number): string {
    return this.inner.symbol(id)
  }

  symbolId(text: string): number {
    return this.inner.symbolId(text)
  }

  labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    return this.inner.labelNames(matchers, range)
  }

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): string[] {
    return this.inner.labelValues(name, matchers, range)
  }

  exemplars(ref: number, range: TimeRange): Exemplar[] {
    return this.inner.exemplars(ref, range)
  }

  metadata(): ReadonlyMap<string, readonly Metadata[]> {
    return this.inner.metadata()
  }

  get seriesCount(): number {
    return this.inner.seriesCount
  }

  timeRange(): TimeRange | null {
    return this.inner.timeRange()
  }

  release(): void {
    this.inner.release()
  }

  #within(range: TimeRange): Hide[] {
    return this.#hides.filter(({ minTime, maxTime }) => minTime <= range.maxTime && maxTime >= range.minTime)
  }

  /** The part of the range where there are samples; nothing later than what was hidden is cut off, for a head grows. */
  #known(range: TimeRange): TimeRange {
    const own = this.inner.timeRange() ?? range
    const maxTime = hasLabelHash(this.inner) ? Math.min(range.maxTime, own.maxTime) : range.maxTime
    return { minTime: Math.max(range.minTime, own.minTime), maxTime }
  }
}

/** Of a block: merging asks for the hash. */
class HashedHidingReader extends HidingReader {
  labelHash(ref: number): number {
    return (this.inner as SeriesReader & { labelHash(ref: number): number }).labelHash(ref)
  }
}

function gapsOf({ minTime, maxTime }: TimeRange, hides: readonly Hide[]): TimeRange[] {
  const gaps: TimeRange[] = []
  let from = minTime
  for (const hide of [...hides].sort((a, b) => a.minTime - b.minTime)) {
    if (hide.minTime > from) gaps.push({ minTime: from, maxTime: Math.min(maxTime, hide.minTime - 1) })
    from = Math.max(from, hide.maxTime + 1)
    if (from > maxTime) return gaps
  }
  gaps.push({ minTime: from, maxTime })
  return gaps
}

function bitsOf(refs: Uint32Array): Uint32Array {
  const last = refs.length > 0 ? refs[refs.length - 1]! : 0
  const bits = new Uint32Array((last >>> 5) + 1)
  for (const ref of refs) bits[ref >>> 5]! |= 1 << (ref & 31)
  return bits
}

function hasBit(bits: Uint32Array, ref: number): boolean {
  return (((bits[ref >>> 5] ?? 0) >>> (ref & 31)) & 1) !== 0
}

function hasLabelHash(reader: SeriesReader): boolean {
  return 'labelHash' in reader
}

/** Whether a series of the block loses anything; `reader` is the block itself. */
export function isAffected(reader: SeriesReader, { tombstones, floors }: Hidden, deletes: number): boolean {
  const open = tombstones.filter(({ id }) => id > deletes)
  const hides = hidesWithin(reader.timeRange(), { tombstones: open, floors }, new MatchedRefs(reader))
  return hides.length > 0 && reader.select([], EVER).some((ref) => hides.some(({ has }) => has(ref)))
}

/** Names of the rules, with what comes before them, of which nothing is left before `maxTime`. */
export function expiredKeys({ rules, minTime }: Floors, maxTime: number): string[] {
  const keys: string[] = []
  let before = ''
  for (const rule of [...rules, { matchers: [], minTime }]) {
    before += `${JSON.stringify(rule.matchers)}\n`
    if (rule.minTime >= maxTime) keys.push(crc32c(new TextEncoder().encode(before)).toString(16))
  }
  return keys
}
