/**
 * The plan's walk: an expression of vector type is streamed series by series, one of scalar type is a column.
 * Parts that are the same at every step are computed once and spread. Semantics: Prometheus promql/engine.go, eval.
 */
import type { Expr } from '../ast.ts'
import { QueryError } from '../contract.ts'
import { unwrap } from '../parser/mod.ts'
import { streamAggregate } from './aggregations/mod.ts'
import { scalarBinary } from './binary/scalar.ts'
import { streamVectorScalar } from './binary/vector-scalar.ts'
import { streamVectorVector } from './binary/vector-vector.ts'
import { columnSamples, type QueryContext, type Remembered } from './context.ts'
import { streamCall } from './functions/calls.ts'
import { goMax, goMin } from './functions/math.ts'
import { negate } from './histograms/arithmetic.ts'
import { addCounts, addInvariant, countsInside } from './sample-counts.ts'
import { streamSelector } from './selector.ts'
import { copyOf } from './share.ts'
import { type Emit, FLOAT, type Frame, HISTOGRAM, isRange, newSeries, type Series } from './types.ts'
import { uniqueSeries } from './unique.ts'

const SCALAR_FUNCTIONS: ReadonlySet<string> = new Set(['time', 'pi', 'scalar', 'min_of', 'max_of'])

export function isScalar(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
      return true
    case 'paren':
    case 'unary':
      return isScalar(expr.expr)
    case 'binary':
      return isScalar(expr.lhs) && isScalar(expr.rhs)
    case 'call':
      return SCALAR_FUNCTIONS.has(expr.func)
    default:
      return false
  }
}

/** See `Emit` for what `keep` means. */
export function streamVector(ctx: QueryContext, expr: Expr, frame: Frame, keep: boolean, emit: Emit): void {
  // Parentheses are no operator of their own, unless what is in them was computed elsewhere.
  if (ctx.trace === null || (expr.kind === 'paren' && !ctx.given.has(expr)))
    streamOperator(ctx, expr, frame, keep, emit)
  else ctx.trace.streamed(expr, emit, (traced) => streamOperator(ctx, expr, frame, keep, traced))
}

function streamOperator(ctx: QueryContext, expr: Expr, frame: Frame, keep: boolean, emit: Emit): void {
  const isShared = ctx.shared.has(expr)
  const given = givenFor(ctx, expr, frame)
  if (given !== undefined) {
    // Operators change columns in place, and what is shared may be evaluated again, with all that is in it.
    for (const series of given) emit(ctx.shared.size > 0 ? copyOf(series) : series)
    return
  }
  if (isShared) streamShared(ctx, expr, frame, keep, emit)
  else streamNode(ctx, expr, frame, keep, emit)
}

/** What is given was computed at the steps of the query, and where a subquery has the same inside, it has other steps. */
function givenFor(ctx: QueryContext, expr: Expr, { startMs, stepMs, steps }: Frame): readonly Series[] | undefined {
  const given = ctx.given.get(expr)
  if (given === undefined) return undefined
  const whole = ctx.range
  const isSame = whole.instant
    ? steps === 1 && startMs === whole.startMs
    : startMs === whole.startMs && stepMs === whole.stepMs && startMs + steps * stepMs > whole.endMs
  return isSame ? given : undefined
}

/** Slots that a result may have to be remembered for the next place where it stands. */
const SHARED_SLOTS_MAX = 4_000_000

function streamShared(ctx: QueryContext, expr: Expr, frame: Frame, keep: boolean, emit: Emit): void {
  const key = `${frame.startMs} ${frame.stepMs} ${frame.steps}`
  const known = ctx.memo.get(expr)?.get(key)
  if (known !== undefined) {
    addCounts(ctx.counts, known.counts)
    for (const series of known.series) {
      const copy = copyOf(series)
      ctx.hold(columnSamples(copy))
      emit(copy)
    }
    return
  }
  const all: Series[] = []
  let slots = 0
  const outer = ctx.counts
  const counts = countsInside(outer, frame.steps)
  ctx.counts = counts
  streamNode(ctx, expr, frame, keep, (series) => {
    slots += frame.steps
    if (slots <= SHARED_SLOTS_MAX) all.push(copyOf(series))
    else all.length = 0
    emit(series)
  })
  addCounts(outer, counts)
  ctx.counts = outer
  if (slots > SHARED_SLOTS_MAX) return
  const frames = ctx.memo.get(expr) ?? new Map<string, Remembered>()
  ctx.memo.set(expr, frames.set(key, { series: all, counts }))
}

function streamNode(ctx: QueryContext, expr: Expr, frame: Frame, keep: boolean, emit: Emit): void {
  if ((frame.steps > 1 || isRange(frame)) && ctx.invariant.has(expr)) {
    spreadInvariant(ctx, expr, frame, emit)
    return
  }
  switch (expr.kind) {
    case 'paren':
      streamVector(ctx, expr.expr, frame, keep, emit)
      return
    case 'unary':
      streamUnary(ctx, expr, frame, keep, emit)
      return
    case 'vector-selector':
      streamSelector(ctx, expr, frame, keep, emit)
      return
    case 'binary':
      if (isScalar(expr.lhs) || isScalar(expr.rhs)) {
        streamVectorScalar(ctx, expr, frame, keep, emit)
        return
      }
      streamVectorVector(ctx, expr, frame, emit)
      return
    case 'aggregate':
      streamAggregate(ctx, expr, frame, emit)
      return
    case 'call':
      streamCall(ctx, expr, frame, keep, emit)
      return
    default:
      throw new Error(`BUG: expression of kind ${expr.kind} is no vector`)
  }
}

export function collectVector(ctx: QueryContext, expr: Expr, frame: Frame): Series[] {
  const all: Series[] = []
  streamVector(ctx, expr, frame, true, (series) => all.push(series))
  return all
}

function spreadInvariant(ctx: QueryContext, expr: Expr, frame: Frame, emit: Emit): void {
  const once = { startMs: frame.startMs, stepMs: frame.stepMs, steps: 1 }
  const outer = ctx.counts
  ctx.counts = countsInside(outer, 1)
  streamNode(ctx, expr, once, true, (one) => {
    const series = newSeries(frame.steps, one.ref, one.labels)
    series.nameless = one.nameless
    series.dropName = one.dropName
    series.present.fill(one.present[0]!)
    series.values.fill(one.values[0]!)
    if (one.present[0] === HISTOGRAM) series.histograms = new Array(frame.steps).fill(one.histograms![0])
    ctx.hold(frame.steps - 1)
    emit(series)
  })
  addInvariant(outer, ctx.counts, frame.steps)
  ctx.counts = outer
}

function streamUnary(
  ctx: QueryContext,
  expr: Extract<Expr, { kind: 'unary' }>,
  frame: Frame,
  keep: boolean,
  emit: Emit,
): void {
  if (expr.op === '+') {
    streamVector(ctx, expr.expr, frame, keep, emit)
    return
  }
  uniqueSeries(ctx, expr.expr, frame, emit, (next) =>
    streamVector(ctx, expr.expr, frame, next.keep || keep, (series) => {
      const { values, present, histograms } = series
      for (let i = 0; i < present.length; i++) {
        if (present[i] === FLOAT) values[i] = -values[i]!
        else if (present[i] === HISTOGRAM) histograms![i] = negate(histograms![i]!)
      }
      ctx.dropName(series)
      next.emit(series)
    }),
  )
}

/** Of an argument that stands behind a vector: what is wrong with the vector is told before what is wrong with it. */
export function scalarBehind(ctx: QueryContext, expr: Expr, frame: Frame, vector: Expr): Float64Array {
  try {
    return evalScalar(ctx, expr, frame)
  } catch (error) {
    streamVector(ctx, vector, frame, false, () => {})
    throw error
  }
}

/** One value a step. */
export function evalScalar(ctx: QueryContext, expr: Expr, frame: Frame): Float64Array {
  if (ctx.trace === null || expr.kind === 'paren') return scalarOperator(ctx, expr, frame)
  let out: Float64Array | null = null
  const keep = (values: Float64Array): void => {
    out = values
  }
  ctx.trace.visited(
    expr,
    keep,
    ({ length }) => length,
    (visit) => visit(scalarOperator(ctx, expr, frame)),
  )
  return out!
}

function scalarOperator(ctx: QueryContext, expr: Expr, frame: Frame): Float64Array {
  switch (expr.kind) {
    case 'number':
      return new Float64Array(frame.steps).fill(expr.value)
    case 'paren':
      return evalScalar(ctx, expr.expr, frame)
    case 'unary': {
      const values = evalScalar(ctx, expr.expr, frame)
      return expr.op === '-' ? values.map((x) => -x) : values
    }
    case 'binary':
      return scalarBinary(expr.op, evalScalar(ctx, expr.lhs, frame), evalScalar(ctx, expr.rhs, frame))
    case 'call':
      return scalarCall(ctx, expr, frame)
    default:
      throw new QueryError('execution', `expected a scalar expression, got ${expr.kind}`)
  }
}

function scalarCall(ctx: QueryContext, call: Extract<Expr, { kind: 'call' }>, frame: Frame): Float64Array {
  const out = new Float64Array(frame.steps)
  switch (call.func) {
    case 'pi':
      return out.fill(Math.PI)
    case 'time':
      for (let i = 0; i < out.length; i++) out[i] = (frame.startMs + i * frame.stepMs) / 1000
      return out
    case 'scalar':
      return scalarOf(ctx, call.args[0]!, frame)
    case 'min_of':
    case 'max_of': {
      const pick = call.func === 'min_of' ? goMin : goMax
      const [first, ...rest] = call.args.map((arg) => evalScalar(ctx, arg, frame))
      for (let i = 0; i < out.length; i++) {
        out[i] = rest.reduce((value, column) => pick(value, column[i]!), first![i]!)
      }
      return out
    }
    default:
      throw new Error(`BUG: function ${call.func} gives no scalar`)
  }
}

/** The value where there is exactly one float, else NaN. */
function scalarOf(ctx: QueryContext, arg: Expr, frame: Frame): Float64Array {
  const out = new Float64Array(frame.steps).fill(NaN)
  const seen = new Uint8Array(frame.steps)
  streamVector(ctx, unwrap(arg), frame, false, ({ values, present }) => {
    for (let i = 0; i < present.length; i++) {
      if (present[i] !== FLOAT) continue
      out[i] = seen[i] === 0 ? values[i]! : NaN
      seen[i] = 1
    }
  })
  return out
}
