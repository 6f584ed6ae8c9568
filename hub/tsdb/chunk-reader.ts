/**
 * Decodes chunks and open runs into a sample buffer. Works on memory that the writer may be changing: every loop is
 * bounded by what the header said, and the caller (series-reader.ts) throws the result away if it changed.
 * Hot: bench/hub/head.bench.ts
 */

import type { Histogram } from '../../protocol/samples/mod.ts'
import { type Cursor, evenStep, unpackDeltas } from './bits.ts'
import { FRAME_COUNT, FRAME_GAP, HISTOGRAM_HEADER } from './chunk-writer.ts'
import type { SampleBuffer } from './contract.ts'
import { decodeHistogram } from './histogram-codec.ts'
import {
  K_BASE_F64,
  K_COUNT_SHIFT,
  K_END_TICK,
  K_HEADER,
  K_LAST_OFFSET,
  K_META,
  K_PREV,
  K_TICK,
  K_USED,
  KIND_MASK,
  Kind,
  PAGE_MASK,
  PAGE_SHIFT,
  RUN,
} from './layout.ts'
import type { Memory } from './memory.ts'
import { decodeValues, fillValue, readWord, skipValues } from './value-codec.ts'

/** The ticks [from, to) that a query wants of a group, with their times. */
export type TickRange = { group: number; from: number; to: number; times: Float64Array }

/** Where decoded samples go: the caller's buffer, its words, and a place for runs of which only a part is wanted. */
export class ChunkTarget {
  out: SampleBuffer
  words: Uint32Array
  minTime = 0
  maxTime = 0
  /** Of the first so many samples none is NaN. */
  numbers = 0
  /** Times only grow, from run to run too: not so of late samples. */
  isAscending = true
  readonly runTimes = new Float64Array(RUN)
  readonly runStarts = new Float64Array(RUN)
  readonly runValues = new Float64Array(RUN)
  readonly runWords = new Uint32Array(this.runValues.buffer)
  readonly start = new Float64Array(1)
  readonly startWords = new Uint32Array(this.start.buffer)

  constructor(out: SampleBuffer) {
    this.out = out
    this.words = new Uint32Array(out.values.buffer)
  }

  /** After the buffer's arrays may have been replaced. */
  refresh(out: SampleBuffer): void {
    this.out = out
    if (this.words.buffer !== out.values.buffer || this.words.byteOffset !== out.values.byteOffset) {
      this.words = new Uint32Array(out.values.buffer, out.values.byteOffset, out.values.length * 2)
    }
  }
}

/** The part of the chunk's samples in the tick range. `out` has room for them all. */
export function decodeGroupChunk(
  mem: Memory,
  chunk: number,
  cursor: Cursor,
  ticks: TickRange,
  target: ChunkTarget,
): void {
  const { out, words } = target
  const values = out.values
  const bytes = mem.u8[chunk >>> PAGE_SHIFT]!
  cursor.view = mem.views[chunk >>> PAGE_SHIFT]!
  cursor.pos = ((chunk & PAGE_MASK) + K_HEADER) * 4
  const end = cursor.pos + (mem.get(chunk + K_USED) & 0xffff)
  cursor.low = mem.get(chunk + K_PREV)
  cursor.high = mem.get(chunk + K_PREV + 1)
  let tick = mem.get(chunk + K_TICK)
  let count = out.count
  while (cursor.pos < end && tick < ticks.to) {
    const frame = bytes[cursor.pos++]!
    if (frame & FRAME_GAP) tick += readVarint(bytes, cursor)
    let n = frame & FRAME_COUNT
    const isLong = n === 0
    if (isLong) {
      n = bytes[cursor.pos]! | (bytes[cursor.pos + 1]! << 8)
      cursor.pos += 2
    }
    const from = Math.max(tick, ticks.from)
    const to = Math.min(tick + n, ticks.to)
    const wanted = Math.max(0, to - from)
    if (isLong) fillValue(words, count, wanted, cursor.low, cursor.high)
    else if (wanted === n) decodeValues(bytes, cursor, n, values, words, count)
    else if (wanted === 0) skipValues(bytes, cursor, n)
    else {
      decodeValues(bytes, cursor, n, target.runValues, target.runWords, 0)
      words.set(target.runWords.subarray(2 * (from - tick), 2 * (to - tick)), 2 * count)
    }
    if (wanted > 0) copyTimes(ticks, from, wanted, out.times, count)
    count += wanted
    tick += n
  }
  out.count = count
}

/** The chunk's samples of own times in the time range. */
export function decodeOwnChunk(mem: Memory, chunk: number, cursor: Cursor, target: ChunkTarget): void {
  const { out, words, minTime, maxTime, runTimes, isAscending } = target
  const { times, values } = out
  const hasStarts = chunkKind(mem, chunk) === Kind.ownStart
  const isPlain = isAscending && !hasStarts
  const bytes = mem.u8[chunk >>> PAGE_SHIFT]!
  cursor.view = mem.views[chunk >>> PAGE_SHIFT]!
  cursor.pos = ((chunk & PAGE_MASK) + K_HEADER) * 4
  const end = cursor.pos + (mem.get(chunk + K_USED) & 0xffff)
  cursor.low = mem.get(chunk + K_PREV)
  cursor.high = mem.get(chunk + K_PREV + 1)
  const base = mem.getF64(chunk, K_BASE_F64)
  let before = 0
  let count = out.count
  while (cursor.pos < end) {
    const n = Math.min(bytes[cursor.pos++]!, RUN)
    if (n === 0) return
    const from = before
    const step = evenStep(bytes, cursor)
    if (step < 0) {
      unpackDeltas(bytes, cursor, n, from, runTimes, 0)
      before = runTimes[n - 1]!
    } else {
      before = from + n * step
      if (isPlain) {
        if (base + before < minTime) {
          skipValues(bytes, cursor, n)
          continue
        }
        const first = base + from + step
        if (first > maxTime) break
        if (first >= minTime && base + before <= maxTime) {
          decodeValues(bytes, cursor, n, values, words, count)
          for (let i = 0; i < n; i++) times[count + i] = first + i * step
          count += n
          continue
        }
      }
      for (let i = 0; i < n; i++) runTimes[i] = from + (i + 1) * step
    }
    if (isAscending && base + runTimes[0]! > maxTime) break
    if (hasStarts) readStarts(bytes, cursor, n, target)
    if (isAscending && base + runTimes[0]! >= minTime && base + before <= maxTime) {
      decodeValues(bytes, cursor, n, values, words, count)
      for (let i = 0; i < n; i++) times[count + i] = base + runTimes[i]!
      if (hasStarts) for (let i = 0; i < n; i++) out.startTimes![count + i] = target.runStarts[i]!
      count += n
      continue
    }
    // The next run's values stand on those that are not wanted.
    if (isAscending && base + before < minTime) {
      skipValues(bytes, cursor, n)
      continue
    }
    decodeValues(bytes, cursor, n, target.runValues, target.runWords, 0)
    for (let i = 0; i < n; i++) {
      const time = base + runTimes[i]!
      if (time < minTime || time > maxTime) continue
      times[count] = time
      words[2 * count] = target.runWords[2 * i]!
      words[2 * count + 1] = target.runWords[2 * i + 1]!
      if (hasStarts) out.startTimes![count] = target.runStarts[i]!
      count++
    }
  }
  out.count = count
}

/** @param passed the chunk before, of which nothing was wanted; 0 when there is none */
export function decodeHistogramChunk(mem: Memory, chunk: number, passed: number, target: ChunkTarget): void {
  const { out, minTime, maxTime } = target
  const n = mem.get(chunk + K_META) >>> K_COUNT_SHIFT
  let at = chunk + K_HEADER
  let skipped = -1
  for (let i = 0; i < n; i++) {
    const time = mem.getF64(at, 0)
    const start = mem.getF64(at, 1)
    const length = mem.get(at + 4)
    if (time < minTime) skipped = at
    else if (time <= maxTime) {
      const histogram = histogramAt(mem, at)
      if (out.count === 0) {
        if (skipped < 0 && passed !== 0) skipped = lastHistogram(mem, passed)
        if (skipped >= 0) out.before = histogramAt(mem, skipped)
      }
      out.times[out.count] = time
      out.values[out.count] = 0
      out.flags[out.count] = 2
      if (out.startTimes) out.startTimes[out.count] = start
      out.histograms ??= []
      out.histograms[out.count] = histogram
      out.mixed = true
      out.count++
    }
    at += recordWords(length)
  }
}

/** The record of the chunk's last histogram; -1 for a chunk of other samples. */
function lastHistogram(mem: Memory, chunk: number): number {
  if (chunkKind(mem, chunk) !== Kind.histogram) return -1
  let at = chunk + K_HEADER
  for (let left = chunkCount(mem, chunk) - 1; left > 0; left--) at += recordWords(mem.get(at + 4))
  return at
}

/** Records stay on 8-byte borders for their times. */
function recordWords(payloadBytes: number): number {
  return ((HISTOGRAM_HEADER + ((payloadBytes + 3) & ~3) + 7) & ~7) >>> 2
}

/** Of the record there. */
function histogramAt(mem: Memory, at: number): Histogram {
  const from = (at & PAGE_MASK) * 4 + HISTOGRAM_HEADER
  return decodeHistogram(mem.u8[at >>> PAGE_SHIFT]!.subarray(from, from + mem.get(at + 4)))
}

/** Leaves the last value of a chunk of own times in the cursor. */
export function lastValueOfChunk(mem: Memory, chunk: number, cursor: Cursor): void {
  const target = new ChunkTarget({
    count: 0,
    times: new Float64Array(0),
    values: new Float64Array(0),
    flags: new Uint8Array(0),
    mixed: false,
    histograms: null,
    startTimes: new Float64Array(0),
  })
  target.minTime = Infinity
  target.isAscending = false
  decodeOwnChunk(mem, chunk, cursor, target)
}

export function chunkKind(mem: Memory, chunk: number): Kind {
  return (mem.get(chunk + K_META) & KIND_MASK) as Kind
}

export function chunkCount(mem: Memory, chunk: number): number {
  return mem.get(chunk + K_META) >>> K_COUNT_SHIFT
}

/** Does the chunk of own times or histograms have samples between the two times? */
export function overlapsTimes(mem: Memory, chunk: number, minTime: number, maxTime: number): boolean {
  const base = mem.getF64(chunk, K_BASE_F64)
  return base <= maxTime && base + mem.get(chunk + K_LAST_OFFSET) >= minTime
}

export function overlapsTicks(mem: Memory, chunk: number, from: number, to: number): boolean {
  return mem.get(chunk + K_TICK) < to && mem.get(chunk + K_END_TICK) > from
}

export function copyTimes(ticks: TickRange, from: number, n: number, out: Float64Array, to: number): void {
  const first = from - ticks.from
  const times = ticks.times
  for (let i = 0; i < n; i++) out[to + i] = times[first + i]!
}

function readStarts(bytes: Uint8Array<ArrayBufferLike>, cursor: Cursor, n: number, target: ChunkTarget): void {
  target.startWords[0] = readWord(bytes, cursor.pos)
  target.startWords[1] = readWord(bytes, cursor.pos + 4)
  cursor.pos += 8
  target.runStarts[0] = target.start[0]!
  unpackDeltas(bytes, cursor, n - 1, target.start[0]!, target.runStarts, 1)
}

function readVarint(bytes: Uint8Array<ArrayBufferLike>, cursor: Cursor): number {
  let value = 0
  for (let shift = 0; shift < 32; shift += 7) {
    const byte = bytes[cursor.pos++]!
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  return value >>> 0
}
