/**
 * A binary operator between a vector and a scalar, either way round, in place on each column.
 * Semantics: Prometheus promql/engine.go, VectorscalarBinop (v3.14).
 */
import type { BinaryExpr } from '../../ast.ts'
import type { QueryContext } from '../context.ts'
import { anyPresent, type Emit, FLOAT, type Frame, HISTOGRAM, NONE, type Series } from '../types.ts'
import { uniqueSeries } from '../unique.ts'
import { evalScalar, isScalar, scalarBehind, streamVector } from '../vector.ts'
import { histogramBinary } from './histogram-operators.ts'
import { ARITHMETIC, COMPARISON } from './operators.ts'

export function streamVectorScalar(ctx: QueryContext, expr: BinaryExpr, frame: Frame, keep: boolean, emit: Emit): void {
  const scalarFirst = isScalar(expr.lhs)
  const vector = scalarFirst ? expr.rhs : expr.lhs
  const scalars = scalarFirst ? evalScalar(ctx, expr.lhs, frame) : scalarBehind(ctx, expr.rhs, frame, vector)
  const compare = COMPARISON[expr.op]
  const dropsName = compare === undefined ? ARITHMETIC[expr.op] !== undefined : expr.returnBool
  const run = (next: Emit, keepNext: boolean) =>
    streamVector(ctx, vector, frame, keepNext, (series) => {
      if (series.histograms !== null) withHistograms(ctx, expr, series, scalars, scalarFirst)
      else if (compare !== undefined) compareFloats(series, scalars, compare, scalarFirst, expr.returnBool)
      else floatsOnly(ctx, expr, series, scalars, scalarFirst)
      if (!anyPresent(series.present)) return
      if (dropsName) ctx.dropName(series)
      next(series)
    })
  if (!dropsName) run(emit, keep)
  else uniqueSeries(ctx, vector, frame, emit, (next) => run(next.emit, keep || next.keep))
}

function floatsOnly(
  ctx: QueryContext,
  expr: BinaryExpr,
  series: Series,
  scalars: Float64Array,
  scalarFirst: boolean,
): void {
  const arithmetic = ARITHMETIC[expr.op]
  const { values, present } = series
  if (arithmetic === undefined) {
    withHistograms(ctx, expr, series, scalars, scalarFirst)
    return
  }
  if (scalarFirst) for (let i = 0; i < present.length; i++) values[i] = arithmetic(scalars[i]!, values[i]!)
  else for (let i = 0; i < present.length; i++) values[i] = arithmetic(values[i]!, scalars[i]!)
}

function compareFloats(
  { values, present }: Series,
  scalars: Float64Array,
  compare: (a: number, b: number) => boolean,
  scalarFirst: boolean,
  returnBool: boolean,
): void {
  for (let i = 0; i < present.length; i++) {
    if (present[i] === NONE) continue
    const holds = scalarFirst ? compare(scalars[i]!, values[i]!) : compare(values[i]!, scalars[i]!)
    if (returnBool) values[i] = holds ? 1 : 0
    else if (!holds) present[i] = NONE
  }
}

/** Any mix of floats and histograms, step by step. */
function withHistograms(
  ctx: QueryContext,
  expr: BinaryExpr,
  series: Series,
  scalars: Float64Array,
  scalarFirst: boolean,
): void {
  const { op, pos, returnBool } = expr
  const { values, present, histograms } = series
  const arithmetic = ARITHMETIC[op]
  const compare = COMPARISON[op]
  for (let i = 0; i < present.length; i++) {
    if (present[i] === NONE) continue
    const isFloat = present[i] === FLOAT
    if (isFloat && (arithmetic !== undefined || compare !== undefined)) {
      const a = scalarFirst ? scalars[i]! : values[i]!
      const b = scalarFirst ? values[i]! : scalars[i]!
      if (arithmetic !== undefined) values[i] = arithmetic(a, b)
      else if (returnBool) values[i] = compare!(a, b) ? 1 : 0
      else if (!compare!(a, b)) present[i] = NONE
      continue
    }
    const element = isFloat ? values[i]! : histograms![i]!
    const outcome = scalarFirst
      ? histogramBinary(ctx, op, scalars[i]!, element, pos)
      : histogramBinary(ctx, op, element, scalars[i]!, pos)
    present[i] = outcome?.keep === true ? HISTOGRAM : NONE
    if (outcome !== null) histograms![i] = outcome.value
  }
}
