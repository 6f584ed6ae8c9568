/**
 * What a query cost, in the shape of `stats=all`. Semantics: Prometheus util/stats/query_stats.go.
 * Differs: a part of the expression that occurs twice, or that is the same at all steps, is evaluated, and its samples
 * counted, once; sorting is not timed apart from evaluation.
 */
import type { JsonWriter } from './json.ts'

/** Seconds, and samples. */
export type QueryStats = {
  readonly preparationS: number
  /** From the first part of the query in a worker to the result, without the writing of the answer. */
  readonly evaluationS: number
  readonly queueS: number
  /** Counted at every step that looks at them. */
  readonly samplesRead: number
  readonly samplesPeak: number
}

export function statsObject(stats: QueryStats): Record<string, unknown> {
  const { preparationS, evaluationS, queueS, samplesRead, samplesPeak } = stats
  return {
    timings: {
      evalTotalTime: evaluationS,
      resultSortTime: 0,
      queryPreparationTime: preparationS,
      innerEvalTime: Math.max(0, evaluationS - preparationS),
      execQueueTime: queueS,
      execTotalTime: queueS + evaluationS,
    },
    samples: { totalQueryableSamples: samplesRead, peakSamples: samplesPeak },
  }
}

export function writeStats(out: JsonWriter, stats: QueryStats): void {
  out.raw(`,"stats":${JSON.stringify(statsObject(stats))}`)
}
