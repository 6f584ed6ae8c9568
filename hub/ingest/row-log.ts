/**
 * Remote writes in the log as rows of series ids, times and values rather than as the bodies that came: half the bytes,
 * and replay neither inflates nor parses them.
 *
 * An id is the series' ref in the head of the process that wrote it; `life` names that process, and the head's snapshot
 * says whose refs its own are. Each life defines an id before it uses it, in a record that stands in the log twice, for
 * many rows cannot be read without it.
 *
 *     definitions   zstd of [ life u32 ][ n u32 ] n × [ id u32 ][ length u32 ][ label fields as a remote writer encodes them ]
 *     rows          [ life u32 ][ n u32 ][ runs u32 ][ bytes of ids u32 ]
 *                   [ n values f64 ][ runs × time f64 ][ runs × length u32 ][ ids: zigzag varints of the differences ]
 *
 * A run is samples of one time. Little endian.
 */
import type { SeriesRef } from '../tsdb/contract.ts'

const DEFINITIONS_HEADER_BYTES = 8
/** A buffer that a large request has made larger is not kept. */
const KEPT_DEFINITIONS_BYTES = 1 << 20
const HEADER_BYTES = 16
const VARINT_MAX = 5

/** Label bytes of the series of a request; borrowed. */
export interface LabelSource {
  labelBytes(series: number): Uint8Array | null
}

export class RowLogWriter {
  /** 0: not begun, nothing can be written. */
  #life = 0
  /** A bit an id. */
  #defined = new Uint8Array(1024)
  #out = new Uint8Array(1 << 16)
  #view = new DataView(this.#out.buffer)
  /** Definitions since the last call of `definitions`, their header's room included: how many, and how many bytes. */
  #pending = 0
  #pendingBytes = DEFINITIONS_HEADER_BYTES
  #definitions = new Uint8Array(1 << 16)

  begin(life: number): void {
    this.#life = life
    this.#defined.fill(0)
  }

  get isBegun(): boolean {
    return this.#life !== 0
  }

  /** Notes the series for `definitions` unless this life has defined it. */
  use(id: SeriesRef, series: number, labels: LabelSource): void {
    const at = id >>> 3
    const bit = 1 << (id & 7)
    if (at < this.#defined.length && (this.#defined[at]! & bit) !== 0) return
    if (at >= this.#defined.length) {
      const grown = new Uint8Array(Math.max(at + 1, 2 * this.#defined.length))
      grown.set(this.#defined)
      this.#defined = grown
    }
    this.#defined[at]! |= bit
    this.#define(id, labels.labelBytes(series)!)
  }

  /** Copied at once: a view that is kept costs the collector more than its bytes. */
  #define(id: SeriesRef, bytes: Uint8Array): void {
    const at = this.#pendingBytes
    const end = at + 8 + bytes.length
    if (end > this.#definitions.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#definitions.length))
      grown.set(this.#definitions.subarray(0, at))
      this.#definitions = grown
    }
    writeWord(this.#definitions, at, id)
    writeWord(this.#definitions, at + 4, bytes.length)
    this.#definitions.set(bytes, at + 8)
    this.#pendingBytes = end
    this.#pending++
  }

  /** Of the ids noted since the last call, not yet compressed, borrowed until the next `use`; null when there are none. */
  definitions(): Uint8Array | null {
    if (this.#pending === 0) return null
    const out = this.#definitions.subarray(0, this.#pendingBytes)
    writeWord(out, 0, this.#life)
    writeWord(out, 4, this.#pending)
    this.#pending = 0
    this.#pendingBytes = DEFINITIONS_HEADER_BYTES
    if (this.#definitions.length > KEPT_DEFINITIONS_BYTES) this.#definitions = new Uint8Array(1 << 16)
    return out
  }

  /** The samples whose `results` are 0, of which there are `count`. Borrowed until the next call. Hot. */
  rows(
    ids: Uint32Array,
    timestamps: Float64Array,
    values: Float64Array,
    results: Uint8Array,
    end: number,
    count: number,
  ): Uint8Array {
    const words = new Int32Array(values.buffer, values.byteOffset, 2 * end)
    this.#reserve(HEADER_BYTES + count * (8 + 12 + VARINT_MAX))
    const view = this.#view
    let at = HEADER_BYTES
    let runs = 0
    for (let i = 0, last = Number.NaN; i < end; i++) {
      if (results[i] !== 0) continue
      view.setInt32(at, words[2 * i]!, true)
      view.setInt32(at + 4, words[2 * i + 1]!, true)
      at += 8
      if (timestamps[i] !== last) runs++
      last = timestamps[i]!
    }
    this.#writeRuns(timestamps, results, end, at, at + 8 * runs)
    at += 12 * runs
    const idsEnd = this.#writeIds(ids, results, end, at)
    view.setUint32(0, this.#life, true)
    view.setUint32(4, count, true)
    view.setUint32(8, runs, true)
    view.setUint32(12, idsEnd - at, true)
    return this.#out.subarray(0, idsEnd)
  }

  #writeRuns(timestamps: Float64Array, results: Uint8Array, end: number, timesAt: number, lengthsAt: number): void {
    const view = this.#view
    let run = -1
    let length = 0
    for (let i = 0, last = Number.NaN; i < end; i++) {
      if (results[i] !== 0) continue
      const time = timestamps[i]!
      if (time !== last) {
        if (run >= 0) view.setUint32(lengthsAt + 4 * run, length, true)
        run++
        length = 0
        view.setFloat64(timesAt + 8 * run, time, true)
      }
      length++
      last = time
    }
    if (run >= 0) view.setUint32(lengthsAt + 4 * run, length, true)
  }

  #writeIds(ids: Uint32Array, results: Uint8Array, end: number, start: number): number {
    const out = this.#out
    let at = start
    for (let i = 0, last = 0; i < end; i++) {
      if (results[i] !== 0) continue
      const step = ids[i]! - last
      // Refs stay below 2^31, so that their differences fit.
      let rest = ((step << 1) ^ (step >> 31)) >>> 0
      for (; rest >= 128; rest >>>= 7) out[at++] = (rest & 127) | 128
      out[at++] = rest
      last = ids[i]!
    }
    return at
  }

  #reserve(bytes: number): void {
    if (this.#out.length >= bytes) return
    this.#out = new Uint8Array(2 * bytes)
    this.#view = new DataView(this.#out.buffer)
  }
}

function writeWord(out: Uint8Array, at: number, word: number): void {
  out[at] = word
  out[at + 1] = word >>> 8
  out[at + 2] = word >>> 16
  out[at + 3] = word >>> 24
}

export type Definitions = {
  readonly life: number
  /** In order; the bytes are views of the record. */
  readonly series: readonly { readonly id: SeriesRef; readonly bytes: Uint8Array }[]
}

/** Of a record that its checksum has proved whole, inflated. */
export function readDefinitions(record: Uint8Array): Definitions {
  const view = new DataView(record.buffer, record.byteOffset, record.length)
  const series: { id: SeriesRef; bytes: Uint8Array }[] = []
  let at = 8
  for (let i = view.getUint32(4, true); i > 0; i--) {
    const end = at + 8 + view.getUint32(at + 4, true)
    series.push({ id: view.getUint32(at, true), bytes: record.subarray(at + 8, end) })
    at = end
  }
  return { life: view.getUint32(0, true), series }
}

/** Rows as columns; borrowed until the next `read`. */
export class RowReader {
  life = 0
  count = 0
  runs = 0
  ids = new Uint32Array(4096)
  values = new Float64Array(4096)
  times = new Float64Array(64)
  lengths = new Uint32Array(64)

  read(record: Uint8Array): void {
    const view = new DataView(record.buffer, record.byteOffset, record.length)
    this.life = view.getUint32(0, true)
    this.count = view.getUint32(4, true)
    this.runs = view.getUint32(8, true)
    const { count, runs } = this
    if (this.ids.length < count) {
      this.ids = new Uint32Array(2 * count)
      this.values = new Float64Array(2 * count)
    }
    if (this.times.length < runs) {
      this.times = new Float64Array(2 * runs)
      this.lengths = new Uint32Array(2 * runs)
    }
    let at = HEADER_BYTES + 8 * count
    new Uint8Array(this.values.buffer).set(record.subarray(HEADER_BYTES, at))
    for (let run = 0; run < runs; run++) this.times[run] = view.getFloat64(at + 8 * run, true)
    at += 8 * runs
    for (let run = 0; run < runs; run++) this.lengths[run] = view.getUint32(at + 4 * run, true)
    this.#readIds(record, at + 4 * runs)
  }

  #readIds(record: Uint8Array, start: number): void {
    let at = start
    let id = 0
    for (let i = 0; i < this.count; i++) {
      let byte = record[at++]!
      let bits = byte & 127
      for (let shift = 7; byte >= 128; shift += 7) {
        byte = record[at++]!
        bits |= (byte & 127) << shift
      }
      id += (bits >>> 1) ^ -(bits & 1)
      this.ids[i] = id
    }
  }
}
