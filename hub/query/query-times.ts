/** `prometheus_engine_query_*`: what queries take, by stage. Semantics: Prometheus promql/engine.go, engineMetrics (v3.5). */
import { counter, type MetricFamily, Summary } from '../../protocol/exposition/mod.ts'
import type { QueryStats } from './stats.ts'

const QUANTILES = [0.5, 0.9, 0.99]

export class QueryTimes {
  // No `result_sort`: sorting is part of evaluation here.
  readonly #slices = {
    inner_eval: new Summary(QUANTILES),
    prepare_time: new Summary(QUANTILES),
    queue_time: new Summary(QUANTILES),
  }
  #samples = 0
  #samplesRead = 0

  observe({ preparationS, evaluationS, queueS, samplesTotal, samplesRead }: QueryStats): void {
    this.#slices.inner_eval.observe(Math.max(0, evaluationS - preparationS))
    this.#slices.prepare_time.observe(preparationS)
    this.#slices.queue_time.observe(queueS)
    this.#samples += samplesTotal
    this.#samplesRead += samplesRead
  }

  families(): MetricFamily[] {
    return [
      {
        name: 'prometheus_engine_query_duration_seconds',
        help: 'Query timings',
        type: 'summary',
        metrics: Object.entries(this.#slices).flatMap(([slice, summary]) => summary.lines(['slice', slice])),
      },
      counter('prometheus_engine_query_samples_total', 'The total number of samples loaded by all queries.', [
        { labels: [], value: this.#samples },
      ]),
      counter('prometheus_engine_query_samples_read_total', 'The total number of samples read by all queries.', [
        { labels: [], value: this.#samplesRead },
      ]),
    ]
  }
}
