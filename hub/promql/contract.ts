/** What the engine takes and gives; `hub/query` runs it in workers and writes the response bytes. */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Histogram } from '../../protocol/samples/mod.ts'
import type { Position, ValueType } from './ast.ts'

/** Steps are startMs, startMs + stepMs, … <= endMs; an instant query has startMs = endMs (and any stepMs > 0). */
export type QueryRange = {
  readonly startMs: number
  readonly endMs: number
  readonly stepMs: number
  readonly instant: boolean
}

export type EngineOptions = {
  readonly lookbackMs: number
  /** Of `[1h:]`. */
  readonly defaultSubqueryStepMs: number
  readonly maxSamples: number
  readonly delayedNameRemoval: boolean
  readonly useStartTimestamps: boolean
  readonly typeAndUnitLabels: boolean
  /** Polled at least once per chunk or series; true ends the query with QueryError 'canceled' or 'timeout'. */
  readonly interrupted: () => 'canceled' | 'timeout' | null
  /** Of EXPLAIN: the monotonic clock by which operators are timed, in ms. */
  readonly explainClock?: () => number
  /** Count the samples of each step, too. */
  readonly countSteps?: boolean
  /** Told, at the end of an evaluation, the most samples that it held at once, and what it looked at. */
  readonly onSamples?: (held: number, counts: SampleCounts) => void
}

/** Samples, of a step or of all: counted at every step whose window they are in, and counted when they are read. */
export type SampleCounts = { total: number; read: number; readonly steps: StepCounts | null }
/** One slot a step. */
export type StepCounts = { readonly total: Float64Array; readonly read: Float64Array }

/** Beside a result. `pos` is into the query text; the API prints ` (line:column)`. */
export type Annotation = { readonly level: 'warning' | 'info'; readonly message: string; readonly pos: Position | null }

/**
 * One result series over the query's steps. `values` has one slot a step; `present[i]` is 0 (nothing), 1 (float) or
 * 2 (histogram, in `histograms[i]`). For an instant query there is one step.
 */
export type ResultSeries = {
  readonly labels: Labels
  readonly values: Float64Array
  readonly present: Uint8Array
  readonly histograms: readonly (Histogram | undefined)[] | null
}

export type QueryResult =
  /** Vector and matrix (range queries sorted by labels). */
  | {
      readonly type: Extract<ValueType, 'vector' | 'matrix'>
      readonly series: readonly ResultSeries[]
      readonly annotations: readonly Annotation[]
    }
  /** An instant query of a range vector: raw samples with their own times. */
  | {
      readonly type: 'raw-matrix'
      readonly series: readonly {
        readonly labels: Labels
        readonly times: Float64Array
        readonly values: Float64Array
        readonly histograms: readonly (Histogram | undefined)[] | null
      }[]
      readonly annotations: readonly Annotation[]
    }
  | { readonly type: 'scalar'; readonly values: Float64Array; readonly annotations: readonly Annotation[] }
  | { readonly type: 'string'; readonly value: string; readonly annotations: readonly Annotation[] }

/** `errorType` of the HTTP API. */
export type QueryErrorCode = 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'internal'

export class QueryError extends Error {
  readonly code: QueryErrorCode
  constructor(code: QueryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'QueryError'
    this.code = code
  }
}
