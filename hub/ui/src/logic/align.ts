/**
 * A range answer on its grid. uPlot wants one x array for all series; the API leaves out steps without a value, and
 * just those are what must be drawn as gaps.
 */
import type { RangeColumns } from './arrow.ts'
import { parseSample } from './format.ts'
import type { LabelSet } from './labels.ts'

export type RangeSeries = {
  readonly metric: LabelSet
  readonly values?: readonly (readonly [seconds: number, value: string])[]
  readonly histograms?: readonly unknown[]
}

/** Half-open to neither side: steps at start, start + step, … up to and with end. Milliseconds. */
export type Grid = { readonly startMs: number; readonly endMs: number; readonly stepMs: number }

export type Aligned = {
  /** Seconds, ascending, one per step. */
  readonly xs: readonly number[]
  /** One row per series; null = no value at that step. */
  readonly ys: readonly (readonly (number | null)[])[]
  readonly labels: readonly LabelSet[]
  /** Steps between two values of a series that have none. */
  readonly gaps: number
  /** NaN and infinities: values, but no place on the axis. */
  readonly undrawable: number
  /** Series of native histograms, which lines cannot show. */
  readonly histograms: number
}

export function stepCount({ startMs, endMs, stepMs }: Grid): number {
  return Math.floor((endMs - startMs) / stepMs + 1e-9) + 1
}

/** A range answer in either form. */
export type RangeAnswer = {
  /** Of all series, also those beyond the limit. */
  readonly seriesCount: number
  /** The first `limit` series on the grid. */
  aligned(grid: Grid, limit: number): Aligned
}

export function jsonAnswer(series: readonly RangeSeries[]): RangeAnswer {
  return { seriesCount: series.length, aligned: (grid, limit) => align(series.slice(0, limit), grid) }
}

export function columnAnswer(columns: RangeColumns): RangeAnswer {
  const { floats, histograms } = columns
  // A series of both kinds has a column of each.
  const both = new Set(floats.map(({ labels }) => JSON.stringify(labels)))
  const onlyHistograms = histograms.filter((labels) => !both.has(JSON.stringify(labels))).length
  return {
    seriesCount: floats.length + onlyHistograms,
    aligned: (grid, limit) => alignColumns({ ...columns, floats: floats.slice(0, limit) }, grid),
  }
}

function alignColumns({ times, floats, histograms }: RangeColumns, grid: Grid): Aligned {
  const steps = stepCount(grid)
  const places = Int32Array.from(times, (timeMs) => Math.round((timeMs - grid.startMs) / grid.stepMs))
  const ys: (number | null)[][] = []
  const labels: LabelSet[] = []
  let gaps = 0
  let undrawable = 0
  for (const { labels: name, values, validity } of floats) {
    const row: (number | null)[] = new Array(steps).fill(null)
    let last = -1
    for (let i = 0; i < values.length; i++) {
      if (validity !== null && ((validity[i >> 3]! >> (i & 7)) & 1) === 0) continue
      const index = places[i]!
      if (index < 0 || index >= steps) continue
      if (last >= 0) gaps += Math.max(0, index - last - 1)
      last = index
      const value = values[i]!
      if (Number.isFinite(value)) row[index] = value
      else undrawable++
    }
    if (last < 0) continue
    ys.push(row)
    labels.push(name)
  }
  return { xs: gridSeconds(grid), ys, labels, gaps, undrawable, histograms: histograms.length }
}

function gridSeconds(grid: Grid): number[] {
  const xs: number[] = new Array(stepCount(grid))
  for (let i = 0; i < xs.length; i++) xs[i] = (grid.startMs + i * grid.stepMs) / 1000
  return xs
}

export function align(series: readonly RangeSeries[], grid: Grid): Aligned {
  const steps = stepCount(grid)
  const ys: (number | null)[][] = []
  const labels: LabelSet[] = []
  let gaps = 0
  let undrawable = 0
  let histograms = 0
  for (const { metric, values, histograms: samples } of series) {
    if (samples && samples.length > 0) histograms++
    if (!values || values.length === 0) continue
    const row: (number | null)[] = new Array(steps).fill(null)
    let last = -1
    for (const [seconds, text] of values) {
      const index = Math.round((seconds * 1000 - grid.startMs) / grid.stepMs)
      if (index < 0 || index >= steps) continue
      if (last >= 0) gaps += Math.max(0, index - last - 1)
      last = index
      const value = parseSample(text)
      if (Number.isFinite(value)) row[index] = value
      else undrawable++
    }
    ys.push(row)
    labels.push(metric)
  }
  return { xs: gridSeconds(grid), ys, labels, gaps, undrawable, histograms }
}

export type RowSummary = {
  readonly min: number
  readonly max: number
  readonly mean: number
  readonly last: number
  readonly count: number
}

/** Null for a row without a value. */
export function summarize(row: readonly (number | null)[]): RowSummary | null {
  let min = Infinity
  let max = -Infinity
  let sum = 0
  let count = 0
  let last = 0
  for (const value of row) {
    if (value === null) continue
    if (value < min) min = value
    if (value > max) max = value
    sum += value
    count++
    last = value
  }
  return count === 0 ? null : { min, max, mean: sum / count, last, count }
}
