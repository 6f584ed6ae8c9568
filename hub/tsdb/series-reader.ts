/**
 * Reads one series: sealed chunks, the open run, and samples that came late, as one ascending run. Takes no lock: the
 * record's version is even before and the same after, or the read is done again.
 */

import { STALE_HIGH, STALE_LOW } from '../../protocol/samples/mod.ts'
import { Cursor } from './bits.ts'
import { ChunkMarks } from './chunk-marks.ts'
import {
  ChunkTarget,
  chunkCount,
  chunkKind,
  copyTimes,
  decodeGroupChunk,
  decodeHistogramChunk,
  decodeOwnChunk,
  overlapsTicks,
  overlapsTimes,
  type TickRange,
} from './chunk-reader.ts'
import { RAW_STARTS, RAW_TIMES } from './chunk-writer.ts'
import type { SampleBuffer } from './contract.ts'
import { StalePagesError } from './errors.ts'
import { findTick, firstTick, tickTime } from './groups.ts'
import { KeptChunks } from './kept-chunks.ts'
import { KeptSeries } from './kept-series.ts'
import { mergeLate } from './late-reader.ts'
import {
  C_EVICTED_F64,
  C_FLOOR_F64,
  C_GENERATION,
  COUNT_SHIFT,
  G_DIRECTORY,
  G_PUBLISHED,
  G_TICKS,
  K_BASE_F64,
  K_END_TICK,
  K_GROUP,
  K_NEXT,
  K_TICK,
  KIND_MASK,
  Kind,
  O_CAPACITY,
  O_HEADER,
  O_USED,
  PAGE_MASK,
  PAGE_SHIFT,
  RUN,
  S_BASE_F64,
  S_FIRST,
  S_GROUP,
  S_LAST,
  S_OOO,
  S_OOO_RAW,
  S_PREV,
  S_RAW,
  S_STATE,
  S_TICK,
  S_VERSION,
} from './layout.ts'
import { waitForWriter } from './lock-wait.ts'
import type { Memory } from './memory.ts'
import { createSampleBuffer, ensureCapacity, reset } from './sample-buffer.ts'
import type { Table } from './table.ts'
import { TimesTrail } from './times-key.ts'
import { fillValue } from './value-codec.ts'

/** Floats that are decoded in the time of one histogram, about. */
const HISTOGRAM_WEIGHT = 50
/** Of decoded values that a reading thread keeps: the last four hours of 3,000 series at 15 s. */
const KEPT_BYTES = 24 << 20

export class SeriesDecoder {
  readonly #mem: Memory
  readonly #groups: Table
  readonly #tickField: number
  readonly #cursor = new Cursor()
  readonly #late = createSampleBuffer(16)
  readonly #inOrderTarget = new ChunkTarget(createSampleBuffer(16))
  readonly #lateTarget = new ChunkTarget(this.#late)
  /** Of the two, the one that is being filled. */
  #target = this.#inOrderTarget
  #ticks: TickRange = { group: -1, from: 0, to: 0, times: new Float64Array(64) }
  readonly #trail = new TimesTrail()
  /** The writer keeps none. */
  readonly #kept: KeptChunks | null
  /** False: what is decoded is forgotten at once. */
  mayKeep = true
  #mayUseKept = false
  #record = 0
  /** Of the record, at the beginning of the read. */
  #version = 0
  readonly #known = new KeptSeries()
  #generation = -1
  #ticksKey = { min: 0, max: 0, end: -1, directory: 0 }
  #min = 0
  #max = 0
  /** For `find`. */
  readonly #marks: ChunkMarks
  readonly #hits: number[] = []
  readonly #lateHits: number[] = []
  readonly #ticksAt = (group: number): TickRange => this.#ticksOf(group)

  /** `unpublished`: for the writer itself, which sees all its samples. */
  constructor(mem: Memory, groups: Table, unpublished = false) {
    this.#mem = mem
    this.#groups = groups
    this.#marks = new ChunkMarks(mem)
    this.#tickField = unpublished ? G_TICKS : G_PUBLISHED
    this.#kept = unpublished ? null : new KeptChunks(mem, KEPT_BYTES)
    this.#lateTarget.isAscending = false
  }

  /** Samples with minTime <= t <= maxTime of the series of this record, into `out`; perhaps without those before the newest. */
  read(record: number, minTime: number, maxTime: number, out: SampleBuffer, newestOnly = false): void {
    const mem = this.#mem
    const words = mem.u32[record >>> PAGE_SHIFT]!
    const version = (record & PAGE_MASK) + S_VERSION
    for (let looks = 0; ; ) {
      const before = Atomics.load(words, version) // pairs with the adds in chunk-writer.ts, lock()
      if (before & 1) {
        waitForWriter(mem, looks++)
        continue
      }
      looks = 0
      this.#version = before
      // What is newest stands in the open run, most often.
      this.#mayUseKept = !newestOnly && this.mayKeep && this.#kept !== null && this.#kept.begin()
      try {
        this.#readOnce(record, minTime, maxTime, out, newestOnly)
      } catch (error) {
        if (this.#mayUseKept) this.#kept?.undo()
        if (Atomics.load(words, version) !== before) continue
        if (mem.isStale) throw new StalePagesError(mem)
        throw error
      }
      // An add, not a load: on weakly ordered machines the loads above may not sink below it.
      if (Atomics.add(words, version, 0) === before) return
      if (this.#mayUseKept) this.#kept?.undo()
    }
  }

  /** As `read` of one time, for the writer's thread, which asks for each late sample. Returns whether there is one. */
  find(record: number, time: number, out: SampleBuffer): boolean {
    const mem = this.#mem
    this.#min = time
    this.#max = time
    const state = mem.get(record + S_STATE)
    const hits = this.#hits
    const lateHits = this.#lateHits
    hits.length = lateHits.length = 0
    const isShown = time >= Math.max(mem.controlF64[C_FLOOR_F64]!, mem.controlF64[C_EVICTED_F64]!)
    if (isShown) this.#marks.findInOrder(record, mem.get(record + S_FIRST), time, this.#ticksAt, hits)
    const isOpen = isShown && this.#openMayHave(record, time)
    const late = mem.get(record + S_OOO)
    if (late !== 0) this.#marks.findLate(record, late, time, lateHits)
    reset(out)
    const isInOrder = hits.length > 0 || isOpen
    if (!isInOrder && lateHits.length === 0 && !this.#isInLateBuffer(record, time)) return false
    this.#target = this.#inOrderTarget
    this.#prepare(out, this.#countOf(hits) + (state >>> COUNT_SHIFT))
    for (const chunk of hits) this.#readChunk(chunk)
    if (isOpen) this.#readOpenRun(record, state)
    if (out.count === 0) this.#readLate(record, out, lateHits)
    markStale(out, this.#target)
    return out.count > 0
  }

  /** Whenever chunks were taken away. */
  forgetChunks(): void {
    this.#marks.clear()
  }

  /** As `SeriesReader.readWeight`: by the heads of the chunks alone, and without the record's lock. */
  weight(record: number, minTime: number, maxTime: number): number {
    const mem = this.#mem
    this.#min = minTime
    this.#max = maxTime
    let weight = mem.load(record + S_STATE) >>> COUNT_SHIFT
    for (const list of [S_FIRST, S_OOO]) {
      for (let chunk = mem.load(record + list); chunk !== 0; chunk = mem.load(chunk + K_NEXT)) {
        if (!this.#overlaps(chunk)) continue
        weight += chunkCount(mem, chunk) * (chunkKind(mem, chunk) === Kind.histogram ? HISTOGRAM_WEIGHT : 1)
      }
    }
    return weight
  }

  #openMayHave(record: number, time: number): boolean {
    const mem = this.#mem
    const state = mem.get(record + S_STATE)
    if (state >>> COUNT_SHIFT === 0) return false
    if ((state & KIND_MASK) !== Kind.group) return time >= mem.getF64(record, S_BASE_F64)
    const ticks = this.#ticksOf(mem.get(record + S_GROUP))
    return ticks.to > ticks.from && ticks.from >= mem.get(record + S_TICK)
  }

  #isInLateBuffer(record: number, time: number): boolean {
    const mem = this.#mem
    const buffer = mem.get(record + S_OOO_RAW)
    const used = buffer === 0 ? 0 : mem.get(buffer + O_USED)
    for (let i = 0; i < used; i++) if (mem.getF64(buffer, 1 + i) === time) return true
    return false
  }

  #readOnce(record: number, minTime: number, maxTime: number, out: SampleBuffer, newestOnly: boolean): void {
    const mem = this.#mem
    const floor = Math.max(minTime, mem.controlF64[C_FLOOR_F64]!)
    this.#min = Math.max(floor, mem.controlF64[C_EVICTED_F64]!)
    this.#max = maxTime
    reset(out)
    this.#record = record
    // Of a single sample nobody asks.
    if (!newestOnly) this.#trail.begin(out)
    const late = mem.get(record + S_OOO) !== 0 || mem.get(record + S_OOO_RAW) !== 0
    this.#target = this.#inOrderTarget
    const state = mem.load(record + S_STATE) // pairs with the stores in series-writer.ts
    if (newestOnly && !late) {
      this.#prepare(out, state >>> COUNT_SHIFT)
      this.#readOpenRun(record, state)
      if (out.count > 0) {
        markStale(out, this.#target)
        return
      }
    }
    if (!late && this.#mayUseKept && this.#readKnown(record, state, out)) return
    const first = this.#firstChunk(record)
    this.#prepare(out, this.#capacity(first) + (state >>> COUNT_SHIFT))
    if (this.#kept !== null) this.#kept.found = -1
    this.#readChunks(first)
    if (this.#mayUseKept && first === mem.get(record + S_LAST) && this.#kept!.found >= 0)
      this.#known.note(mem, record, this.#version, this.#kept!.found, this.#kept!.drops)
    this.#readOpenRun(record, state)
    this.#min = floor
    if (late) this.#readLate(record, out)
    markStale(out, this.#target)
  }

  /** Where the newest chunk is all that is asked for, and was found decoded before: false, and nothing was done, else. */
  #readKnown(record: number, state: number, out: SampleBuffer): boolean {
    const known = this.#known
    const kept = this.#kept!
    if (!known.find(record, this.#version, kept.drops) || !kept.holds(known.entry, record, known.chunk)) return false
    const { entry, isOnly, group, tick } = known
    const ticks = group < 0 ? null : this.#ticksOf(group)
    const beginsEarlier = ticks === null ? kept.firstTimeOf(entry) <= this.#min : tick < ticks.from
    if (!isOnly && !beginsEarlier) return false
    this.#prepare(out, kept.countOf(entry) + (state >>> COUNT_SHIFT))
    kept.appendEntry(entry, ticks, tick, this.#target, this.#trail)
    this.#readOpenRun(record, state)
    markStale(out, this.#target)
    return true
  }

  /** Where to begin in the in-order chunks: at the newest, when it alone can have what is asked for, as most often. */
  #firstChunk(record: number): number {
    const mem = this.#mem
    const last = mem.get(record + S_LAST)
    return last !== 0 && this.#beginsEarlier(last) ? last : mem.load(record + S_FIRST)
  }

  /** Than what is asked for. Histograms are read from where the one before them is known. */
  #beginsEarlier(chunk: number): boolean {
    const mem = this.#mem
    const kind = chunkKind(mem, chunk)
    if (kind === Kind.histogram) return false
    if (kind !== Kind.group) return mem.getF64(chunk, K_BASE_F64) <= this.#min
    return mem.get(chunk + K_TICK) < this.#ticksOf(mem.get(chunk + K_GROUP)).from
  }

  #prepare(out: SampleBuffer, capacity: number): void {
    ensureCapacity(out, capacity)
    out.flags.fill(0, 0, capacity)
    this.#target.refresh(out)
    this.#target.minTime = this.#min
    this.#target.maxTime = this.#max
    this.#target.numbers = 0
  }

  /** Samples of the chunks in the list that overlap the range, at most; makes room for start times when there are any. */
  #capacity(first: number): number {
    const mem = this.#mem
    let samples = 0
    for (let chunk = first; chunk !== 0; chunk = mem.get(chunk + K_NEXT)) {
      if (this.#overlaps(chunk)) samples += chunkCount(mem, chunk)
    }
    return samples
  }

  #countOf(chunks: readonly number[]): number {
    let samples = 0
    for (const chunk of chunks) samples += chunkCount(this.#mem, chunk)
    return samples
  }

  #overlaps(chunk: number): boolean {
    if (chunkKind(this.#mem, chunk) !== Kind.group) return overlapsTimes(this.#mem, chunk, this.#min, this.#max)
    const ticks = this.#ticksOf(this.#mem.get(chunk + K_GROUP))
    return overlapsTicks(this.#mem, chunk, ticks.from, ticks.to)
  }

  #readChunks(first: number): void {
    const mem = this.#mem
    let passed = 0
    for (let chunk = first; chunk !== 0; chunk = mem.load(chunk + K_NEXT)) {
      if (this.#overlaps(chunk)) this.#readChunk(chunk, passed)
      passed = chunk
    }
  }

  #readChunk(chunk: number, passed = 0): void {
    const mem = this.#mem
    const kind = chunkKind(mem, chunk)
    const kept = this.#mayUseKept && this.#target === this.#inOrderTarget ? this.#kept : null
    if (kind === Kind.group) {
      const ticks = this.#ticksOf(mem.get(chunk + K_GROUP))
      if (kept?.append(this.#record, chunk, ticks, this.#target, this.#trail)) return
      decodeGroupChunk(mem, chunk, this.#cursor, ticks, this.#target)
      this.#addTicksOf(chunk, ticks)
      return
    }
    if (kind === Kind.own && kept?.append(this.#record, chunk, null, this.#target, this.#trail)) return
    this.#target.out.timesKey = 0
    if (kind !== Kind.own) this.#needStarts()
    if (kind === Kind.histogram) decodeHistogramChunk(mem, chunk, passed, this.#target)
    else decodeOwnChunk(mem, chunk, this.#cursor, this.#target)
  }

  #addTicksOf(chunk: number, { group, from, to }: TickRange): void {
    const mem = this.#mem
    const { out } = this.#target
    const first = mem.get(chunk + K_TICK)
    const end = mem.get(chunk + K_END_TICK)
    if (end - first !== chunkCount(mem, chunk)) out.timesKey = 0
    else this.#trail.addTicks(out, group, Math.max(first, from), Math.min(end, to))
  }

  #readOpenRun(record: number, state: number): void {
    const n = state >>> COUNT_SHIFT
    if (n === 0) return
    if ((state & KIND_MASK) === Kind.group) this.#readOpenGroup(record, n)
    else this.#readOpenOwn(record, n, (state & KIND_MASK) === Kind.ownStart)
  }

  #readOpenGroup(record: number, n: number): void {
    const mem = this.#mem
    const { out, words } = this.#target
    const ticks = this.#ticksOf(mem.get(record + S_GROUP))
    const tick = mem.get(record + S_TICK)
    const from = Math.max(tick, ticks.from)
    const wanted = Math.min(tick + n, ticks.to) - from
    if (wanted <= 0) return
    const raw = mem.get(record + S_RAW)
    if (raw === 0) fillValue(words, out.count, wanted, mem.get(record + S_PREV), mem.get(record + S_PREV + 1))
    else {
      const source = mem.u32[raw >>> PAGE_SHIFT]!
      const at = (raw & PAGE_MASK) + 2 * (from - tick)
      for (let i = 0; i < 2 * wanted; i++) words[2 * out.count + i] = source[at + i]!
    }
    copyTimes(ticks, from, wanted, out.times, out.count)
    out.count += wanted
    this.#trail.addTicks(out, ticks.group, from, from + wanted)
  }

  #readOpenOwn(record: number, n: number, hasStarts: boolean): void {
    const mem = this.#mem
    const { out, words } = this.#target
    const { times } = out
    const raw = mem.get(record + S_RAW)
    const base = mem.getF64(record, S_BASE_F64)
    const source = mem.u32[raw >>> PAGE_SHIFT]!
    const at = raw & PAGE_MASK
    if (hasStarts) this.#needStarts()
    let { count } = out
    for (let i = 0; i < n; i++) {
      const time = base + source[at + RAW_TIMES + i]!
      if (time < this.#min || time > this.#max) continue
      times[count] = time
      words[2 * count] = source[at + 2 * i]!
      words[2 * count + 1] = source[at + 2 * i + 1]!
      if (hasStarts) out.startTimes![count] = mem.getF64(raw + RAW_STARTS, i)
      count++
    }
    const before = out.count
    out.count = count
    this.#trail.addLoose(out, before)
  }

  /**
   * Decodes what came late behind the in-order samples, then merges the two.
   * @param known chunks that overlap the range; null: to be looked for
   */
  #readLate(record: number, out: SampleBuffer, known: readonly number[] | null = null): void {
    const mem = this.#mem
    const late = this.#late
    reset(late)
    this.#target = this.#lateTarget
    const buffer = mem.get(record + S_OOO_RAW)
    // At most a run, also when the buffer is another's by now and the read will be done again.
    const used = buffer === 0 ? 0 : Math.min(mem.get(buffer + O_USED), RUN)
    if (known === null) {
      this.#prepare(late, this.#capacity(mem.get(record + S_OOO)) + used)
      this.#readChunks(mem.get(record + S_OOO))
    } else {
      this.#prepare(late, this.#countOf(known) + used)
      for (const chunk of known) this.#readChunk(chunk)
    }
    if (used > 0) this.#readLateBuffer(buffer, used)
    this.#target = this.#inOrderTarget
    if (late.count === 0) return
    out.timesKey = 0
    out.rising = 0
    this.#target.numbers = 0
    ensureCapacity(out, out.count + late.count)
    if (late.startTimes && !out.startTimes) out.startTimes = new Float64Array(out.times.length)
    this.#target.refresh(out)
    mergeLate(out, this.#target.words, late, this.#lateTarget.words)
  }

  #readLateBuffer(buffer: number, used: number): void {
    const mem = this.#mem
    const { out, words } = this.#target
    const capacity = mem.get(buffer + O_CAPACITY)
    for (let i = 0; i < used; i++) {
      const time = mem.getF64(buffer, 1 + i)
      if (time < this.#min || time > this.#max) continue
      const start = mem.getF64(buffer, 1 + 2 * capacity + i)
      if (start !== 0) this.#needStarts()
      out.times[out.count] = time
      words[2 * out.count] = mem.get(buffer + O_HEADER + 2 * (capacity + i))
      words[2 * out.count + 1] = mem.get(buffer + O_HEADER + 2 * (capacity + i) + 1)
      if (out.startTimes) out.startTimes[out.count] = start
      out.count++
    }
  }

  #needStarts(): void {
    const { out } = this.#target
    out.startTimes ??= new Float64Array(out.times.length)
  }

  /** The group's ticks in the range, kept from series to series. */
  #ticksOf(group: number): TickRange {
    const mem = this.#mem
    const record = this.#groups.addr(group)
    const end = mem.load(record + this.#tickField) // pairs with the store in GroupWriter.publish
    const directory = mem.load(record + G_DIRECTORY)
    this.#forgetOldIds()
    const ticks = this.#ticks
    const key = this.#ticksKey
    if (
      ticks.group === group &&
      key.end === end &&
      key.directory === directory &&
      key.min === this.#min &&
      key.max === this.#max
    ) {
      return ticks
    }
    const first = Math.min(firstTick(mem, directory), end)
    ticks.from = findTick(mem, directory, first, end, this.#min)
    ticks.to = findTick(mem, directory, ticks.from, end, nextAfter(this.#max))
    const n = ticks.to - ticks.from
    if (ticks.times.length < n) ticks.times = new Float64Array(Math.max(n, ticks.times.length * 2))
    for (let i = 0; i < n; i++) ticks.times[i] = tickTime(mem, directory, ticks.from + i)
    ticks.group = group
    key.end = end
    key.directory = directory
    key.min = this.#min
    key.max = this.#max
    return ticks
  }

  /** Behind the loads of a group: who has met an id that was given out anew has seen the generation that was raised before. */
  #forgetOldIds(): void {
    const generation = this.#mem.control[C_GENERATION]!
    if (generation === this.#generation) return
    this.#generation = generation
    this.#ticks.group = -1
    this.#trail.forgetGroups()
  }
}

/** Times are whole milliseconds. */
function nextAfter(time: number): number {
  return Math.floor(time) + 1
}

function markStale(out: SampleBuffer, { words, numbers }: ChunkTarget): void {
  const { values, flags, count } = out
  for (let i = numbers; i < count; i++) {
    if (!Number.isNaN(values[i]!) || flags[i] !== 0) continue
    if (words[2 * i + 1] === STALE_HIGH && words[2 * i] === STALE_LOW) {
      flags[i] = 1
      out.mixed = true
    }
  }
}
