/**
 * Which windows stand for which samples in a query.
 *
 * - Where the query's windows are made of whole ones, these give what the samples give, and are read in their place: of
 *   a block that overlaps no other, of a series that has nothing later in the head and of which nothing is deleted there.
 * - Where samples are gone, the windows that there still are: of each the finest that stands for the most samples.
 * - Else the samples.
 */
import { STALE_HIGH, STALE_LOW } from '../../protocol/samples/mod.ts'
import {
  type AggregateBuffer,
  AggregateColumn,
  type ChosenAggregates,
  type ChosenBuffer,
  clearRows,
  createAggregateBuffer,
  createSampleBuffer,
  ensureCapacity,
  HISTOGRAM_AGGREGATES,
  type SampleBuffer,
  type SeriesReader,
  type SeriesRef,
  type StoredAggregates,
  type TimeRange,
} from '../tsdb/mod.ts'
import { appendAsRows, appendRow, appendRows, overlay, windowEnd } from './aggregate.ts'
import type { Part } from './merge-aggregates.ts'
import { clearSamples, mergeSamples, removeSamples } from './merge-samples.ts'

const C = AggregateColumn
/** What samples are made of. */
const AS_SAMPLES = (1 << C.last) | (1 << C.lastTime) | (1 << C.staleTime) | HISTOGRAM_AGGREGATES

export class ChoosingAggregates implements ChosenAggregates {
  readonly #head: SeriesReader
  readonly #headRefs: number
  /** In the order of time. */
  readonly #parts: readonly Part[]
  readonly #ofHead = createSampleBuffer(16)
  readonly #samples = createSampleBuffer(16)
  readonly #other = createSampleBuffer(16)
  readonly #scratch = createSampleBuffer(16)
  readonly #rows = createAggregateBuffer()
  readonly #layered = new Layers()

  /** @param headRefs refs below this are the head's, too */
  constructor(head: SeriesReader, headRefs: number, parts: readonly Part[]) {
    this.#head = head
    this.#headRefs = headRefs
    this.#parts = [...parts].sort((a, b) => a.minTime - b.minTime)
  }

  has(range: TimeRange): boolean {
    return this.#parts.some((part) => overlaps(part, range) && (part.reader.stored?.allWidths().length ?? 0) > 0)
  }

  widest(range: TimeRange): number {
    return this.#parts.reduce((most, part) => {
      const widths = overlaps(part, range) ? part.reader.stored?.allWidths() : undefined
      return Math.max(most, widths?.at(-1) ?? 0)
    }, 0)
  }

  read(ref: SeriesRef, range: TimeRange, alignedMs: number, columns: number, out: ChosenBuffer): boolean {
    clearRows(out)
    out.goneWidth = 0
    const members = this.#parts.filter((part) => overlaps(part, range) && part.refOf(ref) !== undefined)
    // Most queries have windows of any length at any time, of samples that are there.
    if (!members.some((part) => mayUse(part, ref, range, alignedMs))) return false
    const ofHead = this.#ofHead
    clearSamples(ofHead)
    if (ref < this.#headRefs) this.#head.read(ref, range, ofHead)
    let headAt = 0
    let isUsed = false
    for (let i = 0; i < members.length; ) {
      let end = i + 1
      let { maxTime } = members[i]!
      while (end < members.length && members[end]!.minTime <= maxTime)
        maxTime = Math.max(maxTime, members[end++]!.maxTime)
      const cluster = members.slice(i, end)
      const headFrom = headAt
      while (headAt < ofHead.count && ofHead.times[headAt]! <= maxTime) headAt++
      const isAlone = cluster.length === 1 && headAt === headFrom
      const used = isAlone ? this.#readWindows(cluster[0]!, ref, range, { alignedMs, columns }, out) : 'no'
      if (used === 'histograms') return false
      if (used === 'yes') isUsed = true
      else {
        const widths = this.#goneWidths(cluster, ref, range)
        this.#readSamples(cluster, ref, wholeWindows(range, widths), headFrom, headAt)
        const added = this.#add(cluster, ref, range, { widths, columns }, out)
        if (added === 'histograms') return false
        if (added === 'windows') isUsed = true
      }
      i = end
    }
    if (ofHead.mixed && hasHistograms(ofHead, headAt)) return false
    appendFloats(ofHead, columns, out, headAt, this.#rows)
    return isUsed
  }

  /** The windows of one block in the place of its samples. */
  #readWindows(
    { reader, refOf }: Part,
    ref: SeriesRef,
    range: TimeRange,
    { alignedMs, columns }: { readonly alignedMs: number; readonly columns: number },
    out: ChosenBuffer,
  ): 'yes' | 'no' | 'histograms' {
    if (alignedMs === 0 || !reader.stored) return 'no'
    const own = refOf(ref)!
    const width = reader.stored.widths(own, range).findLast((each) => alignedMs % each === 0)
    if (width === undefined) return 'no'
    if (!reader.stored.read(own, range, width, columns | (1 << C.histograms), this.#rows)) return 'no'
    const { count, columns: values } = this.#rows
    for (let i = 0; i < count; i++) if (values[C.histograms]![i] !== 0) return 'histograms'
    appendNonEmpty(this.#rows, out)
    return 'yes'
  }

  /** Widths of windows that may stand for samples that are gone. */
  #goneWidths(cluster: readonly Part[], ref: SeriesRef, range: TimeRange): readonly number[] {
    const widths = new Set<number>()
    for (const { reader, refOf } of cluster) {
      const { stored } = reader
      if (stored && range.minTime < stored.goneBefore(refOf(ref)!))
        for (const width of stored.allWidths()) widths.add(width)
    }
    return [...widths].sort((a, b) => a - b)
  }

  /** Of the cluster's own samples, and the head's, in `#samples`. */
  #readSamples(cluster: readonly Part[], ref: SeriesRef, range: TimeRange, headFrom: number, headTo: number): void {
    const out = this.#samples
    clearSamples(out)
    // The strongest last.
    for (const { reader, refOf } of [...cluster].sort((a, b) => b.rank - a.rank)) {
      const raw = 'readStoredSamples' in reader ? (reader as RawReader).readStoredSamples : reader.read
      raw.call(reader, refOf(ref)!, range, this.#other)
      mergeSamples(out, this.#other, this.#scratch)
    }
    if (headTo > headFrom) mergeSamples(out, slice(this.#ofHead, headFrom, headTo), this.#scratch)
  }

  /**
   * Samples, and windows where these are gone; of windows that the range has a part of, those that end in it. Where it is
   * none of them, that is the answer: their last samples would be another.
   */
  #add(
    cluster: readonly Part[],
    ref: SeriesRef,
    range: TimeRange,
    { widths, columns }: { readonly widths: readonly number[]; readonly columns: number },
    out: ChosenBuffer,
  ): 'samples' | 'windows' | 'histograms' {
    const samples = this.#samples
    if (widths.length === 0) {
      if (samples.mixed && hasHistograms(samples, 0)) return 'histograms'
      appendFloats(samples, columns, out, 0, this.#rows)
      return 'samples'
    }
    const needed = columns | HISTOGRAM_AGGREGATES
    const rows = this.#layered.lay(
      samples,
      cluster.map(({ reader, refOf }) => ({ stored: reader.stored ?? null, ref: refOf(ref)! })),
      { range: wholeWindows(range, widths), widths, columns: needed },
    )
    let hasWindows = false
    for (let i = 0; i < rows.count; i++)
      if (rows.widths[i]! > 0 && rows.columns[C.histograms]![i] === 0) hasWindows = true
    keepWithin(rows, range)
    for (let i = 0; i < rows.count; i++) {
      if (rows.columns[C.histograms]![i] !== 0) return 'histograms'
      out.goneWidth = Math.max(out.goneWidth, rows.widths[i]!)
    }
    appendNonEmpty(rows, out)
    return hasWindows ? 'windows' : 'samples'
  }
}

function mayUse({ reader, refOf }: Part, ref: SeriesRef, range: TimeRange, alignedMs: number): boolean {
  const { stored } = reader
  if (!stored) return false
  const own = refOf(ref)!
  if (range.minTime < stored.goneBefore(own)) return true
  return alignedMs > 0 && stored.widths(own, range).some((width) => alignedMs % width === 0)
}

/** A reader whose `read` puts last samples of windows where samples are gone. */
export type RawReader = { readStoredSamples(ref: number, range: TimeRange, out: SampleBuffer): void }

type StoredSeries = { readonly stored: StoredAggregates | null; readonly ref: SeriesRef }
type Laid = { readonly range: TimeRange; readonly widths: readonly number[]; readonly columns: number }

/** Windows laid over the samples that are left, the finest first. */
export class Layers {
  #below = createAggregateBuffer()
  #above = createAggregateBuffer()
  readonly #coarse = createAggregateBuffer()
  readonly #part = createAggregateBuffer()
  readonly #joined = createAggregateBuffer()

  /** @param of the readers whose samples these are @returns rows, borrowed until the next call */
  lay(samples: SampleBuffer, of: readonly StoredSeries[], { range, widths, columns }: Laid): AggregateBuffer {
    clearRows(this.#below)
    appendAsRows(samples, columns, this.#below)
    for (const width of widths) {
      this.#readAll(of, range, width, columns)
      overlay(this.#below, this.#coarse, width, this.#above)
      const rows = this.#above
      this.#above = this.#below
      this.#below = rows
    }
    return this.#below
  }

  /** Of readers that overlap, the fuller windows. */
  #readAll(of: readonly StoredSeries[], range: TimeRange, width: number, columns: number): void {
    clearRows(this.#coarse)
    for (const { stored, ref } of of) {
      if (stored === null) continue
      stored.read(ref, range, width, columns, this.#part)
      overlay(this.#coarse, this.#part, width, this.#joined)
      clearRows(this.#coarse)
      appendRows(this.#coarse, this.#joined)
    }
  }

  /** Puts into `samples`, which are what is left in whole windows, the last ones of windows of which others are gone. */
  addLasts(samples: SampleBuffer, stored: StoredAggregates, ref: SeriesRef, range: TimeRange): void {
    const widths = stored.allWidths()
    const whole = wholeWindows(range, widths)
    const rows = this.lay(samples, [{ stored, ref }], { range: whole, widths, columns: AS_SAMPLES })
    let widthMs = 0
    let untilMs = Number.NEGATIVE_INFINITY
    for (let i = 0; i < rows.count; i++) {
      if (rows.widths[i] === 0) continue
      widthMs = Math.max(widthMs, rows.widths[i]!)
      untilMs = rows.times[i]!
    }
    if (widthMs === 0) {
      removeSamples(samples, Number.NEGATIVE_INFINITY, range.minTime - 1)
      removeSamples(samples, range.maxTime + 1, Number.POSITIVE_INFINITY)
      return
    }
    toSamples(rows, range, samples)
    samples.sparse = { widthMs, untilMs }
  }
}

/** The range that has all of the windows which it has a part of: for counts of samples to be comparable. */
export function wholeWindows({ minTime, maxTime }: TimeRange, widths: readonly number[]): TimeRange {
  const starts = widths.map((width) => windowEnd(minTime, width) - width + 1)
  const ends = widths.map((width) => windowEnd(maxTime, width))
  return { minTime: Math.min(minTime, ...starts), maxTime: Math.max(maxTime, ...ends) }
}

function keepWithin(rows: AggregateBuffer, { minTime, maxTime }: TimeRange): void {
  let from = 0
  while (from < rows.count && rows.times[from]! < minTime) from++
  let to = rows.count
  while (to > from && rows.times[to - 1]! > maxTime) to--
  if (from > 0) for (const column of [rows.times, rows.widths, ...rows.columns]) column.copyWithin(0, from, to)
  rows.count = to - from
  // Whoever has histograms is not answered by rows.
  if (from > 0) rows.histograms = null
}

/** Start times are not known of rows, and are left out. */
function toSamples(rows: AggregateBuffer, { minTime, maxTime }: TimeRange, out: SampleBuffer): void {
  clearSamples(out)
  ensureCapacity(out, 3 * rows.count)
  const stale = new Uint32Array(out.values.buffer)
  const { columns } = rows
  const put = (time: number, flag: number): number => {
    if (time < minTime || time > maxTime) return -1
    out.times[out.count] = time
    out.values[out.count] = 0
    out.flags[out.count] = flag
    if (flag !== 0) out.mixed = true
    return out.count++
  }
  for (let i = 0; i < rows.count; i++) {
    const floatTime = columns[C.samples]![i] === 0 ? Number.POSITIVE_INFINITY : columns[C.lastTime]![i]!
    const histogramTime = columns[C.histograms]![i] === 0 ? Number.POSITIVE_INFINITY : columns[C.histogramTime]![i]!
    for (const time of [Math.min(floatTime, histogramTime), Math.max(floatTime, histogramTime)]) {
      if (time === Number.POSITIVE_INFINITY) continue
      const at = put(time, time === histogramTime ? 2 : 0)
      if (at < 0) continue
      if (time !== histogramTime) out.values[at] = columns[C.last]![i]!
      else {
        out.histograms ??= []
        out.histograms[at] = rows.histograms![i]
      }
    }
    if (columns[C.staleTime]![i] === 0) continue
    const at = put(columns[C.staleTime]![i]!, 1)
    if (at >= 0) stale.set(STALE_WORDS, 2 * at)
  }
}

const STALE_WORDS = [STALE_LOW, STALE_HIGH] as const

function overlaps(part: Part, range: TimeRange): boolean {
  return part.minTime <= range.maxTime && part.maxTime >= range.minTime
}

function hasHistograms({ count, flags, histograms }: SampleBuffer, from: number): boolean {
  for (let i = from; i < count; i++) if (flags[i] === 2 && histograms?.[i]?.isStale !== true) return true
  return false
}

/** Without stale markers. */
function appendFloats(
  samples: SampleBuffer,
  columns: number,
  out: AggregateBuffer,
  first: number,
  scratch: AggregateBuffer,
): void {
  if (!samples.mixed) {
    appendAsRows(samples, columns, out, first)
    return
  }
  clearRows(scratch)
  appendAsRows(samples, columns, scratch, first)
  appendNonEmpty(scratch, out)
}

function appendNonEmpty(rows: AggregateBuffer, out: AggregateBuffer): void {
  const samples = rows.columns[C.samples]!
  if (samples.subarray(0, rows.count).every((count) => count > 0)) {
    appendRows(out, rows)
    return
  }
  for (let i = 0; i < rows.count; i++) if (samples[i]! > 0) appendRow(out, rows, i)
}

function slice(of: SampleBuffer, from: number, to: number): SampleBuffer {
  return {
    ...of,
    count: to - from,
    times: of.times.slice(from, to),
    values: of.values.slice(from, to),
    flags: of.flags.slice(from, to),
    histograms: of.histograms?.slice(from, to) ?? null,
    startTimes: of.startTimes?.slice(from, to) ?? null,
  }
}
