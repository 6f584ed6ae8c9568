/**
 * What becomes of a sample: to its group's tick, to its series' open run, among the late ones, or refused with a reason.
 * Hot: bench/hub/head.bench.ts, bench storage.
 */
import type { Histogram } from '../../protocol/samples/mod.ts'
import type { Allocator } from './allocator.ts'
import type { ChunkWriter } from './chunk-writer.ts'
import { AppendResult, type SeriesRef } from './contract.ts'
import { HeadFullError } from './errors.ts'
import type { GroupWriter } from './groups.ts'
import type { HeadDrops } from './head-contract.ts'
import type { HeadTimes } from './head-times.ts'
import { HistogramEncoder } from './histogram-codec.ts'
import { LateWriter } from './late-writer.ts'
import { C_SAMPLES_F64, KIND_MASK, Kind, S_GROUP, S_STATE } from './layout.ts'
import type { Memory } from './memory.ts'
import { RunAppender } from './run-appender.ts'
import type { SeriesIndex } from './series-index.ts'
import type { SeriesWriter } from './series-writer.ts'
import { SharedTimes } from './shared-times.ts'
import { StoredSample } from './stored-sample.ts'

/** A column of fewer series keeps times with each: a group of its own would cost more. */
const COLUMN_MIN = 4

export type SampleAppenderParts = {
  readonly mem: Memory
  readonly alloc: Allocator
  readonly index: SeriesIndex
  readonly groups: GroupWriter
  readonly chunks: ChunkWriter
  readonly series: SeriesWriter
  readonly times: HeadTimes
  readonly drops: HeadDrops
}

export class SampleAppender {
  readonly late: LateWriter
  readonly stored: StoredSample
  /** Appended since ever, and since the start. */
  samples: number
  lateSamples = 0
  histogramSamples = 0
  /** Series that got a sample before `times.closed` since it was set. */
  readonly lateSince = new Set<SeriesRef>()
  readonly #mem: Memory
  readonly #index: SeriesIndex
  readonly #groups: GroupWriter
  readonly #series: SeriesWriter
  readonly #times: HeadTimes
  readonly #drops: HeadDrops
  readonly #shared: SharedTimes
  readonly #runs: RunAppender
  readonly #histograms = new HistogramEncoder()

  constructor({ mem, alloc, index, groups, chunks, series, times, drops }: SampleAppenderParts) {
    this.#mem = mem
    this.#index = index
    this.#groups = groups
    this.#series = series
    this.#times = times
    this.#drops = drops
    this.late = new LateWriter(mem, alloc, chunks)
    this.stored = new StoredSample(mem, groups)
    this.samples = mem.controlF64[C_SAMPLES_F64]!
    this.#shared = new SharedTimes(mem, groups, series)
    this.#runs = new RunAppender(mem, index.table, this.#shared, {
      one: (ref, time, low, high, group, tick) => this.#appendOne(ref, time, low, high, 0, group, tick),
      shared: (ref, time, low, high, n) => this.#appendShared(ref, time, low, high, n >= COLUMN_MIN),
    })
  }

  /** As `Appender`, these four. */
  appendColumn(timestampMs: number, refs: Uint32Array, values: Float64Array, n: number): number {
    const time = Math.trunc(timestampMs)
    const group = this.#groupOf(refs, n, time)
    const tick = group < 0 ? -1 : this.#addTick(group, time)
    if (tick < 0) return this.#appendEach(time, refs, new Uint32Array(values.buffer, values.byteOffset, 2 * n), n)
    const stored = this.#runs.appendColumn(group, tick, time, refs, values, n)
    this.samples += stored
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
    const stored = this.#runs.append(Math.trunc(timestampMs), refs, values, from, n, results)
    this.samples += stored
    return stored
  }

  appendFloat(ref: SeriesRef, timestampMs: number, values: Float64Array, at: number, startMs: number): AppendResult {
    const words = new Uint32Array(values.buffer, values.byteOffset + 8 * at, 2)
    const result = this.#appendOne(ref, Math.trunc(timestampMs), words[0]!, words[1]!, startMs, -1, -1)
    if (result === AppendResult.stored) this.samples++
    return result
  }

  appendHistogram(ref: SeriesRef, timestampMs: number, histogram: Histogram, startMs: number): AppendResult {
    const time = Math.trunc(timestampMs)
    const record = this.#index.record(ref)
    const refusal = this.#refuse(record, time)
    if (refusal !== AppendResult.stored) return refusal
    const payload = this.#histograms.encode(histogram)
    try {
      if (time >= this.#times.closed && time > this.#series.lastTime(record))
        this.#series.appendHistogram(record, time, startMs, payload)
      else {
        if (this.stored.find(record, time)) return this.#same(this.stored.isHistogram(payload))
        this.late.appendHistogram(record, time, startMs, payload)
        this.#noteLate(ref, time)
      }
    } catch (error) {
      return this.#full(error)
    }
    this.#times.note(time)
    this.samples++
    this.histogramSamples++
    return AppendResult.stored
  }

  /**
   * The group whose ticks the column's samples take: that of some series in it, or a new one; -1 when the samples
   * are better kept with times of their own (few of them, or not newer than the group's last).
   */
  #groupOf(refs: Uint32Array, n: number, time: number): number {
    if (n < COLUMN_MIN || time < this.#times.floor || time < this.#times.closed) return -1
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
      this.#times.note(time)
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
    this.samples += stored
    return stored
  }

  #appendShared(ref: number, time: number, low: number, high: number, mayCreate: boolean): AppendResult {
    const record = this.#index.record(ref)
    if (record === 0 || time < this.#times.floor || time < this.#times.closed)
      return this.#appendOne(ref, time, low, high, 0, -1, -1)
    try {
      const shared = this.#shared
      if (!shared.place(record, time, mayCreate)) return this.#appendOne(ref, time, low, high, 0, -1, -1)
      this.#series.joinTick(record, shared.group, shared.tick, low, high)
    } catch (error) {
      return this.#full(error)
    }
    this.#times.note(time)
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
      if (time >= this.#times.closed && time > this.#series.lastTime(record)) {
        if (tick >= 0) this.#series.appendTick(record, group, tick, time, low, high)
        else this.#series.appendOwn(record, time, low, high, start)
      } else {
        if (this.stored.find(record, time)) return this.#same(this.stored.isFloat(low, high))
        this.late.append(record, time, low, high, start)
        this.#noteLate(ref, time)
      }
    } catch (error) {
      return this.#full(error)
    }
    this.#times.note(time)
    return AppendResult.stored
  }

  #refuse(record: number, time: number): AppendResult {
    if (record === 0) {
      this.#drops.unknownSeries++
      return AppendResult.unknownSeries
    }
    if (time >= this.#times.floor) return AppendResult.stored
    this.#drops.tooOld++
    return AppendResult.tooOld
  }

  #same(isEqual: boolean): AppendResult {
    if (isEqual) this.#drops.duplicates++
    else this.#drops.conflicting++
    return isEqual ? AppendResult.duplicate : AppendResult.conflicting
  }

  #full(error: unknown): AppendResult {
    if (!(error instanceof HeadFullError)) throw error
    this.#drops.memoryLimit++
    return AppendResult.limit
  }

  #noteLate(ref: SeriesRef, time: number): void {
    this.lateSamples++
    if (time < this.#times.closed) this.lateSince.add(ref)
  }
}
