/**
 * The shapes that operators exchange: a frame of steps, a column of results over the frame, and a series that carries
 * a column. Nothing here computes.
 */
import type { Labels } from '../../../protocol/labels/mod.ts'
import type { Histogram } from '../../../protocol/samples/mod.ts'
import { newBytes, newFloats } from './columns.ts'

/**
 * Evaluation times: startMs + i * stepMs for i in [0, steps). A subquery evaluates its inside in a frame of its own.
 * `endMs` is where a range was asked to end, be it before its second step; instants have none.
 */
export type Frame = {
  readonly startMs: number
  readonly stepMs: number
  readonly steps: number
  readonly endMs?: number
}

/** Values of `present`: what a step holds. */
export const NONE = 0
export const FLOAT = 1
export const HISTOGRAM = 2

/** One slot a step; `histograms` is null until a step holds one. */
export type Column = {
  values: Float64Array
  present: Uint8Array
  histograms: (Histogram | undefined)[] | null
}

/**
 * A series on its way through the plan. Its identity is `labels` when set, else the stored series `ref` (whose label
 * ids are compared without making strings); `nameless` hides `__name__` of the stored labels.
 */
export type Series = Column & {
  ref: number
  nameless: boolean
  labels: Labels | null
  /** The name is to be removed at the end of the query (delayed name removal). */
  dropName: boolean
}

/**
 * Receives the series of an operator, one at a time. With `keep` the series and its column belong to the receiver;
 * without, they are the receiver's only until it returns (it may change them in place meanwhile).
 */
export type Emit = (series: Series) => void

/** Not so of what is evaluated once, whatever its time. */
export const isRange = ({ startMs, endMs = startMs }: Frame): boolean => endMs !== startMs

export const stepTime = (frame: Frame, index: number): number => frame.startMs + index * frame.stepMs

export function newSeries(steps: number, ref: number, labels: Labels | null): Series {
  return withColumn({ values: newFloats(steps), present: newBytes(steps), histograms: null }, ref, labels)
}

/** A series that takes the column over. */
export function withColumn({ values, present, histograms }: Column, ref: number, labels: Labels | null): Series {
  return { ref, nameless: false, labels, dropName: false, values, present, histograms }
}

/** Hands out the series that an operator emits: fresh ones for keepers, else one that is cleared and used again. */
export class SeriesSource {
  readonly #steps: number
  readonly #keep: boolean
  #scratch: Series | null = null

  constructor(steps: number, keep: boolean) {
    this.#steps = steps
    this.#keep = keep
  }

  take(ref: number, labels: Labels | null): Series {
    if (this.#keep) return newSeries(this.#steps, ref, labels)
    const scratch = this.#scratch
    if (scratch === null) {
      this.#scratch = newSeries(this.#steps, ref, labels)
      return this.#scratch
    }
    scratch.ref = ref
    scratch.labels = labels
    scratch.nameless = false
    scratch.dropName = false
    scratch.present.fill(NONE)
    scratch.histograms = null
    return scratch
  }
}

export function setHistogram(column: Column, step: number, histogram: Histogram): void {
  column.histograms ??= new Array(column.present.length)
  column.histograms[step] = histogram
  column.present[step] = HISTOGRAM
}

export function setFloat(column: Column, step: number, value: number): void {
  column.values[step] = value
  column.present[step] = FLOAT
}

/** True when at least one step holds something. */
export function anyPresent(present: Uint8Array): boolean {
  for (let i = 0; i < present.length; i++) if (present[i] !== NONE) return true
  return false
}
