/**
 * What one target has exposed: from the reader's slots to series, and which of them were there last time.
 *
 *     slot of a line ──► series (index here) ──► id in the sink's dictionary
 *     (page reader)      labels, last seen
 *
 * A line's labels go through relabelling once, when it is first used; from then on a scrape is a walk over integers.
 * Two lines can be one series (a spelling, a relabelling): the first in a scrape wins.
 *
 * Hot: bench/agent/scrape.bench.ts
 * Semantics: Prometheus scrape/scrape.go, scrapeCache, append and updateStaleMarkers (v3.14).
 */
import type { SampleSink } from '../../protocol/batch/types.ts'
import {
  ExpositionError,
  type ExpositionParserName,
  FamilyLayout,
  type MetricFamily,
  type NewSeries,
  type PageOptions,
  type PageSource,
  pageSource,
} from '../../protocol/exposition/mod.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import type { ColumnPool, ColumnWriter } from './column-writer.ts'
import type { ScrapeCounters } from './counters.ts'
import { metadataOf } from './family-metadata.ts'
import { limitHistograms } from './histogram-limits.ts'
import type { Verdict } from './page-judge.ts'
import type { PageColumns, PageOutcome } from './page-outcome.ts'
import { RefusedSamples } from './refused-samples.ts'
import { type Repeat, repeatColumns } from './repeat-columns.ts'
import { SampleLabelsError, sampleLabels } from './sample-labels.ts'
import { linesOverLimit, sampleLimit, sampleLimitError } from './sample-limit.ts'
import { SeriesList, withRoom } from './series-list.ts'
import type { ScrapeTargetConfig } from './target.ts'

/** Series of a slot: 0 or more, or one of these. */
const PENDING = -1
const DROPPED = -2
/** New while the sample limit was reached, in soft mode. */
const REFUSED = -3
/** Comments, and lines that rules drop, beside the samples of a page with a soft limit. */
const SOFT_EXTRA_LINES = 1000
/** Samples with a timestamp further ahead are refused, as upstream. */
const MAX_AHEAD_MS = 600_000

export type LivingSeries = { readonly labels: Labels; readonly metadata: Metadata | null }

export class SeriesCache {
  reader: PageSource = pageSource(firstOptions('text'))
  #format: ExpositionParserName = 'text'
  #convertsClassic = false
  /** Of the page that the reader has read last, where it came as families. */
  #layout: FamilyLayout | null = null
  readonly #sink: SampleSink
  readonly #counters: ScrapeCounters
  readonly #columns: ColumnPool
  #epoch: number

  #slotSeries = new Int32Array(256).fill(PENDING)
  readonly #pending = new Map<number, NewSeries>()
  /** Labels, or null for dropped, of slots that this page has brought; they become series if the page is good. */
  readonly #fresh = new Map<number, Labels | null>()
  /** By series. `ids` hold for `#epoch`. */
  #labels: Labels[] = []
  #metadata: (Metadata | null)[] = []
  #ids = new Uint32Array(256)
  /** Scrape that wrote the series last; scrape that tracks it for staleness. */
  #written = new Int32Array(256)
  #tracked = new Int32Array(256)
  #byId = new Map<number, number>()
  #lastExemplars = new Map<number, string>()
  #scrape = 0
  /** Series tracked by the previous scrape: those missing from this one end. */
  #previous = new SeriesList()
  #current = new SeriesList()
  #adopted: LivingSeries[] = []

  constructor(sink: SampleSink, counters: ScrapeCounters, columns: ColumnPool) {
    this.#columns = columns
    this.#sink = sink
    this.#counters = counters
    this.#epoch = sink.epoch
  }

  /** Series known. */
  get size(): number {
    return this.#labels.length
  }

  /** The series that the last scrape saw: what a successor has to compare with. */
  living(): LivingSeries[] {
    const tracked = Array.from(this.#previous.items.subarray(0, this.#previous.length), (series) => ({
      labels: this.#labels[series]!,
      metadata: this.#metadata[series]!,
    }))
    return [...this.#adopted, ...tracked]
  }

  /** Whether the last scrape saw the series with this id (of the present epoch). */
  isLiving(id: number): boolean {
    const series = this.#byId.get(id)
    return series !== undefined && this.#epoch === this.#sink.epoch && this.#tracked[series] === this.#scrape
  }

  /**
   * Takes series of an earlier life as seen by the previous scrape, so that those which are gone get marked. They are
   * looked up only after the next page: its definitions bring metadata.
   */
  adopt(series: readonly LivingSeries[]): void {
    this.#adopted.push(...series)
  }

  /** Starts the next scrape. A new dictionary makes all ids worthless: what lives is compared by labels. */
  begin(): void {
    if (this.#epoch !== this.#sink.epoch) this.#reset()
    this.#scrape++
    this.#current.clear()
  }

  /**
   * Reads a page and resolves its lines; `write` then records them. A page that is refused adds nothing to the sink's
   * dictionary, and one beyond its sample limit leaves nothing here either: both would grow with what a target invents.
   */
  readPage(page: Uint8Array, format: ExpositionParserName, config: ScrapeTargetConfig): PageOutcome {
    this.#layout = null
    const limit = sampleLimit(config)
    const isSoft = config.limits.isSoft
    const lines = linesOverLimit(page, format, config)
    if (lines > 0) return this.#overLimit(config, lines, lines, 0)
    this.#chooseReader(format, config)
    const { reader } = this
    let error = ''
    try {
      reader.read(page, {
        format,
        ignoreTimestamps: !config.honorTimestamps,
        startTimestamps: config.startTimestamps,
        typeAndUnitLabels: config.typeAndUnitLabels,
        nativeHistograms: config.scrapeNativeHistograms,
        classicHistograms: config.alwaysScrapeClassicHistograms,
        ...(isSoft && { maxLines: 2 * limit + SOFT_EXTRA_LINES }),
      })
      error = limitHistograms(reader, config)
    } catch (thrown) {
      if (!(thrown instanceof ExpositionError)) throw thrown
      error = thrown.message
    }
    this.#takeNewSeries()
    const resolved = isSoft ? this.#resolveSoft(config, limit) : this.#resolve(config, limit)
    if (resolved.error === '' && error === '') this.#defineFresh()
    this.#fresh.clear()
    return resolved.error === '' ? { ...resolved, error } : resolved
  }

  /** A page that was not kept, since its beginning was enough to refuse it. */
  refusePage({ lines, error, isOverSampleLimit }: Verdict): PageOutcome {
    if (isOverSampleLimit) this.#counters.exceededSampleLimit++
    return { scraped: lines, kept: lines, added: 0, error, refused: null }
  }

  /**
   * The page of a collector of this process. Where it has the lines of the one before, its numbers take their places.
   * @param text the same as a page
   */
  readFamilies(families: readonly MetricFamily[], text: () => Uint8Array, config: ScrapeTargetConfig): PageOutcome {
    if (this.#layout?.fill(families, this.reader.values) === true) return this.#resolve(config, sampleLimit(config))
    const outcome = this.readPage(text(), 'text', config)
    const { count, scraped } = this.reader
    const layout = outcome.error === '' && !config.limits.isSoft ? FamilyLayout.of(families) : null
    // A line that stands there twice, or was left out, has no place of its own.
    this.#layout = layout !== null && layout.count === count && count === scraped ? layout : null
    return outcome
  }

  /**
   * The page's samples as columns, with room for the markers of `writeStale`.
   * @param extra further room, for the report
   */
  write(config: ScrapeTargetConfig, nowMs: number, timestampMs: number, extra: number): PageColumns {
    const { reader } = this
    const { count, slots, timestamps, startTimestamps, histograms } = reader
    const columns = this.#columns.take(count + this.staleBound + extra)
    const words = new Uint32Array(reader.values.buffer)
    const written = this.#written
    const scrape = this.#scrape
    const repeats: Repeat[] = []
    const maxTimeMs = nowMs + MAX_AHEAD_MS
    for (let i = 0; i < count; i++) {
      const series = this.#slotSeries[slots[i]!]!
      if (series < 0) continue
      const own = timestamps === null ? Number.NaN : timestamps[i]!
      const hasOwn = !Number.isNaN(own)
      if (hasOwn && own > maxTimeMs) {
        this.#counters.sampleOutOfBounds++
        continue
      }
      const id = this.#ids[series]!
      if (written[series] === scrape) {
        if (hasOwn) repeats.push({ id, position: i })
        else this.#counters.sampleDuplicate++
        continue
      }
      written[series] = scrape
      columns.copy(id, words, i)
      const histogram = histograms?.get(i)
      if (histogram !== undefined) columns.histogram(histogram)
      if (hasOwn) columns.timestamp(own)
      if (startTimestamps !== null && startTimestamps[i]! > 0) columns.startTimestamp(startTimestamps[i]!)
      // A series that brings its own timestamps ends as its source says, not when it is missing.
      if (!hasOwn || config.trackTimestampsStaleness) this.#track(series)
    }
    return { columns, exemplars: this.#exemplars(timestampMs), repeats: repeatColumns(repeats, reader) }
  }

  /** Ends the scrape: markers for all series of the previous one that this one has not tracked. */
  writeStale(columns: ColumnWriter, except?: (id: number) => boolean): void {
    for (const { labels, metadata } of this.#adopted) this.#previous.push(this.#seriesFor(labels, metadata))
    this.#adopted = []
    const { items, length } = this.#previous
    for (let i = 0; i < length; i++) {
      const series = items[i]!
      if (this.#tracked[series] === this.#scrape) continue
      // One column per series: it may be listed twice, or stand here with a timestamp of its own.
      if (this.#written[series] === this.#scrape) continue
      this.#written[series] = this.#scrape
      const id = this.#ids[series]!
      if (except?.(id) !== true) columns.stale(id)
    }
    const spare = this.#previous
    this.#previous = this.#current
    this.#current = spare
    spare.clear()
  }

  /** How many markers `writeStale` may write. */
  get staleBound(): number {
    return this.#previous.length + this.#adopted.length
  }

  /**
   * A series that the target does not expose (`up`), tracked as seen by this scrape.
   * @param known what an earlier call gave, or -1: spares a look-up by labels
   */
  reportSeries(known: number, labels: Labels, metadata: Metadata): number {
    const series = this.#labels[known] === labels ? known : this.#seriesFor(labels, metadata)
    this.#track(series)
    return series
  }

  idOf(series: number): number {
    return this.#ids[series]!
  }

  /** Forgets lines and series that are long gone. After every scrape. */
  compact(): void {
    const map = this.reader.compact()
    if (map === null) return
    this.#layout = null
    this.#counters.cacheFlushForced++
    const slotSeries = new Int32Array(Math.max(256, 2 * this.reader.slotCount)).fill(PENDING)
    for (let slot = 1; slot < map.length; slot++) if (map[slot] !== 0) slotSeries[map[slot]!] = this.#slotSeries[slot]!
    const pending = [...this.#pending]
    this.#pending.clear()
    for (const [slot, series] of pending) if (map[slot] !== 0) this.#pending.set(map[slot]!, series)
    this.#slotSeries = slotSeries
    this.#compactSeries()
  }

  #track(series: number): void {
    if (this.#tracked[series] === this.#scrape) return
    this.#tracked[series] = this.#scrape
    this.#current.push(series)
  }

  /** Slots of one reader mean nothing to another; the two text formats share theirs. */
  #chooseReader(format: ExpositionParserName, config: ScrapeTargetConfig): void {
    const isSameKind = (format === 'protobuf') === (this.#format === 'protobuf')
    if (isSameKind && this.#convertsClassic === config.convertClassicToNhcb) return
    this.#format = format
    this.#convertsClassic = config.convertClassicToNhcb
    this.#forgetLines()
  }

  #takeNewSeries(): void {
    const { newSeries, slotCount } = this.reader
    if (slotCount > this.#slotSeries.length)
      this.#slotSeries = withRoom(this.#slotSeries, new Int32Array(2 * slotCount).fill(PENDING))
    for (const series of newSeries) {
      this.#slotSeries[series.slot] = PENDING
      this.#pending.set(series.slot, series)
    }
  }

  /** Relabels what is new, and counts. */
  #resolve(config: ScrapeTargetConfig, limit: number): PageOutcome {
    const { count, slots, scraped } = this.reader
    let kept = 0
    let added = 0
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!
      const series = this.#slotSeries[slot]!
      if (series >= 0) kept++
      if (series !== PENDING) continue
      let labels = this.#fresh.get(slot)
      if (labels === undefined) {
        try {
          labels = this.#freshLabels(slot, config)
        } catch (thrown) {
          if (!(thrown instanceof SampleLabelsError)) throw thrown
          if (thrown.code === 'label_limit') this.#counters.exceededLabelLimits++
          return { scraped: i + 1, kept, added, error: thrown.message, refused: null }
        }
        if (labels !== null && kept < limit) added++
      }
      if (labels !== null) kept++
    }
    const keptToo = kept + this.#keptDuplicates()
    if (kept <= limit) return { scraped, kept: keptToo, added, error: '', refused: null }
    this.#forgetLines()
    return this.#overLimit(config, scraped, keptToo, added)
  }

  #overLimit(config: ScrapeTargetConfig, scraped: number, kept: number, added: number): PageOutcome {
    this.#counters.exceededSampleLimit++
    return { scraped, kept, added, error: sampleLimitError(config), refused: null }
  }

  /** Keeps what is known, then takes new series in the page's order while there is room. */
  #resolveSoft(config: ScrapeTargetConfig, limit: number): PageOutcome {
    const { count, slots, scraped, unread } = this.reader
    let kept = 0
    for (let i = 0; i < count; i++) if (this.#slotSeries[slots[i]!]! >= 0) kept++
    const refused = new RefusedSamples(unread)
    let added = 0
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!
      const series = this.#slotSeries[slot]!
      if (series !== PENDING && series !== REFUSED) continue
      if (this.#fresh.has(slot)) {
        if (this.#fresh.get(slot) !== null) kept++
        continue
      }
      let labels: Labels | null | 'unknown' = 'unknown'
      try {
        if (series === PENDING || kept < limit) labels = this.#freshLabels(slot, config)
      } catch (thrown) {
        if (!(thrown instanceof SampleLabelsError)) throw thrown
        if (thrown.code === 'label_limit') this.#counters.exceededLabelLimits++
        return { scraped: i + 1, kept, added, error: thrown.message, refused: null }
      }
      if (labels === null) continue
      if (labels !== 'unknown' && kept < limit) {
        kept++
        added++
        continue
      }
      this.#fresh.delete(slot)
      this.#slotSeries[slot] = REFUSED
      refused.add(this.#pending.get(slot)!.labels)
    }
    const told = refused.summary()
    if (told !== null) {
      this.#counters.exceededSampleLimit++
      this.#counters.refusedSamples += told.samples
    }
    return { scraped, kept: kept + this.#keptDuplicates(), added, error: '', refused: told }
  }

  /** Told, but no samples that a limit counts. */
  #keptDuplicates(): number {
    let kept = 0
    for (const [slot, count] of this.reader.duplicatesBySlot) {
      const series = this.#slotSeries[slot]!
      if (series !== DROPPED && series !== REFUSED && this.#fresh.get(slot) !== null) kept += count
    }
    this.#counters.sampleDuplicate += kept
    return kept
  }

  #freshLabels(slot: number, config: ScrapeTargetConfig): Labels | null {
    const line = this.#pending.get(slot)
    if (line === undefined) throw new Error(`BUG: slot ${slot} has no line`)
    const labels = sampleLabels(line.labels, config)
    this.#fresh.set(slot, labels)
    return labels
  }

  #defineFresh(): void {
    for (const [slot, labels] of this.#fresh) {
      const family = this.#pending.get(slot)!.family
      this.#pending.delete(slot)
      this.#slotSeries[slot] =
        labels === null
          ? DROPPED
          : this.#seriesFor(labels, metadataOf(this.reader.metadata.get(family), family, labels))
    }
  }

  /** The next page is read as if it were the first; series keep their ids. */
  #forgetLines(): void {
    this.#layout = null
    this.reader = pageSource({ ...firstOptions(this.#format), convertClassic: this.#convertsClassic })
    this.#slotSeries = new Int32Array(256).fill(PENDING)
    this.#pending.clear()
  }

  #seriesFor(labels: Labels, metadata: Metadata | null): number {
    const id = this.#sink.define(labels, metadata)
    const known = this.#byId.get(id)
    if (known !== undefined) return known
    const series = this.#labels.length
    this.#labels.push(labels)
    this.#metadata.push(metadata)
    if (series >= this.#ids.length) this.#growSeries()
    this.#ids[series] = id
    this.#written[series] = -1
    this.#tracked[series] = -1
    this.#byId.set(id, series)
    return series
  }

  /** Those that changed since the target last showed them: a client repeats its exemplars scrape after scrape. */
  #exemplars(timestampMs: number): { readonly id: number; readonly exemplar: Exemplar }[] | null {
    const { exemplars, slots, timestamps } = this.reader
    if (exemplars.length === 0) return null
    const out: { readonly id: number; readonly exemplar: Exemplar }[] = []
    for (const { position, exemplar } of exemplars) {
      const series = this.#slotSeries[slots[position]!]!
      if (series < 0) continue
      const key = `${exemplar.value} ${exemplar.timestampMs} ${exemplar.labels.join('\xff')}`
      if (this.#lastExemplars.get(series) === key) continue
      this.#lastExemplars.set(series, key)
      const own = timestamps === null || Number.isNaN(timestamps[position]!) ? timestampMs : timestamps[position]!
      out.push({
        id: this.#ids[series]!,
        exemplar: exemplar.timestampMs === null ? { ...exemplar, timestampMs: own } : exemplar,
      })
    }
    return out.length === 0 ? null : out
  }

  #reset(): void {
    const living = this.living()
    this.#epoch = this.#sink.epoch
    this.#forgetLines()
    this.#labels = []
    this.#metadata = []
    this.#byId.clear()
    this.#lastExemplars.clear()
    this.#previous.clear()
    this.#adopted = living
  }

  /** Keeps the series that a line, or the previous scrape, still speaks of. */
  #compactSeries(): void {
    const map = new Int32Array(this.#labels.length).fill(-1)
    for (const series of this.#slotSeries) if (series >= 0) map[series] = 0
    for (let i = 0; i < this.#previous.length; i++) map[this.#previous.items[i]!] = 0
    const labels: Labels[] = []
    const metadata: (Metadata | null)[] = []
    this.#byId.clear()
    for (let series = 0; series < map.length; series++) {
      if (map[series] === -1) continue
      const kept = labels.length
      map[series] = kept
      labels.push(this.#labels[series]!)
      metadata.push(this.#metadata[series]!)
      this.#ids[kept] = this.#ids[series]!
      this.#written[kept] = this.#written[series]!
      this.#tracked[kept] = this.#tracked[series]!
      this.#byId.set(this.#ids[kept]!, kept)
    }
    this.#labels = labels
    this.#metadata = metadata
    for (let i = 0; i < this.#slotSeries.length; i++) {
      if (this.#slotSeries[i]! >= 0) this.#slotSeries[i] = map[this.#slotSeries[i]!]!
    }
    this.#previous.rename(map)
    const exemplars = [...this.#lastExemplars]
    this.#lastExemplars.clear()
    for (const [series, key] of exemplars) if (map[series]! >= 0) this.#lastExemplars.set(map[series]!, key)
  }

  #growSeries(): void {
    this.#ids = withRoom(this.#ids, new Uint32Array(2 * this.#ids.length))
    this.#written = withRoom(this.#written, new Int32Array(2 * this.#written.length))
    this.#tracked = withRoom(this.#tracked, new Int32Array(2 * this.#tracked.length))
  }
}

const firstOptions = (format: ExpositionParserName): PageOptions => ({
  format,
  ignoreTimestamps: false,
  startTimestamps: false,
  typeAndUnitLabels: false,
})
