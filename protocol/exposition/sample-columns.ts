/** The columns that a page's samples are read into, for readers that do not need the last of speed. */
import type { Exemplar, Histogram } from '../samples/mod.ts'

export class SampleColumns {
  count = 0
  slots = new Int32Array(256)
  values = new Float64Array(256)
  timestamps: Float64Array<ArrayBuffer> | null = null
  startTimestamps: Float64Array<ArrayBuffer> | null = null
  histograms: Map<number, Histogram> | null = null
  exemplars: { readonly position: number; readonly exemplar: Exemplar }[] = []

  clear(): void {
    this.count = 0
    this.timestamps = null
    this.startTimestamps = null
    this.histograms = null
    this.exemplars = []
  }

  /** Room for one sample more; its position. Values are written by the caller, NaN by its bits. */
  add(slot: number): number {
    const at = this.count++
    if (at === this.slots.length) this.#grow()
    this.slots[at] = slot
    this.values[at] = 0
    return at
  }

  setTimestamp(at: number, timestampMs: number): void {
    this.timestamps ??= new Float64Array(this.slots.length).fill(Number.NaN)
    this.timestamps[at] = timestampMs
  }

  setStartTimestamp(at: number, startMs: number): void {
    this.startTimestamps ??= new Float64Array(this.slots.length)
    this.startTimestamps[at] = startMs
  }

  setHistogram(at: number, histogram: Histogram): void {
    this.histograms ??= new Map()
    this.histograms.set(at, histogram)
  }

  #grow(): void {
    const size = 2 * this.slots.length
    const slots = new Int32Array(size)
    slots.set(this.slots)
    this.slots = slots
    this.values = grown(this.values, size, 0)
    if (this.timestamps !== null) this.timestamps = grown(this.timestamps, size, Number.NaN)
    if (this.startTimestamps !== null) this.startTimestamps = grown(this.startTimestamps, size, 0)
  }
}

/** A reader whose columns these are. */
export abstract class ColumnBacked {
  protected readonly columns = new SampleColumns()

  get count(): number {
    return this.columns.count
  }
  get slots(): Int32Array<ArrayBuffer> {
    return this.columns.slots
  }
  get values(): Float64Array<ArrayBuffer> {
    return this.columns.values
  }
  get timestamps(): Float64Array<ArrayBuffer> | null {
    return this.columns.timestamps
  }
  get startTimestamps(): Float64Array<ArrayBuffer> | null {
    return this.columns.startTimestamps
  }
  get histograms(): ReadonlyMap<number, Histogram> | null {
    return this.columns.histograms
  }
  get exemplars(): SampleColumns['exemplars'] {
    return this.columns.exemplars
  }
}

/** Copied as bits: a NaN stays what it was. */
function grown(column: Float64Array<ArrayBuffer>, size: number, filler: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(size).fill(filler, column.length)
  out.set(column)
  return out
}
