/** What becomes of a remote write while it is worked through, and the answer that this makes. */
import type { SeriesLimit } from '../tsdb/head-contract.ts'
import { LIMIT_SETTINGS } from './limit-sight.ts'
import { NOTHING, type WriteAnswer, type Written } from './write-answer.ts'

/** Complaints told to the sender; the rest are counted. */
const MAX_PROBLEMS = 10

export class WriteOutcome {
  readonly written: Written = { ...NOTHING }
  /** Samples with another value than the one stored at their time. */
  conflicts = 0
  /** Samples older than their series' newest: without a window, and outside of it. */
  outOfOrder = 0
  tooOld = 0
  /** Samples too far in the future. */
  ahead = 0
  /** Samples for which the head has no memory. */
  withoutMemory = 0
  /** Data points of OTLP that are not stored, or not as a whole. */
  rejectedPoints = 0
  readonly #problems: string[] = []
  /** Series, by the limit that refused them. */
  readonly #overLimit = new Map<SeriesLimit, number>()

  /** Labels that are not valid, or what of OTLP cannot be a series. */
  problem(text: string): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(text)
  }

  /** One more series is refused. */
  overLimit(limit: SeriesLimit): void {
    this.#overLimit.set(limit, (this.#overLimit.get(limit) ?? 0) + 1)
  }

  /**
   * What can never be stored is an error of the sender (400), what may be stored later is not (429, 503).
   * @param isStrict whether problems make the answer an error
   */
  answer(isStrict: boolean): WriteAnswer {
    const [status, message] = this.#verdict(isStrict)
    const { written, rejectedPoints } = this
    return { status, message, written, isPartial: status !== 204, rejectedPoints }
  }

  #verdict(isStrict: boolean): readonly [WriteAnswer['status'], string] {
    const ofMemory = this.#overLimit.get('memory') ?? 0
    if (this.withoutMemory + ofMemory > 0) return [503, 'memory for recent samples is full; try again later']
    const refusals = this.#refusals()
    const ofSeries = ['series', 'series_per_job'] as const
    const limited = ofSeries.reduce((sum, limit) => sum + (this.#overLimit.get(limit) ?? 0), 0)
    const told = limited > 0 ? [`series limit reached: ${limited} series of the request were not stored`] : []
    if (refusals.length > 0 || (isStrict && this.#problems.length > 0))
      return [400, [...refusals, ...this.#problems, ...told].join('\n')]
    return limited > 0 ? [429, told.join('\n')] : [204, '']
  }

  #refusals(): string[] {
    const refusals: string[] = []
    if (this.conflicts > 0) refusals.push('duplicate sample for timestamp')
    if (this.outOfOrder > 0) refusals.push('out of order sample')
    if (this.tooOld > 0) refusals.push('too old sample')
    if (this.ahead > 0) refusals.push('out of bounds: timestamp is too far in the future')
    for (const [limit, series] of this.#overLimit)
      if (limit.startsWith('label'))
        refusals.push(
          `${limit} exceeded: ${series} series of the request were not stored; see ${LIMIT_SETTINGS[limit]}`,
        )
    return refusals
  }
}
