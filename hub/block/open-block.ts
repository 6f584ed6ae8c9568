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
import { decodeHistogram, ensureCapacity, type SampleBuffer, type Shard, type TimeRange } from '../tsdb/mod.ts'
import { ByteReader } from './bytes.ts'
import { FLOATS, HAS_STARTS, KIND } from './chunk-writer.ts'
import { decodeColumn } from './column.ts'
import { type BlockEnv, type BlockMeta, type BlockReader, CHUNKS_FILE, INDEX_FILE, type OnDamage } from './contract.ts'
import { BlockDamagedError } from './errors.ts'
import { decodeIndex } from './index-format.ts'
import { BlockIndex } from './index-reader.ts'
import { readMeta } from './meta.ts'
import { RunCache } from './run-cache.ts'
import { checkRunFileHeader, type RunTable, readRun } from './run-file.ts'
import { selectRefs } from './select.ts'

export type OpenBlockOptions = {
  /** Shared by the blocks of a thread. Default: 32 MiB of its own. */
  readonly cache?: RunCache
  /** For decoded values, shared too: what is asked for again and again is decoded once. Default: none are kept. */
  readonly values?: RunCache
  /** Hears of every run that is set aside, once. */
  readonly onDamage?: OnDamage
}

const DEFAULT_CACHE_BYTES = 32 << 20
/** Of an entry in a cache, beside its numbers. */
const DECODED_OVERHEAD = 300
/** More than a block has chunks. */
const KEYS_PER_BLOCK = 2 ** 32
/** Of the thread's blocks. */
let serials = 0

type DecodedValues = { readonly values: Float64Array; readonly words: Uint32Array; readonly hasStale: boolean }

function hasStale(words: Uint32Array): boolean {
  for (let i = 0; i < words.length; i += 2) if (words[i + 1] === STALE_HIGH && words[i] === STALE_LOW) return true
  return false
}

/**
 * @throws BlockDamagedError when meta, index or the file's header is not what was written; DiskError (`ENOENT` when
 * the block is gone)
 * @example const block = openBlock({ disk, compressor }, `${data}/blocks/${id}`)
 */
export function openBlock(env: BlockEnv, path: string, options: OpenBlockOptions = {}): BlockReader {
  const meta = readMeta(env.disk, path)
  const bytes = env.disk.readFile(`${path}/${INDEX_FILE}`)
  if (bytes.length !== meta.indexBytes || crc32c(bytes) !== meta.indexCrc)
    throw new BlockDamagedError(path, INDEX_FILE, 'wrong checksum')
  const index = new BlockIndex(decodeIndex(bytes, path, env.compressor))
  const file = env.disk.open(`${path}/${CHUNKS_FILE}`, 'r')
  try {
    checkRunFileHeader(file, path, meta.chunksBytes)
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
  readonly #file: DiskFile
  readonly #cache: RunCache
  readonly #onDamage: OnDamage
  /** Keys of runs that failed. */
  readonly #damaged = new Set<string>()
  #labelIds = new Uint32Array(64)
  /** The last run of chunks and of times that were read: series that follow one another share them. */
  #lastRun = -1
  #lastReader = new ByteReader(new Uint8Array(0))
  #lastTimeRun = -1
  #lastTimes: readonly Float64Array[] = []
  #words: Uint32Array = new Uint32Array(0)
  readonly #values: RunCache | null
  /** Where the numbers of this block's chunks begin in `#values`. */
  readonly #firstKey = KEYS_PER_BLOCK * serials++

  constructor(
    env: BlockEnv,
    path: string,
    meta: BlockMeta,
    index: BlockIndex,
    file: DiskFile,
    { cache, values, onDamage }: OpenBlockOptions,
  ) {
    this.#env = env
    this.#path = path
    this.meta = meta
    this.#index = index
    this.#file = file
    this.#cache = cache ?? new RunCache(DEFAULT_CACHE_BYTES)
    this.#values = values ?? null
    this.#onDamage = onDamage ?? (() => {})
  }

  get damagedRuns(): number {
    return this.#damaged.size
  }

  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    const refs = this.#overlaps(range) ? selectRefs(this.#index, matchers) : new Uint32Array(0)
    const coversAll = range.minTime <= this.meta.minTime && range.maxTime >= this.meta.maxTime - 1
    if (coversAll && !shard) return refs
    let count = 0
    for (const ref of refs) {
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
    out.count = 0
    out.mixed = false
    out.histograms = null
    out.startTimes = null
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
    this.#values?.forgetNumbers(this.#firstKey, this.#firstKey + KEYS_PER_BLOCK)
    this.#lastRun = -1
    this.#lastReader = new ByteReader(new Uint8Array(0))
    this.#lastTimeRun = -1
    this.#lastTimes = []
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
      if (times.lastTime[column]! >= range.minTime) return times.firstTime[column]! <= range.maxTime
    }
    return false
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
    const known = this.#values?.find(this.#firstKey + chunk) as DecodedValues | undefined
    if (known !== undefined) {
      this.#copyFloats(known, from - first, to - first, out)
      out.times.set(from === 0 && to === times.length ? times : times.subarray(from, to), base)
      out.startTimes?.fill(0, base, base + to - from)
      out.count = base + to - from
      return
    }
    const reader = this.#readerOf(chunks.run[chunk]!)
    if (reader === null) return
    reader.at = chunks.offset[chunk]!
    const head = reader.byte()
    const isPlain = (head & KIND) === FLOATS && (head & HAS_STARTS) === 0
    if (isPlain && this.#values !== null)
      this.#copyFloats(this.#decoded(chunk, reader, n), from - first, to - first, out)
    else if ((head & KIND) === FLOATS) this.#readFloats(reader, n, from - first, to - first, out)
    else readHistograms(reader, n, from - first, to - first, out)
    for (let i = from; i < to; i++) out.times[base + i - from] = times[i]!
    if ((head & HAS_STARTS) !== 0) {
      const starts = new Float64Array(n)
      decodeColumn(reader, n, starts, new Uint32Array(starts.buffer), 0)
      if (out.startTimes === null) out.startTimes = new Float64Array(out.times.length)
      out.startTimes.set(starts.subarray(from - first, to - first), base)
    } else out.startTimes?.fill(0, base, base + to - from)
    out.count = base + to - from
  }

  #readFloats(reader: ByteReader, n: number, from: number, to: number, out: SampleBuffer): void {
    const { values, flags, count } = out
    const words = this.#wordsOf(values)
    decodeColumn(reader, n, values, words, count)
    if (from > 0) words.copyWithin(2 * count, 2 * (count + from), 2 * (count + to))
    const end = count + to - from
    flags.fill(0, count, end)
    for (let i = count; i < end; i++) {
      if (words[2 * i + 1] !== STALE_HIGH || words[2 * i] !== STALE_LOW) continue
      flags[i] = 1
      out.mixed = true
    }
  }

  #decoded(chunk: number, reader: ByteReader, n: number): DecodedValues {
    const decode = (): DecodedValues => {
      const values = new Float64Array(n)
      const words = new Uint32Array(values.buffer)
      decodeColumn(reader, n, values, words, 0)
      return { values, words, hasStale: hasStale(words) }
    }
    return this.#values!.get(this.#firstKey + chunk, decode, ({ values }) => values.byteLength + DECODED_OVERHEAD)
  }

  #copyFloats({ values, words, hasStale: isMixed }: DecodedValues, from: number, to: number, out: SampleBuffer): void {
    const { count } = out
    out.values.set(from === 0 && to === values.length ? values : values.subarray(from, to), count)
    out.flags.fill(0, count, count + to - from)
    if (!isMixed) return
    for (let i = from; i < to; i++) {
      if (words[2 * i + 1] !== STALE_HIGH || words[2 * i] !== STALE_LOW) continue
      out.flags[count + i - from] = 1
      out.mixed = true
    }
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
    if (this.#damaged.has(`t${run}`)) return null
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
    const name = `${kind}${run}`
    if (this.#damaged.has(name)) return null
    try {
      return this.#cache.get(
        `${this.#path}:${name}`,
        () => readRun(this.#file, this.#path, this.#env.compressor, table, run),
        (bytes) => bytes.length,
      )
    } catch (error) {
      if (!(error instanceof BlockDamagedError)) throw error
      this.#damaged.add(name)
      this.#onDamage(error)
      return null
    }
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
