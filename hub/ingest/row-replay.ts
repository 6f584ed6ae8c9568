/** Rows of the log (row-log.ts) into the head again: ids of an earlier process become refs of this one. */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Appender, AppendResult, SeriesRef } from '../tsdb/contract.ts'
import { REFUSED, UNDEFINED } from './dictionary.ts'
import { RowReader, readDefinitions } from './row-log.ts'

/** Of label bytes that were accepted before; null when they no longer are. */
export type LabelBytesReader = (bytes: Uint8Array) => Labels | null

export type RowReplayOptions = {
  readonly head: Appender
  readonly labelsOf: LabelBytesReader
  /** The life whose ids are the refs below `refLimit` of the head as it was restored; 0: of none. */
  readonly restoredLife: number
  readonly refLimit: number
  readonly onSeries: (bytes: Uint8Array, ref: SeriesRef) => void
}

export class RowReplay {
  readonly #options: RowReplayOptions
  readonly #reader = new RowReader()
  #life = 0
  /** Refs by id, of `#life`. */
  #refs = new Uint32Array(0)
  #rowRefs = new Uint32Array(4096)
  #results: Uint8Array = new Uint8Array(4096)

  constructor(options: RowReplayOptions) {
    this.#options = options
  }

  /** @param record inflated */
  define(record: Uint8Array): void {
    const { head, labelsOf, onSeries } = this.#options
    const { life, series } = readDefinitions(record)
    this.#enter(life)
    for (const { id, bytes } of series) {
      // Each record stands in the log twice.
      if (this.#known(id) < REFUSED) continue
      const labels = labelsOf(bytes)
      const ref = labels === null ? -1 : head.series(labels)
      this.#set(id, ref < 0 ? REFUSED : ref)
      if (ref >= 0) onSeries(bytes, ref)
    }
  }

  /** Returns how many rows cannot be placed, because what defined their ids is lost. */
  apply(record: Uint8Array): number {
    const reader = this.#reader
    reader.read(record)
    this.#enter(reader.life)
    const { count, ids } = reader
    if (this.#rowRefs.length < count) {
      this.#rowRefs = new Uint32Array(2 * count)
      this.#results = new Uint8Array(2 * count)
    }
    const refs = this.#rowRefs
    const values = reader.values
    let missing = 0
    let from = 0
    for (let run = 0; run < reader.runs; run++) {
      const end = from + reader.lengths[run]!
      let isWhole = true
      for (let i = from; i < end; i++) {
        const ref = this.#refOf(ids[i]!)
        if (ref === UNDEFINED) missing++
        if (ref >= REFUSED) isWhole = false
        refs[i] = ref
      }
      if (isWhole) this.#options.head.appendRun(reader.times[run]!, refs, values, from, end - from, this.#results)
      else
        for (let i = from; i < end; i++)
          if (refs[i]! < REFUSED) this.#appendOne(reader.times[run]!, refs[i]!, values, i)
      from = end
    }
    return missing
  }

  #appendOne(time: number, ref: SeriesRef, values: Float64Array, at: number): AppendResult {
    return this.#options.head.appendFloat(ref, time, values, at, 0)
  }

  /** Lives follow one another in the log. */
  #enter(life: number): void {
    if (life === this.#life) return
    this.#life = life
    this.#refs = new Uint32Array(0)
  }

  #known(id: number): number {
    return id < this.#refs.length ? this.#refs[id]! : UNDEFINED
  }

  #refOf(id: number): number {
    const known = id < this.#refs.length ? this.#refs[id]! : UNDEFINED
    if (known !== UNDEFINED) return known
    const { restoredLife, refLimit } = this.#options
    return this.#life === restoredLife && id < refLimit ? id : UNDEFINED
  }

  #set(id: number, ref: number): void {
    if (id >= this.#refs.length) {
      const grown = new Uint32Array(Math.max(1024, id + 1, 2 * this.#refs.length)).fill(UNDEFINED)
      grown.set(this.#refs)
      this.#refs = grown
    }
    this.#refs[id] = ref
  }
}
