/** A write's kind, where none is given, and what becomes of it, for its sender. */
import type { WriteKind } from '../../protocol/remote-write/mod.ts'

export const REMOTE_WRITE_1: WriteKind = { format: 'rw1', encoding: 'snappy' }

/** Of one request: for the headers that 2.0 asks for. */
export type Written = { samples: number; histograms: number; exemplars: number }

/** Status and text of the HTTP answer; the text of 204 is empty. */
export type WriteAnswer = {
  readonly status: 204 | 400 | 429 | 503
  readonly message: string
  readonly written: Readonly<Written>
  /** The body could be read, and what is wrong concerns parts of it. */
  readonly isPartial: boolean
  /** Data points of OTLP that are not stored, or not as a whole. */
  readonly rejectedPoints: number
}

export const NOTHING: Written = { samples: 0, histograms: 0, exemplars: 0 }

export const refused = (status: 400 | 429 | 503, message: string): WriteAnswer => ({
  status,
  message,
  written: NOTHING,
  isPartial: false,
  rejectedPoints: 0,
})
