/**
 * What a page of families had on its lines, and where: a collector of this process says the same of the same things each
 * time, only the numbers change. Then nobody needs the text, neither its writer nor its reader: the numbers go to where
 * the last page's lines stood.
 */

import type { Metric, MetricFamily } from './family.ts'
import { writeNormalNan } from './fast-float.ts'
import { inTextOrder } from './write.ts'

type Head = Pick<MetricFamily, 'name' | 'help' | 'type'> & { readonly count: number }

export class FamilyLayout {
  /** Copies of the lists: a collector may keep its own and change them. */
  readonly #heads: readonly Head[]
  readonly #metrics: readonly Metric[]
  /** By metric: its line on the page. */
  readonly #lines: Uint32Array

  private constructor(families: readonly MetricFamily[], metrics: readonly Metric[], lines: Uint32Array) {
    this.#heads = families.map(({ name, help, type, metrics: { length } }) => ({ name, help, type, count: length }))
    this.#metrics = metrics
    this.#lines = lines
  }

  /** Lines of the page. */
  get count(): number {
    return this.#lines.length
  }

  /** null for a page that says more than numbers: times of its own, or one metric in two places. */
  static of(families: readonly MetricFamily[]): FamilyLayout | null {
    const lineOf = new Map<Metric, number>()
    let count = 0
    for (const { metrics } of inTextOrder(families)) for (const metric of metrics) lineOf.set(metric, count++)
    const metrics = families.flatMap((family) => family.metrics)
    if (lineOf.size !== count || metrics.some(({ timestampMs }) => timestampMs !== undefined)) return null
    return new FamilyLayout(
      families,
      metrics,
      Uint32Array.from(metrics, (metric) => lineOf.get(metric)!),
    )
  }

  /**
   * The numbers of another page by line, if it has the same lines.
   * @param values length `count` or more; written to even where the answer is false
   * Hot: bench/agent footprint
   */
  fill(families: readonly MetricFamily[], values: Float64Array<ArrayBuffer>): boolean {
    if (families.length !== this.#heads.length) return false
    let at = 0
    for (let i = 0; i < families.length; i++) {
      const { name, help, type, metrics } = families[i]!
      const head = this.#heads[i]!
      if (name !== head.name || type !== head.type || help !== head.help || metrics.length !== head.count) return false
      for (let k = 0; k < metrics.length; k++) {
        const metric = metrics[k]!
        if (!isSameLine(metric, this.#metrics[at]!)) return false
        const line = this.#lines[at++]!
        const { value } = metric
        if (Number.isNaN(value)) writeNormalNan(values, line)
        else values[line] = value
      }
    }
    return true
  }
}

function isSameLine(a: Metric, b: Metric): boolean {
  if (a.suffix !== b.suffix || a.timestampMs !== undefined) return false
  const { labels } = a
  const { length } = labels
  if (length !== b.labels.length) return false
  for (let i = 0; i < length; i++) if (labels[i] !== b.labels[i]) return false
  return true
}
