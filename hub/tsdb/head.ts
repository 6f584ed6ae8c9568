/**
 * The head: recent samples in shared memory, one writer. See layout.ts for the memory, series-writer.ts for appends,
 * reader.ts for the other side.
 */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../../protocol/samples/mod.ts'
import { Allocator } from './allocator.ts'
import { chunkCount } from './cardinality.ts'
import { ChunkWriter } from './chunk-writer.ts'
import { AppendResult, type ReaderShare, type SeriesRef } from './contract.ts'
import { activeReaders, clearOwner, Limbo, leaveEpoch } from './epochs.ts'
import { HeadFullError } from './errors.ts'
import { ExemplarWriter } from './exemplars.ts'
import { GroupWriter } from './groups.ts'
import {
  HEAD_DEFAULTS,
  type Head,
  type HeadDrops,
  type HeadOptions,
  type HeadStats,
  type SeriesLimit,
} from './head-contract.ts'
import { HistogramEncoder } from './histogram-codec.ts'
import { LateWriter } from './late-writer.ts'
import {
  C_CLOSED_F64,
  C_EPOCH,
  C_EVICTED_F64,
  C_FLOOR_F64,
  C_GENERATION,
  C_LOG_LIFE,
  C_MAGIC,
  C_MAX_TIME_F64,
  C_MIN_TIME_F64,
  C_SAMPLE_BYTES_F64,
  C_SAMPLES_F64,
  C_SAMPLES_PRESENT,
  C_VERSION,
  CONTROL_BYTES,
  KIND_MASK,
  Kind,
  LAYOUT_VERSION,
  MAGIC,
  S_GROUP,
  S_IDLE,
  S_STATE,
} from './layout.ts'
import { Memory } from './memory.ts'
import { MetadataWriter, readMetadata } from './metadata.ts'
import { PostingsWriter } from './postings-writer.ts'
import { RunAppender } from './run-appender.ts'
import { createSampleBuffer } from './sample-buffer.ts'
import { SeriesIndex } from './series-index.ts'
import { exceededLimit } from './series-limits.ts'
import { SeriesDecoder } from './series-reader.ts'
import { SeriesWriter } from './series-writer.ts'
import { SharedTimes } from './shared-times.ts'
import { type Copied, PageRestorer, serializePages } from './snapshot.ts'
import { SymbolWriter } from './symbol-writer.ts'
import { SymbolReader } from './symbols.ts'
import { Trimmer } from './trim.ts'

/** @example const head = createHead({ maxSeries: 1_000_000 }) */
export function createHead(options: HeadOptions = {}): Head {
  const mem = new Memory(new SharedArrayBuffer(CONTROL_BYTES), [])
  mem.control[C_MAGIC] = MAGIC
  mem.control[C_VERSION] = LAYOUT_VERSION
  mem.control[C_EPOCH] = 2 // 1 is what a slot holds while it is being claimed
  mem.controlF64[C_FLOOR_F64] = -Infinity
  mem.controlF64[C_EVICTED_F64] = -Infinity
  mem.controlF64[C_CLOSED_F64] = -Infinity
  mem.controlF64[C_MIN_TIME_F64] = Infinity
  mem.controlF64[C_MAX_TIME_F64] = -Infinity
  return new SharedHead(mem, { ...HEAD_DEFAULTS, ...options })
}

/**
 * A head from the bytes of `serialize()`, cut anywhere.
 * @throws SnapshotError when they are damaged, incomplete or of another version
 */
export function restoreHead(chunks: Iterable<Uint8Array>, options: HeadOptions = {}): Head {
  const restorer = headRestorer(options)
  for (const chunk of chunks) restorer.push(chunk)
  return restorer.finish()
}

/** As `restoreHead`, chunk by chunk, each borrowed until `push` returns. Both throw SnapshotError. */
export function headRestorer(options: HeadOptions = {}): { push(chunk: Uint8Array): void; finish(): Head } {
  const pages = new PageRestorer()
  return { push: (chunk) => pages.push(chunk), finish: () => headOf(pages.finish(), options) }
}

function headOf({ mem, limbo }: ReturnType<PageRestorer['finish']>, options: HeadOptions): Head {
  // A snapshot from before there were blocks.
  for (const field of [C_EVICTED_F64, C_CLOSED_F64]) if (mem.controlF64[field] === 0) mem.controlF64[field] = -Infinity
  const head = new SharedHead(mem, { ...HEAD_DEFAULTS, ...options })
  head.adoptLimbo(limbo)
  return head
}

/** Publishes between two attempts to free what waits in the limbo. */
const RECLAIM_EVERY = 16
/** A column of fewer series keeps times with each: a group of its own would cost more. */
const COLUMN_MIN = 4

class SharedHead implements Head {
  readonly #mem: Memory
  readonly #options: Required<HeadOptions>
  readonly #alloc: Allocator
  readonly #limbo: Limbo
  readonly #symbols: SymbolWriter
  readonly #postings: PostingsWriter
  readonly #groups: GroupWriter
  readonly #index: SeriesIndex
  readonly #series: SeriesWriter
  readonly #shared: SharedTimes
  readonly #runs: RunAppender
  readonly #chunks: ChunkWriter
  readonly #late: LateWriter
  readonly #trimmer: Trimmer
  readonly #exemplars: ExemplarWriter
  readonly #metadata: MetadataWriter
  readonly #histograms = new HistogramEncoder()
  readonly #storedHistograms = new HistogramEncoder()
  readonly #decoder: SeriesDecoder
  readonly #found = createSampleBuffer(16)
  readonly #drops: HeadDrops = {
    duplicates: 0,
    conflicting: 0,
    tooOld: 0,
    unknownSeries: 0,
    memoryLimit: 0,
    seriesLimit: 0,
    labelLimit: 0,
    exemplars: 0,
    metadata: 0,
  }
  #minTime: number
  #maxTime: number
  #floor: number
  /** Samples before it go the way of late ones: their time is in blocks, or about to be. */
  #closed: number
  /** Series that got a sample before `#closed` since it was set. */
  readonly #lateSince = new Set<SeriesRef>()
  #samples: number
  #lateSamples = 0
  #refusedBy: SeriesLimit = 'series'
  #histogramSamples = 0
  #removed = 0
  #publishes = 0
  #changes = 0

  constructor(mem: Memory, options: Required<HeadOptions>) {
    this.#mem = mem
    this.#options = options
    this.#alloc = new Allocator(mem, options.maxBytes)
    this.#limbo = new Limbo(mem, this.#alloc)
    const onReuse = () => Atomics.add(mem.control, C_GENERATION, 1)
    this.#symbols = new SymbolWriter(mem, this.#alloc, this.#limbo, onReuse)
    this.#postings = new PostingsWriter(mem, this.#alloc, this.#limbo, this.#symbols, onReuse)
    this.#groups = new GroupWriter(mem, this.#alloc, this.#limbo, onReuse)
    this.#index = new SeriesIndex(mem, this.#alloc, this.#limbo, this.#symbols, this.#postings)
    this.#chunks = new ChunkWriter(mem, this.#alloc, this.#groups)
    this.#series = new SeriesWriter(mem, this.#alloc, this.#groups, this.#chunks)
    this.#shared = new SharedTimes(mem, this.#groups, this.#series)
    this.#runs = new RunAppender(mem, this.#index.table, this.#shared, {
      one: (ref, time, low, high, group, tick) => this.#appendOne(ref, time, low, high, 0, group, tick),
      shared: (ref, time, low, high, n) => this.#appendShared(ref, time, low, high, n >= COLUMN_MIN),
    })
    this.#late = new LateWriter(mem, this.#alloc, this.#chunks)
    this.#trimmer = new Trimmer(mem, this.#limbo, this.#groups, this.#series, this.#late)
    this.#decoder = new SeriesDecoder(mem, this.#groups.table, true)
    this.#exemplars = new ExemplarWriter(mem, this.#alloc, options.maxExemplars)
    const stored = readMetadata(mem, new SymbolReader(mem, this.#symbols.table))
    this.#metadata = new MetadataWriter(mem, this.#alloc, this.#symbols, options.maxMetadataFamilies, stored)
    this.#minTime = mem.controlF64[C_MIN_TIME_F64]!
    this.#maxTime = mem.controlF64[C_MAX_TIME_F64]!
    this.#floor = mem.controlF64[C_FLOOR_F64]!
    this.#closed = mem.controlF64[C_CLOSED_F64]!
    this.#samples = mem.controlF64[C_SAMPLES_F64]!
    this.#chunks.payloadBytes = mem.controlF64[C_SAMPLE_BYTES_F64]!
    this.#chunks.live = chunkCount(mem, this.#index.table)
  }

  /** Of a snapshot: its readers are gone, so all that waited is free. */
  adoptLimbo(entries: Uint32Array): void {
    this.#limbo.adopt(entries)
  }

  series(labels: Labels): SeriesRef {
    const known = this.#index.find(labels)
    if (known >= 0) return known
    this.#changes++
    const limit = exceededLimit(labels, this.#options, this.#index)
    if (limit === null) {
      try {
        return this.#index.create(labels)
      } catch (error) {
        if (!(error instanceof HeadFullError)) throw error
      }
    }
    this.#refusedBy = limit ?? 'memory'
    if (limit?.startsWith('label')) this.#drops.labelLimit++
    else this.#drops.seriesLimit++
    return -1
  }

  get refusedBy(): SeriesLimit {
    return this.#refusedBy
  }

  lastTime(ref: SeriesRef): number {
    const record = this.#index.record(ref)
    return record === 0 ? -Infinity : this.#series.lastTime(record)
  }

  get maxTime(): number {
    return this.#maxTime
  }

  setMetadata(family: string, metadata: Metadata): void {
    this.#changes++
    try {
      this.#metadata.set(family, metadata)
      this.#drops.metadata = this.#metadata.dropped
    } catch (error) {
      if (!(error instanceof HeadFullError)) throw error
      this.#drops.metadata = ++this.#metadata.dropped
    }
  }

  appendColumn(timestampMs: number, refs: Uint32Array, values: Float64Array, n: number): number {
    this.#changes++
    const time = Math.trunc(timestampMs)
    const group = this.#groupOf(refs, n, time)
    const tick = group < 0 ? -1 : this.#addTick(group, time)
    if (tick < 0) return this.#appendEach(time, refs, new Uint32Array(values.buffer, values.byteOffset, 2 * n), n)
    const stored = this.#runs.appendColumn(group, tick, time, refs, values, n)
    this.#samples += stored
    return stored
  }

  appendRun(
    timestampMs: number,
    refs: Uint32Array,
    values: Float64Array,
    from: number,
    n: number,
    results: Uint8Array,
  ): number {
    this.#changes++
    const stored = this.#runs.append(Math.trunc(timestampMs), refs, values, from, n, results)
    this.#samples += stored
    return stored
  }

  appendFloat(ref: SeriesRef, timestampMs: number, values: Float64Array, at: number, startMs: number): AppendResult {
    this.#changes++
    const words = new Uint32Array(values.buffer, values.byteOffset + 8 * at, 2)
    const result = this.#appendOne(ref, Math.trunc(timestampMs), words[0]!, words[1]!, startMs, -1, -1)
    if (result === AppendResult.stored) this.#samples++
    return result
  }

  appendHistogram(ref: SeriesRef, timestampMs: number, histogram: Histogram, startMs: number): AppendResult {
    this.#changes++
    const time = Math.trunc(timestampMs)
    const record = this.#index.record(ref)
    const refusal = this.#refuse(record, time)
    if (refusal !== AppendResult.stored) return refusal
    const payload = this.#histograms.encode(histogram)
    try {
      if (time >= this.#closed && time > this.#series.lastTime(record))
        this.#series.appendHistogram(record, time, startMs, payload)
      else {
        if (this.#isStored(record, time)) return this.#same(this.#isStoredHistogram(payload))
        this.#late.appendHistogram(record, time, startMs, payload)
        this.#noteLate(ref, time)
      }
    } catch (error) {
      return this.#full(error)
    }
    this.#noteTime(time)
    this.#samples++
    this.#histogramSamples++
    return AppendResult.stored
  }

  appendExemplar(ref: SeriesRef, exemplar: Exemplar): void {
    this.#changes++
    try {
      if (this.#index.record(ref) === 0) this.#exemplars.dropped++
      else this.#exemplars.append(ref, exemplar)
    } catch (error) {
      if (!(error instanceof HeadFullError)) throw error
      this.#exemplars.dropped++
    }
    this.#drops.exemplars = this.#exemplars.dropped
  }

  publish(): void {
    const { control, controlF64 } = this.#mem
    this.#groups.publish()
    controlF64[C_MIN_TIME_F64] = this.#minTime
    controlF64[C_MAX_TIME_F64] = this.#maxTime
    // Pairs with the load in HeadReader.timeRange.
    Atomics.store(control, C_SAMPLES_PRESENT, this.#maxTime === -Infinity ? 0 : 1)
    if (++this.#publishes % RECLAIM_EVERY === 0) this.#limbo.reclaim()
  }

  share(): ReaderShare {
    return { control: this.#mem.control.buffer, pages: [...this.#mem.pages] }
  }

  onPage(fn: (page: SharedArrayBuffer) => void): void {
    this.#alloc.onPage(fn)
  }

  isLive(ref: SeriesRef): boolean {
    return this.#index.record(ref) !== 0
  }

  get refLimit(): number {
    return this.#index.table.count
  }

  get logLife(): number {
    return this.#mem.control[C_LOG_LIFE]!
  }

  set logLife(life: number) {
    this.#changes++
    this.#mem.control[C_LOG_LIFE] = life
  }

  trim(minTime: number): number {
    this.#changes++
    this.#floor = Math.max(this.#floor, minTime)
    this.#mem.controlF64[C_FLOOR_F64] = this.#floor
    let removed = 0
    let maxTime = -Infinity
    for (let ref = 0; ref < this.#index.table.count; ref++) {
      const record = this.#index.record(ref)
      if (record === 0) continue
      const lastTime = this.#series.lastTime(record)
      if (this.#trimmer.trim(record, this.#floor)) {
        maxTime = Math.max(maxTime, lastTime)
        continue
      }
      // A series that was made a moment ago and waits for its first sample gets until the next trim.
      if (lastTime === -Infinity && this.#mem.get(record + S_IDLE) === 0) this.#mem.set(record + S_IDLE, 1)
      else {
        this.#index.remove(ref)
        removed++
      }
    }
    this.#groups.trim(this.#floor)
    if (removed > 0) this.#index.sweep()
    this.#limbo.reclaim()
    this.#removed += removed
    this.#maxTime = maxTime
    this.#minTime = maxTime === -Infinity ? Infinity : Math.max(this.#minTime, this.#floor)
    this.publish()
    return removed
  }

  closeBefore(maxTime: number): number {
    this.#changes++
    this.#closed = Math.max(this.#closed, maxTime)
    this.#mem.controlF64[C_CLOSED_F64] = this.#closed
    this.#lateSince.clear()
    return this.#closed
  }

  evict(): number {
    this.#changes++
    const { controlF64 } = this.#mem
    // First: a reader that misses a chunk finds afterwards that it must look into the blocks too.
    controlF64[C_EVICTED_F64] = this.#closed
    let removed = 0
    let minTime = Math.max(this.#minTime, this.#closed)
    let maxTime = -Infinity
    for (let ref = 0; ref < this.#index.table.count; ref++) {
      const record = this.#index.record(ref)
      if (record === 0) continue
      const lastTime = this.#series.lastTime(record)
      const hasLate = this.#lateSince.has(ref)
      if (this.#trimmer.evict(record, this.#closed, hasLate)) {
        maxTime = Math.max(maxTime, lastTime)
        if (hasLate) minTime = Math.min(minTime, this.#trimmer.firstLateTime(record))
        continue
      }
      if (lastTime === -Infinity && this.#mem.get(record + S_IDLE) === 0) this.#mem.set(record + S_IDLE, 1)
      else {
        this.#index.remove(ref)
        removed++
      }
    }
    this.#groups.trim(this.#closed)
    if (removed > 0) this.#index.sweep()
    this.#limbo.reclaim()
    this.#removed += removed
    if (this.#index.live === 0) maxTime = -Infinity
    else if (maxTime === -Infinity) maxTime = this.#maxTime
    this.#maxTime = maxTime
    this.#minTime = maxTime === -Infinity ? Infinity : minTime
    this.publish()
    return removed
  }

  stats(): HeadStats {
    return {
      series: this.#index.live,
      symbols: this.#symbols.count,
      labelPairs: this.#postings.count,
      groups: this.#groups.count,
      seriesCreated: this.#index.live + this.#removed,
      chunks: this.#chunks.live + this.#index.live,
      chunksCreated: this.#chunks.created + this.#index.live + this.#removed,
      exemplars: this.#exemplars.count,
      exemplarsAppended: this.#exemplars.appended,
      exemplarSlots: this.#exemplars.slots,
      exemplarSeries: this.#exemplars.seriesCount,
      oldestExemplarMs: this.#exemplars.oldestMs,
      samplesAppended: this.#samples,
      histogramsAppended: this.#histogramSamples,
      lateSamples: this.#lateSamples,
      pageBytes: this.#alloc.pageBytes,
      usedBytes: this.#alloc.usedBytes,
      chunkPayloadBytes: this.#chunks.payloadBytes,
      activeReaders: activeReaders(this.#mem),
      limbo: this.#limbo.size,
      seriesRemoved: this.#removed,
      drops: { ...this.#drops },
    }
  }

  clearSlot(slot: number): void {
    leaveEpoch(this.#mem, slot)
  }

  clearOwner(owner: number): number {
    return clearOwner(this.#mem, owner)
  }

  serialize(copied?: Copied): Iterable<Uint8Array> {
    this.publish()
    this.#mem.controlF64[C_SAMPLES_F64] = this.#samples
    this.#mem.controlF64[C_SAMPLE_BYTES_F64] = this.#chunks.payloadBytes
    const changes = this.#changes
    return serializePages(this.#mem, this.#limbo.entries, () => this.#changes === changes, copied)
  }

  /**
   * The group whose ticks the column's samples take: that of some series in it, or a new one; -1 when the samples
   * are better kept with times of their own (few of them, or not newer than the group's last).
   */
  #groupOf(refs: Uint32Array, n: number, time: number): number {
    if (n < COLUMN_MIN || time < this.#floor || time < this.#closed) return -1
    for (const i of [0, n - 1, n >>> 1, 1, n >>> 2]) {
      const record = this.#index.record(refs[i]!)
      if (record === 0 || (this.#mem.get(record + S_STATE) & KIND_MASK) !== Kind.group) continue
      const group = this.#mem.get(record + S_GROUP)
      return this.#groups.lastTime(group) < time ? group : -1
    }
    try {
      return this.#groups.create()
    } catch (error) {
      this.#full(error)
      return -1
    }
  }

  #addTick(group: number, time: number): number {
    try {
      const tick = this.#groups.addTick(group, time)
      this.#noteTime(time)
      return tick
    } catch (error) {
      this.#full(error)
      return -1
    }
  }

  #appendEach(time: number, refs: Uint32Array, words: Uint32Array, n: number): number {
    let stored = 0
    for (let i = 0; i < n; i++) {
      const result = this.#appendOne(refs[i]!, time, words[2 * i]!, words[2 * i + 1]!, 0, -1, -1)
      if (result === AppendResult.stored) stored++
    }
    this.#samples += stored
    return stored
  }

  #appendShared(ref: number, time: number, low: number, high: number, mayCreate: boolean): AppendResult {
    const record = this.#index.record(ref)
    if (record === 0 || time < this.#floor || time < this.#closed)
      return this.#appendOne(ref, time, low, high, 0, -1, -1)
    try {
      const shared = this.#shared
      if (!shared.place(record, time, mayCreate)) return this.#appendOne(ref, time, low, high, 0, -1, -1)
      this.#series.joinTick(record, shared.group, shared.tick, low, high)
    } catch (error) {
      return this.#full(error)
    }
    this.#noteTime(time)
    return AppendResult.stored
  }

  #appendOne(
    ref: number,
    time: number,
    low: number,
    high: number,
    start: number,
    group: number,
    tick: number,
  ): AppendResult {
    const record = this.#index.record(ref)
    const refusal = this.#refuse(record, time)
    if (refusal !== AppendResult.stored) return refusal
    try {
      if (time >= this.#closed && time > this.#series.lastTime(record)) {
        if (tick >= 0) this.#series.appendTick(record, group, tick, time, low, high)
        else this.#series.appendOwn(record, time, low, high, start)
      } else {
        if (this.#isStored(record, time)) return this.#same(this.#isStoredFloat(low, high))
        this.#late.append(record, time, low, high, start)
        this.#noteLate(ref, time)
      }
    } catch (error) {
      return this.#full(error)
    }
    this.#noteTime(time)
    return AppendResult.stored
  }

  #refuse(record: number, time: number): AppendResult {
    if (record === 0) {
      this.#drops.unknownSeries++
      return AppendResult.unknownSeries
    }
    if (time >= this.#floor) return AppendResult.stored
    this.#drops.tooOld++
    return AppendResult.tooOld
  }

  #same(isEqual: boolean): AppendResult {
    if (isEqual) this.#drops.duplicates++
    else this.#drops.conflicting++
    return isEqual ? AppendResult.duplicate : AppendResult.conflicting
  }

  /** Leaves the sample in `#found`. */
  #isStored(record: number, time: number): boolean {
    if (!this.#decoder.mayHave(record, time)) return false
    this.#decoder.read(record, time, time, this.#found)
    return this.#found.count > 0
  }

  #isStoredFloat(low: number, high: number): boolean {
    const words = new Uint32Array(this.#found.values.buffer, 0, 2)
    return this.#found.flags[0] !== 2 && words[0] === low && words[1] === high
  }

  #isStoredHistogram(payload: Uint8Array): boolean {
    const stored = this.#found.histograms?.[0]
    if (stored === undefined) return false
    const bytes = this.#storedHistograms.encode(stored)
    return bytes.length === payload.length && bytes.every((byte, i) => byte === payload[i])
  }

  #full(error: unknown): AppendResult {
    if (!(error instanceof HeadFullError)) throw error
    this.#drops.memoryLimit++
    return AppendResult.limit
  }

  #noteLate(ref: SeriesRef, time: number): void {
    this.#lateSamples++
    if (time < this.#closed) this.#lateSince.add(ref)
  }

  #noteTime(time: number): void {
    if (time < this.#minTime) this.#minTime = time
    if (time > this.#maxTime) this.#maxTime = time
  }
}
