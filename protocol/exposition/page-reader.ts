/**
 * Reads the pages of one target, scrape after scrape. Hot: bench/agent/parse.bench.ts
 *
 * A target shows the same lines in the same order each time, only the numbers change. So the reader predicts: after
 * the line in this slot came that slot last time; compare the bytes, read the number, go on. A line that is not where
 * it was is found by its hash; one never seen before goes to the event parser, once. The loop makes no string, object
 * or closure.
 *
 * Malformed lines, exemplars and odd spellings leave the loop for the event parser too, so results and error texts are
 * the parser's in all cases (property test in page-reader.test.ts).
 */
import type { Exemplar, Metadata, MetricType } from '../samples/mod.ts'
import { ExpositionError } from './errors.ts'
import { belongsToFamily } from './family-match.ts'
import { readFloat, writeNormalNan } from './fast-float.ts'
import { LineKind, LineTable } from './line-table.ts'
import type { NewSeries, PageOptions, PageSource } from './page-source.ts'
import { EntryKind, ExpositionParser, type ParserContext } from './parser.ts'

/** Scrapes from one look for families that are gone to the next. */
const METADATA_EVERY = 4
/** Differs: upstream keeps any. No batch could carry such a series to a hub. */
const MAX_LINE_BYTES = 256 * 1024
const MAX_UNREAD_NAMES = 100
const compactAbove = (livingLines: number): number => 2 * livingLines + 1000

const LF = 10
const SPACE = 32

type MetaLine = { readonly family: string; readonly type: MetricType | null; readonly unit: string | null }

export class PageReader implements PageSource {
  readonly histograms = null
  /** Samples of the last page; columns of this length follow, in the page's order. */
  count = 0
  slots = new Int32Array(256)
  values = new Float64Array(256)
  /** Own timestamps, NaN where there is none; null when no sample has one. */
  timestamps: Float64Array<ArrayBuffer> | null = null
  /** 0 = unknown; null when there are none. */
  startTimestamps: Float64Array<ArrayBuffer> | null = null
  /** By position in the columns. */
  exemplars: { readonly position: number; readonly exemplar: Exemplar }[] = []
  /** To be taken after every read, failed ones too: the next read starts it anew. */
  newSeries: NewSeries[] = []
  /** Samples on the page, duplicates included. */
  scraped = 0
  /** Lines that repeat a series without a timestamp of their own: the first wins. */
  duplicates = 0
  readonly duplicatesBySlot = new Map<number, number>()
  /** Samples that repeat a series at a timestamp of their own: they are in the columns. */
  repeats = 0
  readonly unread = new Map<string, number>()
  /** By family name; kept for ten scrapes after the family was last seen, as upstream, and a few more. */
  readonly metadata = new Map<string, Metadata & { seenAt: number }>()

  readonly #table = new LineTable()
  /** By slot; only meta lines have one. */
  readonly #metaLines = new Map<number, MetaLine>()
  /** OpenMetrics: what a series and its `_created` line share, by slot. */
  readonly #startKeys = new Map<number, string>()
  #scrape = 0
  #lastGoodScrape = -1
  #lastGoodCount = 0
  #metadataDue = 0
  #created = new Map<string, number>()
  readonly #scratch = new Float64Array(1)

  /** Number of slots in use; grows until `compact`. */
  get slotCount(): number {
    return this.#table.count
  }

  get sizeBytes(): number {
    return this.#table.sizeBytes + this.slots.length * 4 + this.values.length * 8
  }

  /**
   * Fills the columns. They are valid until the next call.
   * @throws ExpositionError; the columns then hold what stands before the line that is wrong
   */
  read(page: Uint8Array, options: PageOptions): void {
    this.#reset()
    const { format } = options
    if (format === 'protobuf') throw new Error('BUG: a reader of text got protobuf')
    // The loop relies on a newline at its end; a last line without one is read by the parser.
    const hotEnd = page.lastIndexOf(10) + 1
    const parser = new ExpositionParser(page, { format, typeAndUnitLabels: options.typeAndUnitLabels })
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength)
    const { ignoreTimestamps } = options
    const isText = format === 'text'
    const scrape = this.#scrape
    const table = this.#table
    let { view: arena, starts, lengths, kinds, next, seen } = table
    let { slots, values } = this
    let count = 0
    let scraped = 0
    let duplicates = 0
    let repeats = 0
    let at = 0
    let previous = 0
    let typeSlot = 0
    let familySlot = 0
    let unitSlot = 0
    for (;;) {
      let slot = at < hotEnd ? next[previous]! : 0
      let length = 0
      if (slot !== 0) {
        length = lengths[slot]!
        if (at + length > hotEnd) slot = 0
        else {
          const start = starts[slot]!
          let i = 0
          for (const words = length - 3; i < words; i += 4) {
            if (view.getInt32(at + i, true) !== arena.getInt32(start + i, true)) {
              slot = 0
              break
            }
          }
          if (slot !== 0) {
            for (; i < length; i++) {
              if (view.getUint8(at + i) !== arena.getUint8(start + i)) {
                slot = 0
                break
              }
            }
          }
        }
      }
      if (slot === 0 && at < hotEnd) {
        // Before anything looks at each byte of it.
        const lineBytes = page.indexOf(LF, at) - at
        if (lineBytes > MAX_LINE_BYTES) {
          this.count = count
          this.scraped = scraped
          throw tooLong(lineBytes, at)
        }
        const end = lineEnd(page, at, hotEnd)
        if (end > 0) slot = table.find(page, at, end)
        if (slot !== 0) {
          length = end - at
          next[previous] = slot
        }
      }
      if (slot !== 0) {
        const kind = kinds[slot]!
        if (kind !== LineKind.series && kind !== LineKind.created) {
          at += length
          seen[slot] = scrape
          previous = slot
          if (kind === LineKind.comment) continue
          familySlot = slot
          if (kind === LineKind.type) typeSlot = slot
          else if (kind === LineKind.unit) unitSlot = slot
          continue
        }
        if (count === slots.length) {
          this.#growOutput()
          slots = this.slots
          values = this.values
        }
        let after = at + length
        if (after < hotEnd && page[after] === SPACE) {
          after = readFloat(page, after + 1, values, count)
          let timestamp = 0
          let hasOwn = false
          if (after > 0 && page[after] === SPACE) {
            hasOwn = !ignoreTimestamps
            if (isText) {
              const first = after + 1
              let c = page[++after]!
              while (c >= 48 && c <= 57) {
                timestamp = timestamp * 10 + (c - 48)
                c = page[++after]!
              }
              if (after === first || after - first > 15) after = -1
            } else {
              after = readFloat(page, after + 1, this.#scratch, 0)
              timestamp = Math.trunc(this.#scratch[0]! * 1000)
              // Beyond that, and for NaN, the parser's rules hold.
              if (!(Math.abs(timestamp) < 2 ** 53)) after = -1
            }
          }
          if (after > 0 && page[after] === LF) {
            at = after + 1
            previous = slot
            if (kind === LineKind.created) {
              this.#created.set(this.#startKeys.get(slot)!, Math.trunc(values[count]! * 1000))
              seen[slot] = scrape
              continue
            }
            scraped++
            if (seen[slot] === scrape) {
              if (!hasOwn) {
                duplicates++
                countIn(this.duplicatesBySlot, slot)
                continue
              }
              repeats++
            }
            seen[slot] = scrape
            slots[count] = slot
            if (hasOwn || this.timestamps !== null) this.#setTimestamp(count, timestamp, hasOwn)
            count++
            continue
          }
        }
      }
      // The slow way: one line by the parser, with what the meta lines above have said.
      this.#restore(parser.context, typeSlot, familySlot, unitSlot)
      parser.seek(at)
      // Should the parser refuse the line, the caller still learns what came before it.
      this.count = count
      this.scraped = scraped
      const kind = parser.next()
      if (kind === EntryKind.end) break
      if (kind === EntryKind.series && this.#isLeftOut(page, parser, options)) {
        scraped++
        at = parser.atBytes
        this.scraped = scraped
        if (!parser.atLineStart) parser.next()
        continue
      }
      const isNew = this.#intern(page, parser, kind, options)
      ;({ view: arena, starts, lengths, kinds, next, seen } = table)
      slot = this.#internedSlot
      next[previous] = slot
      previous = slot
      at = parser.atBytes
      const lineKind = kinds[slot]!
      if (lineKind === LineKind.type) typeSlot = slot
      if (lineKind === LineKind.unit) unitSlot = slot
      if (lineKind === LineKind.help || lineKind === LineKind.type || lineKind === LineKind.unit) familySlot = slot
      if (lineKind === LineKind.series) {
        scraped++
        const hasOwn = !ignoreTimestamps && parser.hasTimestamp
        const isSeen = !isNew && seen[slot] === scrape
        if (isSeen && hasOwn) repeats++
        if (isSeen && !hasOwn) {
          duplicates++
          countIn(this.duplicatesBySlot, slot)
        } else {
          if (count === slots.length) {
            this.#growOutput()
            slots = this.slots
            values = this.values
          }
          slots[count] = slot
          if (Number.isNaN(parser.value)) writeNormalNan(values, count)
          else values[count] = parser.value
          if (hasOwn || this.timestamps !== null) this.#setTimestamp(count, parser.timestampMs, hasOwn)
          if (parser.exemplar !== null) this.exemplars.push({ position: count, exemplar: parser.exemplar })
          count++
        }
      } else if (lineKind === LineKind.created) {
        this.#created.set(this.#startKeys.get(slot)!, Math.trunc(parser.value * 1000))
      }
      seen[slot] = scrape
      // Upstream finds what is wrong with the rest of a line on its next call, and so does the parser: the line counts.
      this.count = count
      this.scraped = scraped
      if (!parser.atLineStart) parser.next()
    }
    this.count = count
    this.scraped = scraped
    this.duplicates = duplicates
    this.repeats = repeats
    if (this.#created.size > 0) this.#fillStartTimestamps()
    this.#finish()
  }

  /**
   * Forgets lines that have not been seen for long, when they outnumber the living. To be called after a read and once
   * the columns have been used, also when the read failed.
   * @returns old slot → new slot (0: forgotten), or null when nothing moved
   */
  compact(): Int32Array | null {
    if (this.#table.count <= compactAbove(this.#lastGoodCount)) return null
    const map = this.#table.retain(this.#lastGoodScrape, this.#scrape)
    moveKeys(this.#metaLines, map)
    moveKeys(this.#startKeys, map)
    return map
  }

  #reset(): void {
    this.#scrape++
    this.count = 0
    this.scraped = 0
    this.duplicates = 0
    this.repeats = 0
    this.timestamps = null
    this.startTimestamps = null
    this.exemplars = []
    this.newSeries = []
    this.unread.clear()
    if (this.duplicatesBySlot.size > 0) this.duplicatesBySlot.clear()
    this.#created.clear()
  }

  #finish(): void {
    this.#lastGoodScrape = this.#scrape
    // Every sample's line lives. Only a table that may be due for compaction is worth an exact count.
    this.#lastGoodCount = this.count - this.repeats
    const { count } = this.#table
    if (count > compactAbove(this.#lastGoodCount)) this.#lastGoodCount = this.#livingLines()
    if (this.#scrape >= this.#metadataDue) this.#forgetMetadata()
  }

  #livingLines(): number {
    const { seen, count } = this.#table
    let living = 0
    for (let slot = 1; slot < count; slot++) if (seen[slot] === this.#scrape) living++
    return living
  }

  #forgetMetadata(): void {
    this.#metadataDue = this.#scrape + METADATA_EVERY
    const { seen } = this.#table
    for (const [slot, { family }] of this.#metaLines) {
      const metadata = this.metadata.get(family)
      if (metadata !== undefined) metadata.seenAt = Math.max(metadata.seenAt, seen[slot]!)
    }
    for (const [family, { seenAt }] of this.metadata) if (this.#scrape - seenAt > 10) this.metadata.delete(family)
  }

  #internedSlot = 0

  /** The slot of the parser's last line, in `#internedSlot`; true if the line is new. */
  #intern(page: Uint8Array, parser: ExpositionParser, kind: EntryKind, options: PageOptions): boolean {
    const from = parser.startBytes
    const to = kind === EntryKind.series ? parser.seriesEndBytes : Math.min(parser.atBytes, page.length)
    this.#internedSlot = 0
    if (to - from > MAX_LINE_BYTES) throw tooLong(to - from, from)
    // A meta line cut short by the page's end is not kept: it would be a prefix of others.
    if (kind !== EntryKind.series && page[to - 1] !== LF) return true
    const known = this.#table.find(page, from, to)
    this.#internedSlot = known
    if (known !== 0) return false
    const withStart = kind === EntryKind.series && options.startTimestamps && options.format === 'openmetrics'
    const start = withStart ? parser.startTimestampKey() : null
    const lineKind = start?.created === true ? LineKind.created : LINE_KINDS[kind]!
    const slot = this.#table.add(page, from, to, lineKind)
    this.#internedSlot = slot
    if (start !== null && start.key !== '') this.#startKeys.set(slot, start.key)
    if (lineKind === LineKind.series) this.#addSeries(parser, slot)
    else if (kind === EntryKind.help || kind === EntryKind.type || kind === EntryKind.unit) {
      this.#addMeta(parser, kind, slot)
    }
    return true
  }

  #isLeftOut(
    page: Uint8Array,
    parser: ExpositionParser,
    { maxLines = Number.POSITIVE_INFINITY }: PageOptions,
  ): boolean {
    if (this.#table.count <= maxLines) return false
    if (this.#table.find(page, parser.startBytes, parser.seriesEndBytes) !== 0) return false
    const name = parser.metricName()
    const known = this.unread.get(name)
    if (known !== undefined || this.unread.size < MAX_UNREAD_NAMES) this.unread.set(name, (known ?? 0) + 1)
    return true
  }

  #addSeries(parser: ExpositionParser, slot: number): void {
    const { family, type } = parser.context
    const isMember = family !== '' && belongsToFamily(parser.metricName(), family, type ?? 'unknown')
    this.newSeries.push({ slot, labels: parser.labels(), family: isMember ? family : '' })
  }

  #addMeta(parser: ExpositionParser, kind: EntryKind, slot: number): void {
    const family = parser.metaName
    const text = parser.metaText
    const type = kind === EntryKind.type ? (text as MetricType) : null
    this.#metaLines.set(slot, { family, type, unit: kind === EntryKind.unit ? text : null })
    const old = this.metadata.get(family) ?? { type: 'unknown', help: '', unit: '', seenAt: 0 }
    this.metadata.set(family, {
      type: type ?? old.type,
      help: kind === EntryKind.help ? text : old.help,
      unit: kind === EntryKind.unit ? text : old.unit,
      seenAt: this.#scrape,
    })
  }

  #restore(context: ParserContext, typeSlot: number, familySlot: number, unitSlot: number): void {
    const type = this.#metaLines.get(typeSlot)
    context.type = type?.type ?? null
    context.family = this.#metaLines.get(familySlot)?.family ?? ''
    context.unit = this.#metaLines.get(unitSlot)?.unit ?? ''
  }

  #setTimestamp(position: number, timestampMs: number, hasOwn: boolean): void {
    if (this.timestamps === null) this.timestamps = new Float64Array(this.slots.length).fill(Number.NaN)
    this.timestamps[position] = hasOwn ? timestampMs : Number.NaN
  }

  #fillStartTimestamps(): void {
    const out = new Float64Array(this.count)
    let any = false
    for (let i = 0; i < this.count; i++) {
      const key = this.#startKeys.get(this.slots[i]!)
      const startMs = key === undefined ? undefined : this.#created.get(key)
      if (startMs === undefined) continue
      out[i] = startMs
      any = true
    }
    if (any) this.startTimestamps = out
  }

  #growOutput(): void {
    const size = 2 * this.slots.length
    const slots = new Int32Array(size)
    slots.set(this.slots)
    this.slots = slots
    const values = new Float64Array(size)
    values.set(this.values)
    this.values = values
    if (this.timestamps === null) return
    const timestamps = new Float64Array(size).fill(Number.NaN)
    timestamps.set(this.timestamps)
    this.timestamps = timestamps
  }
}

const LINE_KINDS: readonly LineKind[] = [
  LineKind.none,
  LineKind.help,
  LineKind.type,
  LineKind.unit,
  LineKind.comment,
  LineKind.series,
]

/** Rare: a page with twins. */
function countIn(counts: Map<number, number>, slot: number): void {
  counts.set(slot, (counts.get(slot) ?? 0) + 1)
}

function tooLong(bytes: number, at: number): ExpositionError {
  return new ExpositionError(`a line of ${bytes} bytes is longer than ${MAX_LINE_BYTES} bytes`, at)
}

function moveKeys<V>(byslot: Map<number, V>, map: Int32Array): void {
  const moved = [...byslot].filter(([slot]) => map[slot] !== 0)
  byslot.clear()
  for (const [slot, value] of moved) byslot.set(map[slot]!, value)
}

/**
 * One past the bytes that identify the line at `at`: all of a meta line with its newline, name and labels of a series.
 * -1 if that is not clear at a glance.
 */
function lineEnd(page: Uint8Array, at: number, end: number): number {
  if (page[at] === 35) return page.indexOf(10, at) + 1
  let i = at
  let c = page[i]!
  while (c !== 32 && c !== 123 && c !== 10 && c !== 9) c = page[++i]!
  if (c === 32) return i
  if (c !== 123) return -1
  let isQuoted = false
  for (i++; i < end; i++) {
    c = page[i]!
    if (isQuoted) {
      if (c === 92) i++
      else if (c === 34) isQuoted = false
    } else if (c === 34) isQuoted = true
    else if (c === 125) return i + 1
  }
  return -1
}
