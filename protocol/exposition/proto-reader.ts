/**
 * Reads pages of the protobuf format: MetricFamily messages, each after its length. A metric is known by the bytes of
 * its family's name and of its labels, so that only new ones cost strings; the series of a histogram or summary add a
 * byte for the part and the eight of a bound.
 *
 *     key of a series   │ name │ FF │ label messages │ FF │ part │ bound (8 bytes) │
 *
 * Semantics: Prometheus model/textparse/protobufparse.go (v3.14), its order of series too.
 */
import { compareStrings, type Labels, labelsFromSorted, METRIC_NAME } from '../labels/mod.ts'
import { ProtoReader, RemoteWriteError } from '../remote-write/mod.ts'
import { type Exemplar, type Metadata, type MetricType, NORMAL_NAN_HIGH, NORMAL_NAN_LOW } from '../samples/mod.ts'
import { ExpositionError } from './errors.ts'
import { formatOpenMetricsFloat } from './go-float.ts'
import { LineKind, LineTable } from './line-table.ts'
import type { NewSeries, PageOptions, PageSource } from './page-source.ts'
import { CounterTag, FamilyTag, MetricTag, QuantileTag, SummaryTag, ValueTag } from './proto-fields.ts'
import { histogramFault, type ProtoHistogram, readProtoHistogram, withoutEmptyBuckets } from './proto-histogram.ts'
import { inner, readExemplar, readLabel, readText, readTimestampMs } from './proto-parts.ts'
import { ColumnBacked } from './sample-columns.ts'

/** By the numbers of MetricType; 3 is untyped, which metadata calls unknown. */
const TYPES: readonly MetricType[] = ['counter', 'gauge', 'summary', 'unknown', 'histogram', 'gaugehistogram']
/** Which series of a metric a key means. */
const Part = { plain: 0, count: 1, sum: 2, bucket: 3, quantile: 4, native: 5 } as const
type Part = (typeof Part)[keyof typeof Part]
const SUFFIXES = ['', '_count', '_sum', '_bucket', '', ''] as const

type Family = {
  readonly name: string
  readonly nameBytes: Uint8Array
  readonly type: MetricType
  readonly unit: string
}

/** A metric under way. */
type MetricAt = { readonly labels: readonly number[]; readonly timestampMs: number; createdMs: number }

export class ProtoPageReader extends ColumnBacked implements PageSource {
  scraped = 0
  duplicates = 0
  readonly duplicatesBySlot = new Map<number, number>()
  repeats = 0
  newSeries: NewSeries[] = []
  /** The length of a page bounds what it can invent. */
  readonly unread: ReadonlyMap<string, number> = new Map()
  readonly metadata = new Map<string, Metadata & { seenAt: number }>()
  readonly #table = new LineTable()
  #key = new Uint8Array(512)
  #keyView = new DataView(this.#key.buffer)
  #keyLength = 0
  /** The slot before: as in pages of text, the same one follows it each time. */
  #previous = 0
  #reader = new ProtoReader(new Uint8Array(0))
  #options: PageOptions = {
    format: 'protobuf',
    ignoreTimestamps: false,
    startTimestamps: false,
    typeAndUnitLabels: false,
  }
  #scrape = 0
  #lastGoodScrape = -1
  #lastGoodCount = 0

  get slotCount(): number {
    return this.#table.count
  }

  read(page: Uint8Array, options: PageOptions): void {
    this.#scrape++
    this.#options = options
    this.columns.clear()
    this.scraped = this.duplicates = this.repeats = 0
    if (this.duplicatesBySlot.size > 0) this.duplicatesBySlot.clear()
    this.newSeries = []
    const reader = new ProtoReader(page)
    this.#reader = reader
    this.#previous = 0
    try {
      while (reader.at < page.length) {
        inner(reader, () => this.#readFamily())
        reader.end = page.length
      }
    } catch (error) {
      if (!(error instanceof RemoteWriteError)) throw error
      throw new ExpositionError(error.message, error.offset)
    }
    this.#lastGoodScrape = this.#scrape
    this.#lastGoodCount = this.columns.count - this.repeats
    for (const [family, { seenAt }] of this.metadata) if (this.#scrape - seenAt > 10) this.metadata.delete(family)
  }

  compact(): Int32Array | null {
    if (this.#table.count <= 2 * this.#lastGoodCount + 1000) return null
    return this.#table.retain(this.#lastGoodScrape, this.#scrape)
  }

  /** Twice over the family: clients write the unit behind the metrics. */
  #readFamily(): void {
    const reader = this.#reader
    const from = reader.at
    let [name, help, unit] = ['', '', '']
    let nameBytes = reader.bytes.subarray(0, 0)
    let type: MetricType = 'counter'
    let isEmpty = true
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag === FamilyTag.name) {
        const at = reader.at
        name = readText(reader, 'metric name')
        reader.at = at
        const end = reader.lengthEnd()
        nameBytes = reader.bytes.subarray(reader.at, end)
        reader.at = end
      } else if (tag === FamilyTag.help) help = readText(reader, 'help text')
      else if (tag === FamilyTag.unit) unit = readText(reader, 'unit')
      else if (tag === FamilyTag.type) {
        const number = reader.uint64()
        type = TYPES[number] ?? reader.fail(`unknown metric type ${number} of "${name}"`)
      } else {
        isEmpty &&= tag !== FamilyTag.metric
        reader.skip(tag)
      }
    }
    if (isEmpty) return
    if (name === '') reader.fail('a metric family has no name')
    if (unit !== '' && !unitFits(name, unit, type)) reader.fail(`unit "${unit}" not a suffix of metric "${name}"`)
    this.metadata.set(name, { type, help, unit, seenAt: this.#scrape })
    const family: Family = { name, nameBytes, type, unit }
    reader.at = from
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag === FamilyTag.metric) inner(reader, () => this.#readMetric(family))
      else reader.skip(tag)
    }
  }

  /** Labels and timestamp first, wherever they stand; then the value. */
  #readMetric(family: Family): void {
    const reader = this.#reader
    const from = reader.at
    const labels: number[] = []
    let timestampMs = Number.NaN
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag === MetricTag.label) {
        const end = reader.lengthEnd()
        labels.push(reader.at, end)
        reader.at = end
      } else if (tag === MetricTag.timestamp) {
        const own = reader.int64()
        if (own !== 0 && !this.#options.ignoreTimestamps) timestampMs = own
      } else reader.skip(tag)
    }
    this.#startKey(family, labels)
    const metric: MetricAt = { labels, timestampMs, createdMs: 0 }
    const { type } = family
    reader.at = from
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag === MetricTag.counter && type === 'counter') inner(reader, () => this.#counter(family, metric))
      else if (tag === MetricTag.gauge && type === 'gauge') inner(reader, () => this.#plain(family, metric))
      else if (tag === MetricTag.untyped && type === 'unknown') inner(reader, () => this.#plain(family, metric))
      else if (tag === MetricTag.summary && type === 'summary') inner(reader, () => this.#summary(family, metric))
      else if (tag === MetricTag.histogram && (type === 'histogram' || type === 'gaugehistogram')) {
        const histogram = inner(reader, (r) => readProtoHistogram(r, type === 'gaugehistogram'))
        this.#histogram(family, metric, histogram)
      } else reader.skip(tag)
    }
  }

  #counter(family: Family, metric: MetricAt): void {
    const reader = this.#reader
    let value = 0
    let exemplar: Exemplar | null = null
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag === CounterTag.value) value = reader.double()
      else if (tag === CounterTag.exemplar) exemplar = inner(reader, readExemplar)
      else if (tag === CounterTag.created) metric.createdMs = inner(reader, readTimestampMs)
      else reader.skip(tag)
    }
    const at = this.#add(family, metric, Part.plain, 0)
    if (at < 0) return
    this.#setValue(at, value)
    if (exemplar !== null) this.columns.exemplars.push({ position: at, exemplar })
  }

  #plain(family: Family, metric: MetricAt): void {
    const reader = this.#reader
    let value = 0
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag === ValueTag.value) value = reader.double()
      else reader.skip(tag)
    }
    const at = this.#add(family, metric, Part.plain, 0)
    if (at >= 0) this.#setValue(at, value)
  }

  #summary(family: Family, metric: MetricAt): void {
    const reader = this.#reader
    let [count, sum] = [0, 0]
    const quantiles: number[] = []
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag === SummaryTag.count) count = reader.uint64()
      else if (tag === SummaryTag.sum) sum = reader.double()
      else if (tag === SummaryTag.quantile) quantiles.push(...inner(reader, readQuantile))
      else if (tag === SummaryTag.created) metric.createdMs = inner(reader, readTimestampMs)
      else reader.skip(tag)
    }
    this.#addValue(family, metric, Part.count, 0, count)
    this.#addValue(family, metric, Part.sum, 0, sum)
    for (let i = 0; i < quantiles.length; i += 2)
      this.#addValue(family, metric, Part.quantile, quantiles[i]!, quantiles[i + 1]!)
  }

  #histogram(family: Family, metric: MetricAt, histogram: ProtoHistogram): void {
    const { native, buckets, createdMs } = histogram
    metric.createdMs = createdMs
    const isNative = native !== null && this.#options.nativeHistograms === true
    if (isNative) {
      const fault = histogramFault(native)
      if (fault !== '') this.#reader.fail(`histogram "${family.name}": ${fault}`)
      const at = this.#add(family, metric, Part.native, 0)
      if (at >= 0) {
        this.columns.setHistogram(at, withoutEmptyBuckets(native))
        for (const exemplar of nativeExemplars(histogram)) this.columns.exemplars.push({ position: at, exemplar })
      }
      if (buckets.length === 0 || this.#options.classicHistograms !== true) return
    }
    this.#classicHistogram(family, metric, histogram, isNative)
  }

  #classicHistogram(
    family: Family,
    metric: MetricAt,
    { count, sum, buckets }: ProtoHistogram,
    isNativeToo: boolean,
  ): void {
    this.#addValue(family, metric, Part.count, 0, count, isNativeToo)
    this.#addValue(family, metric, Part.sum, 0, sum, isNativeToo)
    for (const bucket of buckets) {
      const at = this.#addValue(family, metric, Part.bucket, bucket.bound, bucket.count, isNativeToo)
      if (at >= 0 && bucket.exemplar !== null) this.columns.exemplars.push({ position: at, exemplar: bucket.exemplar })
    }
    if (buckets.at(-1)?.bound !== Number.POSITIVE_INFINITY)
      this.#addValue(family, metric, Part.bucket, Number.POSITIVE_INFINITY, count, isNativeToo)
  }

  #addValue(family: Family, metric: MetricAt, part: Part, bound: number, value: number, isNativeToo = false): number {
    const at = this.#add(family, metric, part, bound, isNativeToo)
    if (at >= 0) this.#setValue(at, value)
    return at
  }

  /** A NaN that is none of the stale markers' business is the ordinary one. */
  #setValue(at: number, value: number): void {
    const { values } = this.columns
    values[at] = value
    if (!Number.isNaN(value)) return
    const words = new Uint32Array(values.buffer)
    words[2 * at] = NORMAL_NAN_LOW
    words[2 * at + 1] = NORMAL_NAN_HIGH
  }

  /** Position of the series' sample, or -1 for a duplicate. */
  #add(family: Family, metric: MetricAt, part: Part, bound: number, isNativeToo = false): number {
    const slot = this.#slotOf(family, metric, part, bound, isNativeToo)
    const hasOwn = !Number.isNaN(metric.timestampMs)
    this.scraped++
    if (this.#table.seen[slot] === this.#scrape) {
      if (!hasOwn) {
        this.duplicates++
        this.duplicatesBySlot.set(slot, (this.duplicatesBySlot.get(slot) ?? 0) + 1)
        return -1
      }
      this.repeats++
    }
    this.#table.seen[slot] = this.#scrape
    const at = this.columns.add(slot)
    if (hasOwn) this.columns.setTimestamp(at, metric.timestampMs)
    if (metric.createdMs > 0 && this.#options.startTimestamps) this.columns.setStartTimestamp(at, metric.createdMs)
    return at
  }

  #startKey({ nameBytes }: Family, labels: readonly number[]): void {
    let needed = nameBytes.length + 11
    for (let i = 0; i < labels.length; i += 2) needed += labels[i + 1]! - labels[i]! + 1
    if (needed > this.#key.length) {
      this.#key = new Uint8Array(2 * needed)
      this.#keyView = new DataView(this.#key.buffer)
    }
    const key = this.#key
    key.set(nameBytes)
    let at = nameBytes.length
    for (let i = 0; i < labels.length; i += 2) {
      key[at++] = 0xff
      key.set(this.#reader.bytes.subarray(labels[i]!, labels[i + 1]!), at)
      at += labels[i + 1]! - labels[i]!
    }
    key[at++] = 0xff
    this.#keyLength = at
  }

  #slotOf(family: Family, metric: MetricAt, part: Part, bound: number, isNativeToo: boolean): number {
    this.#key[this.#keyLength] = part + (isNativeToo ? 16 : 0)
    this.#keyView.setFloat64(this.#keyLength + 1, bound)
    const end = this.#keyLength + 9
    const table = this.#table
    const previous = this.#previous
    const predicted = table.next[previous]!
    const known = table.is(predicted, this.#key, this.#keyView, end) ? predicted : table.find(this.#key, 0, end)
    if (known !== 0) {
      table.next[previous] = known
      this.#previous = known
      return known
    }
    // Before the key is kept: what is refused leaves nothing behind.
    const labels = this.#labelsOf(family, metric.labels, part, bound)
    const slot = table.add(this.#key, 0, end, LineKind.series)
    table.next[previous] = slot
    this.#previous = slot
    this.newSeries.push({ slot, labels, family: family.name, isNativeToo })
    return slot
  }

  #labelsOf(family: Family, ranges: readonly number[], part: Part, bound: number): Labels {
    const reader = this.#reader
    const { typeAndUnitLabels } = this.#options
    const type = typeAndUnitLabels && family.type !== 'unknown' ? family.type : ''
    const unit = typeAndUnitLabels ? family.unit : ''
    const [resumeAt, resumeEnd] = [reader.at, reader.end]
    const pairs: (readonly [string, string])[] = [[METRIC_NAME, family.name + SUFFIXES[part]!]]
    for (let i = 0; i < ranges.length; i += 2) {
      reader.at = ranges[i]!
      reader.end = ranges[i + 1]!
      const [name, value] = readLabel(reader)
      if (name === '') reader.fail(`invalid label name of metric "${family.name}"`)
      // What the family says wins over what the series says of itself.
      const isOverruled = (name === '__type__' && type !== '') || (name === '__unit__' && unit !== '')
      if (!isOverruled) pairs.push([name, value])
    }
    reader.at = resumeAt
    reader.end = resumeEnd
    if (part === Part.bucket) pairs.push(['le', formatOpenMetricsFloat(bound)])
    if (part === Part.quantile) pairs.push(['quantile', formatOpenMetricsFloat(bound)])
    if (type !== '') pairs.push(['__type__', type])
    if (unit !== '') pairs.push(['__unit__', unit])
    pairs.sort((a, b) => compareStrings(a[0], b[0]))
    return labelsFromSorted(pairs.flat())
  }
}

/** Those of the histogram, else of its buckets; only with a time of their own, or each scrape would repeat them. */
function nativeExemplars({ exemplars, buckets }: ProtoHistogram): Exemplar[] {
  const own =
    exemplars.length > 0 ? exemplars : buckets.flatMap(({ exemplar }) => (exemplar === null ? [] : [exemplar]))
  return own.filter(({ timestampMs }) => timestampMs !== null)
}

function readQuantile(reader: ProtoReader): [quantile: number, value: number] {
  let [quantile, value] = [0, 0]
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === QuantileTag.quantile) quantile = reader.double()
    else if (tag === QuantileTag.value) value = reader.double()
    else reader.skip(tag)
  }
  return [quantile, value]
}

function unitFits(name: string, unit: string, type: MetricType): boolean {
  const base = type === 'counter' && name.endsWith('_total') ? name.slice(0, -'_total'.length) : name
  return base.endsWith(`_${unit}`)
}
