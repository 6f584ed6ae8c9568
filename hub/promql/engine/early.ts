/**
 * Series that an operator can tell to be unwanted before anything is read of them: those beyond the k of limitk(), those
 * that limit_ratio() does not choose. Only where nothing else looks at them, and nothing would have been said of them.
 */
import type { SeriesRef } from '../../tsdb/contract.ts'
import type { Expr, VectorSelector } from '../ast.ts'
import { unwrap } from '../parser/mod.ts'
import type { QueryContext } from './context.ts'
import { FLOAT_FUNCTIONS } from './functions/math.ts'
import { KEEPS_NAME, RANGE_FUNCTIONS } from './functions/range-functions.ts'
import { isQuiet } from './propagate.ts'
import { newSeries, type Series } from './types.ts'
import { hasOneName } from './unique.ts'

export type Unwanted = { readonly selector: VectorSelector; readonly test: (ref: SeriesRef) => boolean }

/** Runs `work`, which streams `expr`, without the series that are unwanted: `test` is given them as they would come. */
export function withoutUnwanted(
  ctx: QueryContext,
  expr: Expr,
  test: (series: Series) => boolean,
  work: () => void,
): void {
  const selector = onlySelector(expr, (node) => ctx.shared.has(node) || ctx.given.has(node))
  if (selector === null) {
    work()
    return
  }
  const probe = newSeries(0, -1, null)
  probe.nameless = !keepsName(expr) && !ctx.options.delayedNameRemoval
  const before = ctx.unwanted
  ctx.unwanted = {
    selector,
    test: (ref) => {
      probe.ref = ref
      return test(probe)
    },
  }
  work()
  ctx.unwanted = before
}

/** The selector whose series are those of the result, one for one; null when there is no such, or others look at them. */
export function onlySelector(expr: Expr, isElsewhere: (node: Expr) => boolean): VectorSelector | null {
  if (isElsewhere(expr) || !hasOneName(expr)) return null
  switch (expr.kind) {
    case 'vector-selector':
      return expr
    case 'matrix-selector':
      return expr.selector
    case 'paren':
    case 'unary':
      return onlySelector(expr.expr, isElsewhere)
    case 'call': {
      if (expr.func === 'absent_over_time') return null
      if (!(expr.func in RANGE_FUNCTIONS || expr.func in FLOAT_FUNCTIONS)) return null
      const arg = expr.args.find((each) => unwrap(each).kind !== 'number')
      const isAlone = arg !== undefined && expr.args.every((each) => each === arg || unwrap(each).kind === 'number')
      return isAlone && isQuiet(expr, arg) ? onlySelector(arg, isElsewhere) : null
    }
    default:
      return null
  }
}

function keepsName(expr: Expr): boolean {
  const inner = unwrap(expr)
  if (inner.kind === 'unary') return inner.op === '+' && keepsName(inner.expr)
  return inner.kind !== 'call' || KEEPS_NAME.has(inner.func)
}
