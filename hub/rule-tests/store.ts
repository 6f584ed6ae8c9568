/** Storage of one test group: a real head that its input series fill as time goes on, and the engine over it. */
import { type Labels, labelsFrom } from '../../protocol/labels/mod.ts'
import { setStaleAt } from '../../protocol/samples/mod.ts'
import type { ParserFeatures } from '../promql/ast.ts'
import { evaluate } from '../promql/engine/mod.ts'
import { parseExpr } from '../promql/parser/mod.ts'
import { parseSeriesDescription, type SequenceValue } from '../promql/series-description/mod.ts'
import type { RuleSample, VectorSample } from '../rules/mod.ts'
import { createHead, openReader } from '../tsdb/mod.ts'
import type { TestGroup } from './file.ts'

const HEAD_BYTES = 512 << 20
const LOOKBACK_MS = 300_000
const SAMPLES_MAX = 10_000

type Input = { readonly labels: Labels; readonly values: readonly SequenceValue[]; next: number }

/** Of the language, which feature flags switch. */
export type TestFeatures = { readonly parser: ParserFeatures; readonly delayedNameRemoval: boolean }

export class TestStore {
  readonly #group: TestGroup
  readonly #subqueryStepMs: number
  readonly #features: TestFeatures
  readonly #head = createHead({ maxBytes: HEAD_BYTES })
  readonly #inputs: Input[]

  /** @throws Error naming the input series that cannot be read */
  constructor(group: TestGroup, subqueryStepMs: number, features: TestFeatures) {
    this.#group = group
    this.#subqueryStepMs = subqueryStepMs
    this.#features = features
    this.#inputs = group.inputSeries.map(({ series, values }) => {
      try {
        return { ...parseSeriesDescription(`${series} ${values}`), next: 0 }
      } catch (error) {
        throw new Error(`input series ${JSON.stringify(series)}: ${(error as Error).message}`, { cause: error })
      }
    })
  }

  /** Input samples up to `timeMs` become visible. */
  fill(timeMs: number): void {
    const { startMs, intervalMs } = this.#group
    for (const input of this.#inputs) {
      for (; input.next < input.values.length; input.next++) {
        const at = startMs + input.next * intervalMs
        if (at > timeMs) break
        const value = input.values[input.next]!
        if (value.kind === 'omitted') continue
        if (value.kind === 'histogram')
          this.#append(at, { labels: input.labels, value: 0, histogram: value.histogram, stale: false })
        else {
          const isStale = value.kind === 'stale'
          this.#append(at, { labels: input.labels, value: isStale ? 0 : value.value, stale: isStale })
        }
      }
    }
    this.#head.publish()
  }

  append(timeMs: number, samples: readonly RuleSample[]): void {
    for (const sample of samples) this.#append(timeMs, sample)
    this.#head.publish()
  }

  /** @throws QueryError, ParseError */
  query(text: string, timeMs: number): VectorSample[] {
    const reader = openReader(this.#head.share())
    try {
      const result = evaluate({
        expr: parseExpr(text, this.#features.parser),
        text,
        range: { startMs: timeMs, endMs: timeMs, stepMs: 1, instant: true },
        reader,
        options: {
          lookbackMs: LOOKBACK_MS,
          defaultSubqueryStepMs: this.#subqueryStepMs,
          maxSamples: SAMPLES_MAX,
          delayedNameRemoval: this.#features.delayedNameRemoval,
          useStartTimestamps: false,
          typeAndUnitLabels: false,
          interrupted: () => null,
        },
      })
      if (result.type === 'scalar') return [{ labels: labelsFrom({}), value: result.values[0]! }]
      if (result.type !== 'vector') throw new Error('rule result is not a vector or scalar')
      return result.series.map(({ labels, values, histograms }) => {
        const histogram = histograms?.[0]
        return { labels, value: values[0]!, ...(histogram && { histogram }) }
      })
    } finally {
      reader.release()
    }
  }

  #append(timeMs: number, { labels, value, histogram, stale }: RuleSample): void {
    const ref = this.#head.series(labels)
    if (ref < 0) throw new Error('too many series for a unit test')
    if (histogram) {
      this.#head.appendHistogram(ref, timeMs, histogram, 0)
      return
    }
    const values = Float64Array.of(value)
    if (stale) setStaleAt(new Uint32Array(values.buffer), 0)
    this.#head.appendFloat(ref, timeMs, values, 0, 0)
  }
}
