/** A sink that remembers, with samples as readable rows. */
import type { MissedSlots, SampleSink, Scrape, SeriesDefinition } from '../../../protocol/batch/types.ts'
import { formatLabels, type Labels, labelsKey, METRIC_NAME } from '../../../protocol/labels/mod.ts'
import { isStaleAt, type Metadata } from '../../../protocol/samples/mod.ts'

export class MemorySink implements SampleSink {
  epoch = 1
  definitions: SeriesDefinition[] = []
  scrapes: Scrape[] = []
  gaps: MissedSlots[] = []
  #ids = new Map<string, number>()

  define(labels: Labels, metadata: Metadata | null): number {
    const key = labelsKey(labels)
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const id = this.definitions.length
    this.#ids.set(key, id)
    this.definitions.push({ id, labels, metadata })
    return id
  }

  append(scrape: Scrape): void {
    const unique = new Set(scrape.ids)
    if (unique.size !== scrape.ids.length) throw new Error('a series stands twice in one scrape')
    if (scrape.ids.length !== scrape.values.length) throw new Error('columns differ in length')
    this.scrapes.push(scrape)
  }

  missed(slots: MissedSlots): void {
    this.gaps.push(slots)
  }

  /** The dictionary is lost. */
  newEpoch(): void {
    this.epoch++
    this.definitions = []
    this.#ids = new Map()
  }

  /** `name{labels} value` for each sample of a scrape, without the report unless asked. */
  rows(scrape: Scrape | undefined, withReport = false): string[] {
    if (scrape === undefined) return []
    const words = new Uint32Array(scrape.values.buffer, scrape.values.byteOffset, 2 * scrape.values.length)
    return [...scrape.ids]
      .map((id, i) => {
        const own = scrape.timestamps?.[i] ?? Number.NaN
        const value = isStaleAt(words, i) ? 'stale' : String(scrape.values[i])
        return `${seriesText(this.definitions[id]!.labels)} ${value}${Number.isNaN(own) ? '' : ` @${own}`}`
      })
      .filter((row) => withReport || !/^(up|scrape_\w+)\{/.test(row))
  }

  /** Value of one report series. */
  report(scrape: Scrape | undefined, name: string): number | undefined {
    if (scrape === undefined) return undefined
    const at = [...scrape.ids].findIndex((id) => this.definitions[id]!.labels.includes(name))
    return at < 0 ? undefined : scrape.values[at]
  }
}

function seriesText(labels: Labels): string {
  const name = labels[labels.indexOf(METRIC_NAME) + 1]!
  const rest = labels.flatMap((text, i) => (i % 2 === 0 && text !== METRIC_NAME ? [[text, labels[i + 1]!]] : []))
  return `${name}${formatLabels(rest.flat() as unknown as Labels)}`
}
