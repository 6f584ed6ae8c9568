/** What shards send each other: partial aggregations, and series, as columns that move between threads. */
import { type Labels, labelsFromSorted, labelsKey } from '../../../protocol/labels/mod.ts'
import type { Histogram } from '../../../protocol/samples/mod.ts'
import type { AggregateExpr } from '../ast.ts'
import type { Accumulator, PartialColumns } from './aggregations/accumulators.ts'
import { type AccumulatedGroup, emitGroups, newAccumulator } from './aggregations/mod.ts'
import { columnSamples, type QueryContext } from './context.ts'
import { newSeries, type Series } from './types.ts'

/** Partial columns of all groups of one aggregation: `values[group * steps + step]`, and the like. */
export type PartialGroups = {
  readonly labels: readonly (readonly string[])[]
  readonly dropNames: readonly boolean[]
  /** Where each group's first series stands in the store (`SeriesReader.orderOf`). */
  readonly orders: Float64Array<ArrayBuffer>
  readonly state: Uint8Array<ArrayBuffer>
  readonly values: Float64Array<ArrayBuffer>
  readonly comps: Float64Array<ArrayBuffer> | null
  readonly counts: Float64Array<ArrayBuffer> | null
}

/** Columns of stored series: `values[series * steps + step]`. */
export type PartialSeries = {
  readonly orders: Float64Array<ArrayBuffer>
  /** -1 and below: of series that each reader has refs of its own for, those with `labels[0]`, `labels[1]`… */
  readonly refs: Float64Array<ArrayBuffer>
  readonly labels: readonly (readonly string[])[]
  /** Bit 0: nameless, bit 1: the name is to be dropped at the end. */
  readonly names: Uint8Array<ArrayBuffer>
  readonly present: Uint8Array<ArrayBuffer>
  readonly values: Float64Array<ArrayBuffer>
  readonly histograms: readonly ((Histogram | undefined)[] | null)[] | null
}

const NAMELESS = 1
const DROP_NAME = 2

/** Null when the state of a group cannot be told in floats. */
export function packGroups(
  { reader }: QueryContext,
  groups: readonly AccumulatedGroup[],
  steps: number,
): PartialGroups | null {
  const columns = groups.map(({ accumulator }) => accumulator.partial())
  const size = groups.length * steps
  const has = (name: 'comps' | 'counts') => columns.some((column) => column !== null && column[name] !== null)
  const out = {
    labels: groups.map(({ labels }) => [...labels]),
    dropNames: groups.map(({ dropName }) => dropName),
    orders: Float64Array.from(groups, ({ firstRef }) => reader.orderOf?.(firstRef) ?? firstRef),
    state: new Uint8Array(size),
    values: new Float64Array(size),
    comps: has('comps') ? new Float64Array(size) : null,
    counts: has('counts') ? new Float64Array(size) : null,
  }
  for (const [group, column] of columns.entries()) {
    if (column === null) return null
    const at = group * steps
    out.state.set(column.state, at)
    out.values.set(column.values, at)
    if (column.comps !== null) out.comps!.set(column.comps, at)
    if (column.counts !== null) out.counts!.set(column.counts, at)
  }
  return out
}

type MergedGroup = { labels: Labels; dropName: boolean; accumulator: Accumulator; order: number }

/** In the order that the groups would have had on one thread. */
export function mergeGroups(
  ctx: QueryContext,
  cut: AggregateExpr,
  parts: readonly PartialGroups[],
  steps: number,
): Series[] {
  const merged = new Map<string, MergedGroup>()
  for (const part of parts) {
    for (const [group, flat] of part.labels.entries()) {
      const labels = labelsFromSorted(flat)
      const key = labelsKey(labels)
      const order = part.orders[group]!
      const columns = columnsOfGroup(part, group, steps)
      const into = merged.get(key)
      if (into === undefined) {
        const accumulator = newAccumulator({ ctx, expr: cut, steps }, columns)
        merged.set(key, { labels, dropName: part.dropNames[group]!, accumulator, order })
        continue
      }
      into.order = Math.min(into.order, order)
      into.dropName ||= part.dropNames[group]!
      into.accumulator.merge(columns)
    }
  }
  const groups = [...merged.values()].sort((a, b) => a.order - b.order)
  const out: Series[] = []
  emitGroups(groups, (series) => out.push(series))
  return out
}

function columnsOfGroup({ state, values, comps, counts }: PartialGroups, group: number, steps: number): PartialColumns {
  const [from, to] = [group * steps, (group + 1) * steps]
  return {
    state: state.subarray(from, to),
    values: values.subarray(from, to),
    comps: comps?.subarray(from, to) ?? null,
    counts: counts?.subarray(from, to) ?? null,
  }
}

/** Null when a series has labels that are not stored. */
export function packSeries({ reader }: QueryContext, all: readonly Series[], steps: number): PartialSeries | null {
  const labels: (readonly string[])[] = []
  const out = {
    orders: Float64Array.from(all, ({ ref }) => reader.orderOf?.(ref) ?? ref),
    refs: new Float64Array(all.length),
    labels,
    names: new Uint8Array(all.length),
    present: new Uint8Array(all.length * steps),
    values: new Float64Array(all.length * steps),
    histograms: all.some(({ histograms }) => histograms !== null) ? all.map(({ histograms }) => histograms) : null,
  }
  for (const [i, series] of all.entries()) {
    if (series.labels !== null || series.ref < 0) return null
    out.refs[i] = reader.isOwnRef?.(series.ref) ? -labels.push([...reader.labels(series.ref)]) : series.ref
    out.names[i] = (series.nameless ? NAMELESS : 0) | (series.dropName ? DROP_NAME : 0)
    out.present.set(series.present, i * steps)
    out.values.set(series.values, i * steps)
  }
  return out
}

/** In the order of the store, as one thread would have had them. Null when the reader can have no ref for one of them. */
export function mergeSeries(ctx: QueryContext, parts: readonly PartialSeries[], steps: number): Series[] | null {
  const all: { readonly order: number; readonly labels: Labels | null; readonly series: Series }[] = []
  for (const { orders, refs, labels, names, present, values, histograms } of parts) {
    for (let i = 0; i < refs.length; i++) {
      const ref = refs[i]!
      const series = newSeries(0, ref, null)
      series.nameless = (names[i]! & NAMELESS) !== 0
      series.dropName = (names[i]! & DROP_NAME) !== 0
      series.present = present.subarray(i * steps, (i + 1) * steps)
      series.values = values.subarray(i * steps, (i + 1) * steps)
      series.histograms = histograms?.[i] ?? null
      ctx.holdSeries(series, columnSamples(series), true)
      all.push({ order: orders[i]!, labels: ref < 0 ? labelsFromSorted(labels[-1 - ref]!) : null, series })
    }
  }
  all.sort((a, b) => a.order - b.order)
  const out: Series[] = []
  for (const { labels, series } of all) {
    // Refs that a reader makes up ascend as it is asked for them.
    if (labels !== null) series.ref = ctx.reader.refFor?.(labels) ?? -1
    if (series.ref < 0) return null
    out.push(series)
  }
  return out
}
