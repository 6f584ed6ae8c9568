/**
 * `--enable-feature=created-timestamp-zero-ingestion`: a sample that says since when it counts is preceded by a zero of
 * that time, so that the first increase of a series is one. Semantics: Prometheus tsdb/head_append_v2.go,
 * bestEffortAppendSTZeroSample (v3.14): only between the series' newest sample and the sample, and within reach of the
 * head; any other start is passed over without a word, as that of a counter that lives on.
 *
 * Zeros are nobody's samples: they are counted by themselves, and a ledger knows nothing of them. Whether one is due
 * depends on what the head held, and on the flag of the day: the log says which there were, in a record of its own
 * before the one that they are of, named by its CRC32C as that of series-refusals.ts.
 *
 *     zeros   CBOR { of: CRC32C of the payload of the record that follows, at: positions of samples, each as what it is
 *             more than the one before }
 *
 * Positions count through the scrapes of a batch; in a write, histograms come after all floats.
 */
import type { Scrape } from '../../protocol/batch/types.ts'
import { crc32c } from '../../protocol/crc/mod.ts'
import type { WriteColumns } from '../../protocol/remote-write/mod.ts'
import { CounterResetHint, EMPTY_HISTOGRAM, type Histogram } from '../../protocol/samples/mod.ts'
import { AppendResult, type SeriesRef } from '../tsdb/contract.ts'
import type { IngestCounters } from './counters.ts'
import { REFUSED } from './dictionary.ts'
import type { IngestHead } from './head.ts'
import { fromCbor, RecordType, toCbor } from './records.ts'

type Logged = { readonly of: number; readonly at: readonly number[] }

export type StartZerosOptions = {
  readonly head: Pick<IngestHead, 'appendFloat' | 'appendHistogram' | 'lastTime' | 'maxTime' | 'minValidTime'>
  readonly counters: IngestCounters
  readonly record: (type: number, parts: readonly Uint8Array[]) => void
  /** How far before the newest sample of all a start may lie; null: the flag is off. */
  readonly reachMs: number | null
}

/** Of one write: its columns, and what was found of them so far. */
export type JudgedWrite = {
  readonly request: WriteColumns
  /** By series, and by sample; from `REFUSED` on: none. */
  readonly refs: Uint32Array
  readonly sampleRefs: Uint32Array
  readonly results: Uint8Array
  /** Time that nothing may be later than. */
  readonly newestMs: number
}

const ZERO = new Float64Array(1)
/** Zeros of which there was no room for the batch: more are not remembered, and would be missing after a restart. */
const MAX_UNLOGGED = 1_000_000

export class StartZeros {
  readonly #options: StartZerosOptions
  #isReplaying = true
  #read: { readonly of: number; readonly at: Uint32Array } | null = null
  /** Positions of what is being replayed, ascending, and how many of them are done. */
  #replayed: Uint32Array | null = null
  #done = 0
  /** Positions of what is being applied. */
  #noted: number[] = []
  #notedRefs: SeriesRef[] = []
  #notedMs: number[] = []
  #base = 0
  #minMs = 0
  /** Zeros that the head has and the log lacks: by series, when. They are logged when what brought them comes again. */
  readonly #unlogged = new Map<SeriesRef, number>()

  constructor(options: StartZerosOptions) {
    this.#options = options
  }

  /** Something is about to be applied. Null: it has no zeros to come, and need not be looked through. */
  begin(): this | null {
    this.#base = 0
    this.#done = 0
    if (this.#isReplaying) return this.#replayed === null ? null : this
    return this.#options.reachMs === null ? null : this
  }

  /** To be called for each scrape of what `begin` was called for, before its samples are appended. */
  ofScrape({ ids, timestampMs, timestamps, startTimestamps, histograms }: Scrape, refs: Uint32Array): void {
    const base = this.#base
    this.#base += ids.length
    if (startTimestamps === null) return
    if (this.#isReplaying) {
      this.#replay(base, base + ids.length, (i) => {
        if (refs[i]! < REFUSED) this.#append(refs[i]!, startTimestamps[i]!, histograms?.get(i) ?? null)
      })
      return
    }
    this.#reach(timestampMs)
    const { head } = this.#options
    for (let i = 0; i < ids.length; i++) {
      const start = startTimestamps[i]!
      const ref = refs[i]!
      if (start === 0 || ref >= REFUSED) continue
      const own = timestamps ? timestamps[i]! : Number.NaN
      const time = Number.isNaN(own) ? timestampMs : own
      this.#put(base + i, ref, start, time, head.lastTime(ref), histograms?.get(i) ?? null)
    }
  }

  /** The same of a write. */
  ofWrite(write: JudgedWrite): void {
    const { request, refs, sampleRefs } = write
    const { histograms, startTimes, sampleStart, seriesCount } = request
    const end = sampleStart[seriesCount]!
    if (this.#isReplaying) {
      this.#replay(0, end + histograms.length, (i) => {
        const histogram = i < end ? null : histograms[i - end]!
        const ref = histogram ? refs[histogram.series]! : sampleRefs[i]!
        if (ref < REFUSED) this.#append(ref, histogram?.startMs ?? startTimes![i]!, histogram?.histogram ?? null)
      })
      return
    }
    this.#reach(end > 0 ? request.timestamps[0]! : (histograms[0]?.timestampMs ?? 0))
    if (startTimes !== null) this.#ofFloats(write, startTimes)
    this.#ofHistograms(write, end)
  }

  /** Positions of a write ascend with its series: what a series got is remembered, for the head has none of it yet. */
  #ofFloats({ request, refs, results, newestMs }: JudgedWrite, startTimes: Float64Array): void {
    const { sampleStart, seriesCount, timestamps } = request
    for (let s = 0; s < seriesCount; s++) {
      const ref = refs[s]!
      if (ref >= REFUSED) continue
      let lastMs = this.#options.head.lastTime(ref)
      for (let i = sampleStart[s]!; i < sampleStart[s + 1]!; i++) {
        const time = timestamps[i]!
        if (results[i] !== AppendResult.stored || time > newestMs) continue
        if (startTimes[i] !== 0) this.#put(i, ref, startTimes[i]!, time, lastMs, null)
        lastMs = Math.max(lastMs, time)
      }
    }
  }

  #ofHistograms({ request, refs, newestMs }: JudgedWrite, end: number): void {
    const { histograms } = request
    let last = -1
    let lastMs = Number.NaN
    for (const [h, { series, startMs, timestampMs, histogram }] of histograms.entries()) {
      const ref = refs[series]!
      if (ref >= REFUSED || timestampMs > newestMs) continue
      if (series !== last) lastMs = this.#options.head.lastTime(ref)
      last = series
      if (startMs !== 0) this.#put(end + h, ref, startMs, timestampMs, lastMs, histogram)
      lastMs = Math.max(lastMs, timestampMs)
    }
  }

  /** Logs which zeros there were, before the record with this payload is. */
  logBefore(...payload: readonly Uint8Array[]): void {
    if (this.#noted.length === 0) return
    for (const ref of this.#notedRefs) this.#unlogged.delete(ref)
    const logged: Logged = { of: crcOf(payload), at: this.#noted.map((at, i) => at - (this.#noted[i - 1] ?? 0)) }
    this.#clear()
    this.#options.record(RecordType.zeros, [toCbor(logged)])
  }

  /** What was applied is not logged after all: it comes again, and its zeros are no news to the head then. */
  forget(): void {
    for (const [i, ref] of this.#notedRefs.entries())
      if (this.#unlogged.size < MAX_UNLOGGED) this.#unlogged.set(ref, this.#notedMs[i]!)
    this.#clear()
  }

  /** Such a record of the log again. */
  read(payload: Uint8Array): void {
    const { of, at } = fromCbor<Logged>(payload)
    let sum = 0
    this.#read = { of, at: Uint32Array.from(at, (step) => (sum += step)) }
  }

  /** A record of the log is about to be applied again. */
  replay(payload: Uint8Array): void {
    this.#replayed = this.#read !== null && this.#read.of === crcOf([payload]) ? this.#read.at : null
  }

  endReplay(): void {
    this.#isReplaying = false
    this.#read = null
    this.#replayed = null
  }

  /** As upstream's appender, it keeps to what the head was when it began: the first sample of all is one that it holds. */
  #reach(firstMs: number): void {
    const { head, reachMs } = this.#options
    const newestMs = head.maxTime === Number.NEGATIVE_INFINITY ? firstMs : head.maxTime
    this.#minMs = Math.max(head.minValidTime, newestMs - reachMs!)
  }

  /** @param lastMs of the newest sample of the series, -Infinity without one */
  #put(at: number, ref: SeriesRef, startMs: number, timeMs: number, lastMs: number, like: Histogram | null): void {
    const start = Math.trunc(startMs)
    if (start >= timeMs || start < this.#minMs) return
    if (start > lastMs) {
      if (this.#append(ref, start, like) !== AppendResult.stored) return
      this.#options.counters.startZeros++
    } else if (this.#unlogged.size === 0 || this.#unlogged.get(ref) !== start) return
    this.#noted.push(at)
    this.#notedRefs.push(ref)
    this.#notedMs.push(start)
  }

  #append(ref: SeriesRef, startMs: number, like: Histogram | null): AppendResult {
    const { head } = this.#options
    const start = Math.trunc(startMs)
    return like ? head.appendHistogram(ref, start, zeroLike(like), 0) : head.appendFloat(ref, start, ZERO, 0, 0)
  }

  /** @param apply for each position of the record in `[from, to)`, counted from `from` */
  #replay(from: number, to: number, apply: (at: number) => void): void {
    const positions = this.#replayed!
    for (; this.#done < positions.length && positions[this.#done]! < to; this.#done++)
      if (positions[this.#done]! >= from) apply(positions[this.#done]! - from)
  }

  #clear(): void {
    this.#noted = []
    this.#notedRefs = []
    this.#notedMs = []
  }
}

/** Of the same layout, so that it does not end a chunk; by what it is, the counter begins anew. */
const zeroLike = ({ isFloat, schema, zeroThreshold, customValues }: Histogram): Histogram => ({
  ...EMPTY_HISTOGRAM,
  isFloat,
  counterResetHint: CounterResetHint.reset,
  schema,
  zeroThreshold,
  customValues,
})

const crcOf = (parts: readonly Uint8Array[]): number =>
  parts.reduce((crc, part) => crc32c(part, 0, part.length, crc), 0)
