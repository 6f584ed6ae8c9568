/** Samples of one shard that wait to be sent, in columns, and where in the log each came from. */
import type { Exemplar, Histogram } from '../../protocol/samples/mod.ts'
import type { WalPosition } from '../wal/mod.ts'

const FIRST_ROWS = 256

export class ShardBatch {
  count = 0
  refs = new Uint32Array(FIRST_ROWS)
  times = new Float64Array(FIRST_ROWS)
  values = new Float64Array(FIRST_ROWS)
  /** Milliseconds, 0 unknown. */
  starts = new Float64Array(FIRST_ROWS)
  /** By row; a row without one is a float. */
  readonly histograms = new Map<number, Histogram>()
  exemplars: { readonly ref: number; readonly exemplar: Exemplar }[] = []
  /** Monotonic, of the oldest sample: when it came. */
  sinceMs = Number.POSITIVE_INFINITY
  /** Rows from `row` on came from this place or a later one. */
  #marks: { row: number; readonly position: WalPosition }[] = []
  #words = new Uint32Array(this.values.buffer)

  get isEmpty(): boolean {
    return this.count === 0 && this.exemplars.length === 0
  }

  /** Of the oldest record that something in it came from; Infinity when it is empty. */
  get position(): WalPosition {
    return this.isEmpty ? Number.POSITIVE_INFINITY : (this.#marks[0]?.position ?? Number.POSITIVE_INFINITY)
  }

  float(ref: number, timestampMs: number, values: Float64Array, at: number, startMs: number): void {
    const row = this.#row(ref, timestampMs, startMs)
    // Bits, for stale markers.
    const words = wordsOf(values)
    this.#words[2 * row] = words[2 * at]!
    this.#words[2 * row + 1] = words[2 * at + 1]!
  }

  histogram(ref: number, timestampMs: number, histogram: Histogram, startMs: number): void {
    this.histograms.set(this.#row(ref, timestampMs, startMs), histogram)
  }

  exemplar(ref: number, exemplar: Exemplar): void {
    this.exemplars.push({ ref, exemplar })
  }

  /** Before something of this record is added. */
  mark(position: WalPosition, nowMs: number): void {
    if (this.isEmpty) this.#marks = []
    const last = this.#marks.at(-1)
    if (last?.position === position) return
    this.#marks.push({ row: this.count, position })
    if (this.sinceMs === Number.POSITIVE_INFINITY) this.sinceMs = nowMs
  }

  /** The first `rows` are sent; exemplars that went along are gone from `exemplars`. */
  drop(rows: number, nowMs: number): void {
    const left = this.count - rows
    this.refs.copyWithin(0, rows, this.count)
    this.times.copyWithin(0, rows, this.count)
    this.values.copyWithin(0, rows, this.count)
    this.starts.copyWithin(0, rows, this.count)
    const moved = [...this.histograms].filter(([row]) => row >= rows)
    this.histograms.clear()
    for (const [row, histogram] of moved) this.histograms.set(row - rows, histogram)
    let first = 0
    while (first + 1 < this.#marks.length && this.#marks[first + 1]!.row <= rows) first++
    this.#marks.splice(0, first)
    for (const mark of this.#marks) mark.row = Math.max(0, mark.row - rows)
    this.count = left
    this.sinceMs = this.isEmpty ? Number.POSITIVE_INFINITY : nowMs
  }

  #row(ref: number, timestampMs: number, startMs: number): number {
    const row = this.count++
    if (row >= this.refs.length) this.#grow()
    this.refs[row] = ref
    this.times[row] = timestampMs
    this.starts[row] = startMs
    return row
  }

  #grow(): void {
    const rows = 2 * this.refs.length
    const refs = new Uint32Array(rows)
    refs.set(this.refs)
    this.refs = refs
    this.times = grown(this.times, rows)
    this.values = grown(this.values, rows)
    this.starts = grown(this.starts, rows)
    this.#words = new Uint32Array(this.values.buffer)
  }
}

function grown(column: Float64Array, rows: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(rows)
  out.set(column)
  return out
}

let lastValues: Float64Array | null = null
let lastWords = new Uint32Array(0) as Uint32Array<ArrayBufferLike>

/** A view a column, not one a sample. */
function wordsOf(values: Float64Array): Uint32Array<ArrayBufferLike> {
  if (values !== lastValues) {
    lastValues = values
    lastWords = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
  }
  return lastWords
}
