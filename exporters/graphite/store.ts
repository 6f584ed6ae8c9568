/**
 * The last sample of each Graphite path, for as long as it is valid. Semantics: graphite_exporter
 * collector/collector.go, processSamples and Collect (v0.17).
 */
import { gauge, type Metric, type MetricFamily } from '../../protocol/exposition/mod.ts'
import { compareStrings } from '../../protocol/labels/mod.ts'
import { labelName, metricName, type Reading, splitTags } from './line.ts'

/** What a mapping makes of a name; its `name` may need escaping. */
export type GraphiteMapping = {
  readonly name: string
  /** Flat pairs. */
  readonly labels: readonly string[]
  readonly action: 'map' | 'drop'
  readonly scale: number | null
}
export type FindMapping = (name: string) => GraphiteMapping | null

export type GraphiteSample = {
  readonly name: string
  /** Flat pairs, sorted by name. */
  readonly labels: readonly string[]
  /** null: the value as sent. */
  readonly scale: number | null
  value: number
  timeMs: number
  /** Of which mappings it is. */
  readonly generation: number
}

export type GraphiteStoreOptions = {
  readonly strictMatch: boolean
  readonly expiryMs: number
  readonly maxSeries: number
}

/** How often samples that nobody sends any more are given up. */
const SWEEP_MS = 60_000
/** On average, so that the limit of series is one of memory as well: a path may have 64 KiB. */
const PATH_CHARS = 512

export class GraphiteStore {
  readonly #options: GraphiteStoreOptions
  readonly #samples = new Map<string, GraphiteSample>()
  #findMapping: FindMapping
  #generation = 0
  #sweptMs = 0
  #pathChars = 0
  tagFailures = 0
  refusedSeries = 0

  constructor(options: GraphiteStoreOptions, findMapping: FindMapping) {
    this.#options = options
    this.#findMapping = findMapping
  }

  get size(): number {
    return this.#samples.size
  }

  /** New mappings; each sample keeps what it was mapped to until it is sent again. */
  remap(findMapping: FindMapping): void {
    this.#findMapping = findMapping
    this.#generation++
  }

  get(path: string): GraphiteSample | undefined {
    return this.#samples.get(path)
  }

  /** @returns whether it was taken; false for what a mapping drops, and for a new path beyond the limit */
  set({ path, value, timeMs }: Reading, nowMs: number): boolean {
    if (nowMs - this.#sweptMs >= SWEEP_MS) this.#sweep(nowMs)
    let sample = this.#samples.get(path)
    const { tags, badTags, name } = splitTags(path)
    this.tagFailures += badTags
    if (sample === undefined || sample.generation !== this.#generation) {
      const made = this.#make(name, tags)
      if (made === null) return false
      if (sample === undefined) {
        const { maxSeries } = this.#options
        if (this.#samples.size >= maxSeries || this.#pathChars + path.length > PATH_CHARS * maxSeries) {
          this.refusedSeries++
          return false
        }
        this.#pathChars += path.length
      }
      sample = made
      this.#samples.set(path, sample)
    }
    sample.value = sample.scale === null ? value : value * sample.scale
    sample.timeMs = timeMs
    return true
  }

  #make(path: string, tags: ReadonlyMap<string, string>): GraphiteSample | null {
    const mapping = this.#findMapping(path)
    if (mapping === null ? this.#options.strictMatch : mapping.action === 'drop') return null
    const labels = new Map<string, string>()
    for (const [name, value] of tags) labels.set(labelName(name), value)
    const pairs = mapping?.labels ?? []
    for (let i = 0; i < pairs.length; i += 2) labels.set(labelName(pairs[i]!), pairs[i + 1]!)
    return {
      name: metricName(mapping?.name ?? path),
      labels: [...labels].sort(([a], [b]) => compareStrings(a, b)).flat(),
      scale: mapping?.scale ?? null,
      value: 0,
      timeMs: 0,
      generation: this.#generation,
    }
  }

  #sweep(nowMs: number): void {
    this.#sweptMs = nowMs
    for (const [path, sample] of this.#samples) {
      if (this.#isValid(sample, nowMs)) continue
      this.#samples.delete(path)
      this.#pathChars -= path.length
    }
  }

  /** A time that is no number is as old as can be. */
  #isValid({ timeMs }: GraphiteSample, nowMs: number): boolean {
    return timeMs >= nowMs - this.#options.expiryMs
  }

  /**
   * What is still valid. Of several paths that come to the same series the one with the newest time counts.
   * Differs: upstream then answers no page at all.
   */
  families(nowMs: number): MetricFamily[] {
    const byName = new Map<string, Map<string, GraphiteSample>>()
    for (const sample of this.#samples.values()) {
      if (!this.#isValid(sample, nowMs)) continue
      let series = byName.get(sample.name)
      if (series === undefined) byName.set(sample.name, (series = new Map()))
      const key = sample.labels.join('\n')
      const known = series.get(key)
      if (known === undefined || known.timeMs <= sample.timeMs) series.set(key, sample)
    }
    return [...byName].map(([name, series]) =>
      gauge(
        name,
        `Graphite metric ${name}`,
        [...series.values()].map(({ labels, value }): Metric => ({ labels, value })),
      ),
    )
  }
}
