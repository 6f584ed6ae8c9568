/**
 * count_values: how many series of a group have each value, which becomes a label.
 * Semantics: Prometheus promql/engine.go, aggregationCountValues.
 */
import { type Labels, labelsKey, METRIC_NAME, quote } from '../../../../protocol/labels/mod.ts'
import { formatFloat } from '../../../../protocol/samples/mod.ts'
import type { AggregateExpr, Expr } from '../../ast.ts'
import { QueryError } from '../../contract.ts'
import type { QueryContext } from '../context.ts'
import { isValidLabelName, stringArg } from '../functions/label-functions.ts'
import { formatHistogram } from '../histograms/format.ts'
import { deleteLabels, keepLabels, setLabel } from '../labels.ts'
import { type Emit, FLOAT, type Frame, NONE, newSeries, type Series } from '../types.ts'
import { streamVector } from '../vector.ts'

export function streamCountValues(
  ctx: QueryContext,
  expr: AggregateExpr,
  frame: Frame,
  done: () => void,
  emit: Emit,
): void {
  const valueLabel = stringArg(expr.param!)
  if (!isValidLabelName(valueLabel))
    throw new QueryError('execution', `invalid label name ${shown(ctx, expr.param!, valueLabel)}`)
  const names = new Set(expr.without ? [...expr.grouping, METRIC_NAME] : [...expr.grouping, valueLabel])
  const outputs = new Map<string, Series>()
  streamVector(ctx, expr.expr, frame, false, (series) => {
    const labels = ctx.labelsOf(series)
    const counted = new Map<string, Series>()
    for (let i = 0; i < frame.steps; i++) {
      if (series.present[i] === NONE) continue
      const text =
        series.present[i] === FLOAT ? formatFloat(series.values[i]!) : formatHistogram(series.histograms![i]!)
      let out = counted.get(text)
      if (out === undefined) {
        const full = setLabel(labels, valueLabel, text)
        out = outputFor(ctx, outputs, expr.without ? deleteLabels(full, names) : keepLabels(full, names), frame.steps)
        counted.set(text, out)
      }
      out.values[i]!++
      out.present[i] = FLOAT
    }
  })
  done()
  for (const series of outputs.values()) emit(series)
}

function outputFor(ctx: QueryContext, outputs: Map<string, Series>, labels: Labels, steps: number): Series {
  const key = labelsKey(labels)
  let out = outputs.get(key)
  if (out === undefined) {
    // There may be as many as there are samples, and each is a column.
    ctx.poll()
    out = newSeries(steps, -1, labels)
    ctx.holdSeries(out, 1, true)
    outputs.set(key, out)
  }
  return out
}

/** A name with broken UTF-8 as it was written: its bytes did not survive in the string. */
function shown(ctx: QueryContext, literal: Expr, value: string): string {
  const bytes = new TextEncoder().encode(ctx.text)
  const written = new TextDecoder().decode(bytes.subarray(literal.pos.start, literal.pos.end))
  return value.includes('\ufffd') && written.startsWith('"') ? written : quote(value)
}
