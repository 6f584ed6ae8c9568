/**
 * Remote write 1.0 and 2.0, and OTLP, into the head. Any timestamp is accepted; series with invalid labels are skipped and counted while
 * the others are stored. Semantics: Prometheus storage/remote/write_handler.go, write and appendV1Samples (v3).
 * Differs: samples older than their series' newest are stored, so there is no 400 for out of order ones.
 */
import type { Logger } from '../../protocol/env/mod.ts'
import type { WriteColumns, WriteKind } from '../../protocol/remote-write/mod.ts'
import { type Appender, AppendResult, type SeriesRef } from '../tsdb/contract.ts'
import type { IngestCounters } from './counters.ts'

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

  #append(request: WriteColumns): WriteAnswer {
    const { head, log, counters } = this.#options
    const refs = new Int32Array(request.seriesCount)
    const problems: string[] = []
    const written = { ...NOTHING }
    let conflicts = 0
    let overLimit = 0
    for (let s = 0; s < request.seriesCount; s++) {
      const { labels, problem } = request.labels(s)
      if (problem !== null) {
        counters.remoteWriteInvalidLabels++
        if (problems.length < MAX_PROBLEMS) problems.push(problem)
        log.warn('Invalid labels in remote write', { error: problem })
        refs[s] = -1
        continue
      }
      const ref = head.series(labels)
      refs[s] = ref
      if (ref < 0) {
        overLimit++
        counters.samplesOverSeriesLimit += request.sampleStart[s + 1]! - request.sampleStart[s]!
      } else conflicts += this.#appendFloats(ref, request, s, written)
    }
    for (const { series, timestampMs, histogram, startMs } of request.histograms) {
      if (refs[series]! < 0) continue
      const result = head.appendHistogram(refs[series]!, timestampMs, histogram, startMs)
      if (isHeld(result)) written.histograms++
      conflicts += this.#count(result)
    }
    for (const { series, exemplar } of request.exemplars) {
      if (refs[series]! < 0) continue
      head.appendExemplar(refs[series]!, exemplar)
      written.exemplars++
    }
    for (const { family, metadata } of request.metadata) head.setMetadata(family, metadata)
    if (conflicts > 0) problems.unshift('duplicate sample for timestamp')
    if (conflicts > 0 || (request.isStrict && problems.length > 0))
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

  /** @returns how many samples have another value than the one stored at their time */
  #appendFloats(ref: SeriesRef, request: WriteColumns, series: number, written: Written): number {
    const { timestamps, values, startTimes, sampleStart } = request
    const end = sampleStart[series + 1]!
    let conflicts = 0
    for (let i = sampleStart[series]!; i < end; i++) {
      const startMs = startTimes === null ? 0 : startTimes[i]!
      const result = this.#options.head.appendFloat(ref, timestamps[i]!, values, i, startMs)
      if (isHeld(result)) written.samples++
      conflicts += this.#count(result)
    }
    return conflicts
  }

  #count(result: AppendResult): number {
    const { counters } = this.#options
    if (result === AppendResult.stored) {
      counters.remoteWriteSamples++
      counters.samplesStored++
    } else counters.samplesNotStored++
    return result === AppendResult.conflicting ? 1 : 0
  }
}

/** A sample that is there already counts as written: the sender need not send it again. */
const isHeld = (result: AppendResult): boolean => result === AppendResult.stored || result === AppendResult.duplicate
