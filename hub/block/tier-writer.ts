/**
 * Writer's side of the downsampled windows of one width: chunks of rows in runs of their own, times shared as those of
 * samples are, and their tables for the index.
 */
import type { AggregateBuffer } from '../tsdb/mod.ts'
import { AggregateChunkEncoder } from './aggregate-chunk.ts'
import { ByteWriter as Writer } from './bytes.ts'
import type { ChunkEntry } from './chunk-writer.ts'
import { ColumnEncoder } from './column.ts'
import { CHUNK_SAMPLES_MAX } from './contract.ts'
import { ChunkTableWriter, writeRuns, writeTimes } from './index-writer.ts'
import { RunBuilder, type RunFileWriter } from './run-file.ts'
import { TimeColumnWriter } from './time-columns.ts'

export class TierWriter {
  readonly width: number
  rows = 0
  readonly #runs: RunBuilder
  readonly #timeRuns: RunBuilder
  readonly #times: TimeColumnWriter
  readonly #encoder: AggregateChunkEncoder
  readonly #table = new ChunkTableWriter()
  readonly #entries: ChunkEntry[] = []

  constructor(file: RunFileWriter, width: number) {
    this.width = width
    this.#runs = new RunBuilder(file)
    this.#timeRuns = new RunBuilder(file)
    const columns = new ColumnEncoder()
    this.#times = new TimeColumnWriter(this.#timeRuns, columns)
    this.#encoder = new AggregateChunkEncoder(columns)
  }

  /** The next series of the block, which may have no rows. */
  add(rows: AggregateBuffer): void {
    const entries = this.#entries
    entries.length = 0
    // Chunks begin at multiples of what one holds, so that series that began at other times share columns of times.
    const stretch = CHUNK_SAMPLES_MAX * this.width
    for (let from = 0; from < rows.count; ) {
      const end = stretch * Math.ceil(rows.times[from]! / stretch)
      let to = from + 1
      while (to < rows.count && rows.times[to]! <= end) to++
      const { column, from: offset } = this.#times.place(rows.times, from, to - from)
      const start = this.#runs.out.length
      this.#encoder.encode(rows, from, to - from, this.#runs.out)
      entries.push({ column, from: offset, count: to - from, payloadBytes: this.#runs.out.length - start })
      this.#runs.end()
      from = to
    }
    this.#table.add(entries)
    this.rows += rows.count
  }

  /** After the last series. */
  close(): void {
    this.#runs.close()
    this.#timeRuns.close()
  }

  /** What of the index describes this width. */
  section(): Uint8Array {
    const out = new Writer()
    out.varint(this.width)
    for (const part of [this.#table.section(), writeTimes(this.#times), writeRuns([this.#runs, this.#timeRuns])]) {
      out.varint(part.length)
      out.append(part)
    }
    return out.written()
  }
}
