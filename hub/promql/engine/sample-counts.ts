/**
 * How many samples an evaluation looks at, for `stats`: `total` counts a sample at every step whose window it is in,
 * `read` only at the first one. What is evaluated in a frame of its own is counted apart and then added.
 * Semantics: Prometheus util/stats/query_stats.go, QuerySamples, and its callers in promql/engine.go (v3.14).
 */
import type { SampleCounts, StepCounts } from '../contract.ts'
import { histogramSamples } from './context.ts'
import { FLOAT, type Frame, NONE, type Series } from './types.ts'
import type { Windows } from './windows.ts'

/** @param steps of the frame to count each of; null: nobody asks */
export function newSampleCounts(steps: number | null): SampleCounts {
  const each = steps === null ? null : { total: new Float64Array(steps), read: new Float64Array(steps) }
  return { total: 0, read: 0, steps: each }
}

/** For what is evaluated in a frame of so many steps inside of one that is counted by `outer`. */
export function countsInside(outer: SampleCounts, steps: number): SampleCounts {
  return newSampleCounts(outer.steps === null ? null : steps)
}

/** A column of an instant selector. */
export function countColumn(counts: SampleCounts, { present, histograms }: Series, samples: number): void {
  counts.total += samples
  counts.read += samples
  const { steps } = counts
  if (steps === null) return
  for (let i = 0; i < present.length; i++) {
    if (present[i] === NONE) continue
    const size = present[i] === FLOAT ? 1 : histogramSamples(histograms![i]!)
    steps.total[i]! += size
    steps.read[i]! += size
  }
}

/** The windows of one series. Returns what they count for together. */
export function countWindows(counts: SampleCounts, w: Windows): number {
  let { total, fresh } = w
  const { steps } = counts
  if (steps !== null) addSteps(steps, w.lo, w.hi, null)
  if (w.hcount > 0) {
    const sizes = sizesBefore(w)
    total += sizeOf(w.hlo, w.hhi, sizes)
    fresh += freshSizeOf(w.hlo, w.hhi, sizes)
    if (steps !== null) addSteps(steps, w.hlo, w.hhi, sizes)
  }
  counts.total += total
  counts.read += fresh
  return total
}

/** Samples in all windows. */
export function windowed(lo: Int32Array, hi: Int32Array): number {
  let total = 0
  for (let i = 0; i < lo.length; i++) total += hi[i]! - lo[i]!
  return total
}

/** Samples in any window. */
export function windowedOnce(lo: Int32Array, hi: Int32Array): number {
  let total = 0
  let known = 0
  for (let i = 0; i < lo.length; i++) {
    const from = Math.max(lo[i]!, known)
    known = hi[i]!
    total += known - from
  }
  return total
}

/** What the histograms before each index count for. */
function sizesBefore({ histograms, hcount }: Windows): Float64Array {
  const before = new Float64Array(hcount + 1)
  for (let i = 0; i < hcount; i++) before[i + 1] = before[i]! + histogramSamples(histograms[i]!)
  return before
}

function sizeOf(lo: Int32Array, hi: Int32Array, before: Float64Array): number {
  let total = 0
  for (let i = 0; i < lo.length; i++) total += before[hi[i]!]! - before[lo[i]!]!
  return total
}

function freshSizeOf(lo: Int32Array, hi: Int32Array, before: Float64Array): number {
  let total = 0
  let known = 0
  for (let i = 0; i < lo.length; i++) {
    const from = Math.max(lo[i]!, known)
    known = hi[i]!
    total += before[known]! - before[from]!
  }
  return total
}

function addSteps({ total, read }: StepCounts, lo: Int32Array, hi: Int32Array, before: Float64Array | null): void {
  let known = 0
  for (let i = 0; i < lo.length; i++) {
    const from = Math.max(lo[i]!, known)
    known = hi[i]!
    total[i]! += before === null ? known - lo[i]! : before[known]! - before[lo[i]!]!
    read[i]! += before === null ? known - from : before[known]! - before[from]!
  }
}

/** As another evaluation of the same would. */
export function addCounts(counts: SampleCounts, more: SampleCounts): void {
  counts.total += more.total
  counts.read += more.read
  if (counts.steps === null || more.steps === null) return
  for (let i = 0; i < counts.steps.total.length; i++) {
    counts.steps.total[i]! += more.steps.total[i]!
    counts.steps.read[i]! += more.steps.read[i]!
  }
}

/** Of one step that stands for all of them: looked at by each, read once. */
export function addInvariant(counts: SampleCounts, once: SampleCounts, steps: number): void {
  counts.total += once.total * steps
  counts.read += once.read
  if (counts.steps === null) return
  for (let i = 0; i < steps; i++) counts.steps.total[i]! += once.total
  counts.steps.read[0]! += once.read
}

/**
 * Of a subquery: what it looks at inside counts when windows look at its results, but it is read now, by the first step
 * at or after its time (upstream shifts that by no offset).
 */
export function addSubquery(counts: SampleCounts, inside: SampleCounts, inner: Frame, outer: Frame): void {
  counts.read += inside.read
  if (counts.steps === null || inside.steps === null) return
  const { read } = inside.steps
  for (let i = 0; i < read.length; i++) {
    const time = inner.startMs + i * inner.stepMs
    const step = Math.ceil((time - outer.startMs) / outer.stepMs)
    counts.steps.read[Math.max(0, Math.min(outer.steps - 1, step))]! += read[i]!
  }
}
