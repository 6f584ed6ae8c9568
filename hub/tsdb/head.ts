/**
 * The head: recent samples in shared memory, one writer. See layout.ts for the memory, series-writer.ts for appends,
 * reader.ts for the other side.
 */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../../protocol/samples/mod.ts'
import { Allocator } from './allocator.ts'
import { chunkCount } from './cardinality.ts'
import { ChunkWriter } from './chunk-writer.ts'
import type { AppendResult, ReaderShare, SeriesRef } from './contract.ts'
import { activeReaders, clearOwner, Limbo, leaveEpoch } from './epochs.ts'
import { HeadFullError } from './errors.ts'
import { ExemplarWriter } from './exemplars.ts'
import { GroupWriter } from './groups.ts'
import type { Head, HeadDrops, HeadMemory, HeadOptions, HeadStats, SeriesLimit } from './head-contract.ts'
import { HeadTimes } from './head-times.ts'
import {
  C_CHUNKS,
  C_DROPS,
  C_EVICTED_F64,
  C_EVICTIONS,
  C_GENERATION,
  C_LOG_LIFE,
  C_SAMPLE_BYTES_F64,
  C_SAMPLES_F64,
  S_IDLE,
} from './layout.ts'
import type { Memory } from './memory.ts'
import { MetadataWriter, readMetadata } from './metadata.ts'
import { PostingsWriter } from './postings-writer.ts'
import { SampleAppender } from './sample-appender.ts'
import { SeriesIndex } from './series-index.ts'
import { exceededLimit } from './series-limits.ts'
import { SeriesWriter } from './series-writer.ts'
import { type Copied, serializePages } from './snapshot.ts'
import { SymbolWriter } from './symbol-writer.ts'
import { SymbolReader } from './symbols.ts'
import { Trimmer } from './trim.ts'

/** Publishes between two attempts to free what waits in the limbo. */
const RECLAIM_EVERY = 16

/** Made by create-head.ts. */
export class SharedHead implements Head {
  #hasLimits = true
  readonly #mem: Memory
  readonly #options: Required<HeadOptions>
  readonly #alloc: Allocator
  readonly #limbo: Limbo
  readonly #symbols: SymbolWriter
  readonly #postings: PostingsWriter
  readonly #groups: GroupWriter
  readonly #index: SeriesIndex
  readonly #series: SeriesWriter
  readonly #chunks: ChunkWriter
  readonly #times: HeadTimes
  readonly #samples: SampleAppender
  readonly #trimmer: Trimmer
  readonly #exemplars: ExemplarWriter
  readonly #metadata: MetadataWriter
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
  #refusedBy: SeriesLimit = 'series'
  #removed = 0
  /** Failures to find a block for which free ones have been put together, and at the last sweep. */
  #coalescedFor = 0
  #failuresSwept = 0
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
    this.#times = new HeadTimes(mem)
    this.#samples = new SampleAppender({
      mem,
      alloc: this.#alloc,
      index: this.#index,
      groups: this.#groups,
      chunks: this.#chunks,
      series: this.#series,
      times: this.#times,
      drops: this.#drops,
    })
    this.#trimmer = new Trimmer(mem, this.#limbo, this.#groups, this.#series, this.#samples.late)
    this.#exemplars = new ExemplarWriter(mem, this.#alloc, options.maxExemplars)
    const stored = readMetadata(mem, new SymbolReader(mem, this.#symbols.table))
    this.#metadata = new MetadataWriter(mem, this.#alloc, this.#symbols, options.maxMetadataFamilies, stored)
    this.#chunks.payloadBytes = mem.controlF64[C_SAMPLE_BYTES_F64]!
    const chunks = mem.control[C_CHUNKS]!
    this.#chunks.live = chunks > 0 ? chunks - 1 : chunkCount(mem, this.#index.table)
  }

  /** Of a snapshot: its readers are gone, so all that waited is free. */
  adoptLimbo(entries: Uint32Array): void {
    this.#limbo.adopt(entries)
  }

  series(labels: Labels): SeriesRef {
    const known = this.#index.find(labels)
    if (known >= 0) return known
    this.#changes++
    const limit = this.#hasLimits ? exceededLimit(labels, this.#options, this.#index) : null
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

  find(labels: Labels): SeriesRef {
    return this.#index.find(labels)
  }

  get hasLimits(): boolean {
    return this.#hasLimits
  }

  set hasLimits(has: boolean) {
    this.#hasLimits = has
    this.#alloc.isCapped = has
    if (has) this.#acceptEmpty()
  }

  get isAlmostFull(): boolean {
    return this.#alloc.usedBytes > this.#alloc.limitBytes
  }

  get memory(): HeadMemory {
    const { usedBytes, limitBytes, failures } = this.#alloc
    return { usedBytes, limitBytes, failures }
  }

  get refusedBy(): SeriesLimit {
    return this.#refusedBy
  }

  lastTime(ref: SeriesRef): number {
    const record = this.#index.record(ref)
    return record === 0 ? -Infinity : this.#series.lastTime(record)
  }

  storedAt(ref: SeriesRef, timestampMs: number): number | 'histogram' | null {
    const record = this.#index.record(ref)
    if (record === 0 || !this.#samples.stored.find(record, Math.trunc(timestampMs))) return null
    return this.#samples.stored.value
  }

  get maxTime(): number {
    return this.#times.max
  }

  get minValidTime(): number {
    return Math.max(this.#times.floor, this.#times.closed)
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
    return this.#samples.appendColumn(timestampMs, refs, values, n)
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
    return this.#samples.appendRun(timestampMs, refs, values, from, n, results)
  }

  appendFloat(ref: SeriesRef, timestampMs: number, values: Float64Array, at: number, startMs: number): AppendResult {
    this.#changes++
    return this.#samples.appendFloat(ref, timestampMs, values, at, startMs)
  }

  appendHistogram(ref: SeriesRef, timestampMs: number, histogram: Histogram, startMs: number): AppendResult {
    this.#changes++
    return this.#samples.appendHistogram(ref, timestampMs, histogram, startMs)
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
    this.#groups.publish()
    this.#times.publish()
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
    const times = this.#times
    times.raiseFloor(minTime)
    const { removed, maxTime } = this.#sweep(times.floor, (_, record) => this.#trimmer.trim(record, times.floor))
    times.shrinkTo(Math.max(times.min, times.floor), maxTime)
    this.publish()
    return removed
  }

  closeBefore(maxTime: number): number {
    this.#changes++
    this.#times.close(maxTime)
    this.#samples.lateSince.clear()
    return this.#times.closed
  }

  evict(): number {
    this.#changes++
    const { control, controlF64 } = this.#mem
    const times = this.#times
    const { lateSince } = this.#samples
    // First: a reader that misses a chunk finds afterwards that it must look into the blocks too.
    controlF64[C_EVICTED_F64] = times.closed
    Atomics.add(control, C_EVICTIONS, 1)
    let minTime = Math.max(times.min, times.closed)
    let { removed, maxTime } = this.#sweep(times.closed, (ref, record) => {
      const hasLate = lateSince.has(ref)
      const isLeft = this.#trimmer.evict(record, times.closed, hasLate)
      if (isLeft && hasLate) minTime = Math.min(minTime, this.#trimmer.firstLateTime(record))
      return isLeft
    })
    if (this.#index.live === 0) maxTime = -Infinity
    else if (maxTime === -Infinity) maxTime = times.max
    times.shrinkTo(minTime, maxTime)
    this.publish()
    return removed
  }

  /**
   * Removes the series of which `isLeft` says that all their samples went.
   * @param before what all samples that went are older than, in milliseconds
   * @returns how many series were removed, and the newest time of those that are left
   */
  #sweep(before: number, isLeft: (ref: SeriesRef, record: number) => boolean): { removed: number; maxTime: number } {
    let removed = 0
    let maxTime = -Infinity
    Atomics.or(this.#mem.control, C_DROPS, 1) // pairs with the load in KeptChunks.begin, as the add below
    for (let ref = 0; ref < this.#index.table.count; ref++) {
      const record = this.#index.record(ref)
      if (record === 0) continue
      const lastTime = this.#series.lastTime(record)
      if (isLeft(ref, record)) maxTime = Math.max(maxTime, lastTime)
      // A series that was made a moment ago and waits for its first sample gets until the next time.
      else if (lastTime === -Infinity && this.#mem.get(record + S_IDLE) === 0) this.#mem.set(record + S_IDLE, 1)
      else {
        this.#index.remove(ref)
        removed++
      }
    }
    this.#groups.trim(before)
    this.#samples.stored.forgetChunks()
    Atomics.add(this.#mem.control, C_DROPS, 1)
    if (removed > 0) this.#index.sweep()
    this.#limbo.reclaim()
    const { failures } = this.#alloc
    if (failures > this.#coalescedFor) this.#alloc.coalesce()
    // At the next time once more: some of what goes is free only then.
    this.#coalescedFor = this.#failuresSwept
    this.#failuresSwept = failures
    this.#removed += removed
    this.#acceptEmpty()
    return { removed, maxTime }
  }

  /** No cut of blocks relieves a head of what it takes without a series. */
  #acceptEmpty(): void {
    if (this.#index.live === 0) this.#alloc.acceptInUse(this.#alloc.usedBytes - this.#limbo.bytes)
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
      samplesAppended: this.#samples.samples,
      histogramsAppended: this.#samples.histogramSamples,
      lateSamples: this.#samples.lateSamples,
      maxBytes: this.#alloc.maxBytes,
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
    this.#mem.controlF64[C_SAMPLES_F64] = this.#samples.samples
    this.#mem.controlF64[C_SAMPLE_BYTES_F64] = this.#chunks.payloadBytes
    this.#mem.control[C_CHUNKS] = this.#chunks.live + 1
    const changes = this.#changes
    return serializePages(this.#mem, this.#limbo.entries, () => this.#changes === changes, copied)
  }
}
