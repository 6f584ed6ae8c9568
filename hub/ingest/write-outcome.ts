/** What becomes of a remote write while it is worked through, and the answer that this makes. */
import type { SeriesLimit } from '../tsdb/head-contract.ts'
import { LIMIT_SETTINGS } from './limit-sight.ts'
import { NOTHING, type WriteAnswer, type Written } from './write-answer.ts'

/** Refusals told to the sender; the rest are counted. */
const MAX_TOLD = 100

/** Parts of a series, in the order in which upstream works through them. */
export const Part = { labels: 0, sample: 1, histogram: 2, exemplar: 3 } as const
export type Part = (typeof Part)[keyof typeof Part]

/**
 * How refusals are told: 2.0 names the series of each, 1.0 ends at the first, which names none, and OTLP tells what there
 * was of each kind. Semantics: Prometheus storage/remote/write_handler.go, write and appendV2 (v3.14).
 */
export type Telling = 'each' | 'first' | 'kinds'

type Refusal = { readonly series: number; readonly part: Part; readonly text: string }

export class WriteOutcome {
  readonly written: Written = { ...NOTHING }
  /** Series that are refused for their labels. */
  invalidSeries = 0
  /** Samples for which the head has no memory. */
  withoutMemory = 0
  /** Data points of OTLP that are not stored, or not as a whole. */
  rejectedPoints = 0
  readonly telling: Telling
  readonly #told: Refusal[] = []
  /** Series, by the limit that refused them. */
  readonly #overLimit = new Map<SeriesLimit, number>()

  constructor(telling: Telling) {
    this.telling = telling
  }

  /**
   * The series, or a part of it, is not stored. Of those that come after enough were told the text is not asked for.
   * @param text a whole sentence of the answer
   */
  refuse(series: number, part: Part, text: () => string): void {
    if (this.#told.length < MAX_TOLD) this.#told.push({ series, part, text: text() })
  }

  /** Nothing was told yet. */
  get isFirst(): boolean {
    return this.#told.length === 0
  }

  /** One more series is refused. */
  overLimit(limit: SeriesLimit): void {
    this.#overLimit.set(limit, (this.#overLimit.get(limit) ?? 0) + 1)
  }

  /** What can never be stored is an error of the sender (400), what may be stored later is not (429, 503). */
  answer(): WriteAnswer {
    const [status, message] = this.#verdict()
    const { written, rejectedPoints } = this
    return { status, message, written, isPartial: status !== 204, rejectedPoints }
  }

  #verdict(): readonly [WriteAnswer['status'], string] {
    const ofMemory = this.#overLimit.get('memory') ?? 0
    if (this.withoutMemory + ofMemory > 0) return [503, 'memory for recent samples is full; try again later']
    const refusals = [...this.#refusals(), ...this.#labelLimits()]
    const ofSeries = ['series', 'series_per_job'] as const
    const limited = ofSeries.reduce((sum, limit) => sum + (this.#overLimit.get(limit) ?? 0), 0)
    const told = limited > 0 ? [`series limit reached: ${limited} series of the request were not stored`] : []
    if (refusals.length > 0) return [400, [...refusals, ...told].join('\n')]
    return limited > 0 ? [429, told.join('\n')] : [204, '']
  }

  #refusals(): string[] {
    const inOrder = this.#told.toSorted((a, b) => a.series - b.series || a.part - b.part)
    const texts = inOrder.map(({ text }) => text)
    if (this.telling === 'each') return texts
    return this.telling === 'first' ? texts.slice(0, 1) : [...new Set(texts)]
  }

  #labelLimits(): string[] {
    const refusals: string[] = []
    for (const [limit, series] of this.#overLimit)
      if (limit.startsWith('label'))
        refusals.push(
          `${limit} exceeded: ${series} series of the request were not stored; see ${LIMIT_SETTINGS[limit]}`,
        )
    return refusals
  }
}
