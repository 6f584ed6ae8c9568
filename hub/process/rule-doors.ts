/** What rules do outside of themselves: they ask queries, and write their results. */
import { labelsFromSorted } from '../../protocol/labels/mod.ts'
import { type Histogram, setStaleAt } from '../../protocol/samples/mod.ts'
import type { Ingest } from '../ingest/mod.ts'
import type { QueryService, QuerySettings } from '../query/mod.ts'
import type { RuleSample, VectorSample } from '../rules/mod.ts'

const QUERY_TIMEOUT_MS = 60_000

/** @throws Error with the query's own message */
export async function askForRule(
  service: QueryService,
  query: string,
  timeMs: number,
  settings: QuerySettings,
): Promise<readonly VectorSample[]> {
  const task = { kind: 'vector', query, timeMs, settings } as const
  const { vector, error } = await service.run(task, { timeoutMs: QUERY_TIMEOUT_MS, client: 'rules' })
  if (error) throw new Error(error.message)
  return vector!.map(({ labels, ...sample }) => ({ labels: labelsFromSorted(labels), ...sample }))
}

/** Durable when it resolves. @throws Error on a full disk */
export async function writeOfRule(
  ingest: Pick<Ingest, 'appendRuleResults'>,
  timestampMs: number,
  samples: readonly RuleSample[],
): Promise<void> {
  if (samples.length === 0) return
  const values = new Float64Array(samples.length)
  const words = new Uint32Array(values.buffer)
  const histograms = new Map<number, Histogram>()
  samples.forEach(({ value, histogram, stale }, i) => {
    if (stale) setStaleAt(words, i)
    else if (histogram) histograms.set(i, histogram)
    else values[i] = value
  })
  const labels = samples.map((sample) => sample.labels)
  const results = { timestampMs, labels, values, histograms: histograms.size > 0 ? histograms : null }
  const stored = await ingest.appendRuleResults(results)
  if (!stored) throw new Error('the results could not be stored: the disk is full')
}
