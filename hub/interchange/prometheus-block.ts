/**
 * A block of Prometheus's TSDB behind the reader that all of the hub knows, so that it can be written as a block of
 * ours. The index is in memory as it is on disk; chunks are read through a window, since those of neighbouring series
 * stand together. Everything is verified as it is read.
 * Semantics: Prometheus tsdb/block.go, tsdb/querier.go (v3.5): what tombstones cover is not there.
 */
import { type Disk, DiskError, type DiskFile } from '../../protocol/env/mod.ts'
import { type Labels, labelValue } from '../../protocol/labels/mod.ts'
import { compileMatcher, type Matcher } from '../../protocol/matchers/mod.ts'
import {
  CHUNK_HEAD_BYTES,
  ChunkColumns,
  checkSegmentHeader,
  chunkRecordBytes,
  decodeChunk,
  decodeTombstones,
  decodeTsdbMeta,
  type IndexSeries,
  type Interval,
  openChunkRecord,
  segmentName,
  type Tombstones,
  TsdbFormatError,
  TsdbIndex,
  type TsdbMeta,
} from '../../protocol/prometheus-tsdb/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import { STALE_HIGH, STALE_LOW } from '../../protocol/samples/mod.ts'
import {
  createSampleBuffer,
  ensureCapacity,
  type SampleBuffer,
  type SeriesReader,
  type TimeRange,
} from '../tsdb/mod.ts'
import { mergeUnordered } from './merge-unordered.ts'

const WINDOW_BYTES = 1 << 20
const TWO_32 = 2 ** 32
const NO_TOMBSTONES: Tombstones = new Map()

export type PrometheusBlock = SeriesReader & {
  readonly meta: TsdbMeta
  readonly path: string
  /** References of all series, in the order of their labels. */
  readonly refs: Uint32Array
  /** Reads and verifies every chunk of the series; returns how many there are. @throws TsdbFormatError */
  verify(ref: number): number
  close(): void
}

/** @throws TsdbFormatError, DiskError */
export function openPrometheusBlock(disk: Disk, path: string): PrometheusBlock {
  const metaFile = `${path}/meta.json`
  const meta = decodeTsdbMeta(disk.readText(metaFile), metaFile)
  const indexFile = `${path}/index`
  const index = new TsdbIndex(disk.readFile(indexFile), indexFile)
  const tombstonesFile = `${path}/tombstones`
  const tombstones = disk.stat(tombstonesFile)
    ? decodeTombstones(disk.readFile(tombstonesFile), tombstonesFile)
    : NO_TOMBSTONES
  return new OpenPrometheusBlock(meta, path, index, tombstones, new Segments(disk, `${path}/chunks`))
}

class OpenPrometheusBlock implements PrometheusBlock {
  readonly meta: TsdbMeta
  readonly path: string
  readonly refs: Uint32Array
  readonly #index: TsdbIndex
  readonly #tombstones: Tombstones
  readonly #segments: Segments
  readonly #columns = new ChunkColumns()
  readonly #chunk = createSampleBuffer(256)
  #known: { readonly ref: number; readonly series: IndexSeries } | null = null
  #labelIds = new Uint32Array(64)

  constructor(meta: TsdbMeta, path: string, index: TsdbIndex, tombstones: Tombstones, segments: Segments) {
    this.meta = meta
    this.path = path
    this.#index = index
    this.#tombstones = tombstones
    this.#segments = segments
    this.refs = index.allSeries()
  }

  get seriesCount(): number {
    return this.refs.length
  }

  timeRange(): TimeRange {
    return { minTime: this.meta.minTime, maxTime: this.meta.maxTime - 1 }
  }

  select(matchers: readonly Matcher[], range: TimeRange): Uint32Array {
    if (range.maxTime < this.meta.minTime || range.minTime >= this.meta.maxTime) return new Uint32Array(0)
    if (matchers.length === 0) return this.refs
    const tests = matchers.map((matcher) => ({ name: matcher.name, matches: compileMatcher(matcher) }))
    return this.refs.filter((ref) => {
      const labels = this.labels(ref)
      return tests.every(({ name, matches }) => matches(labelValue(labels, name)))
    })
  }

  labels(ref: number): Labels {
    return this.#index.labels(this.#series(ref))
  }

  labelIds(ref: number): Uint32Array {
    const { labels } = this.#series(ref)
    if (this.#labelIds.length < labels.length) this.#labelIds = new Uint32Array(2 * labels.length)
    this.#labelIds.set(labels)
    return this.#labelIds.subarray(0, labels.length)
  }

  symbol(id: number): string {
    return this.#index.symbols[id] ?? ''
  }

  symbolId(text: string): number {
    return this.#index.symbols.indexOf(text)
  }

  read(ref: number, range: TimeRange, out: SampleBuffer): void {
    out.count = 0
    out.mixed = false
    out.histograms = null
    out.before = undefined
    out.startTimes = null
    const deleted = this.#tombstones.get(ref) ?? []
    const minTime = Math.max(range.minTime, this.meta.minTime)
    const maxTime = Math.min(range.maxTime, this.meta.maxTime - 1)
    for (const chunk of this.#series(ref).chunks) {
      if (chunk.maxTime < minTime || chunk.minTime > maxTime) continue
      this.#decode(chunk.ref)
      const isOrdered = out.count === 0 || chunk.minTime > out.times[out.count - 1]!
      const into = isOrdered ? out : this.#chunk
      if (!isOrdered) {
        into.count = 0
        into.mixed = false
        into.histograms = null
      }
      copyChunk(this.#columns, { minTime, maxTime }, deleted, into)
      if (!isOrdered) mergeUnordered(out, into)
    }
  }

  verify(ref: number): number {
    const { chunks } = this.#series(ref)
    for (const { ref: chunk } of chunks) this.#decode(chunk)
    return chunks.length
  }

  labelNames(): string[] {
    return [...new Set(Array.from(this.refs, (ref) => this.labels(ref).filter((_, i) => i % 2 === 0)).flat())].sort()
  }

  labelValues(name: string): string[] {
    return [...new Set(Array.from(this.refs, (ref) => labelValue(this.labels(ref), name)))]
      .filter((value) => value !== '')
      .sort()
  }

  /** Blocks have none. */
  exemplars(): Exemplar[] {
    return []
  }

  metadata(): ReadonlyMap<string, readonly Metadata[]> {
    return new Map()
  }

  release(): void {}

  close(): void {
    this.#segments.close()
  }

  #series(ref: number): IndexSeries {
    if (this.#known?.ref !== ref) this.#known = { ref, series: this.#index.series(ref) }
    return this.#known.series
  }

  #decode(chunk: number): void {
    const { record, file, at } = this.#segments.read(chunk)
    const { encoding, data } = openChunkRecord(record, file, at)
    try {
      decodeChunk(encoding, data, this.#columns)
    } catch (error) {
      if (error instanceof TsdbFormatError) throw new TsdbFormatError(file, at, error.why, { cause: error })
      throw error
    }
  }
}

/** Adds what is in the range and was not deleted. */
function copyChunk(columns: ChunkColumns, range: TimeRange, deleted: readonly Interval[], out: SampleBuffer): void {
  ensureCapacity(out, out.count + columns.count)
  const words = new Uint32Array(out.values.buffer, out.values.byteOffset, out.values.length * 2)
  const { histograms } = columns
  if (histograms) {
    out.mixed = true
    out.histograms ??= []
  }
  let to = out.count
  for (let i = 0; i < columns.count; i++) {
    const time = columns.times[i]!
    if (time < range.minTime || time > range.maxTime) continue
    if (deleted.length > 0 && deleted.some(({ minTime, maxTime }) => time >= minTime && time <= maxTime)) continue
    out.times[to] = time
    if (histograms) {
      out.histograms![to] = histograms[i]
      out.values[to] = 0
      out.flags[to] = 2
    } else {
      const low = columns.words[2 * i]!
      const high = columns.words[2 * i + 1]!
      words[2 * to] = low
      words[2 * to + 1] = high
      const isStale = low === STALE_LOW && high === STALE_HIGH
      out.flags[to] = isStale ? 1 : 0
      if (isStale) out.mixed = true
    }
    to++
  }
  out.count = to
}

/** The chunk files of a block, opened when a chunk of theirs is wanted. */
class Segments {
  readonly #disk: Disk
  readonly #folder: string
  readonly #files = new Map<number, { readonly file: DiskFile; readonly path: string; readonly sizeBytes: number }>()
  #window = new Uint8Array(WINDOW_BYTES)
  #windowOf = -1
  #from = 0
  #to = 0

  constructor(disk: Disk, folder: string) {
    this.#disk = disk
    this.#folder = folder
  }

  /** The bytes are borrowed until the next call. @throws TsdbFormatError, DiskError */
  read(ref: number): { readonly record: Uint8Array; readonly file: string; readonly at: number } {
    const segment = Math.floor(ref / TWO_32)
    const at = ref % TWO_32
    const { path } = this.#open(segment)
    const head = this.#bytes(segment, at, CHUNK_HEAD_BYTES)
    return { record: this.#bytes(segment, at, chunkRecordBytes(head, path, at)), file: path, at }
  }

  close(): void {
    for (const { file } of this.#files.values()) file.close()
    this.#files.clear()
  }

  #open(segment: number): { readonly file: DiskFile; readonly path: string; readonly sizeBytes: number } {
    const known = this.#files.get(segment)
    if (known) return known
    const path = `${this.#folder}/${segmentName(segment)}`
    let file: DiskFile
    try {
      file = this.#disk.open(path, 'r')
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== 'ENOENT') throw error
      throw new TsdbFormatError(path, 0, 'the index names this segment, and there is none', { cause: error })
    }
    const opened = { file, path, sizeBytes: file.size() }
    this.#files.set(segment, opened)
    checkSegmentHeader(this.#bytes(segment, 0, 8), path)
    return opened
  }

  /** Up to `length` bytes: fewer at the end of the file. */
  #bytes(segment: number, at: number, length: number): Uint8Array {
    const { file, sizeBytes } = this.#open(segment)
    if (segment !== this.#windowOf || at < this.#from || at + length > this.#to) {
      if (length > this.#window.length) this.#window = new Uint8Array(length)
      const wanted = Math.max(0, Math.min(this.#window.length, sizeBytes - at))
      let done = 0
      while (done < wanted) {
        const n = file.read(this.#window, done, wanted - done, at + done)
        if (n === 0) break
        done += n
      }
      this.#windowOf = segment
      this.#from = at
      this.#to = at + done
    }
    const from = at - this.#from
    return this.#window.subarray(from, Math.min(from + length, this.#to - this.#from))
  }
}
