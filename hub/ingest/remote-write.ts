/**
 * Remote write 1.0 into the head. Any timestamp is accepted; series with invalid labels are skipped and counted while
 * the others are stored. Semantics: Prometheus storage/remote/write_handler.go, write and appendV1Samples (v3).
 * Differs: samples older than their series' newest are stored, so there is no 400 for out of order ones.
 */
import type { Logger } from '../../protocol/env/mod.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../../protocol/samples/mod.ts'
import { type Appender, AppendResult } from '../tsdb/contract.ts'
import type { IngestCounters } from './counters.ts'

/** One series of a write request. */
export type WrittenSeries = {
  readonly labels: Labels
  /** Why the labels cannot be stored; null when they can. */
  readonly invalid: string | null
  readonly timestamps: Float64Array
  /** Bits kept. */
  readonly values: Float64Array
  readonly histograms: readonly { readonly timestampMs: number; readonly histogram: Histogram }[]
  readonly exemplars: readonly Exemplar[]
}

export type WrittenRequest = {
  readonly series: readonly WrittenSeries[]
  readonly metadata: readonly { readonly family: string; readonly metadata: Metadata }[]
}

/** From the body as received. Any error it throws is the sender's: its message is the answer, with status 400. */
export type WriteDecoder = (body: Uint8Array) => WrittenRequest

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
    let request: WrittenRequest
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

  #append(request: WrittenRequest): WriteAnswer {
    const { head, log, counters } = this.#options
    let conflicts = 0
    let overLimit = 0
    for (const series of request.series) {
      if (series.invalid !== null) {
        counters.remoteWriteInvalidLabels++
        log.warn('Invalid labels in remote write', { error: series.invalid })
        continue
      }
      const ref = head.series(series.labels)
      if (ref < 0) {
        overLimit++
        counters.samplesOverSeriesLimit += series.timestamps.length + series.histograms.length
        continue
      }
      conflicts += this.#appendSeries(ref, series)
    }
    for (const { family, metadata } of request.metadata) head.setMetadata(family, metadata)
    if (conflicts > 0) return { status: 400, message: 'duplicate sample for timestamp' }
    if (overLimit > 0)
      return { status: 429, message: `series limit reached: ${overLimit} series of the request were not stored` }
    return { status: 204, message: '' }
  }

  /** @returns how many samples have another value than the one stored at their time */
  #appendSeries(ref: number, series: WrittenSeries): number {
    const { head, counters } = this.#options
    const { timestamps, values } = series
    let conflicts = 0
    const count = (result: AppendResult): void => {
      if (result === AppendResult.stored) {
        counters.remoteWriteSamples++
        counters.samplesStored++
      } else counters.samplesNotStored++
      if (result === AppendResult.conflicting) conflicts++
    }
    for (let i = 0; i < timestamps.length; i++) count(head.appendFloat(ref, timestamps[i]!, values, i, 0))
    for (const { timestampMs, histogram } of series.histograms)
      count(head.appendHistogram(ref, timestampMs, histogram, 0))
    for (const exemplar of series.exemplars) head.appendExemplar(ref, exemplar)
    return conflicts
  }
}
