/** The head's `SeriesReader`: a view of the shared pages for one query in one thread. */
import { type Labels, labelsFromSorted, sortStrings } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import { type Cardinality, cardinalityOf } from './cardinality.ts'
import { chunkKind } from './chunk-reader.ts'
import type {
  ReaderShare,
  SampleBuffer,
  SeriesReader,
  SeriesRef,
  Shard,
  SymbolId,
  TimeRange,
  ValuesLimits,
} from './contract.ts'
import { clearOwner, enterEpoch, leaveEpoch } from './epochs.ts'
import { StalePagesError } from './errors.ts'
import { readExemplars } from './exemplars.ts'
import { firstTick, tickTime } from './groups.ts'
import { mayHaveLate } from './late-reader.ts'
import {
  C_EVICTED_F64,
  C_EVICTIONS,
  C_FLOOR_F64,
  C_GENERATION,
  C_LIVE_SERIES,
  C_MAX_TIME_F64,
  C_MIN_TIME_F64,
  C_SAMPLES_PRESENT,
  COUNT_SHIFT,
  DEAD,
  EXEMPLARS,
  G_DIRECTORY,
  G_LAST_TIME_F64,
  G_TICKS,
  GROUPS,
  K_BASE_F64,
  K_GROUP,
  K_TICK,
  KIND_MASK,
  Kind,
  P_NAME,
  P_VALUE,
  PAGE_MASK,
  PAGE_SHIFT,
  PAIRS,
  S_BASE_F64,
  S_FIRST,
  S_GROUP,
  S_LABELS,
  S_LAST_TIME_F64,
  S_OOO,
  S_OOO_RAW,
  S_STATE,
  S_TICK,
  SERIES,
  SYMBOLS,
} from './layout.ts'
import { MatchedPairs } from './matched-pairs.ts'
import { Memory } from './memory.ts'
import { readMetadata } from './metadata.ts'
import { findPosting } from './postings.ts'
import { type Index, matchBound, selectRefs } from './select.ts'
import { SeriesDecoder } from './series-reader.ts'
import { type SortedPairs, SortedValues } from './sorted-values.ts'
import { SymbolReader } from './symbols.ts'
import { Table } from './table.ts'

/** What a thread keeps of a head between readers: views, and caches that hold until ids are given out anew. */
type ThreadView = {
  readonly mem: Memory
  readonly series: Table
  readonly pairs: Table
  readonly symbolTable: Table
  readonly groups: Table
  readonly exemplars: Table
  readonly symbols: SymbolReader
  readonly decoder: SeriesDecoder
  readonly sortedValues: SortedValues
  readonly matched: MatchedPairs
  /** Of series that were asked for: to make the strings' array costs more than all else that an instant query does with a series. */
  readonly labels: Map<SeriesRef, Labels>
  generation: number
}

/** Of a thread; past it all are forgotten. */
const LABELS_MAX = 20_000

/** Weak, by control page: a thread that has let go of a head keeps nothing of it. */
const threadViews = new WeakMap<SharedArrayBuffer, ThreadView>()

export type ReaderOptions = {
  /** Names the thread (> 0), so that `Head.clearOwner` can end its claims when it dies. Default 1. */
  readonly owner?: number
  /** The thread asks for nothing twice: it is not to keep what it decodes, 30 MB of it. As its newest reader has it. */
  readonly readsOnce?: boolean
}

/**
 * Opens a reader on a share, in any thread. Cheap: the views are kept per thread.
 * The methods throw StalePagesError when the head has grown into a page that the share lacks.
 * @throws TooManyReadersError
 * @example const reader = openReader(head.share()); try { … } finally { reader.release() }
 */
export function openReader(share: ReaderShare, options: ReaderOptions = {}): SeriesReader {
  const view = threadViewOf(share)
  view.decoder.mayKeep = options.readsOnce !== true
  const slot = enterEpoch(view.mem, options.owner ?? 1)
  const generation = Atomics.load(view.mem.control, C_GENERATION)
  if (generation !== view.generation) forget(view, generation)
  return new HeadReader(view, slot)
}

/** In-order samples older than this are no longer in the head: whoever reads must have the blocks that hold them. */
export function evictedUntil(share: ReaderShare): number {
  return new Float64Array(share.control)[C_EVICTED_F64]!
}

/**
 * How often the head has evicted: whoever reads must have the blocks of as many times. Late samples go to blocks as well,
 * which `evictedUntil` does not tell. Pairs with the add in `evict()`, head.ts.
 */
export function evictions(share: ReaderShare): number {
  return Atomics.load(new Uint32Array(share.control), C_EVICTIONS)
}

/** Ends all claims of a thread that died, from any thread; returns how many. */
export function releaseOwner(share: ReaderShare, owner: number): number {
  return clearOwner(threadViewOf(share).mem, owner)
}

function threadViewOf(share: ReaderShare): ThreadView {
  const known = threadViews.get(share.control)
  if (known) {
    known.mem.addPages(share.pages)
    return known
  }
  const mem = new Memory(share.control, share.pages)
  const symbolTable = new Table(mem, SYMBOLS)
  const groups = new Table(mem, GROUPS)
  const view: ThreadView = {
    mem,
    series: new Table(mem, SERIES),
    pairs: new Table(mem, PAIRS),
    symbolTable,
    groups,
    exemplars: new Table(mem, EXEMPLARS),
    symbols: new SymbolReader(mem, symbolTable),
    decoder: new SeriesDecoder(mem, groups),
    sortedValues: new SortedValues(),
    matched: new MatchedPairs(),
    labels: new Map(),
    generation: -1,
  }
  threadViews.set(share.control, view)
  return view
}

function forget(view: ThreadView, generation: number): void {
  view.symbols.forget()
  view.series.forget()
  view.sortedValues.clear()
  view.matched.clear()
  view.labels.clear()
  view.generation = generation
}

class HeadReader implements SeriesReader {
  readonly #view: ThreadView
  readonly #mem: Memory
  readonly #index: Index
  #slot: number
  #labelIds = new Uint32Array(64)
  #refsKnown = 0
  /** Only within one call: see #groupEnd. */
  #lastGroup = -1
  #lastGroupEnd = 0

  constructor(view: ThreadView, slot: number) {
    this.#view = view
    this.#mem = view.mem
    this.#index = view
    this.#slot = slot
  }

  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    this.#refresh()
    return this.#guard(() => {
      const refs = selectRefs(this.#index, matchers, shard)
      let count = 0
      for (let i = 0; i < refs.length; i++) if (this.#mayHave(refs[i]!, range)) refs[count++] = refs[i]!
      return refs.slice(0, count)
    })
  }

  matchBound(matchers: readonly Matcher[]): number {
    this.#refresh()
    return this.#guard(() => matchBound(this.#index, matchers))
  }

  /** Refs are not given out anew, as symbols are. */
  refIdentity(): object {
    return this.#view
  }

  labels(ref: SeriesRef): Labels {
    this.#refresh()
    const { labels: known } = this.#view
    const before = known.get(ref)
    if (before !== undefined) return before
    const ids = this.labelIds(ref)
    const flat: string[] = []
    for (let i = 0; i < ids.length; i++) flat.push(this.symbol(ids[i]!))
    const labels = labelsFromSorted(flat)
    if (known.size >= LABELS_MAX) known.clear()
    // None where the series is gone.
    if (flat.length > 0) known.set(ref, labels)
    return labels
  }

  labelIds(ref: SeriesRef): Uint32Array {
    return this.#guard(() => {
      const mem = this.#mem
      const record = this.#exists(ref) ? this.#view.series.addr(ref) : 0
      const block = record === 0 ? 0 : mem.get(record + S_LABELS)
      const n = block === 0 ? 0 : mem.get(block)
      if (this.#labelIds.length < 2 * n) this.#labelIds = new Uint32Array(4 * n)
      for (let i = 0; i < n; i++) {
        const pair = this.#view.pairs.addr(mem.get(block + 1 + i))
        this.#labelIds[2 * i] = mem.get(pair + P_NAME)
        this.#labelIds[2 * i + 1] = mem.get(pair + P_VALUE)
      }
      return this.#labelIds.subarray(0, 2 * n)
    })
  }

  valueId(ref: SeriesRef, name: SymbolId): SymbolId {
    this.#checkOpen()
    try {
      const { series, pairs } = this.#view
      const mem = this.#mem
      const record = this.#exists(ref) ? series.addr(ref) : 0
      const block = record === 0 ? 0 : mem.get(record + S_LABELS)
      const n = block === 0 ? 0 : mem.get(block)
      for (let i = 1; i <= n; i++) {
        const pair = pairs.addr(mem.get(block + i))
        if (mem.get(pair + P_NAME) === name) return mem.get(pair + P_VALUE)
      }
      return -1
    } catch (error) {
      throw this.#explained(error)
    }
  }

  symbol(id: SymbolId): string {
    this.#refresh()
    return this.#guard(() => this.#view.symbols.text(id))
  }

  symbolId(text: string): SymbolId {
    return this.#guard(() => this.#view.symbols.id(text))
  }

  read(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void {
    this.#read(ref, range, out, false)
  }

  readNewest(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void {
    this.#read(ref, range, out, true)
  }

  #read(ref: SeriesRef, range: TimeRange, out: SampleBuffer, newestOnly: boolean): void {
    this.#checkOpen()
    try {
      const record = this.#exists(ref) ? this.#view.series.addr(ref) : 0
      if (record === 0) {
        out.count = 0
        out.mixed = false
        out.histograms = null
        out.before = undefined
        out.startTimes = null
        out.timesKey = 0
        out.rising = 0
        return
      }
      this.#refresh()
      this.#view.decoder.read(record, range.minTime, range.maxTime, out, newestOnly)
    } catch (error) {
      throw this.#explained(error)
    }
  }

  readWeight(ref: SeriesRef, range: TimeRange): number {
    const { series, decoder } = this.#view
    return this.#guard(() => {
      const record = this.#exists(ref) ? series.addr(ref) : 0
      return record === 0 ? 0 : decoder.weight(record, range.minTime, range.maxTime)
    })
  }

  labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    return this.#guard(() => {
      const names = new Set<SymbolId>()
      for (const ref of this.select(matchers, range)) {
        const ids = this.labelIds(ref)
        for (let i = 0; i < ids.length; i += 2) names.add(ids[i]!)
      }
      return this.#texts(names)
    })
  }

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): readonly string[] {
    this.#refresh()
    return this.#guard(() => {
      const nameId = this.#view.symbols.id(name)
      if (nameId < 0) return []
      if (matchers.length === 0) {
        const sorted = this.#view.sortedValues.of(this.#index, nameId) as SortedPairs
        return this.#valuesOf(sorted, range, Number.POSITIVE_INFINITY)!
      }
      const values = new Set<SymbolId>()
      for (const ref of this.select(matchers, range)) {
        const ids = this.labelIds(ref)
        for (let i = 0; i < ids.length; i += 2) if (ids[i] === nameId) values.add(ids[i + 1]!)
      }
      return this.#texts(values)
    })
  }

  valuesWithin(name: string, range: TimeRange, limits: ValuesLimits): readonly string[] | 'later' | 'many' {
    this.#refresh()
    return this.#guard(() => {
      const nameId = this.#view.symbols.id(name)
      if (nameId < 0) return []
      const sorted = this.#view.sortedValues.of(this.#index, nameId, limits.sorted, limits.values)
      if (sorted === 'later' || sorted === 'many') return sorted
      return this.#valuesOf(sorted, range, limits.looks) ?? 'many'
    })
  }

  exemplars(ref: SeriesRef, range: TimeRange): Exemplar[] {
    return this.#guard(() => readExemplars(this.#mem, this.#view.exemplars, ref, range))
  }

  metadata(): ReadonlyMap<string, readonly Metadata[]> {
    return this.#guard(() => readMetadata(this.#mem, this.#view.symbols))
  }

  get seriesCount(): number {
    return Atomics.load(this.#mem.control, C_LIVE_SERIES)
  }

  cardinality(limit: number): Cardinality {
    this.#refresh()
    return this.#guard(() => cardinalityOf(this.#index, limit))
  }

  timeRange(): TimeRange | null {
    const { control, controlF64 } = this.#mem
    if (Atomics.load(control, C_SAMPLES_PRESENT) === 0) return null // pairs with the store in Head.publish
    const minTime = Math.max(controlF64[C_MIN_TIME_F64]!, controlF64[C_FLOOR_F64]!)
    return { minTime, maxTime: controlF64[C_MAX_TIME_F64]! }
  }

  release(): void {
    if (this.#slot < 0) return
    leaveEpoch(this.#mem, this.#slot)
    this.#slot = -1
  }

  /** Has been given out: to ask the table each time would cost as much as a label. */
  #exists(ref: SeriesRef): boolean {
    if (ref >= this.#refsKnown) this.#refsKnown = this.#view.series.count
    return ref < this.#refsKnown
  }

  /**
   * Drops what the thread remembers of ids once some were given out anew. A plain load does: whoever has met a new id
   * has seen, through the store that published it, the generation that was raised before.
   */
  #refresh(): void {
    this.#lastGroup = -1
    const generation = this.#mem.control[C_GENERATION]!
    if (generation !== this.#view.generation) forget(this.#view, generation)
  }

  /**
   * Values of the name that a series with samples in the range has: looks no further than the first of each. Those that are
   * kept, as they are, when that is all of them; null when more series would have to be looked at.
   */
  #valuesOf({ pairs, texts, witnesses }: SortedPairs, range: TimeRange, looksMax: number): readonly string[] | null {
    let looks = 0
    const mayHave = (ref: SeriesRef): boolean => ++looks > looksMax || this.#mayHave(ref, range)
    // Of all values up to there, until one is missing.
    let values: string[] | null = null
    for (let p = 0; p < pairs.length; p++) {
      const before = witnesses[p]!
      if (before === 0 || !mayHave(before - 1)) {
        const ref = findPosting(this.#mem, this.#view.pairs, pairs[p]!, mayHave)
        if (looks > looksMax) return null
        if (ref < 0) {
          values ??= texts.slice(0, p)
          continue
        }
        witnesses[p] = ref + 1
      }
      values?.push(texts[p]!)
    }
    return looks > looksMax ? null : (values ?? texts)
  }

  #texts(ids: ReadonlySet<SymbolId>): string[] {
    return sortStrings(Array.from(ids, (id) => this.#view.symbols.text(id)))
  }

  /** A live series whose first and last sample do not rule the range out, nor do those of its chunks of late ones. */
  #mayHave(ref: SeriesRef, range: TimeRange): boolean {
    const record = this.#view.series.addr(ref)
    if (record === 0) return false
    const words = this.#mem.u32[record >>> PAGE_SHIFT]!
    const at = record & PAGE_MASK
    if ((words[at + S_STATE]! & DEAD) !== 0 || words[at + S_LABELS] === 0) return false
    const minTime = Math.max(range.minTime, this.#mem.controlF64[C_FLOOR_F64]!)
    if (this.#mayHaveInOrder(record, words, at, minTime, range.maxTime)) return true
    const hasLate = words[at + S_OOO] !== 0 || words[at + S_OOO_RAW] !== 0
    return hasLate && mayHaveLate(this.#mem, record, minTime, range.maxTime)
  }

  #mayHaveInOrder(record: number, words: Uint32Array, at: number, minTime: number, maxTime: number): boolean {
    const state = words[at + S_STATE]!
    // All of them went, and S_LAST_TIME tells of them still.
    if ((state & KIND_MASK) === Kind.none && words[at + S_FIRST] === 0) return false
    const { controlF64 } = this.#mem
    const isOpenTick = state >>> COUNT_SHIFT > 0 && (state & KIND_MASK) === Kind.group
    const last = isOpenTick ? this.#groupEnd(words[at + S_GROUP]!) : this.#mem.getF64(record, S_LAST_TIME_F64)
    // Without a sample it is in no range, not even in one without a start.
    if (last === -Infinity || !(last >= minTime)) return false
    // The common query ends after all samples.
    return maxTime >= controlF64[C_MAX_TIME_F64]! || this.#firstTime(record, state) <= maxTime
  }

  /** Time of the group's last tick, kept from series to series, since neighbours share groups. */
  #groupEnd(group: number): number {
    if (group !== this.#lastGroup) {
      this.#lastGroup = group
      this.#lastGroupEnd = this.#mem.getF64(this.#view.groups.addr(group), G_LAST_TIME_F64)
    }
    return this.#lastGroupEnd
  }

  /** A lower bound. */
  #firstTime(record: number, state: number): number {
    const mem = this.#mem
    const first = mem.load(record + S_FIRST)
    if (first !== 0) {
      if (chunkKind(mem, first) !== Kind.group) return mem.getF64(first, K_BASE_F64)
      return this.#timeOf(mem.get(first + K_GROUP), mem.get(first + K_TICK))
    }
    if ((state & KIND_MASK) === Kind.group) return this.#timeOf(mem.get(record + S_GROUP), mem.get(record + S_TICK))
    return (state & KIND_MASK) === Kind.none ? -Infinity : mem.getF64(record, S_BASE_F64)
  }

  #timeOf(group: number, tick: number): number {
    const record = this.#view.groups.addr(group)
    const directory = this.#mem.load(record + G_DIRECTORY)
    // The record is read without its lock: a tick of another group must not lead outside the directory.
    const isKnown = tick >= firstTick(this.#mem, directory) && tick < this.#mem.get(record + G_TICKS)
    return isKnown ? tickTime(this.#mem, directory, tick) : -Infinity
  }

  /** What is called for each series has this inside: a closure costs as much as reading one sample. */
  #guard<T>(fn: () => T): T {
    this.#checkOpen()
    try {
      return fn()
    } catch (error) {
      throw this.#explained(error)
    }
  }

  #checkOpen(): void {
    if (this.#slot < 0) throw new Error('BUG: a head reader was used after release()')
  }

  #explained(error: unknown): unknown {
    return error instanceof TypeError && this.#mem.isStale ? new StalePagesError(this.#mem) : error
  }
}
