/**
 * The extras section, what most batches have none of:
 *
 *     per live group, as its flags say    runs of the flat positions that are stale markers;
 *                                         runs of the positions that are histograms, and these
 *     exemplars   count; of each: scrape (gap), series, label texts, value, timestamp (0, or 1 and a number)
 *     missed      count; of each: target, first slot, length, interval, reason
 */
import type { Exemplar, Histogram } from '../samples/mod.ts'
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { Group } from './grouping.ts'
import { readHistogram, readNumber, writeHistogram, writeNumber } from './histograms.ts'
import type { Layout } from './layout.ts'
import { type BatchLimits, MAX_TIME_MS } from './limits.ts'
import { readRuns, writeRuns } from './runs.ts'
import type { MissedSlots, MissReason, Scrape } from './types.ts'

const REASONS: readonly MissReason[] = ['agent_down', 'overrun', 'overwritten', 'budget', 'suspended', 'shutdown']

/** @param last histogram by series id: what came before; updated */
export function writeHistograms(out: ByteWriter, group: Group, last: Map<number, Histogram>): void {
  const positions: number[] = []
  group.scrapes.forEach((scrape, r) => {
    for (const i of [...(scrape.histograms?.keys() ?? [])].sort((a, b) => a - b))
      positions.push(group.layout.rowStart[r]! + i)
  })
  writeRuns(out, positions)
  group.scrapes.forEach((scrape) => {
    for (const i of [...(scrape.histograms?.keys() ?? [])].sort((a, b) => a - b)) {
      const id = scrape.ids[i]!
      const histogram = scrape.histograms!.get(i)!
      writeHistogram(out, histogram, last.get(id) ?? null)
      if (!histogram.isStale) last.set(id, histogram)
    }
  })
}

/** @returns by row, then by position in the scrape */
export function readHistograms(
  input: ByteReader,
  layout: Layout,
  idAt: (row: number, position: number) => number,
  last: Map<number, Histogram>,
): (Map<number, Histogram> | null)[] {
  const sampleCount = layout.rowStart[layout.rowCount]!
  const positions = readRuns(input, sampleCount, Math.min(sampleCount, input.left))
  const out: (Map<number, Histogram> | null)[] = new Array(layout.rowCount).fill(null)
  for (let i = 0, row = 0; i < positions.length; i++) {
    while (layout.rowStart[row + 1]! <= positions[i]!) row++
    const position = positions[i]! - layout.rowStart[row]!
    const id = idAt(row, position)
    const histogram = readHistogram(input, last.get(id) ?? null)
    if (!histogram.isStale) last.set(id, histogram)
    ;(out[row] ??= new Map()).set(position, histogram)
  }
  return out
}

export function writeExemplars(out: ByteWriter, scrapes: readonly Scrape[]): void {
  out.varint(scrapes.reduce((sum, { exemplars }) => sum + (exemplars?.length ?? 0), 0))
  let before = 0
  scrapes.forEach((scrape, index) => {
    for (const { id, exemplar } of scrape.exemplars ?? []) {
      out.varint(index - before)
      before = index
      out.varint(id)
      out.varint(exemplar.labels.length)
      for (const text of exemplar.labels) out.text(text)
      writeNumber(out, exemplar.value, 0)
      out.byte(exemplar.timestampMs === null ? 0 : 1)
      if (exemplar.timestampMs !== null) writeNumber(out, exemplar.timestampMs, scrape.timestampMs)
    }
  })
}

type IdExemplar = { readonly id: number; readonly exemplar: Exemplar }

/** @returns by scrape index */
export function readExemplars(
  input: ByteReader,
  scrapes: readonly { readonly timestampMs: number }[],
  isKnown: (id: number) => boolean,
  limits: BatchLimits,
): (IdExemplar[] | null)[] {
  const out: (IdExemplar[] | null)[] = new Array(scrapes.length).fill(null)
  const count = input.count(5)
  for (let i = 0, index = 0; i < count; i++) {
    index += input.varint()
    if (index >= scrapes.length) input.fail(`there is no scrape ${index}`)
    const id = input.varint()
    if (!isKnown(id)) input.fail(`series ${id} is not defined`)
    const textCount = input.count()
    if (textCount % 2 !== 0) input.fail('labels of an exemplar must be pairs')
    const labels = Array.from({ length: textCount }, () => input.text(limits.maxStringBytes))
    const value = readNumber(input, 0)
    const timestampMs = input.byte() === 0 ? null : readNumber(input, scrapes[index]!.timestampMs)
    ;(out[index] ??= []).push({ id, exemplar: { labels, value, timestampMs } })
  }
  return out
}

export function writeMissed(out: ByteWriter, missed: readonly MissedSlots[], minTimeMs: number): void {
  out.varint(missed.length)
  for (const { target, fromMs, toMs, intervalMs, reason } of missed) {
    out.text(target)
    out.zigzag(fromMs - minTimeMs)
    out.varint(toMs - fromMs)
    out.varint(intervalMs)
    out.byte(REASONS.indexOf(reason))
  }
}

export function readMissed(input: ByteReader, minTimeMs: number, limits: BatchLimits): MissedSlots[] {
  const missed: MissedSlots[] = []
  for (let count = input.count(5); count > 0; count--) {
    const target = input.text(limits.maxStringBytes)
    const fromMs = minTimeMs + input.zigzag()
    const toMs = fromMs + input.varint()
    const intervalMs = input.varint()
    const reason = REASONS[input.byte()] ?? input.fail('a reason for missed slots is not known')
    if (Math.abs(fromMs) > MAX_TIME_MS || Math.abs(toMs) > MAX_TIME_MS || intervalMs > MAX_TIME_MS)
      input.fail('missed slots are out of range')
    missed.push({ target, fromMs, toMs, intervalMs, reason })
  }
  return missed
}
