/**
 * Rows of one series and one width as the payload of a chunk. What it covers (ends of windows, count) is in the index.
 *
 *     which are written (2 bytes, a bit a column) | for each that is: bytes LEB128, column (column.ts)
 *     [for each row with histograms: length LEB128, bytes as the head's codec]
 *
 * Times are written as their distance from the window's end, 1 more for stale markers. A column that is what it is for
 * most series is left out: min and last as first, max as last, sum as samples times first, the others 0.
 */
import {
  AGGREGATE_COLUMNS,
  type AggregateBuffer,
  AggregateColumn,
  decodeHistogram,
  ensureRows,
  HistogramEncoder,
} from '../tsdb/mod.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { ByteWriter as Writer } from './bytes.ts'
import { type ColumnEncoder, decodeColumn } from './column.ts'
import { CHUNK_SAMPLES_MAX } from './contract.ts'

const C = AggregateColumn
const TIMES: ReadonlySet<number> = new Set([C.firstTime, C.lastTime, C.histogramTime, C.staleTime])

/** By column: which others its default is made of. */
const NEEDS: Readonly<Record<number, readonly number[]>> = {
  [C.sum]: [C.samples, C.first],
  [C.min]: [C.first],
  [C.max]: [C.last, C.first],
  [C.last]: [C.first],
}

export class AggregateChunkEncoder {
  readonly #columns: ColumnEncoder
  readonly #histograms = new HistogramEncoder()
  readonly #values = new Float64Array(CHUNK_SAMPLES_MAX)
  readonly #words = new Uint32Array(this.#values.buffer)
  readonly #default = new Float64Array(CHUNK_SAMPLES_MAX)
  readonly #defaultWords = new Uint32Array(this.#default.buffer)
  readonly #scratch = new Writer()

  constructor(columns: ColumnEncoder) {
    this.#columns = columns
  }

  /** Rows [from, from + n), n at most CHUNK_SAMPLES_MAX. */
  encode(rows: AggregateBuffer, from: number, n: number, out: ByteWriter): void {
    const head = out.length
    out.byte(0)
    out.byte(0)
    let written = 0
    for (let column = 0; column < AGGREGATE_COLUMNS; column++) {
      this.#fill(rows, column, from, n)
      if (this.#isDefault(rows, column, from, n)) continue
      written |= 1 << column
      this.#scratch.length = 0
      this.#columns.encode(this.#values, this.#words, n, this.#scratch)
      out.varint(this.#scratch.length)
      out.append(this.#scratch.written())
    }
    out.bytes[head] = written & 0xff
    out.bytes[head + 1] = written >>> 8
    for (let i = from; i < from + n; i++) {
      if (rows.columns[C.histograms]![i] === 0) continue
      const bytes = this.#histograms.encode(rows.histograms![i]!)
      out.varint(bytes.length)
      out.append(bytes)
    }
  }

  #fill({ columns, times }: AggregateBuffer, column: number, from: number, n: number): void {
    const source = columns[column]!
    const values = this.#values
    if (!TIMES.has(column)) {
      values.set(source.subarray(from, from + n))
      return
    }
    const isStale = column === C.staleTime
    const isThere = isStale ? source : columns[column === C.histogramTime ? C.histograms : C.samples]!
    for (let i = 0; i < n; i++)
      values[i] = isThere[from + i] === 0 ? 0 : times[from + i]! - source[from + i]! + (isStale ? 1 : 0)
  }

  #isDefault({ columns }: AggregateBuffer, column: number, from: number, n: number): boolean {
    const wanted = this.#default
    fillDefault(column, columns, from, n, wanted, 0)
    const a = this.#words
    const b = this.#defaultWords
    for (let i = 0; i < 2 * n; i++) if (a[i] !== b[i]) return false
    return true
  }
}

function fillDefault(
  column: number,
  columns: readonly Float64Array[],
  from: number,
  n: number,
  out: Float64Array,
  to: number,
): void {
  const source = column === C.min || column === C.last ? C.first : column === C.max ? C.last : -1
  if (source >= 0) out.set(columns[source]!.subarray(from, from + n), to)
  else if (column === C.sum)
    for (let i = 0; i < n; i++) out[to + i] = columns[C.samples]![from + i]! * columns[C.first]![from + i]!
  else out.fill(0, to, to + n)
}

/** The columns that must be read for these to be known. */
export function neededColumns(wanted: number): number {
  // The number of samples tells which rows have any, and that of histograms where these are.
  let needed = wanted | (1 << C.samples) | (1 << C.histograms)
  for (let column = 0; column < AGGREGATE_COLUMNS; column++)
    if ((wanted & (1 << column)) !== 0) for (const other of NEEDS[column] ?? []) needed |= 1 << other
  return needed
}

/** Order in which columns come to be known: defaults are made of earlier ones. */
const ORDER = [
  C.samples,
  C.first,
  C.last,
  C.sum,
  C.min,
  C.max,
  C.firstTime,
  C.lastTime,
  C.resets,
  C.histograms,
  C.histogramTime,
  C.staleTime,
]

/**
 * Decodes n rows behind those that `out` has, which must have their times already; its count stays.
 * @param columns as `neededColumns` gives them
 */
export function decodeRows(reader: ByteReader, n: number, columns: number, out: AggregateBuffer): void {
  const { count } = out
  ensureRows(out, count + n)
  const written = reader.byte() | (reader.byte() << 8)
  const places: number[] = []
  for (let column = 0; column < AGGREGATE_COLUMNS; column++) {
    if ((written & (1 << column)) === 0) continue
    const bytes = reader.varint()
    places[column] = reader.at
    reader.at += bytes
  }
  const end = reader.at
  for (const column of ORDER) {
    if ((columns & (1 << column)) === 0) continue
    const values = out.columns[column]!
    const place = places[column]
    if (place === undefined) fillDefault(column, out.columns, count, n, values, count)
    else {
      reader.at = place
      decodeColumn(reader, n, values, new Uint32Array(values.buffer), count)
    }
    if (TIMES.has(column)) fromDistances(out, column, count, n)
  }
  reader.at = end
  const histograms = out.columns[C.histograms]!
  for (let i = count; i < count + n; i++) {
    if (histograms[i] === 0) continue
    const bytes = reader.take(reader.varint())
    out.histograms ??= []
    out.histograms[i] = decodeHistogram(bytes)
  }
}

/** Times of samples that are not there come out as the window's end, which means nothing. */
function fromDistances({ columns, times }: AggregateBuffer, column: number, from: number, n: number): void {
  const values = columns[column]!
  if (column !== C.staleTime) for (let i = from; i < from + n; i++) values[i] = times[i]! - values[i]!
  else for (let i = from; i < from + n; i++) values[i] = values[i] === 0 ? 0 : times[i]! + 1 - values[i]!
}
