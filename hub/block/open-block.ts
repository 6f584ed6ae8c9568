/**
 * A block as a `SeriesReader`. The index is verified and read when the block is opened, chunks when a query comes to
 * them, by ranges of the file; each run is verified on every read from disk. A damaged run is set aside: its samples
 * are not served, never others in their place.
 */
import { crc32c } from '../../protocol/crc/mod.ts'
import type { DiskFile } from '../../protocol/env/mod.ts'
import { compareStrings, type Labels, labelsFromSorted } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../../protocol/samples/mod.ts'
import { STALE_HIGH, STALE_LOW } from '../../protocol/samples/mod.ts'
import {
  type DecodedValues,
  decodeHistogram,
  ensureCapacity,
  NO_TIMES,
  type SampleBuffer,
  type Shard,
  type TimeRange,
  timesKeyAfter,
} from '../tsdb/mod.ts'
import { ByteReader } from './bytes.ts'
import { FLOATS, HAS_STARTS, KIND } from './chunk-writer.ts'
import { decodeColumn } from './column.ts'
import { type BlockEnv, type BlockMeta, type BlockReader, CHUNKS_FILE, INDEX_FILE, type OnDamage } from './contract.ts'
import { BlockDamagedError } from './errors.ts'
import { decodeIndex } from './index-format.ts'
import { BlockIndex } from './index-reader.ts'
import { clearSamples } from './merge-samples.ts'
import { readMeta } from './meta.ts'
import { RunCache } from './run-cache.ts'
import { checkRunFileHeader, type RunTable, readRun } from './run-file.ts'
import { SelectedRefs } from './selected-refs.ts'
import { TierReader } from './tier-reader.ts'

export type OpenBlockOptions = {
  /** Shared by the blocks of a thread. Default: 32 MiB of its own. */
  readonly cache?: RunCache
  /** Shared too: what is asked for again and again is decoded once. Default: none are kept. */
  readonly values?: DecodedValues
  /** Hears of every run that is set aside, and of what else is not as it was written, once. */
  readonly onDamage?: OnDamage
  /** Hears of them at each read that would need them. */
  readonly onMissing?: OnDamage
}

const DEFAULT_CACHE_BYTES = 32 << 20
/** More than a block has columns of times. */
const KEYS_PER_BLOCK = 2 ** 32
/** Of the thread's blocks. */
let serials = 0

/** What is known of a chunk's decoded values: some are stale markers; none is less than the one before, nor NaN. */
const HAS_STALE = 1
const RISES = 2

function traitsOf(values: Float64Array, words: Uint32Array, from: number, n: number): number {
  let at = from + 1
  while (at < from + n && values[at]! >= values[at - 1]!) at++
  // Comparisons tell NaN everywhere but in the first of one.
  if (at >= from + n && !Number.isNaN(values[from]!)) return RISES
  for (let i = from; i < from + n; i++) if (isStaleAt(words, i)) return HAS_STALE
  return 0
}

const isStaleAt = (words: Uint32Array, i: number): boolean =>
  words[2 * i + 1] === STALE_HIGH && words[2 * i] === STALE_LOW

/**
 * @throws BlockDamagedError when meta, index or the file's header is not what was written; DiskError (`ENOENT` when
 * the block is gone)
 * @example const block = openBlock({ disk, compressor }, `${data}/blocks/${id}`)
 */
export function openBlock(env: BlockEnv, path: string, options: OpenBlockOptions = {}): BlockReader {
  const { onDamage = () => {} } = options
  const meta = readMeta(env.disk, path, onDamage)
  const bytes = env.disk.readFile(`${path}/${INDEX_FILE}`)
  if (bytes.length !== meta.indexBytes || crc32c(bytes) !== meta.indexCrc)
    throw new BlockDamagedError(path, INDEX_FILE, 'wrong checksum')
  const index = new BlockIndex(decodeIndex(bytes, path, env.compressor))
  const file = env.disk.open(`${path}/${CHUNKS_FILE}`, 'r')
  try {
    checkRunFileHeader(file, path, meta.chunksBytes, onDamage)
  } catch (error) {
    file.close()
    throw error
  }
  return new OpenBlock(env, path, meta, index, file, options)
}

class OpenBlock implements BlockReader {
  readonly meta: BlockMeta
  readonly #env: BlockEnv
  readonly #path: string
  readonly #index: BlockIndex
  readonly #selected: SelectedRefs
  readonly #file: DiskFile
  readonly #cache: RunCache
  readonly #onDamage: OnDamage
  readonly #onMissing: OnDamage
  /** By keys of runs that failed. */
  readonly #damaged = new Map<string, BlockDamagedError>()
  #labelIds = new Uint32Array(64)
  /** The last run of chunks and of times that were read: series that follow one another share them. */
  #lastRun = -1
  #lastReader = new ByteReader(new Uint8Array(0))
  #lastTimeRun = -1
  #lastTimes: readonly Float64Array[] = []
  #words: Uint32Array = new Uint32Array(0)
  readonly #values: DecodedValues | null
  /** By chunk: where its values are in `#values`, and what is known of them. */
  #places = new Float64Array(0)
  #traits = new Uint8Array(0)
  readonly stored: TierReader | null
  /** Of its columns of times, among those of all blocks of the thread. */
  readonly #firstColumn = KEYS_PER_BLOCK * serials++

  constructor(
    env: BlockEnv,
    path: string,
    meta: BlockMeta,
    index: BlockIndex,
    file: DiskFile,
    { cache, values, onDamage, onMissing }: OpenBlockOptions,
  ) {
    this.#env = env
    this.#path = path
    this.meta = meta
    this.#index = index
    this.#selected = new SelectedRefs(index)
    this.#file = file
    this.#cache = cache ?? new RunCache(DEFAULT_CACHE_BYTES)
    this.#values = values ?? null
    this.#onDamage = onDamage ?? (() => {})
    this.#onMissing = onMissing ?? (() => {})
    this.stored = index.tiers.length > 0 ? this.#tierReader() : null
  }

  get damagedRuns(): number {
    return this.#damaged.size
  }

  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    if (!this.#overlaps(range)) return new Uint32Array(0)
    const all = this.#selected.of(matchers)
    const coversAll = range.minTime <= this.meta.minTime && range.maxTime >= this.meta.maxTime - 1
    if (coversAll && !shard) return all.slice()
    const refs = new Uint32Array(all.length)
    let count = 0
    for (let i = 0; i < all.length; i++) {
      const ref = all[i]!
      if (shard && shard.count > 1 && this.#index.labelHash(ref) % shard.count !== shard.index) continue
      if (coversAll || this.#mayHave(ref, range)) refs[count++] = ref
    }
    return refs.slice(0, count)
  }

  labels(ref: number): Labels {
    const { symbols, pairName, pairValue } = this.#index
    const flat: string[] = []
    for (const pair of this.#pairsOf(ref)) flat.push(symbols[pairName[pair]!]!, symbols[pairValue[pair]!]!)
    return labelsFromSorted(flat)
  }

  labelIds(ref: number): Uint32Array {
    const { pairName, pairValue } = this.#index
    const pairs = this.#pairsOf(ref)
    if (this.#labelIds.length < 2 * pairs.length) this.#labelIds = new Uint32Array(4 * pairs.length)
    const out = this.#labelIds
    for (let i = 0; i < pairs.length; i++) {
      out[2 * i] = pairName[pairs[i]!]!
      out[2 * i + 1] = pairValue[pairs[i]!]!
    }
    return out.subarray(0, 2 * pairs.length)
  }

  symbol(id: number): string {
    return this.#index.symbols[id] ?? ''
  }

  symbolId(text: string): number {
    return this.#index.symbolId(text)
  }

  labelHash(ref: number): number {
    return this.#index.labelHash(ref)
  }

  read(ref: number, range: TimeRange, out: SampleBuffer): void {
    clearSamples(out)
    out.timesKey = NO_TIMES
    this.append(ref, range, out)
  }

  append(ref: number, range: TimeRange, out: SampleBuffer): void {
    if (ref >= this.#index.seriesCount) return
    const { chunks, times } = this.#index
    const minTime = Math.max(range.minTime, this.meta.minTime)
    const maxTime = Math.min(range.maxTime, this.meta.maxTime - 1)
    for (let chunk = chunks.first[ref]!; chunk < chunks.first[ref + 1]!; chunk++) {
      const column = chunks.column[chunk]!
      if (times.lastTime[column]! < minTime) continue
      if (times.firstTime[column]! > maxTime) break
      this.#readChunk(chunk, minTime, maxTime, out)
    }
  }

  labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    const { pairName } = this.#index
    const names = new Set<number>()
    for (const ref of this.select(matchers, range)) for (const pair of this.#pairsOf(ref)) names.add(pairName[pair]!)
    return this.#texts(names)
  }

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): string[] {
    const { pairName, pairValue, symbolId } = { ...this.#pairColumns(), symbolId: this.#index.symbolId(name) }
    if (symbolId < 0 || !this.#overlaps(range)) return []
    const values = new Set<number>()
    if (matchers.length === 0 && range.minTime <= this.meta.minTime && range.maxTime >= this.meta.maxTime - 1) {
      const [from, to] = this.#index.pairRange(symbolId)
      for (let pair = from; pair < to; pair++) values.add(pairValue[pair]!)
    } else {
      for (const ref of this.select(matchers, range))
        for (const pair of this.#pairsOf(ref)) if (pairName[pair] === symbolId) values.add(pairValue[pair]!)
    }
    return this.#texts(values)
  }

  /** Blocks keep none: they are a bounded buffer of the recent. */
  exemplars(): Exemplar[] {
    return []
  }

  metadata(): ReadonlyMap<string, readonly Metadata[]> {
    return new Map()
  }

  get seriesCount(): number {
    return this.#index.seriesCount
  }

  timeRange(): TimeRange | null {
    return { minTime: this.meta.minTime, maxTime: this.meta.maxTime - 1 }
  }

  release(): void {}

  close(): void {
    this.#file.close()
    this.#cache.forget(`${this.#path}:`)
    this.#lastRun = -1
    this.#lastReader = new ByteReader(new Uint8Array(0))
    this.#lastTimeRun = -1
    this.#lastTimes = []
  }

  #tierReader(): TierReader {
    return new TierReader(this.#index.tiers, this.meta.goneBefore ?? Number.NEGATIVE_INFINITY, {
      readRun: (name, table, run) => this.#namedRun(name, table, run),
      remember: (name, make, sizeOf) => this.#cache.get(`${this.#path}:${name}`, make, sizeOf),
    })
  }

  #overlaps(range: TimeRange): boolean {
    return range.minTime < this.meta.maxTime && range.maxTime >= this.meta.minTime
  }

  #pairColumns(): { readonly pairName: Uint32Array; readonly pairValue: Uint32Array } {
    return this.#index
  }

  #pairsOf(ref: number): Uint32Array {
    return ref < this.#index.seriesCount ? this.#index.pairsOf(ref) : new Uint32Array(0)
  }

  #mayHave(ref: number, range: TimeRange): boolean {
    const { chunks, times } = this.#index
    for (let chunk = chunks.first[ref]!; chunk < chunks.first[ref + 1]!; chunk++) {
      const column = chunks.column[chunk]!
      if (times.lastTime[column]! < range.minTime) continue
      if (times.firstTime[column]! <= range.maxTime) return true
      break
    }
    return this.stored?.mayHave(ref, range) ?? false
  }

  #readChunk(chunk: number, minTime: number, maxTime: number, out: SampleBuffer): void {
    const { chunks } = this.#index
    const times = this.#timesOf(chunks.column[chunk]!)
    if (times === null) return
    const n = chunks.samples[chunk]!
    const first = chunks.from[chunk]!
    const from = Math.max(first, lowerBound(times, minTime))
    const to = Math.min(first + n, lowerBound(times, maxTime + 1))
    if (from >= to) return
    const base = out.count
    ensureCapacity(out, base + n)
    out.timesKey = timesKeyAfter(out.timesKey ?? 0, this.#firstColumn + chunks.column[chunk]!, from, to)
    if (this.#copyKnown(chunk, from - first, to - first, out)) {
      this.#addTimes(times, from, to, out)
      return
    }
    const reader = this.#readerOf(chunks.run[chunk]!)
    if (reader === null) {
      out.timesKey = 0
      return
    }
    reader.at = chunks.offset[chunk]!
    const head = reader.byte()
    const isPlain = (head & KIND) === FLOATS && (head & HAS_STARTS) === 0
    if (isPlain && this.#values !== null) {
      this.#keep(this.#values, chunk, reader, n)
      this.#copyKnown(chunk, from - first, to - first, out)
    } else if ((head & KIND) === FLOATS) this.#readFloats(reader, n, from - first, to - first, out)
    else readHistograms(reader, n, from - first, to - first, out)
    if ((head & HAS_STARTS) !== 0) {
      const starts = new Float64Array(n)
      decodeColumn(reader, n, starts, new Uint32Array(starts.buffer), 0)
      if (out.startTimes === null) out.startTimes = new Float64Array(out.times.length)
      out.startTimes.set(starts.subarray(from - first, to - first), base)
    } else out.startTimes?.fill(0, base, base + to - from)
    this.#addTimes(times, from, to, out)
  }

  /** Of samples whose values `out` has already. */
  #addTimes(times: Float64Array, from: number, to: number, out: SampleBuffer): void {
    out.times.set(from === 0 && to === times.length ? times : times.subarray(from, to), out.count)
    out.count += to - from
  }

  #readFloats(reader: ByteReader, n: number, from: number, to: number, out: SampleBuffer): void {
    const { values, flags, count } = out
    const words = this.#wordsOf(values)
    decodeColumn(reader, n, values, words, count)
    if (from > 0) words.copyWithin(2 * count, 2 * (count + from), 2 * (count + to))
    const end = count + to - from
    flags.fill(0, count, end)
    for (let i = count; i < end; i++) {
      if (!isStaleAt(words, i)) continue
      flags[i] = 1
      out.mixed = true
    }
  }

  #keep(kept: DecodedValues, chunk: number, reader: ByteReader, n: number): void {
    if (this.#places.length === 0) {
      const { length } = this.#index.chunks.samples
      this.#places = new Float64Array(length)
      this.#traits = new Uint8Array(length)
    }
    const place = kept.claim(n)
    const [values, words, at] = [kept.segmentOf(place), kept.wordsOf(place), kept.offsetOf(place)]
    decodeColumn(reader, n, values, words, at)
    this.#traits[chunk] = traitsOf(values, words, at, n)
    this.#places[chunk] = place
  }

  /** False when the chunk's values are not kept: nothing was done. */
  #copyKnown(chunk: number, from: number, to: number, out: SampleBuffer): boolean {
    const kept = this.#values
    if (kept === null || this.#places.length === 0) return false
    let place = this.#places[chunk]!
    if (!kept.has(place)) return false
    if (kept.isOld(place)) this.#places[chunk] = place = kept.move(place, this.#index.chunks.samples[chunk]!)
    const { count, values } = out
    const at = kept.offsetOf(place)
    values.set(kept.segmentOf(place).subarray(at + from, at + to), count)
    out.flags.fill(0, count, count + to - from)
    out.startTimes?.fill(0, count, count + to - from)
    const traits = this.#traits[chunk]!
    if ((traits & RISES) !== 0 && out.rising === count && (count === 0 || values[count]! >= values[count - 1]!))
      out.rising = count + to - from
    if ((traits & HAS_STALE) === 0) return true
    const words = kept.wordsOf(place)
    for (let i = from; i < to; i++) {
      if (!isStaleAt(words, at + i)) continue
      out.flags[count + i - from] = 1
      out.mixed = true
    }
    return true
  }

  #wordsOf(values: Float64Array): Uint32Array {
    const { buffer, byteOffset, length } = values
    if (this.#words.buffer !== buffer || this.#words.byteOffset !== byteOffset || this.#words.length !== 2 * length)
      this.#words = new Uint32Array(buffer, byteOffset, 2 * length)
    return this.#words
  }

  /** A cursor over the run of chunks, to be placed; null when it is damaged. */
  #readerOf(run: number): ByteReader | null {
    if (run === this.#lastRun) return this.#lastReader
    const bytes = this.#run('c', this.#index.runs, run)
    if (bytes === null) return null
    this.#lastReader = new ByteReader(bytes)
    this.#lastRun = run
    return this.#lastReader
  }

  /** Null when its run is damaged. */
  #timesOf(column: number): Float64Array | null {
    const { times, timeRuns } = this.#index
    const run = times.run[column]!
    if (run === this.#lastTimeRun) return this.#lastTimes[column - timeRuns.firstEntry[run]!] ?? null
    const key = `${this.#path}:d${run}`
    if (this.#isDamaged(`t${run}`)) return null
    const decode = (): Float64Array[] => {
      const bytes = this.#run('t', timeRuns, run)
      if (bytes === null) return []
      const columns: Float64Array[] = []
      for (let i = timeRuns.firstEntry[run]!; i < timeRuns.firstEntry[run + 1]!; i++) {
        const decoded = new Float64Array(times.count[i]!)
        const words = new Uint32Array(decoded.buffer)
        decodeColumn(new ByteReader(bytes, times.offset[i]!), decoded.length, decoded, words, 0)
        columns.push(decoded)
      }
      return columns
    }
    const columns = this.#cache.get(key, decode, (all) => all.reduce((sum, each) => sum + each.byteLength, 64))
    if (columns.length > 0) {
      this.#lastTimeRun = run
      this.#lastTimes = columns
    }
    return columns[column - timeRuns.firstEntry[run]!] ?? null
  }

  /** Null when the run is damaged. @throws DiskError */
  #run(kind: 'c' | 't', table: RunTable, run: number): Uint8Array | null {
    return this.#namedRun(`${kind}${run}`, table, run)
  }

  #namedRun(name: string, table: RunTable, run: number): Uint8Array | null {
    if (this.#isDamaged(name)) return null
    try {
      return this.#cache.get(
        `${this.#path}:${name}`,
        () => readRun(this.#file, this.#path, this.#env.compressor, table, run),
        (bytes) => bytes.length,
      )
    } catch (error) {
      if (!(error instanceof BlockDamagedError)) throw error
      this.#damaged.set(name, error)
      this.#onDamage(error)
      this.#onMissing(error)
      return null
    }
  }

  #isDamaged(name: string): boolean {
    const error = this.#damaged.get(name)
    if (error) this.#onMissing(error)
    return error !== undefined
  }

  #texts(ids: ReadonlySet<number>): string[] {
    return [...ids].map((id) => this.#index.symbols[id]!).sort(compareStrings)
  }
}

function readHistograms(reader: ByteReader, n: number, from: number, to: number, out: SampleBuffer): void {
  out.histograms ??= [] as (Histogram | undefined)[]
  out.mixed = true
  let at = out.count
  for (let i = 0; i < n; i++) {
    const bytes = reader.take(reader.varint())
    if (i < from || i >= to) continue
    out.histograms[at] = decodeHistogram(bytes)
    out.values[at] = 0
    out.flags[at++] = 2
  }
}

function lowerBound(times: Float64Array, wanted: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}
