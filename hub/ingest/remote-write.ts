/**
 * Remote write 1.0 into the head. Any timestamp is accepted; series with invalid labels are skipped and counted while
 * the others are stored. Semantics: Prometheus storage/remote/write_handler.go, write and appendV1Samples (v3).
 * Differs: samples older than their series' newest are stored, so there is no 400 for out of order ones.
 */
import type { Logger } from '../../protocol/env/mod.ts'
import type { WriteRequest } from '../../protocol/remote-write/mod.ts'
import { type Appender, AppendResult, type SeriesRef } from '../tsdb/contract.ts'
import type { IngestCounters } from './counters.ts'

/** From the body as received. Any error it throws is the sender's: its message is the answer, with status 400. */
export type WriteDecoder = (body: Uint8Array) => WriteRequest

/** Status and text of the HTTP answer; the text of 204 is empty. */
export type WriteAnswer = { readonly status: 204 | 400 | 429 | 503; readonly message: string }

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
  accept(body: Uint8Array): { readonly answer: WriteAnswer; readonly isStored: boolean } {
    const { log, counters, decode } = this.#options
    let request: WriteRequest
    try {
      request = decode(body)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      log.warn('Refused a remote write request', { error: message })
      return { answer: { status: 400, message }, isStored: false }
    }
    counters.remoteWriteRequests++
    return { answer: this.#append(request), isStored: true }
  }

  #append(request: WriteRequest): WriteAnswer {
    const { head, log, counters } = this.#options
    const refs = new Int32Array(request.seriesCount)
    let conflicts = 0
    let overLimit = 0
    for (let s = 0; s < request.seriesCount; s++) {
      const { labels, problem } = request.labels(s)
      if (problem !== null) {
        counters.remoteWriteInvalidLabels++
        log.warn('Invalid labels in remote write', { error: problem })
        refs[s] = -1
        continue
      }
      const ref = head.series(labels)
      refs[s] = ref
      if (ref < 0) {
        overLimit++
        counters.samplesOverSeriesLimit += request.sampleStart[s + 1]! - request.sampleStart[s]!
      } else conflicts += this.#appendFloats(ref, request, s)
    }
    for (const { series, timestampMs, histogram } of request.histograms)
      if (refs[series]! >= 0) conflicts += this.#count(head.appendHistogram(refs[series]!, timestampMs, histogram, 0))
    for (const { series, exemplar } of request.exemplars)
      if (refs[series]! >= 0) head.appendExemplar(refs[series]!, exemplar)
    for (const { family, metadata } of request.metadata) head.setMetadata(family, metadata)
    if (conflicts > 0) return { status: 400, message: 'duplicate sample for timestamp' }
    if (overLimit > 0)
      return { status: 429, message: `series limit reached: ${overLimit} series of the request were not stored` }
    return { status: 204, message: '' }
  }

  /** @returns how many samples have another value than the one stored at their time */
  #appendFloats(ref: SeriesRef, request: WriteRequest, series: number): number {
    const { timestamps, values, sampleStart } = request
    const end = sampleStart[series + 1]!
    let conflicts = 0
    for (let i = sampleStart[series]!; i < end; i++)
      conflicts += this.#count(this.#options.head.appendFloat(ref, timestamps[i]!, values, i, 0))
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
