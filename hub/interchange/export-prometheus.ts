/**
 * The hub's series as blocks that Prometheus opens. Each has its name when it is complete. Memory: the labels and
 * postings of one block, and one series.
 * Semantics: Prometheus tsdb/compact.go, tsdb/docs/format (v3.5).
 */
import type { Disk, DiskFile, Random } from '../../protocol/env/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import {
  type ChunkMeta,
  emptyTombstones,
  encodeChunkRecord,
  encodeTsdbMeta,
  makeUlid,
  SEGMENT_BYTES_MAX,
  SeriesChunker,
  segmentHeader,
  segmentName,
  TsdbIndexWriter,
  type TsdbMeta,
} from '../../protocol/prometheus-tsdb/mod.ts'
import { firstTimeIn } from '../block/mod.ts'
import { createSampleBuffer, type SeriesReader, type TimeRange } from '../tsdb/mod.ts'
import { dateOf, type Progress } from './progress.ts'
import { sortSeries } from './sorted-series.ts'

export type ExportOptions = {
  readonly disk: Disk
  readonly random: Random
  readonly nowMs: number
  readonly reader: SeriesReader
  readonly matchers: readonly Matcher[]
  /** Both ends included, in ms. */
  readonly range: TimeRange
  /** Where the blocks go; a folder that is there. */
  readonly directory: string
  /** Of one block; a multiple of two hours. */
  readonly blockMs: number
  readonly progress: Progress
}

/** Prometheus removes folders of this name when it starts. */
const UNFINISHED = '.tmp-for-creation'
const BUFFER_BYTES = 1 << 20
const TWO_32 = 2 ** 32

/** Oldest first; ranges without samples have none. @throws DiskError */
export function exportPrometheus(options: ExportOptions): TsdbMeta[] {
  const { blockMs, matchers, progress, reader } = options
  const stored = reader.timeRange()
  const metas: TsdbMeta[] = []
  if (!stored) return metas
  const first = Math.max(stored.minTime, options.range.minTime)
  const last = Math.min(stored.maxTime, options.range.maxTime)
  const startOf = (time: number): number => blockMs * Math.floor(time / blockMs)
  for (let from = startOf(first); from <= last; ) {
    const range = { minTime: Math.max(from, first), maxTime: Math.min(from + blockMs - 1, last) }
    const refs = reader.select(matchers, range)
    from += blockMs
    if (refs.length > 0) {
      progress.begin(`exporting block ${metas.length + 1} of ${dateOf(range.minTime)}`, refs.length)
      const meta = exportBlock(options, refs, range)
      progress.end()
      if (meta) {
        metas.push(meta)
        continue
      }
    }
    // Between a sample with a wrong time and the others lie ages of nothing.
    from = startOf(firstTimeIn(reader, { minTime: from, maxTime: last + 1 }, blockMs, matchers))
  }
  return metas
}

function exportBlock(options: ExportOptions, refs: Uint32Array, range: TimeRange): TsdbMeta | null {
  const { disk, random, nowMs, directory } = options
  const ulid = makeUlid(nowMs, random.bytes(10))
  const path = `${directory}/${ulid}`
  const temporary = path + UNFINISHED
  disk.makeDirectory(`${temporary}/chunks`)
  try {
    const written = writeData(options, refs, range, temporary)
    if (written === null) return null
    const meta = { ulid, ...written, level: 1, sources: [ulid] }
    writeSynced(disk, `${temporary}/tombstones`, emptyTombstones())
    writeSynced(disk, `${temporary}/meta.json`, new TextEncoder().encode(encodeTsdbMeta(meta)))
    disk.syncDirectory(`${temporary}/chunks`)
    disk.syncDirectory(temporary)
    disk.rename(temporary, path)
    disk.syncDirectory(directory)
    return meta
  } finally {
    if (disk.stat(temporary)) disk.removeDirectory(temporary, { recursive: true })
  }
}

type Written = Pick<TsdbMeta, 'minTime' | 'maxTime' | 'stats'>

/** Null when there is not one sample. */
function writeData(
  { disk, reader, progress }: ExportOptions,
  refs: Uint32Array,
  range: TimeRange,
  folder: string,
): Written | null {
  const series = sortSeries(reader, refs)
  const indexFile = new Appending(disk, `${folder}/index`)
  const chunks = new SegmentWriter(disk, `${folder}/chunks`)
  const counts = { numSamples: 0, numFloatSamples: 0, numHistogramSamples: 0, numSeries: 0, numChunks: 0 }
  let minTime = Number.POSITIVE_INFINITY
  let maxTime = Number.NEGATIVE_INFINITY
  try {
    const index = new TsdbIndexWriter((bytes) => indexFile.append(bytes), series.symbols)
    const samples = createSampleBuffer(1024)
    const chunker = new SeriesChunker()
    for (let n = 0; n < series.count; n++) {
      progress.advance(1)
      reader.read(series.ref(n), range, samples)
      if (samples.count === 0) continue
      const metas: ChunkMeta[] = []
      chunker.chunks(samples, (chunk) => {
        metas.push({
          minTime: chunk.minTime,
          maxTime: chunk.maxTime,
          ref: chunks.add(encodeChunkRecord(chunk.encoding, chunk.data)),
        })
      })
      index.series(series.labels(n), metas)
      minTime = Math.min(minTime, samples.times[0]!)
      maxTime = Math.max(maxTime, samples.times[samples.count - 1]!)
      const histograms = samples.mixed
        ? samples.flags.subarray(0, samples.count).reduce((sum, flag) => sum + (flag === 2 ? 1 : 0), 0)
        : 0
      counts.numSamples += samples.count
      counts.numHistogramSamples += histograms
      counts.numFloatSamples += samples.count - histograms
      counts.numSeries++
      counts.numChunks += metas.length
    }
    if (counts.numSeries === 0) return null
    index.finish()
    indexFile.finish()
    chunks.finish()
  } finally {
    indexFile.close()
    chunks.close()
  }
  return { minTime, maxTime: maxTime + 1, stats: counts }
}

class SegmentWriter {
  readonly #disk: Disk
  readonly #folder: string
  #segment = -1
  #file: Appending | null = null

  constructor(disk: Disk, folder: string) {
    this.#disk = disk
    this.#folder = folder
  }

  /** The chunk's reference. */
  add(record: Uint8Array): number {
    if (this.#file === null || this.#file.sizeBytes + record.length > SEGMENT_BYTES_MAX) {
      this.finish()
      this.close()
      this.#segment++
      this.#file = new Appending(this.#disk, `${this.#folder}/${segmentName(this.#segment)}`)
      this.#file.append(segmentHeader())
    }
    const ref = this.#segment * TWO_32 + this.#file.sizeBytes
    this.#file.append(record)
    return ref
  }

  finish(): void {
    this.#file?.finish()
  }

  close(): void {
    this.#file?.close()
    this.#file = null
  }
}

/** A file that only grows, written in large pieces. */
class Appending {
  readonly #file: DiskFile
  readonly #buffer = new Uint8Array(BUFFER_BYTES)
  #pending = 0
  #written = 0

  constructor(disk: Disk, path: string) {
    this.#file = disk.open(path, 'w')
  }

  get sizeBytes(): number {
    return this.#written + this.#pending
  }

  append(bytes: Uint8Array): void {
    if (this.#pending + bytes.length > this.#buffer.length) this.#flush()
    if (bytes.length > this.#buffer.length) {
      this.#file.write(bytes, this.#written)
      this.#written += bytes.length
      return
    }
    this.#buffer.set(bytes, this.#pending)
    this.#pending += bytes.length
  }

  finish(): void {
    this.#flush()
    this.#file.datasync()
  }

  close(): void {
    this.#file.close()
  }

  #flush(): void {
    this.#file.write(this.#buffer.subarray(0, this.#pending), this.#written)
    this.#written += this.#pending
    this.#pending = 0
  }
}

function writeSynced(disk: Disk, path: string, bytes: Uint8Array): void {
  const file = new Appending(disk, path)
  try {
    file.append(bytes)
    file.finish()
  } finally {
    file.close()
  }
}
