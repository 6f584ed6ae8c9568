/**
 * The structure section: which targets, which series of each, and the table of scrapes.
 *
 *     live groups, restated groups
 *     per group    target (0 and text, or 1 + index in the keyframe), series (0 as in the keyframe, or 1 and runs), flags
 *     scrapes      count, then as columns: group index, interval, slot, timestamp, row
 *
 * A restated group (keyframes only) is a target that was not scraped in this batch: one row of last values, for the
 * keyframe and not for the store. Times are differences: an interval to the target's interval before, a slot to the
 * slot that was due, a timestamp's distance from its slot to the distance before. In the steady state all are small.
 *
 *     row byte     bits 0-1: 0 all columns, 1 as in the target's scrape before, 2 runs of columns, 3 list with repeats
 *                  bit 2 own timestamps, bit 3 start timestamps
 */
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import { type Group, isStrict, sameList } from './grouping.ts'
import type { Keyframe } from './keyframe.ts'
import { type BatchLimits, MAX_TIME_MS } from './limits.ts'
import { readRuns, writeRuns } from './runs.ts'
import type { BatchHeader, Scrape } from './types.ts'

export const GroupFlag = { timestamps: 1, startTimestamps: 2, stale: 4, histograms: 8 } as const
const Row = { all: 0, same: 1, runs: 2, list: 3 } as const
const RowFlag = { timestamps: 4, startTimestamps: 8 } as const

export type ScrapeTimes = Pick<Scrape, 'slotMs' | 'intervalMs' | 'timestampMs'>

/** A group as read: what is needed to lay out its columns. */
export type ReadGroup = {
  readonly target: string
  readonly ids: Uint32Array
  readonly flags: number
  readonly rows: (Uint32Array | null)[]
  /** By row: index of the scrape in the batch. */
  readonly scrapeIndices: number[]
}

/** Which series ids are defined; all are below `bound`. */
export type KnownIds = { readonly has: (id: number) => boolean; readonly bound: number }

export type ReadScrape = ScrapeTimes & {
  readonly group: number
  readonly row: number
  readonly hasTimestamps: boolean
  readonly hasStartTimestamps: boolean
}

export function groupFlags(group: Group): number {
  let flags = group.stale === null ? 0 : GroupFlag.stale
  for (const scrape of group.scrapes) {
    if (scrape.timestamps !== null) flags |= GroupFlag.timestamps
    if (scrape.startTimestamps !== null) flags |= GroupFlag.startTimestamps
    if (scrape.histograms !== null && scrape.histograms.size > 0) flags |= GroupFlag.histograms
  }
  return flags
}

/** @param order per scrape of the batch: index of its group, and its row there */
export function writeStructure(
  out: ByteWriter,
  live: readonly Group[],
  restated: readonly Group[],
  order: readonly { readonly group: number; readonly row: number }[],
  header: { readonly minTimeMs: number },
  base: Keyframe | null,
): void {
  out.varint(live.length)
  out.varint(restated.length)
  const baseIndex = new Map(base?.targets.map(({ target }, i) => [target, i]))
  for (const group of live) writeGroup(out, group, base, baseIndex)
  for (const group of restated) writeGroup(out, group, base, baseIndex)
  out.varint(order.length)
  for (const { group } of order) out.varint(group)
  const times = new TimeCoder(live.length, header.minTimeMs)
  for (const { group, row } of order) times.write(out, group, live[group]!.scrapes[row]!)
  for (const { group, row } of order) writeRow(out, live[group]!, row)
}

export function readStructure(
  input: ByteReader,
  header: BatchHeader,
  base: Keyframe | null,
  known: KnownIds,
  limits: BatchLimits,
): { readonly live: ReadGroup[]; readonly restated: ReadGroup[]; readonly scrapes: ReadScrape[] } {
  const liveCount = input.count(3)
  const restatedCount = input.count(3)
  if (restatedCount > 0 && base !== null) input.fail('only a keyframe restates')
  const live = readGroups(input, liveCount, header.sampleCount, base, known, limits)
  const restated = readGroups(input, restatedCount, limits.maxSamples, base, known, limits)
  for (const group of restated) group.rows.push(null)
  const scrapes = readScrapes(input, header, live)
  for (const { rows, target } of live) if (rows.length === 0) input.fail(`target "${target}" has no scrape`)
  input.end()
  return { live, restated, scrapes }
}

function writeGroup(
  out: ByteWriter,
  group: Group,
  base: Keyframe | null,
  baseIndex: ReadonlyMap<string, number>,
): void {
  const index = baseIndex.get(group.target)
  out.varint(index === undefined ? 0 : 1 + index)
  if (index === undefined) out.text(group.target)
  const same = index !== undefined && sameList(base!.targets[index]!.ids, group.ids)
  out.byte(same ? 0 : 1)
  if (!same) writeRuns(out, group.ids)
  out.byte(groupFlags(group))
}

function readGroups(
  input: ByteReader,
  count: number,
  maxIds: number,
  base: Keyframe | null,
  known: KnownIds,
  limits: BatchLimits,
): ReadGroup[] {
  const groups: ReadGroup[] = []
  let idsLeft = maxIds
  for (let i = 0; i < count; i++) {
    const ref = input.varint()
    const before = ref === 0 ? null : (base?.targets[ref - 1] ?? input.fail(`the keyframe has no target ${ref - 1}`))
    const target = before === null ? input.text(limits.maxStringBytes) : before.target
    const ids = readIds(input, before?.ids ?? null, known, idsLeft)
    idsLeft -= ids.length
    const flags = input.byte()
    if (flags > 15) input.fail('group flags are not known')
    groups.push({ target, ids, flags, rows: [], scrapeIndices: [] })
  }
  return groups
}

function readIds(input: ByteReader, before: Uint32Array | null, known: KnownIds, maxCount: number): Uint32Array {
  const kind = input.byte()
  if (kind === 0) {
    if (before === null) return input.fail('it refers to a list of series that is not there')
    if (before.length > maxCount) return input.fail(`it has more than the ${maxCount} series left of the declared ones`)
    return before
  }
  if (kind !== 1) input.fail(`a list of series of kind ${kind} is not known`)
  const ids = readRuns(input, known.bound, maxCount)
  for (let i = 0; i < ids.length; i++) if (!known.has(ids[i]!)) input.fail(`series ${ids[i]} is not defined`)
  return ids
}

function writeRow(out: ByteWriter, group: Group, row: number): void {
  const scrape = group.scrapes[row]!
  const columns = group.rows[row]!
  const before = row === 0 ? undefined : group.rows[row - 1]
  const flags =
    (scrape.timestamps === null ? 0 : RowFlag.timestamps) |
    (scrape.startTimestamps === null ? 0 : RowFlag.startTimestamps)
  if (columns === null) out.byte(flags | Row.all)
  else if (before && sameList(columns, before)) out.byte(flags | Row.same)
  else if (isStrict(columns)) {
    out.byte(flags | Row.runs)
    writeRuns(out, columns)
  } else {
    out.byte(flags | Row.list)
    out.varint(columns.length)
    for (let i = 0; i < columns.length; i++) out.varint(columns[i]! - (i === 0 ? 0 : columns[i - 1]!))
  }
}

function readScrapes(input: ByteReader, header: BatchHeader, live: readonly ReadGroup[]): ReadScrape[] {
  const count = input.count(5)
  const groupOf = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    const group = input.varint()
    if (group >= live.length) input.fail(`there is no group ${group}`)
    groupOf[i] = group
  }
  const coder = new TimeCoder(live.length, header.minTimeMs)
  const times: ScrapeTimes[] = []
  for (let i = 0; i < count; i++) times.push(coder.read(input, groupOf[i]!, header))
  const scrapes: ReadScrape[] = []
  let samplesLeft = header.sampleCount
  for (let i = 0; i < count; i++) {
    const group = live[groupOf[i]!]!
    const flags = input.byte()
    if (flags > 15) input.fail('row flags are not known')
    const columns = readRow(input, group, flags & 3, samplesLeft)
    samplesLeft -= columns?.length ?? group.ids.length
    if (samplesLeft < 0) input.fail(`it has more than the ${header.sampleCount} samples that the header declares`)
    scrapes.push({
      ...times[i]!,
      group: groupOf[i]!,
      row: group.rows.length,
      hasTimestamps: (flags & RowFlag.timestamps) !== 0,
      hasStartTimestamps: (flags & RowFlag.startTimestamps) !== 0,
    })
    checkColumnFlags(input, group, flags)
    group.rows.push(columns)
    group.scrapeIndices.push(i)
  }
  if (samplesLeft !== 0) input.fail(`it has ${samplesLeft} samples fewer than the header declares`)
  return scrapes
}

function readRow(input: ByteReader, group: ReadGroup, kind: number, maxCount: number): Uint32Array | null {
  const columnCount = group.ids.length
  switch (kind) {
    case Row.all:
      return null
    case Row.same:
      return group.rows.at(-1) ?? input.fail('a row refers to one that is not there')
    case Row.runs:
      return readRuns(input, columnCount, maxCount)
    default: {
      const columns = new Uint32Array(input.count())
      for (let i = 0, column = 0; i < columns.length; i++) {
        column += input.varint()
        if (column >= columnCount) input.fail(`there is no column ${column}`)
        columns[i] = column
      }
      return columns
    }
  }
}

function checkColumnFlags(input: ByteReader, group: ReadGroup, flags: number): void {
  const own = (flags & RowFlag.timestamps) !== 0 && (group.flags & GroupFlag.timestamps) === 0
  const start = (flags & RowFlag.startTimestamps) !== 0 && (group.flags & GroupFlag.startTimestamps) === 0
  if (own || start) input.fail(`target "${group.target}" lacks a column that a scrape claims`)
}

/** Times of scrapes, each against the target's scrape before. */
class TimeCoder {
  private readonly slots: Float64Array
  private readonly intervals: Float64Array
  private readonly delays: Float64Array

  constructor(groupCount: number, minTimeMs: number) {
    this.slots = new Float64Array(groupCount).fill(minTimeMs)
    this.intervals = new Float64Array(groupCount)
    this.delays = new Float64Array(groupCount)
  }

  write(out: ByteWriter, group: number, { slotMs, intervalMs, timestampMs }: ScrapeTimes): void {
    const delay = timestampMs - slotMs
    out.zigzag(intervalMs - this.intervals[group]!)
    out.zigzag(slotMs - this.slots[group]!)
    out.zigzag(delay - this.delays[group]!)
    this.next(group, slotMs, intervalMs, delay)
  }

  read(input: ByteReader, group: number, header: BatchHeader): ScrapeTimes {
    const intervalMs = this.intervals[group]! + input.zigzag()
    const slotMs = this.slots[group]! + input.zigzag()
    const delay = this.delays[group]! + input.zigzag()
    const timestampMs = slotMs + delay
    if (intervalMs < 0 || intervalMs > MAX_TIME_MS || Math.abs(slotMs) > MAX_TIME_MS)
      input.fail(`a scrape at slot ${slotMs} every ${intervalMs} ms is out of range`)
    if (!(timestampMs >= header.minTimeMs && timestampMs <= header.maxTimeMs))
      input.fail(`a scrape at ${timestampMs} is outside the header's time range`)
    this.next(group, slotMs, intervalMs, delay)
    return { slotMs, intervalMs, timestampMs }
  }

  private next(group: number, slotMs: number, intervalMs: number, delay: number): void {
    this.slots[group] = slotMs + intervalMs
    this.intervals[group] = intervalMs
    this.delays[group] = delay
  }
}
