/** What every way in decodes to: series with their samples in columns, and how a body says what it is. */
import type { Exemplar, Histogram, Metadata } from '../samples/mod.ts'
import type { LabelsResult } from './read-labels.ts'

/** Messages that writers send: remote write 1.0 and 2.0, and OTLP metrics in protobuf or JSON. */
export const WRITE_FORMATS = ['rw1', 'rw2', 'otlp', 'otlp-json'] as const
export type WriteFormat = (typeof WRITE_FORMATS)[number]
export const WRITE_ENCODINGS = ['snappy', 'zstd', 'gzip', 'identity'] as const
export type WriteEncoding = (typeof WRITE_ENCODINGS)[number]
export type WriteKind = {
  readonly format: WriteFormat
  readonly encoding: WriteEncoding
  /** How OTLP, and 2.0, become series, where it differs from the defaults: it is logged with the body. */
  readonly settings?: Readonly<Record<string, unknown>>
}

export type SeriesHistogram = {
  readonly series: number
  readonly timestampMs: number
  readonly histogram: Histogram
  /** Milliseconds, 0 unknown. */
  readonly startMs: number
}
export type SeriesExemplar = { readonly series: number; readonly exemplar: Exemplar }
/** Of OTLP: which data point each sample is a part of. Points count from 1; 0: of none, as what a resource says of itself. */
export type DataPoints = {
  readonly ofSample: Uint32Array
  /** By histogram. */
  readonly ofHistogram: readonly number[]
  /** Points that are no part of any sample: they cannot be stored, and `labels` says why. */
  readonly lost: number
}
/** What of a series is not stored while the rest of it is: a whole sentence of the answer, in upstream's words. */
export type Complaint = { readonly series: number; readonly part: 'histogram' | 'exemplar'; readonly text: string }
export type FamilyMetadata = { readonly family: string; readonly metadata: Metadata }

/** Series s has the samples `[sampleStart[s], sampleStart[s + 1])`. */
export interface WriteColumns {
  readonly seriesCount: number
  readonly sampleStart: Uint32Array
  /** Milliseconds. */
  readonly timestamps: Float64Array
  /** Bits as sent, stale markers included. */
  readonly values: Float64Array
  /** Milliseconds, 0 unknown; null when no sample has one. */
  readonly startTimes: Float64Array | null
  readonly histograms: readonly SeriesHistogram[]
  readonly exemplars: readonly SeriesExemplar[]
  readonly metadata: readonly FamilyMetadata[]
  /**
   * Two words a series, by which its labels are known again: equal for equal bytes, two zeros where there is none.
   * Absent for messages whose labels are no bytes of their own.
   */
  readonly labelHashes?: Uint32Array
  /** The bytes that were hashed, borrowed; null where there is no hash. */
  labelBytes?(series: number): Uint8Array | null
  /** Whether a series that is refused makes the answer an error (2.0), or is only counted (1.0). */
  readonly isStrict: boolean
  labels(series: number): LabelsResult
  /** Of 2.0 alone; of many the first. */
  readonly complaints?: readonly Complaint[]
  /** Of OTLP alone. */
  readonly points?: DataPoints
}
