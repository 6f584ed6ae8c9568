/** What a soft sample limit leaves out of one page, by metric: the one that brings most of it is named. */
import { type Labels, labelValue, METRIC_NAME } from '../../protocol/labels/mod.ts'

/** Samples of new series, and the metric that has most of them. */
export type Refused = { readonly samples: number; readonly offender: string; readonly ofOffender: number }

export class RefusedSamples {
  readonly #counts: Map<string, number>

  /** @param unread samples by metric name that nobody has looked at any closer */
  constructor(unread: Iterable<readonly [name: string, samples: number]> | undefined) {
    this.#counts = new Map(unread)
  }

  add(labels: Labels): void {
    const name = labelValue(labels, METRIC_NAME)
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }

  /** Null when nothing was left out. */
  summary(): Refused | null {
    if (this.#counts.size === 0) return null
    let samples = 0
    let [offender, ofOffender] = ['', 0]
    for (const [name, count] of this.#counts) {
      samples += count
      if (count > ofOffender) [offender, ofOffender] = [name, count]
    }
    return { samples, offender, ofOffender }
  }
}
