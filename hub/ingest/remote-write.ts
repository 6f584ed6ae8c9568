/**
 * Remote write 1.0 and 2.0, and OTLP, into the head. Any timestamp is accepted; series with invalid labels are skipped and counted while
 * the others are stored. Semantics: Prometheus storage/remote/write_handler.go, write and appendV1Samples (v3).
 * Differs: samples older than their series' newest are stored, so there is no 400 for out of order ones.
 */
import type { Logger } from '../../protocol/env/mod.ts'
import type { WriteColumns, WriteKind } from '../../protocol/remote-write/mod.ts'
import { type Appender, AppendResult, type SeriesRef } from '../tsdb/contract.ts'
import type { IngestCounters } from './counters.ts'
import { RefCache } from './ref-cache.ts'

/** From the body as received. Any error it throws is the sender's: its message is the answer, with status 400. */
export type WriteDecoder = (body: Uint8Array, kind: WriteKind) => WriteColumns

/** Of one request: for the headers that 2.0 asks for. */
export type Written = { samples: number; histograms: number; exemplars: number }

/** Status and text of the HTTP answer; the text of 204 is empty. */
export type WriteAnswer = {
  readonly status: 204 | 400 | 429 | 503
  readonly message: string
  readonly written: Readonly<Written>
  /** The body could be read, and what is wrong concerns parts of it. */
  readonly isPartial: boolean
}

const NOTHING: Written = { samples: 0, histograms: 0, exemplars: 0 }
/** Complaints told to the sender; the rest are counted. */
const MAX_PROBLEMS = 10

export const refused = (status: 400 | 429 | 503, message: string): WriteAnswer => ({
  status,
  message,
  written: NOTHING,
  isPartial: false,
})

export type RemoteWriteOptions = {
  readonly head: Appender
  readonly log: Logger
  readonly counters: IngestCounters
  readonly decode: WriteDecoder
}

export class RemoteWriteIntake {
  readonly #options: RemoteWriteOptions
  readonly #known = new RefCache()
  /** Refs by series of the request at hand, `NONE` for one that is refused; and by sample, with what became of each. */
  #refs = new Uint32Array(0)
  #sampleRefs = new Uint32Array(0)
  #results = new Uint8Array(0)

  constructor(options: RemoteWriteOptions) {
    this.#options = options
  }

  /** `isStored`: the head has changed, so the body must be logged, whatever the answer. */
  accept(body: Uint8Array, kind: WriteKind): { readonly answer: WriteAnswer; readonly isStored: boolean } {
    const { log, counters, decode } = this.#options
    let request: WriteColumns
    try {
      request = decode(body, kind)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      log.warn('Refused a remote write request', { format: kind.format, error: message })
      return { answer: refused(400, message), isStored: false }
    }
    counters.remoteWriteRequests++
    return { answer: this.#append(request), isStored: true }
  }

  /** Retention has removed series. */
  forgetDead(isLive: (ref: SeriesRef) => boolean): void {
    this.#known.forgetDead(isLive)
  }

  #append(request: WriteColumns): WriteAnswer {
    const { head } = this.#options
    const outcome: Outcome = { written: { ...NOTHING }, problems: [], conflicts: 0, overLimit: 0 }
    this.#resolve(request, outcome)
    this.#appendFloats(request, outcome)
    const refs = this.#refs
    for (const { series, timestampMs, histogram, startMs } of request.histograms) {
      if (refs[series] === NONE) continue
      this.#count(head.appendHistogram(refs[series]!, timestampMs, histogram, startMs), 'histograms', outcome)
    }
    for (const { series, exemplar } of request.exemplars) {
      if (refs[series] === NONE) continue
      head.appendExemplar(refs[series]!, exemplar)
      outcome.written.exemplars++
    }
    for (const { family, metadata } of request.metadata) head.setMetadata(family, metadata)
    return answerOf(outcome, request.isStrict)
  }

  /** Fills `#refs`, and `#sampleRefs` from it. */
  #resolve(request: WriteColumns, outcome: Outcome): void {
    const { seriesCount, sampleStart, labelHashes } = request
    if (this.#refs.length < seriesCount) this.#refs = new Uint32Array(2 * seriesCount)
    const samples = sampleStart[seriesCount]!
    if (this.#sampleRefs.length < samples) {
      this.#sampleRefs = new Uint32Array(2 * samples)
      this.#results = new Uint8Array(2 * samples)
    }
    const known = this.#known
    for (let s = 0; s < seriesCount; s++) {
      const low = labelHashes ? labelHashes[2 * s]! : 0
      const high = labelHashes ? labelHashes[2 * s + 1]! : 0
      let ref: number = low === 0 && high === 0 ? -1 : known.get(low, high)
      if (ref < 0) {
        ref = this.#find(request, s, outcome)
        if (ref !== NONE && (low !== 0 || high !== 0)) known.set(low, high, ref)
      }
      this.#refs[s] = ref
      for (let i = sampleStart[s]!; i < sampleStart[s + 1]!; i++) this.#sampleRefs[i] = ref
    }
  }

  /** By its labels; `NONE` when they are not valid, or a limit refuses the series. */
  #find(request: WriteColumns, s: number, outcome: Outcome): number {
    const { head, log, counters } = this.#options
    const { labels, problem } = request.labels(s)
    if (problem !== null) {
      counters.remoteWriteInvalidLabels++
      if (outcome.problems.length < MAX_PROBLEMS) outcome.problems.push(problem)
      log.warn('Invalid labels in remote write', { error: problem })
      return NONE
    }
    const ref = head.series(labels)
    if (ref >= 0) return ref
    outcome.overLimit++
    counters.samplesOverSeriesLimit += request.sampleStart[s + 1]! - request.sampleStart[s]!
    return NONE
  }

  /** Samples of one time that follow each other go to the head together: they are often of one scrape. */
  #appendFloats(request: WriteColumns, outcome: Outcome): void {
    const { head } = this.#options
    const { timestamps, values, startTimes, sampleStart, seriesCount } = request
    const refs = this.#sampleRefs
    const end = sampleStart[seriesCount]!
    for (let i = 0; i < end; ) {
      if (refs[i] === NONE) {
        i++
        continue
      }
      const time = timestamps[i]!
      if (startTimes !== null && startTimes[i] !== 0) {
        this.#count(head.appendFloat(refs[i]!, time, values, i, startTimes[i]!), 'samples', outcome)
        i++
        continue
      }
      let to = i + 1
      while (to < end && timestamps[to] === time && refs[to] !== NONE && (startTimes === null || startTimes[to] === 0))
        to++
      this.#appendRun(time, values, i, to, outcome)
      i = to
    }
  }

  #appendRun(time: number, values: Float64Array, from: number, to: number, outcome: Outcome): void {
    const { head, counters } = this.#options
    const results = this.#results
    const stored = head.appendRun(time, this.#sampleRefs, values, from, to - from, results)
    if (stored === to - from) {
      counters.remoteWriteSamples += stored
      counters.samplesStored += stored
      outcome.written.samples += stored
    } else for (let i = from; i < to; i++) this.#count(results[i] as AppendResult, 'samples', outcome)
  }

  #count(result: AppendResult, what: 'samples' | 'histograms', outcome: Outcome): void {
    const { counters } = this.#options
    if (isHeld(result)) outcome.written[what]++
    if (result === AppendResult.stored) {
      counters.remoteWriteSamples++
      counters.samplesStored++
    } else counters.samplesNotStored++
    if (result === AppendResult.conflicting) outcome.conflicts++
  }
}

/** What became of a request, while it is worked through. */
type Outcome = {
  readonly written: Written
  readonly problems: string[]
  /** Samples with another value than the one stored at their time. */
  conflicts: number
  /** Series. */
  overLimit: number
}

/** In place of a ref. */
const NONE = 0xffffffff

function answerOf({ written, problems, conflicts, overLimit }: Outcome, isStrict: boolean): WriteAnswer {
  if (conflicts > 0) problems.unshift('duplicate sample for timestamp')
  if (conflicts > 0 || (isStrict && problems.length > 0))
    return { status: 400, message: problems.join('\n'), written, isPartial: true }
  if (overLimit > 0)
    return {
      status: 429,
      message: `series limit reached: ${overLimit} series of the request were not stored`,
      written,
      isPartial: true,
    }
  return { status: 204, message: '', written, isPartial: false }
}

/** A sample that is there already counts as written: the sender need not send it again. */
const isHeld = (result: AppendResult): boolean => result === AppendResult.stored || result === AppendResult.duplicate
