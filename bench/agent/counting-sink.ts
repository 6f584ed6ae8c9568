/** Knows series by their labels, counts samples and drops them. */
import type { MissedSlots, SampleSink, Scrape } from '../../protocol/batch/types.ts'
import { type Labels, labelsKey } from '../../protocol/labels/mod.ts'

export class CountingSink implements SampleSink {
  readonly epoch = 1
  samples = 0
  #ids = new Map<string, number>()
  define(labels: Labels): number {
    const key = labelsKey(labels)
    let id = this.#ids.get(key)
    if (id === undefined) this.#ids.set(key, (id = this.#ids.size))
    return id
  }
  append(scrape: Scrape): void {
    this.samples += scrape.ids.length
  }
  missed(_: MissedSlots): void {}
}
