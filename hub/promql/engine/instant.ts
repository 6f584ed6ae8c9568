/**
 * Results of instant queries. A series' one value leaves the column that it came in, which the operator then uses again:
 * columns of their own would be most of what a small query leaves behind. Hot: bench/query, the instant queries.
 */
import { type Labels, labelsKey } from '../../../protocol/labels/mod.ts'
import type { Expr } from '../ast.ts'
import type { ResultSeries } from '../contract.ts'
import { unwrap } from '../parser/mod.ts'
import { isDistributive } from './aggregations/mod.ts'
import { COMPARISON } from './binary/operators.ts'
import { newFloats } from './columns.ts'
import type { QueryContext } from './context.ts'
import { isStored } from './keys.ts'
import { dropMetricName, METADATA_LABELS } from './labels.ts'
import { FLOAT, type Frame, HISTOGRAM, NONE, type Series } from './types.ts'
import { hasOneName, sameLabels } from './unique.ts'
import { isScalar, streamVector } from './vector.ts'

/** Of one step, shared by all results: nobody may change them. */
const ONE_FLOAT = Uint8Array.of(FLOAT)
const ONE_HISTOGRAM = Uint8Array.of(HISTOGRAM)

/** What there is at the only step. @throws QueryError execution when two of the series have the same labels */
export function instantSeries(ctx: QueryContext, expr: Expr, frame: Frame): ResultSeries[] {
  const out: ResultSeries[] = []
  const names = new NameRemoval(ctx, expr)
  streamVector(ctx, expr, frame, false, (series) => {
    const kind = series.present[0]!
    if (kind === NONE) return
    const labels = names.labelsOf(series)
    const values = newFloats(1)
    if (kind === FLOAT) {
      values[0] = series.values[0]!
      out.push({ labels, values, present: ONE_FLOAT, histograms: null })
    } else out.push({ labels, values, present: ONE_HISTOGRAM, histograms: [series.histograms![0]] })
  })
  if (names.mayCollide && out.length > 1) checkDistinct(out)
  return out
}

/** Removes the names that are due, and tells whether two series can have become the same by that. */
class NameRemoval {
  mayCollide = false
  readonly #ctx: QueryContext
  readonly #isDistinct: boolean
  readonly #hasOneName: boolean

  constructor(ctx: QueryContext, expr: Expr) {
    this.#ctx = ctx
    this.#isDistinct = !ctx.options.delayedNameRemoval && hasDistinctLabels(expr)
    this.#hasOneName = isStored(expr) && hasOneName(expr)
  }

  labelsOf(series: Series): Labels {
    const ctx = this.#ctx
    const { labels: own, nameless, dropName, ref } = series
    // What was selected and not touched has the labels that it is stored under, which are unlike all others'.
    if (own === null && !nameless && !dropName) return ctx.labelsOf(series)
    const isStoredNameless = own === null && nameless && ref >= 0
    if (isStoredNameless) {
      const stored = ctx.reader.labels(ref)
      const labels = dropMetricName(stored)
      // Nothing but the name, which is everybody's, is gone.
      if (!this.#hasOneName || stored.length - labels.length !== 2) this.mayCollide ||= !this.#isDistinct
      return labels
    }
    this.mayCollide ||= !this.#isDistinct
    const labels = ctx.labelsOf(series)
    return dropName && ctx.options.delayedNameRemoval ? dropMetricName(labels) : labels
  }
}

/** Of groups, however much is kept of them; unless names are removed at the end. */
function hasDistinctLabels(expr: Expr): boolean {
  const inner = unwrap(expr)
  if (inner.kind === 'aggregate')
    return isDistributive(inner.op) && !inner.without && !inner.grouping.some((name) => METADATA_LABELS.has(name))
  if (inner.kind !== 'binary') return false
  if (inner.op === 'and' || inner.op === 'unless') return hasDistinctLabels(inner.lhs)
  if (COMPARISON[inner.op] === undefined || inner.returnBool) return false
  if (isScalar(inner.rhs)) return hasDistinctLabels(inner.lhs)
  return isScalar(inner.lhs) && hasDistinctLabels(inner.rhs)
}

function checkDistinct(all: readonly ResultSeries[]): void {
  const keys = new Set<string>()
  for (const { labels } of all) keys.add(labelsKey(labels))
  if (keys.size < all.length) sameLabels()
}
