/** What a range function is given beside the windows of one series, and the annotations that several of them make. */
import { quote } from '../../../../protocol/labels/mod.ts'
import type { Position } from '../../ast.ts'
import type { QueryContext } from '../context.ts'
import type { Series } from '../types.ts'
import type { Windows } from '../windows.ts'

export type RangeCall = {
  readonly ctx: QueryContext
  /** Of the first argument, and of all arguments together. */
  readonly firstPos: Position
  readonly argsPos: Position
  /** Scalar arguments in order, one value a step; the range vector is not among them. */
  readonly params: readonly Float64Array[]
  /** Evaluation time of step i is evalStart + i * evalStep. */
  readonly evalStart: number
  readonly evalStep: number
  readonly anchored: boolean
  readonly smoothed: boolean
  /** Of the series in hand. */
  metricName: () => string
}

/** Fills `out` from the windows of one series. Steps that it leaves alone stay empty. */
export type RangeFunction = (w: Windows, out: Series, call: RangeCall) => void

/** What takes annotations. */
export type Annotated = Pick<QueryContext, 'warn' | 'info'>

/** Where annotations of one series go. */
export type Notes = { readonly ctx: Annotated; readonly pos: Position; readonly metricName: () => string }

export const notesOf = (call: RangeCall, pos: Position = call.firstPos): Notes => ({
  ctx: call.ctx,
  pos,
  metricName: call.metricName,
})

export function warnMixed({ ctx, pos, metricName }: Notes): void {
  ctx.warn(`encountered a mix of histograms and floats for metric name ${quote(metricName())}`, pos)
}

export function warnMixedSchemas({ ctx, pos, metricName }: Notes): void {
  ctx.warn(
    `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${quote(metricName())}`,
    pos,
  )
}

export function warnNotCounter({ ctx, pos, metricName }: Notes): void {
  ctx.warn(`this native histogram metric is not a counter: ${quote(metricName())}`, pos)
}

export function warnNotGauge({ ctx, pos, metricName }: Notes): void {
  ctx.warn(`this native histogram metric is not a gauge: ${quote(metricName())}`, pos)
}

export type HistogramOperation = 'addition' | 'subtraction' | 'aggregation'

export function infoReconciled({ ctx, pos }: Pick<Notes, 'ctx' | 'pos'>, operation: HistogramOperation): void {
  ctx.info(`mismatched custom buckets were reconciled during ${operation}`, pos)
}

export function warnCollision({ ctx, pos }: Pick<Notes, 'ctx' | 'pos'>, operation: HistogramOperation): void {
  ctx.warn(`conflicting counter resets during histogram ${operation}`, pos)
}

export function infoHistogramsIgnored({ ctx, pos, metricName }: Notes): void {
  ctx.info(
    `ignored histograms in a range containing both floats and histograms for metric name ${quote(metricName())}`,
    pos,
  )
}

export function warnStartOverlap({ ctx, pos, metricName }: Notes): void {
  ctx.warn(`sample has start time that overlaps with previous sample timestamp for metric ${quote(metricName())}`, pos)
}

/**
 * Whether the counter restarted between two samples, by their start timestamps.
 * Semantics: Prometheus promql/functions.go, isStartTimestampReset (v3.14).
 */
export function isStartReset(prevStart: number, prevTime: number, start: number, time: number): boolean {
  if (start === 0 || start >= time || start < prevTime) return false
  if (start > prevTime) return true
  // Equal to the previous sample's time: a delta series, unless the start of that sample was itself unknown.
  return prevStart !== 0 && prevStart < prevTime
}

export function startsOverlap(prevStart: number, prevTime: number, start: number): boolean {
  return start !== 0 && start < prevTime && start !== prevStart
}
