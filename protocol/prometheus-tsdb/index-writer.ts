/**
 * Writes an index of format version 2, section by section, to a sink that only appends. Layout: index-reader.ts.
 * In memory stay the symbols, and the references of the series by label pair.
 */
import { crc32c } from '../crc/mod.ts'
import { type ChunkMeta, INDEX_MAGIC, SERIES_ALIGN } from './index-reader.ts'

const VERSION = 2
const POSTINGS_ALIGN = 4
const utf8 = new TextEncoder()

export type AppendBytes = (bytes: Uint8Array) => void

export class TsdbIndexWriter {
  readonly #append: AppendBytes
  readonly #symbols: readonly string[]
  readonly #out = new Bytes()
  /** By name, then value: references. */
  readonly #postings = new Map<number, Map<number, References>>()
  readonly #all = new References()
  readonly #symbolsAt = 5
  readonly #seriesAt: number
  #written = 0

  /** @param symbols of all series, ascending by compareStrings */
  constructor(append: AppendBytes, symbols: readonly string[]) {
    this.#append = append
    this.#symbols = symbols
    const out = this.#out
    out.u32(INDEX_MAGIC)
    out.byte(VERSION)
    this.#flush()
    out.u32(symbols.length)
    for (const text of symbols) {
      out.text(text)
      if (out.length > 2 ** 31) throw new RangeError('the label texts of one block exceed 2 GiB')
    }
    this.#section()
    this.#seriesAt = this.#written
  }

  /** Ascending by labels. @param labels symbols of name and value, alternating */
  series(labels: Uint32Array, chunks: readonly ChunkMeta[]): void {
    this.#align(SERIES_ALIGN)
    const ref = this.#written / SERIES_ALIGN
    const out = this.#out
    out.uvarint(labels.length / 2)
    for (const symbol of labels) out.uvarint(symbol)
    out.uvarint(chunks.length)
    chunks.forEach(({ minTime, maxTime, ref: chunk }, i) => {
      const last = chunks[i - 1]
      if (last) out.uvarint(minTime - last.maxTime)
      else out.varint(minTime)
      out.uvarint(maxTime - minTime)
      if (last) out.varint(chunk - last.ref)
      else out.uvarint(chunk)
    })
    const body = out.take()
    out.uvarint(body.length)
    this.#flush()
    out.append(body)
    out.u32(crc32c(body))
    this.#flush()
    this.#all.push(ref)
    for (let i = 0; i < labels.length; i += 2) this.#postingsOf(labels[i]!, labels[i + 1]!).push(ref)
  }

  finish(): void {
    const out = this.#out
    this.#align(POSTINGS_ALIGN)
    const labelIndicesAt = this.#written
    // Label indices are read by nobody any more: there is an empty table of them.
    const postingsAt = this.#written
    const entries: { readonly name: string; readonly value: string; readonly at: number }[] = []
    const write = (name: string, value: string, refs: References): void => {
      this.#align(POSTINGS_ALIGN)
      entries.push({ name, value, at: this.#written })
      out.u32(refs.count)
      for (let i = 0; i < refs.count; i++) out.u32(refs.values[i]!)
      this.#section()
    }
    write('', '', this.#all)
    for (const name of ascending(this.#postings))
      for (const value of ascending(this.#postings.get(name)!))
        write(this.#symbols[name]!, this.#symbols[value]!, this.#postings.get(name)!.get(value)!)
    const labelTableAt = this.#written
    out.u32(0)
    this.#section()
    const postingsTableAt = this.#written
    out.u32(entries.length)
    for (const { name, value, at } of entries) {
      out.uvarint(2)
      out.text(name)
      out.text(value)
      out.uvarint(at)
    }
    this.#section()
    for (const at of [this.#symbolsAt, this.#seriesAt, labelIndicesAt, labelTableAt, postingsAt, postingsTableAt])
      out.u64(at)
    out.u32(crc32c(out.written()))
    this.#flush()
  }

  #postingsOf(name: number, value: number): References {
    let values = this.#postings.get(name)
    if (!values) this.#postings.set(name, (values = new Map()))
    let refs = values.get(value)
    if (!refs) values.set(value, (refs = new References()))
    return refs
  }

  /** What is gathered, with its length before it and its checksum behind it. */
  #section(): void {
    const body = this.#out.take()
    this.#out.u32(body.length)
    this.#flush()
    this.#append(body)
    this.#written += body.length
    this.#out.u32(crc32c(body))
    this.#flush()
  }

  #align(to: number): void {
    while ((this.#written + this.#out.length) % to !== 0) this.#out.byte(0)
    this.#flush()
  }

  #flush(): void {
    if (this.#out.length === 0) return
    this.#written += this.#out.length
    this.#append(this.#out.take())
  }
}

/** Positions of symbols are in the order of their texts. */
const ascending = (map: ReadonlyMap<number, unknown>): number[] => [...map.keys()].sort((a, b) => a - b)

class References {
  values = new Uint32Array(4)
  count = 0

  push(ref: number): void {
    if (this.count === this.values.length) {
      const grown = new Uint32Array(2 * this.count)
      grown.set(this.values)
      this.values = grown
    }
    this.values[this.count++] = ref
  }
}

class Bytes {
  #bytes = new Uint8Array(1 << 12)
  #view = new DataView(this.#bytes.buffer)
  length = 0

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.length)
  }

  take(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.length)
    this.length = 0
    return bytes
  }

  byte(value: number): void {
    this.#room(1)
    this.#bytes[this.length++] = value
  }

  u32(value: number): void {
    this.#room(4)
    this.#view.setUint32(this.length, value)
    this.length += 4
  }

  u64(value: number): void {
    this.u32(Math.floor(value / 2 ** 32))
    this.u32(value % 2 ** 32)
  }

  uvarint(value: number): void {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 0x80)
    this.byte(rest)
  }

  varint(value: number): void {
    this.uvarint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  text(text: string): void {
    const bytes = utf8.encode(text)
    this.uvarint(bytes.length)
    this.append(bytes)
  }

  append(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + bytes))
    grown.set(this.written())
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}
