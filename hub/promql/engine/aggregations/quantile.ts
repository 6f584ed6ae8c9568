/** The quantile aggregation. Semantics: Prometheus promql/engine.go, aggregation with QUANTILE. */
import type { AggregateExpr } from '../../ast.ts'
import { unwrap } from '../../parser/mod.ts'
import type { QueryContext } from '../context.ts'
import { goMax, goMin } from '../functions/math.ts'
import { quantileOf, warnQuantile } from '../functions/order-statistics.ts'
import { anyPresent, type Emit, FLOAT, type Frame, HISTOGRAM, newSeries, type Series, setFloat } from '../types.ts'
import { streamVector } from '../vector.ts'
import { GroupTable } from './groups.ts'

export function streamQuantile(
  ctx: QueryContext,
  expr: AggregateExpr,
  quantiles: Float64Array,
  frame: Frame,
  done: () => void,
  emit: Emit,
): void {
  const groups = new GroupTable(ctx, expr, (labels, dropName) => ({ labels, dropName, members: [] as Series[] }))
  streamVector(ctx, expr.expr, frame, true, (series) => {
    if (series.histograms !== null && series.present.includes(HISTOGRAM)) {
      ctx.info('ignored histogram in quantile aggregation', expr.expr.pos)
    }
    const group = groups.of(series)
    if (series.dropName) group.dropName = true
    group.members.push(series)
  })
  // The same said of the inside is said first: the last position stays.
  for (const q of outliers(quantiles)) warnQuantile(ctx, q, unwrap(expr.param!).pos)
  done()
  for (const { labels, dropName, members } of groups.values()) {
    const out = newSeries(frame.steps, -1, labels)
    out.dropName = dropName
    const scratch = new Float64Array(members.length)
    for (let i = 0; i < frame.steps; i++) {
      ctx.poll()
      let count = 0
      for (const { values, present } of members) if (present[i] === FLOAT) scratch[count++] = values[i]!
      if (count > 0) setFloat(out, i, quantileOf(quantiles[i]!, scratch, count))
    }
    if (anyPresent(out.present)) emit(out)
  }
}

/** Of all steps' quantiles that are none, the greatest above 1 and the least below 0 are warned of; NaN hides both. */
function outliers(quantiles: Float64Array): number[] {
  const [most, least] = [quantiles.reduce(goMax, -Number.MAX_VALUE), quantiles.reduce(goMin, Number.MAX_VALUE)]
  const out = quantiles.some(Number.isNaN) ? [NaN] : []
  if (most > 1) out.push(most)
  if (least < 0) out.push(least)
  return out
}
