/**
 * Writer's side of shared times: series that are scraped together refer to one column of times, or to a stretch of it
 * when they began later or ended earlier.
 */
import type { ColumnEncoder } from './column.ts'
import { CHUNK_SAMPLES_MAX } from './contract.ts'
import type { RunBuilder } from './run-file.ts'

export type TimeRef = { readonly column: number; readonly from: number }

/** Kept for comparison; older ones are written and forgotten, so memory is bounded whatever the data. */
const KEPT_TIMES = 4 << 20

export class TimeColumnWriter {
  readonly #runs: RunBuilder
  readonly #encoder: ColumnEncoder
  /** By column: count, first and last time, encoded bytes. */
  readonly counts: number[] = []
  readonly firsts: number[] = []
  readonly lasts: number[] = []
  readonly payloadBytes: number[] = []
  readonly #times = new Map<number, Float64Array>()
  /** The newest column that holds a time. */
  readonly #byTime = new Map<number, number>()
  readonly #scratch = new Float64Array(CHUNK_SAMPLES_MAX)
  readonly #words = new Uint32Array(this.#scratch.buffer)
  #kept = 0

  constructor(runs: RunBuilder, encoder: ColumnEncoder) {
    this.#runs = runs
    this.#encoder = encoder
  }

  /** The place of `times[from, from + n)`, written if it is new. */
  place(times: Float64Array, from: number, n: number): TimeRef {
    const known = this.#find(times, from, n)
    if (known) return known
    const column = this.counts.length
    const copy = times.slice(from, from + n)
    this.counts.push(n)
    this.firsts.push(copy[0]!)
    this.lasts.push(copy[n - 1]!)
    this.#scratch.set(copy)
    const start = this.#runs.out.length
    this.#encoder.encode(this.#scratch, this.#words, n, this.#runs.out)
    this.payloadBytes.push(this.#runs.out.length - start)
    this.#runs.end()
    this.#remember(column, copy)
    return { column, from: 0 }
  }

  #find(times: Float64Array, from: number, n: number): TimeRef | null {
    // By the last time too: a series that stopped for a while may share its first with others' chunks alone.
    for (const anchor of [0, n - 1]) {
      const column = this.#byTime.get(times[from + anchor]!)
      const kept = column === undefined ? undefined : this.#times.get(column)
      if (column === undefined || kept === undefined) continue
      const at = indexOf(kept, times[from + anchor]!) - anchor
      if (at >= 0 && at + n <= kept.length && isSame(kept, at, times, from, n)) return { column, from: at }
    }
    return null
  }

  #remember(column: number, times: Float64Array): void {
    this.#kept += times.length
    if (this.#kept > KEPT_TIMES) {
      this.#times.clear()
      this.#byTime.clear()
      this.#kept = times.length
    }
    this.#times.set(column, times)
    for (const time of times) {
      // A longer column serves more series.
      const other = this.#byTime.get(time)
      if (other === undefined || this.counts[other]! < times.length) this.#byTime.set(time, column)
    }
  }
}

function isSame(a: Float64Array, at: number, b: Float64Array, from: number, n: number): boolean {
  for (let i = 0; i < n; i++) if (a[at + i] !== b[from + i]) return false
  return true
}

function indexOf(times: Float64Array, time: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle]! < time) low = middle + 1
    else high = middle
  }
  return low
}
