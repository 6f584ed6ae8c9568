/**
 * What a query cost, in the shape of `stats=all`. Semantics: Prometheus util/stats/query_stats.go.
 * Differs: samples that a rewritten plan need not look at are not counted; sorting is not timed apart from evaluation.
 */
import type { StepCounts } from '../promql/contract.ts'
import type { JsonWriter } from './json.ts'

/** Seconds, and samples. */
export type QueryStats = {
  readonly preparationS: number
  /** From the first part of the query in a worker to the result, without the writing of the answer. */
  readonly evaluationS: number
  readonly queueS: number
  /** Counted at every step that looks at them. */
  readonly samplesTotal: number
  /** Counted at the first step that looks at them. */
  readonly samplesRead: number
  readonly samplesPeak: number
  /** With the feature promql-per-step-stats, for those who ask for all. */
  readonly steps?: StepStats
}

/** Times of steps, ms, and what each of them looked at. */
export type StepStats = StepCounts & { readonly startMs: number; readonly stepMs: number }

export function statsObject(stats: QueryStats): Record<string, unknown> {
  const { preparationS, evaluationS, queueS, samplesTotal, samplesRead, samplesPeak, steps } = stats
  return {
    timings: {
      evalTotalTime: evaluationS,
      resultSortTime: 0,
      queryPreparationTime: preparationS,
      innerEvalTime: Math.max(0, evaluationS - preparationS),
      execQueueTime: queueS,
      execTotalTime: queueS + evaluationS,
    },
    samples: {
      ...(steps && { totalQueryableSamplesPerStep: pointsOf(steps, steps.total) }),
      totalQueryableSamples: samplesTotal,
      ...(steps && { samplesReadPerStep: pointsOf(steps, steps.read) }),
      samplesRead,
      peakSamples: samplesPeak,
    },
  }
}

function pointsOf({ startMs, stepMs }: StepStats, counts: Float64Array): [number, number][] {
  return Array.from(counts, (count, i) => [(startMs + i * stepMs) / 1000, count])
}

/** Of parts of one query. */
export function addSteps(all: StepStats | undefined, more: StepStats | undefined): StepStats | undefined {
  if (all === undefined || more === undefined) return all ?? more
  const sum = (a: Float64Array, b: Float64Array): Float64Array => a.map((count, i) => count + b[i]!)
  return { ...all, total: sum(all.total, more.total), read: sum(all.read, more.read) }
}

export function writeStats(out: JsonWriter, stats: QueryStats): void {
  out.raw(`,"stats":${JSON.stringify(statsObject(stats))}`)
}
