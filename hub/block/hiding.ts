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
import type {
  AggregateBuffer,
  SampleBuffer,
  SeriesReader,
  SeriesRef,
  Shard,
  StoredAggregates,
  TimeRange,
} from '../tsdb/mod.ts'
import { removeRows } from './aggregate.ts'
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
  /** Of the head, nothing later is meant: it was not there. Absent: `maxTime`. */
  readonly headMaxTime?: number
}

/** Retention by series: the first rule that matches has the say; samples before its `minTime` are not shown. */
export type Floors = {
  readonly rules: readonly { readonly matchers: readonly Matcher[]; readonly minTime: number }[]
  /** Of series that no rule matches. */
  readonly minTime: number
  /** Where there is downsampling, by ascending width. */
  readonly tiers?: readonly TierFloors[]
}

/** Downsampled windows that end before the floor of their series are not shown; the rules are those of samples. */
export type TierFloors = { readonly widthMs: number; readonly floors: Floors }

/** All that is to be hidden, from whatever reader. */
export type Hidden = { readonly tombstones: readonly Tombstone[]; readonly floors: Floors }

export const NO_FLOORS: Floors = { rules: [], minTime: Number.NEGATIVE_INFINITY }
export const NOTHING_HIDDEN: Hidden = { tombstones: [], floors: NO_FLOORS }
const EVER: TimeRange = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }

/** Refs that matchers select, found once; of a block they never change. */
export class MatchedRefs {
  readonly #reader: SeriesReader
  readonly #sets = new Map<string, Uint32Array>()
  #deletions: readonly Tombstone[] | null = null

  constructor(reader: SeriesReader) {
    this.#reader = reader
  }

  /** What was found for deletions that are no longer there is forgotten, and with it the rest, which is found again. */
  knownWith(deletions: readonly Tombstone[]): void {
    if (deletions === this.#deletions) return
    this.#deletions = deletions
    this.#sets.clear()
  }

  get size(): number {
    return this.#sets.size
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
  hidden: Hidden,
  deletes: number,
  matched?: MatchedRefs,
): SeriesReader {
  return hide(reader, openTo(hidden, deletes), matched)
}

/** What is not yet carried out in a block that was written when the tombstones up to `deletes` were in force. */
export function openTo(hidden: Hidden, deletes: number): Hidden {
  return { ...hidden, tombstones: hidden.tombstones.filter(({ id }) => id > deletes) }
}

/** Samples are seen for as long as windows are kept, which are made of them later. */
export function hideFromHead(reader: SeriesReader, { tombstones, floors }: Hidden): SeriesReader {
  const ofHead = tombstones.filter(({ inHead }) => inHead)
  const ended = ofHead.map((each) => (each.headMaxTime === undefined ? each : { ...each, maxTime: each.headMaxTime }))
  return hide(reader, { tombstones: ended, floors: lowest(floors) })
}

/** The reader itself when it has nothing that is to be hidden. */
function hide(reader: SeriesReader, hidden: Hidden, matched = new MatchedRefs(reader)): SeriesReader {
  const range = reader.timeRange()
  if (!range) return reader
  const veil = veilOf(hidden, matched, range)
  if (veil.samples.length === 0 && veil.windows.length === 0) return reader
  return hasLabelHash(reader) ? new HashedHidingReader(reader, veil) : new HidingReader(reader, veil)
}

/** Times included. */
type Hide = { readonly minTime: number; readonly maxTime: number; readonly has: (ref: number) => boolean }

/** What is hidden from a reader, as far as it reaches into its time. */
export type Veil = {
  /** From its samples. */
  readonly samples: readonly Hide[]
  /** From its windows. */
  readonly deleted: readonly Hide[]
  readonly windows: readonly { readonly widthMs: number; readonly hides: readonly Hide[] }[]
  /** A series of which all in a range is hidden by these has nothing left there. */
  readonly series: readonly Hide[]
}

export function veilOf(hidden: Hidden, matched: MatchedRefs, range: TimeRange): Veil {
  const isWithin = ({ minTime, maxTime }: Hide): boolean => minTime <= range.maxTime && maxTime >= range.minTime
  const { floors } = hidden
  const { tiers = [] } = floors
  // Windows reach beyond the reader's time, but all that went into them is within.
  const within = hidden.tombstones.filter(
    ({ minTime, maxTime }) => minTime <= range.maxTime && maxTime >= range.minTime,
  )
  const deleted = within.map(({ matchers, minTime, maxTime }) => ({ minTime, maxTime, has: hasIn(matched, matchers) }))
  const samples = [...deleted, ...hidesBefore(floors, matched).filter(isWithin)]
  const windows = tiers.map(({ widthMs, floors: own }) => ({ widthMs, hides: hidesBefore(own, matched) }))
  const series = tiers.length === 0 ? samples : [...deleted, ...hidesBefore(lowest(floors), matched).filter(isWithin)]
  return { samples, deleted, windows, series }
}

/** What is kept longest of each series, be it samples or windows. */
function lowest(floors: Floors): Floors {
  const { tiers } = floors
  if (!tiers) return floors
  const least = (of: (each: Floors) => number): number =>
    tiers.reduce((min, tier) => Math.min(min, of(tier.floors)), of(floors))
  return {
    rules: floors.rules.map((rule, i) => ({
      ...rule,
      minTime: least(({ rules }) => rules[i]?.minTime ?? rule.minTime),
    })),
    minTime: least(({ minTime }) => minTime),
  }
}

function hidesBefore({ rules, minTime }: Floors, matched: MatchedRefs): Hide[] {
  const hides: Hide[] = []
  const of = rules.map(({ matchers }) => hasIn(matched, matchers))
  const firstRule = (ref: number): number => of.findIndex((has) => has(ref))
  const before = (floor: number, rule: number): void => {
    if (floor > Number.NEGATIVE_INFINITY)
      hides.push({ minTime: Number.NEGATIVE_INFINITY, maxTime: floor - 1, has: (ref) => firstRule(ref) === rule })
  }
  rules.forEach((rule, i) => void before(rule.minTime, i))
  before(minTime, -1)
  return hides
}

/** The time up to which the hides of a series reach, that are floors; -Infinity when none do. */
function floorOf(hides: readonly Hide[], ref: number): number {
  let floor = Number.NEGATIVE_INFINITY
  for (const { minTime, maxTime, has } of hides)
    if (minTime === Number.NEGATIVE_INFINITY && maxTime + 1 > floor && has(ref)) floor = maxTime + 1
  return floor
}

/** What of a series is to go for good when its block is written. */
export type Expiry = {
  samples(ref: number, out: SampleBuffer): void
  rows(ref: number, widthMs: number, out: AggregateBuffer): void
}

export const NO_EXPIRY: Expiry = { samples: () => {}, rows: () => {} }

/** By retention alone, of what `reader` has: what was deleted it does not have. */
export function expiryOf(reader: SeriesReader, floors: Floors): Expiry {
  const matched = new MatchedRefs(reader)
  const ofSamples = hidesBefore(floors, matched)
  const ofRows = new Map((floors.tiers ?? []).map((tier) => [tier.widthMs, hidesBefore(tier.floors, matched)]))
  return {
    samples: (ref, out) => {
      const floor = floorOf(ofSamples, ref)
      if (floor > Number.NEGATIVE_INFINITY) removeSamples(out, Number.NEGATIVE_INFINITY, floor - 1)
    },
    rows: (ref, widthMs, out) => removeRowsBefore(out, floorOf(ofRows.get(widthMs) ?? [], ref)),
  }
}

/** Windows that reach over the floor stay. */
function removeRowsBefore(out: AggregateBuffer, floor: number): void {
  if (out.count > 0 && out.times[0]! < floor) removeRows(out, Number.NEGATIVE_INFINITY, floor - out.widths[0]!)
}

export class HidingReader implements SeriesReader {
  protected readonly inner: SeriesReader
  readonly #veil: Veil
  #stored: StoredAggregates | null = null

  constructor(inner: SeriesReader, veil: Veil) {
    this.inner = inner
    this.#veil = veil
  }

  get stored(): StoredAggregates | null {
    if (this.#stored !== null || !this.inner.stored) return this.#stored
    this.#stored = new HidingAggregates(this.inner.stored, this.#veil, this.inner.timeRange())
    return this.#stored
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
    const hides = this.#ofSamples()
    for (const { has, minTime, maxTime } of hides) {
      if (minTime > range.maxTime || maxTime < range.minTime || !has(ref)) continue
      removeSamples(out, minTime, maxTime)
      if (out.count === 0) return
    }
  }

  /** Where a part of the range is hidden from the series, all of it is read: what is newest there may be older than that. */
  readNewest(ref: number, range: TimeRange, out: SampleBuffer): void {
    const isTouched = ({ has, minTime, maxTime }: Hide): boolean =>
      minTime <= range.maxTime && maxTime >= range.minTime && has(ref)
    if (this.inner.readNewest === undefined || this.#ofSamples().some(isTouched)) this.read(ref, range, out)
    else this.inner.readNewest(ref, range, out)
  }

  /** While no windows are made of samples, these are seen for as long as windows are kept. */
  #ofSamples(): readonly Hide[] {
    return this.inner.stored ? this.#veil.samples : this.#veil.series
  }

  readWeight(ref: number, range: TimeRange): number {
    return this.inner.readWeight?.(ref, range) ?? Number.POSITIVE_INFINITY
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

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): readonly string[] {
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
    return this.#veil.series.filter(({ minTime, maxTime }) => minTime <= range.maxTime && maxTime >= range.minTime)
  }

  /** The part of the range where there are samples; nothing later than what was hidden is cut off, for a head grows. */
  #known(range: TimeRange): TimeRange {
    const own = this.inner.timeRange() ?? range
    const maxTime = hasLabelHash(this.inner) ? Math.min(range.maxTime, own.maxTime) : range.maxTime
    return { minTime: Math.max(range.minTime, own.minTime), maxTime }
  }
}

/** Of a block: merging asks for the hash. */
export class HashedHidingReader extends HidingReader {
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

/** Looked for when it is first asked: the key of a set costs more than the bit. */
function hasIn(matched: MatchedRefs, matchers: readonly Matcher[]): (ref: number) => boolean {
  let bits: Uint32Array | null = null
  return (ref) => hasBit((bits ??= matched.of(matchers)), ref)
}

function hasBit(bits: Uint32Array, ref: number): boolean {
  return (((bits[ref >>> 5] ?? 0) >>> (ref & 31)) & 1) !== 0
}

function hasLabelHash(reader: SeriesReader): boolean {
  return 'labelHash' in reader
}

/** Whether a series of the block loses anything; `reader` is the block itself. */
export function isAffected(reader: SeriesReader, hidden: Hidden, deletes: number): boolean {
  const range = reader.timeRange()
  if (!range) return false
  const { samples, windows } = veilOf(openTo(hidden, deletes), new MatchedRefs(reader), range)
  const hides = [...samples, ...windows.flatMap(({ hides: each }) => each)].filter(
    ({ minTime, maxTime }) => minTime <= range.maxTime && maxTime >= range.minTime,
  )
  return hides.length > 0 && reader.select([], EVER).some((ref) => hides.some(({ has }) => has(ref)))
}

/** Names of the rules, with what comes before them, of which nothing is left before `maxTime`. */
export function expiredKeys(floors: Floors, maxTime: number): string[] {
  return [
    ...keysOf(floors, maxTime, ''),
    // The last window may end after the block.
    ...(floors.tiers ?? []).flatMap((tier) => keysOf(tier.floors, maxTime + tier.widthMs, `${tier.widthMs}\n`)),
  ]
}

function keysOf({ rules, minTime }: Floors, maxTime: number, prefix: string): string[] {
  const keys: string[] = []
  let before = prefix
  for (const rule of [...rules, { matchers: [], minTime }]) {
    before += `${JSON.stringify(rule.matchers)}\n`
    if (rule.minTime >= maxTime) keys.push(crc32c(new TextEncoder().encode(before)).toString(16))
  }
  return keys
}

/** The windows of a block without those that are hidden. */
class HidingAggregates implements StoredAggregates {
  readonly #inner: StoredAggregates
  readonly #veil: Veil
  readonly #ofBlock: TimeRange

  constructor(inner: StoredAggregates, veil: Veil, ofBlock: TimeRange | null) {
    this.#inner = inner
    this.#veil = veil
    this.#ofBlock = ofBlock ?? EVER
  }

  widths(ref: SeriesRef, range: TimeRange): readonly number[] {
    const minTime = Math.max(range.minTime, this.#ofBlock.minTime)
    // A deletion that takes a part of a window takes all of it.
    const isCut = this.#veil.deleted.some(
      (hide) => hide.minTime <= range.maxTime && hide.maxTime >= minTime && hide.has(ref),
    )
    if (isCut) return []
    return this.#inner.widths(ref, range).filter((width) => floorOf(this.#hides(width), ref) <= minTime)
  }

  allWidths(): readonly number[] {
    return this.#inner.allWidths()
  }

  goneBefore(ref: SeriesRef): number {
    return Math.max(this.#inner.goneBefore(ref), floorOf(this.#veil.samples, ref))
  }

  read(ref: SeriesRef, range: TimeRange, width: number, columns: number, out: AggregateBuffer): boolean {
    const isWhole = this.#inner.read(ref, range, width, columns, out)
    removeRowsBefore(out, floorOf(this.#hides(width), ref))
    for (const { has, minTime, maxTime } of this.#veil.deleted)
      if (out.count > 0 && has(ref)) removeRows(out, minTime, maxTime)
    return isWhole
  }

  /** Of a width that is not configured, samples' own: such windows are not kept any longer. */
  #hides(width: number): readonly Hide[] {
    return this.#veil.windows.find(({ widthMs }) => widthMs === width)?.hides ?? this.#veil.samples
  }
}
