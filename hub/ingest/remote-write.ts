/**
 * Remote write 1.0 and 2.0, and OTLP, into the head. Samples that are too far in the future are refused, for one of them
 * would have the say over what is late; series with invalid labels are skipped and counted while the others are stored.
 * Semantics: Prometheus storage/remote/write_handler.go, write, appendV1Samples, appendV2 and remoteWriteAppender (v3.14).
 * Samples older than their series' newest are stored, unless `out_of_order_time_window` is set: then they are answered
 * as upstream answers them (tsdb/head_append.go, appendable). Differs: what is right in such a request is stored, and a late
 * sample that contradicts one is refused, where upstream says 204 and drops it.
 */
import type { Compressor } from '../../protocol/batch/mod.ts'
import type { Logger } from '../../protocol/env/mod.ts'
import {
  hashLabelBytes,
  readLabelBytes,
  StringCache,
  shownLabels,
  type WriteColumns,
  type WriteKind,
} from '../../protocol/remote-write/mod.ts'
import { AppendResult, type SeriesRef } from '../tsdb/contract.ts'
import { newestTimeAt } from './batches.ts'
import type { IngestCounters } from './counters.ts'
import type { IngestHead } from './head.ts'
import { RecordType, writePrefix } from './records.ts'
import { RefCache } from './ref-cache.ts'
import { AHEAD, isRefusal, type Result, refusalText } from './refusal-texts.ts'
import { Refusals } from './refusals.ts'
import { isHeld, rejectedPoints } from './rejected-points.ts'
import { type LabelSource, RowLogWriter } from './row-log.ts'
import { RowReplay } from './row-replay.ts'
import type { StartZeros } from './start-zeros.ts'
import { refused, type WriteAnswer } from './write-answer.ts'
import { Part, type Telling, WriteOutcome } from './write-outcome.ts'
import { isSound, samplesOf, seriesOf } from './write-parts.ts'

/** From the body as received. Any error it throws is the sender's: its message is the answer, with status 400. */
export type WriteDecoder = (body: Uint8Array, kind: WriteKind) => WriteColumns

/**
 * What is to be stored, and logged, in place of a request as it came: it may depend on those before, which its decoder,
 * whom the log asks again, must not. Throws as `WriteDecoder`.
 */
export type WritePreparer = (
  body: Uint8Array,
  kind: WriteKind,
  nowMs: number,
) => { readonly body: Uint8Array; readonly kind: WriteKind }

/** More than the definitions of the largest request. */
const MAX_DEFINITIONS_BYTES = 256 << 20

export type RemoteWriteOptions = {
  readonly head: IngestHead
  readonly compressor: Compressor
  readonly record: (type: number, parts: readonly Uint8Array[]) => void
  readonly zeros: StartZeros
  readonly log: Logger
  readonly counters: IngestCounters
  readonly decode: WriteDecoder
  readonly prepare?: WritePreparer
  /** How far behind the newest sample of all one may come after a newer one of its series; null: any. */
  readonly outOfOrderWindowMs: number | null
  /** How far ahead of this hub's clock a sample may be. */
  readonly maxFutureMs: number
}

export class RemoteWriteIntake {
  readonly #options: RemoteWriteOptions
  readonly #known = new RefCache()
  readonly #rows = new RowLogWriter()
  readonly #strings = new StringCache()
  readonly #hash = new Uint32Array(2)
  #restored = { life: 0, refLimit: 0 }
  #replay: RowReplay | null = null
  #lastDefinitions = new Uint8Array(0)
  #life: () => number = bug
  /** Refs by series of the request at hand, `NONE` for one that is refused; and by sample, with what became of each. */
  #refs = new Uint32Array(0)
  #sampleRefs = new Uint32Array(0)
  #results = new Uint8Array(0)
  #histogramResults = new Uint8Array(0)

  constructor(options: RemoteWriteOptions) {
    this.#options = options
  }

  /** Once the log is replayed. `life` names this process in it: random, not 0; asked for with the first rows. */
  begin(life: () => number): void {
    this.#options.head.logLife = 0
    this.#life = life
    this.#replay = null
    this.#lastDefinitions = new Uint8Array(0)
  }

  /** Into the head, and, where that has changed it, into the log. */
  accept(received: Uint8Array, receivedAs: WriteKind, receivedMs: number): WriteAnswer {
    const { log, counters, record, prepare, zeros } = this.#options
    let request: WriteColumns
    let body = received
    let kind = receivedAs
    try {
      if (prepare) ({ body, kind } = prepare(received, receivedAs, receivedMs))
      request = this.#options.decode(body, kind)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      log.warn('Refused a remote write request', { format: kind.format, error: message })
      return refused(400, message)
    }
    counters.remoteWriteRequests++
    const before = counters.remoteWriteSamples
    const windowMs = this.#options.outOfOrderWindowMs
    const answer = this.#append(request, { windowMs, newestMs: this.#newestOf(receivedMs), refusals: null })
    const stored = counters.remoteWriteSamples - before
    if (this.#isRows(request)) this.#logRows(request, stored)
    else if (stored > 0 || answer.written.exemplars > 0 || request.metadata.length > 0) {
      const parts = [writePrefix(receivedMs, kind), this.#refusals(request).encode(), body]
      zeros.logBefore(...parts)
      record(RecordType.accepted, parts)
    } else zeros.forget()
    return answer
  }

  /** A body of the log again, of a version that did not log what of it was refused. */
  replay(body: Uint8Array, kind: WriteKind, receivedMs: number): void {
    this.#replayWhole(this.#options.decode(body, kind), receivedMs)
  }

  /** The same of this version. @throws Error for what is no such record */
  replayAccepted(record: Uint8Array, kind: WriteKind, receivedMs: number): void {
    const { refusals, end } = Refusals.read(record)
    const request = this.#options.decode(record.subarray(end), kind)
    if (refusals.fits(request)) {
      this.#append(request, { windowMs: null, newestMs: Number.POSITIVE_INFINITY, refusals })
      return
    }
    // Better to have back what was refused than to lose what was acknowledged.
    this.#options.log.warn('A write of the log is decoded otherwise than when it came: it is applied whole', {
      format: kind.format,
    })
    this.#replayWhole(request, receivedMs)
  }

  #replayWhole(request: WriteColumns, receivedMs: number): void {
    // What was refused when it came is no reason to refuse what was not, should the window be another now.
    this.#append(request, { windowMs: null, newestMs: this.#newestOf(receivedMs), refusals: null })
  }

  /** What of the request that was just appended is not stored by it. */
  #refusals(request: WriteColumns): Refusals {
    const refusals = Refusals.of(request)
    for (let s = 0; s < refusals.series; s++) if (this.#refs[s] === NONE) refusals.refuseSeries(s)
    const stored = AppendResult.stored
    for (let i = 0; i < refusals.samples; i++) if (this.#results[i] !== stored) refusals.refuseSample(i)
    for (let h = 0; h < refusals.histograms; h++) if (this.#histogramResults[h] !== stored) refusals.refuseHistogram(h)
    return refusals
  }

  /** Time that nothing may be later than. */
  #newestOf(receivedMs: number): number {
    return newestTimeAt(receivedMs, this.#options.maxFutureMs)
  }

  /** A record of the log again; returns how many of its samples are lost, because their definitions are. */
  replayRows(type: number, payload: Uint8Array): number {
    const { head, compressor } = this.#options
    this.#replay ??= new RowReplay({
      head,
      labelsOf: (bytes) => readLabelBytes(bytes, this.#strings).labels,
      restoredLife: this.#restored.life,
      refLimit: this.#restored.refLimit,
      onSeries: (bytes, ref) => this.#remember(bytes, ref),
    })
    if (type === RecordType.rows) return this.#replay.apply(payload)
    // Each stands there twice, the second time for the case that the first is damaged.
    if (isEqual(payload, this.#lastDefinitions)) return 0
    this.#lastDefinitions = payload.slice()
    this.#replay.define(compressor.decompress(payload, MAX_DEFINITIONS_BYTES))
    return 0
  }

  /** The head is the one of the snapshot, if there was one, and nothing has been added to it. */
  restored(): void {
    const { logLife: life, refLimit } = this.#options.head
    this.#restored = { life, refLimit }
  }

  #remember(bytes: Uint8Array, ref: SeriesRef): void {
    const hash = this.#hash
    hashLabelBytes(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length, hash, 0)
    if (this.#known.get(hash[0]!, hash[1]!) < 0) this.#known.set(hash[0]!, hash[1]!, ref)
  }

  /** Whether the log can hold the request as rows: anything but plain samples is logged as it came. */
  #isRows({ labelHashes, seriesCount, histograms, exemplars, metadata, startTimes }: WriteColumns): boolean {
    if (!labelHashes || startTimes !== null) return false
    if (histograms.length > 0 || exemplars.length > 0 || metadata.length > 0) return false
    for (let s = 0; s < seriesCount; s++)
      if (labelHashes[2 * s] === 0 && labelHashes[2 * s + 1] === 0 && this.#refs[s] !== NONE) return false
    return true
  }

  #logRows(request: WriteColumns, stored: number): void {
    if (stored === 0) return
    const { record, compressor } = this.#options
    const { seriesCount, sampleStart, timestamps, values } = request
    const rows = this.#rows
    if (!rows.isBegun) {
      const life = this.#life()
      this.#options.head.logLife = life
      rows.begin(life)
    }
    for (let s = 0; s < seriesCount; s++)
      if (this.#refs[s] !== NONE) rows.use(this.#refs[s]!, s, request as LabelSource)
    const definitions = rows.definitions()
    if (definitions) {
      const bytes = compressor.compress(definitions, 1)
      record(RecordType.definitions, [bytes])
      record(RecordType.definitions, [bytes])
    }
    const end = sampleStart[seriesCount]!
    record(RecordType.rows, [rows.rows(this.#sampleRefs, timestamps, values, this.#results, end, stored)])
  }

  /** Retention has removed series. */
  forgetDead(isLive: (ref: SeriesRef) => boolean): void {
    this.#known.forgetDead(isLive)
  }

  #append(request: WriteColumns, judgement: Judgement): WriteAnswer {
    const { windowMs, newestMs, refusals } = judgement
    const { head } = this.#options
    const outcome = new WriteOutcome(tellingOf(request))
    this.#resolve(request, outcome, refusals)
    this.#refuseAhead(request, newestMs)
    if (windowMs !== null) this.#refuseLate(request, windowMs)
    const judged = { refs: this.#refs, sampleRefs: this.#sampleRefs, results: this.#results, newestMs }
    this.#options.zeros.begin()?.ofWrite({ request, ...judged })
    this.#appendFloats(request, outcome)
    this.#appendHistograms(request, judgement, outcome)
    for (const { series, part, text } of request.complaints ?? [])
      if (refusals === null) outcome.refuse(series, Part[part], () => text)
    const refs = this.#refs
    for (const { series, exemplar } of request.exemplars) {
      if (refs[series] === NONE || !isSound(exemplar)) continue
      head.appendExemplar(refs[series]!, exemplar)
      outcome.written.exemplars++
    }
    for (const { family, metadata } of request.metadata) head.setMetadata(family, metadata)
    outcome.rejectedPoints = rejectedPoints(request, this.#results, this.#histogramResults)
    this.#options.counters.otlpPointsRejected += outcome.rejectedPoints
    return outcome.answer()
  }

  #appendHistograms(request: WriteColumns, judgement: Judgement, outcome: WriteOutcome): void {
    const { head } = this.#options
    const { histograms } = request
    const { windowMs, newestMs, refusals } = judgement
    if (this.#histogramResults.length < histograms.length)
      this.#histogramResults = new Uint8Array(2 * histograms.length)
    for (let h = 0; h < histograms.length; h++) {
      const { series, timestampMs, histogram, startMs } = histograms[h]!
      const ref = this.#refs[series]!
      this.#histogramResults[h] = AppendResult.limit
      if (ref === NONE || refusals?.hasHistogram(h)) continue
      let result: Result = timestampMs > newestMs ? AHEAD : AppendResult.stored
      if (result === AppendResult.stored && windowMs !== null)
        result = this.#lateness(timestampMs, head.lastTime(ref), windowMs)
      if (result === AppendResult.stored) result = head.appendHistogram(ref, timestampMs, histogram, startMs)
      this.#histogramResults[h] = result
      this.#count(result, 'histograms', outcome)
      if (isRefusal(result))
        this.#tell(request, outcome, { series, part: Part.histogram, result, timestampMs, value: null })
    }
  }

  /** Fills `#refs`, and `#sampleRefs` from it. */
  #resolve(request: WriteColumns, outcome: WriteOutcome, refusals: Refusals | null): void {
    const { seriesCount, sampleStart, labelHashes } = request
    if (this.#refs.length < seriesCount) this.#refs = new Uint32Array(2 * seriesCount)
    const samples = sampleStart[seriesCount]!
    if (this.#sampleRefs.length < samples) {
      this.#sampleRefs = new Uint32Array(2 * samples)
      this.#results = new Uint8Array(2 * samples)
    }
    const known = this.#known
    let withHistograms: ReadonlySet<number> | null = null
    for (let s = 0; s < seriesCount; s++) {
      const low = labelHashes ? labelHashes[2 * s]! : 0
      const high = labelHashes ? labelHashes[2 * s + 1]! : 0
      let ref: number = low === 0 && high === 0 ? -1 : known.get(low, high)
      if (refusals?.hasSeries(s)) ref = NONE
      else if (ref < 0) {
        let isMade = sampleStart[s + 1]! > sampleStart[s]!
        if (!isMade) {
          withHistograms ??= new Set(request.histograms.map(({ series }) => series))
          isMade = withHistograms.has(s)
        }
        ref = this.#find(request, s, outcome, isMade)
        if (ref !== NONE && (low !== 0 || high !== 0)) known.set(low, high, ref)
      }
      this.#refs[s] = ref
      for (let i = sampleStart[s]!; i < sampleStart[s + 1]!; i++) {
        this.#sampleRefs[i] = ref
        this.#results[i] = refusals?.hasSample(i) ? AppendResult.limit : AppendResult.stored
      }
    }
  }

  /**
   * By its labels; `NONE` when they are not valid, or a limit refuses the series. One that comes without samples is not
   * made: its exemplars belong to a series that there is, or to none. As Prometheus tsdb/head_append.go, AppendExemplar.
   */
  #find(request: WriteColumns, s: number, outcome: WriteOutcome, isMade: boolean): number {
    const { head, log, counters } = this.#options
    const { labels, problem } = request.labels(s)
    if (problem !== null) {
      // As upstream: 1.0 counts a series for a sample.
      counters.remoteWriteInvalidLabels += request.isStrict ? samplesOf(request, s) : 1
      if (request.isStrict) outcome.refuse(s, Part.labels, () => problem)
      // One line a request: they may be a hundred thousand of a few bytes each.
      if (outcome.invalidSeries++ === 0) log.warn('A series that was written is refused', { error: problem })
      return NONE
    }
    const ref = isMade ? head.series(labels) : head.find(labels)
    if (ref >= 0) return ref
    if (!isMade) return NONE
    outcome.overLimit(head.refusedBy)
    counters.samplesOverSeriesLimit += request.sampleStart[s + 1]! - request.sampleStart[s]!
    return NONE
  }

  /** Marks in `#results` what is too far in the future. */
  #refuseAhead({ seriesCount, sampleStart, timestamps }: WriteColumns, newestMs: number): void {
    const end = sampleStart[seriesCount]!
    for (let i = 0; i < end; i++) if (timestamps[i]! > newestMs) this.#results[i] = AHEAD
  }

  /** Marks in `#results` what the window does not admit. */
  #refuseLate({ seriesCount, sampleStart, timestamps }: WriteColumns, windowMs: number): void {
    const { head } = this.#options
    for (let s = 0; s < seriesCount; s++) {
      if (this.#refs[s] === NONE) continue
      let newest = head.lastTime(this.#refs[s]!)
      for (let i = sampleStart[s]!; i < sampleStart[s + 1]!; i++) {
        if (this.#results[i] === AHEAD) continue
        this.#results[i] = this.#lateness(timestamps[i]!, newest, windowMs)
        newest = Math.max(newest, timestamps[i]!)
      }
    }
  }

  #lateness(time: number, newest: number, windowMs: number): AppendResult {
    if (time >= newest) return AppendResult.stored
    if (windowMs === 0) return AppendResult.outOfOrder
    return time >= this.#options.head.maxTime - windowMs ? AppendResult.stored : AppendResult.tooOld
  }

  /** Samples of one time that follow each other go to the head together: they are often of one scrape. */
  #appendFloats(request: WriteColumns, outcome: WriteOutcome): void {
    const { head } = this.#options
    const { timestamps, values, startTimes, sampleStart, seriesCount } = request
    const refs = this.#sampleRefs
    const results = this.#results
    const end = sampleStart[seriesCount]!
    for (let i = 0; i < end; ) {
      if (refs[i] === NONE) {
        this.#results[i] = AppendResult.limit
        i++
        continue
      }
      if (results[i] !== AppendResult.stored) {
        this.#countSample(request, i, outcome)
        i++
        continue
      }
      const time = timestamps[i]!
      if (startTimes !== null && startTimes[i] !== 0) {
        this.#results[i] = head.appendFloat(refs[i]!, time, values, i, startTimes[i]!)
        this.#countSample(request, i, outcome)
        i++
        continue
      }
      let to = i + 1
      while (to < end && timestamps[to] === time && refs[to] !== NONE && results[to] === AppendResult.stored) {
        if (startTimes !== null && startTimes[to] !== 0) break
        to++
      }
      this.#appendRun(request, i, to, outcome)
      i = to
    }
  }

  #appendRun(request: WriteColumns, from: number, to: number, outcome: WriteOutcome): void {
    const { head, counters } = this.#options
    const { timestamps, values } = request
    const stored = head.appendRun(timestamps[from]!, this.#sampleRefs, values, from, to - from, this.#results)
    if (stored === to - from) {
      counters.remoteWriteSamples += stored
      counters.samplesStored += stored
      outcome.written.samples += stored
    } else for (let i = from; i < to; i++) this.#countSample(request, i, outcome)
  }

  #countSample(request: WriteColumns, i: number, outcome: WriteOutcome): void {
    const result = this.#results[i] as Result
    this.#count(result, 'samples', outcome)
    if (!isRefusal(result)) return
    const series = seriesOf(request, i)
    const sample = { timestampMs: request.timestamps[i]!, value: request.values[i]! }
    this.#tell(request, outcome, { series, part: Part.sample, result, ...sample })
  }

  #count(result: Result, what: 'samples' | 'histograms', outcome: WriteOutcome): void {
    const { counters } = this.#options
    if (isHeld(result)) outcome.written[what]++
    if (result === AppendResult.stored) {
      counters.remoteWriteSamples++
      counters.samplesStored++
    } else counters.samplesNotStored++
    if (result === AppendResult.outOfOrder) counters.samplesOutOfOrder++
    else if (result === AppendResult.tooOld) counters.samplesTooOld++
    else if (result === AHEAD) counters.samplesAhead++
    else if (result === AppendResult.limit) outcome.withoutMemory++
  }

  /** Why a sample is refused, to the sender as upstream tells it, and with its series to the log. */
  #tell(request: WriteColumns, outcome: WriteOutcome, refused: RefusedSample): void {
    const { head, log } = this.#options
    const { series, part, result, timestampMs, value } = refused
    outcome.refuse(series, part, () => {
      const why = refusalText(result, timestampMs, value, () => head.storedAt(this.#refs[series]!, timestampMs))
      const { labels } = request.labels(series)
      const named = labels === null ? '{}' : shownLabels(labels)
      if (outcome.isFirst) log.warn('A sample that was written is refused', { error: why, series: named, timestampMs })
      return outcome.telling === 'each' ? `${why} for series ${named}` : why
    })
  }
}

type RefusedSample = {
  readonly series: number
  readonly part: Part
  readonly result: Result
  readonly timestampMs: number
  /** Of a float; null: of a histogram. */
  readonly value: number | null
}

const tellingOf = ({ isStrict, points }: WriteColumns): Telling => (points ? 'kinds' : isStrict ? 'each' : 'first')

/** What decides about the samples of a request besides the head. */
type Judgement = {
  /** See `outOfOrderWindowMs`. */
  readonly windowMs: number | null
  /** Time that nothing may be later than. */
  readonly newestMs: number
  /** Of a request of the log: what was refused when it came. */
  readonly refusals: Refusals | null
}

/** In place of a ref. */
const NONE = 0xffffffff

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function bug(): never {
  throw new Error('BUG: a write is accepted before the log is replayed')
}
