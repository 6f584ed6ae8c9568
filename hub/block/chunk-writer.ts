/**
 * Writes the samples of one series as chunks: floats or histograms, not both; within one window of time; at most
 * CHUNK_SAMPLES_MAX. What a chunk covers (times, count) is in the index, the rest here:
 *
 *     kind (0-1) | has start times (2)
 *     floats:      column of values [column of start times]
 *     histograms:  n * (length LEB128, bytes as the head's codec) [column of start times]
 */
import { HistogramEncoder, type SampleBuffer } from '../tsdb/mod.ts'
import type { ByteWriter } from './bytes.ts'
import type { ChunkSizes } from './chunk-sizes.ts'
import { ColumnEncoder } from './column.ts'
import { CHUNK_SAMPLES_MAX, CHUNK_WINDOW_MS } from './contract.ts'
import type { RunBuilder } from './run-file.ts'
import { TimeColumnWriter } from './time-columns.ts'

export const FLOATS = 0
export const HISTOGRAMS = 1
export const KIND = 3
export const HAS_STARTS = 4

/** A chunk as the index has it. */
export type ChunkEntry = {
  readonly column: number
  readonly from: number
  readonly count: number
  readonly payloadBytes: number
}

export class ChunkWriter {
  readonly #runs: RunBuilder
  readonly #encoder = new ColumnEncoder()
  readonly times: TimeColumnWriter
  readonly #values = new Float64Array(CHUNK_SAMPLES_MAX)
  readonly #words = new Uint32Array(this.#values.buffer)
  readonly #histograms = new HistogramEncoder()
  samples = 0
  histograms = 0

  readonly #sizes: ChunkSizes | undefined

  constructor(runs: RunBuilder, timeRuns: RunBuilder, sizes?: ChunkSizes) {
    this.#runs = runs
    this.#sizes = sizes
    this.times = new TimeColumnWriter(timeRuns, this.#encoder)
  }

  add(samples: SampleBuffer, entries: ChunkEntry[]): void {
    const { count } = samples
    for (let from = 0; from < count; ) {
      const to = endOfChunk(samples, from)
      const { column, from: offset } = this.times.place(samples.times, from, to - from)
      const start = this.#runs.out.length
      this.#write(samples, from, to - from)
      const payloadBytes = this.#runs.out.length - start
      this.#runs.end()
      entries.push({ column, from: offset, count: to - from, payloadBytes })
      this.#sizes?.observe(to - from, payloadBytes, samples.times[to - 1]! - samples.times[from]!)
      from = to
    }
    this.samples += count
  }

  #write(samples: SampleBuffer, from: number, n: number): void {
    const out = this.#runs.out
    const starts = hasStarts(samples, from, n) ? HAS_STARTS : 0
    if (samples.flags[from] === 2) {
      out.byte(HISTOGRAMS | starts)
      for (let i = from; i < from + n; i++) {
        const bytes = this.#histograms.encode(samples.histograms![i]!)
        out.varint(bytes.length)
        out.append(bytes)
      }
      this.histograms += n
    } else {
      out.byte(FLOATS | starts)
      this.#column(samples.values, from, n, out)
    }
    if (starts) this.#column(samples.startTimes!, from, n, out)
  }

  #column(source: Float64Array, from: number, n: number, out: ByteWriter): void {
    // `set` keeps the bits of stale markers.
    this.#values.set(source.subarray(from, from + n))
    this.#encoder.encode(this.#values, this.#words, n, out)
  }
}

function endOfChunk(samples: SampleBuffer, from: number): number {
  const { times, flags, count, mixed } = samples
  const window = Math.floor(times[from]! / CHUNK_WINDOW_MS)
  const isHistogram = flags[from] === 2
  const limit = Math.min(count, from + CHUNK_SAMPLES_MAX)
  const windowEnd = (window + 1) * CHUNK_WINDOW_MS
  let to = from + 1
  if (!mixed) while (to < limit && times[to]! < windowEnd) to++
  else while (to < limit && times[to]! < windowEnd && (flags[to] === 2) === isHistogram) to++
  return to
}

function hasStarts(samples: SampleBuffer, from: number, n: number): boolean {
  const { startTimes } = samples
  if (!startTimes) return false
  for (let i = from; i < from + n; i++) if (startTimes[i] !== 0) return true
  return false
}
