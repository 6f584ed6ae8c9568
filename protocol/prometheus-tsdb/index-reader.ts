/**
 * The index of a block, format versions 1 and 2, over the whole file's bytes. Every section that is read is verified.
 *
 *     magic 0xBAAAD700 u32 | version u8
 *     symbols           length u32, count u32, texts (uvarint length, UTF-8), crc32c
 *     series            each at a multiple of 16 (that number is its reference): length uvarint, label count, pairs of
 *                       symbols; chunk count, the first min time varint, max - min, reference; then differences; crc32c
 *     label indices     not used any more
 *     postings          length u32, count u32, references u32, crc32c
 *     tables            length u32, count u32, entries (count of texts, texts, offset), crc32c
 *     table of contents six offsets u64, crc32c
 *
 * Semantics: Prometheus tsdb/docs/format/index.md, tsdb/index/index.go (v3.5).
 */
import { crc32c } from '../crc/mod.ts'
import { type Labels, labelsFromSorted } from '../labels/mod.ts'
import { ByteCursor } from './byte-cursor.ts'
import { TsdbFormatError } from './errors.ts'

export const INDEX_MAGIC = 0xbaaad700
export const SERIES_ALIGN = 16
const TOC_BYTES = 6 * 8 + 4
const HEADER_BYTES = 5

export type ChunkMeta = { readonly minTime: number; readonly maxTime: number; readonly ref: number }
export type IndexSeries = {
  /** Name and value as positions of `symbols`, alternating. */
  readonly labels: readonly number[]
  readonly chunks: readonly ChunkMeta[]
}

export class TsdbIndex {
  readonly file: string
  readonly symbols: readonly string[]
  readonly #bytes: Uint8Array
  readonly #version: number
  /** Of version 1: symbols by where they stand in the file. */
  readonly #byOffset = new Map<number, number>()
  readonly #postingsTable: number
  readonly #symbolsAt: number

  /** @throws TsdbFormatError */
  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes
    this.file = file
    const head = new ByteCursor(bytes, { file, at: 0, end: bytes.length })
    if (head.u32() !== INDEX_MAGIC) throw new TsdbFormatError(file, 0, 'no index: wrong magic number')
    this.#version = bytes[4] ?? 0
    if (this.#version !== 1 && this.#version !== 2)
      throw new TsdbFormatError(file, 4, `an index of format version ${this.#version}, known are 1 and 2`)
    const tocAt = bytes.length - TOC_BYTES
    if (tocAt < HEADER_BYTES) throw new TsdbFormatError(file, bytes.length, 'the index is cut off')
    const toc = new ByteCursor(bytes, { file, at: tocAt, end: bytes.length })
    const offsets = Array.from({ length: 6 }, () => toc.u64())
    if (toc.u32() !== crc32c(bytes, tocAt, bytes.length - 4))
      throw new TsdbFormatError(file, tocAt, 'wrong checksum of the table of contents')
    this.#symbolsAt = offsets[0]!
    this.#postingsTable = offsets[5]!
    this.symbols = this.#readSymbols()
  }

  /** References of all series, ascending. @throws TsdbFormatError */
  allSeries(): Uint32Array {
    const at = this.#findPostings()
    const section = this.#section(at, 'postings')
    const refs = new Uint32Array(section.u32())
    if (refs.length * 4 > section.end - section.at) throw new TsdbFormatError(this.file, at, 'postings are cut off')
    for (let i = 0; i < refs.length; i++) refs[i] = section.u32()
    return refs
  }

  /** @throws TsdbFormatError */
  series(ref: number): IndexSeries {
    const at = this.#version === 1 ? ref : ref * SERIES_ALIGN
    const head = new ByteCursor(this.#bytes, { file: this.file, at, end: this.#bytes.length })
    const length = head.uvarint()
    const from = head.at
    const end = from + length
    const fail = (why: string): never => {
      throw new TsdbFormatError(this.file, at, why)
    }
    if (end + 4 > this.#bytes.length) return fail('a series is cut off')
    if (crc32c(this.#bytes, from, end) !== this.#u32At(end)) return fail('wrong checksum of a series')
    const cursor = new ByteCursor(this.#bytes, { file: this.file, at: from, end })
    const labels: number[] = []
    for (let n = cursor.uvarint(); n > 0; n--)
      labels.push(this.#symbol(cursor.uvarint(), at), this.#symbol(cursor.uvarint(), at))
    const chunks: ChunkMeta[] = []
    let lastTime = 0
    let lastRef = 0
    for (let n = cursor.uvarint(); n > 0; n--) {
      const isFirst = chunks.length === 0
      const minTime = isFirst ? cursor.varint() : lastTime + cursor.uvarint()
      const maxTime = minTime + cursor.uvarint()
      lastRef = isFirst ? cursor.uvarint() : lastRef + cursor.varint()
      lastTime = maxTime
      chunks.push({ minTime, maxTime, ref: lastRef })
    }
    return { labels, chunks }
  }

  labels(series: IndexSeries): Labels {
    return labelsFromSorted(series.labels.map((symbol) => this.symbols[symbol]!))
  }

  #readSymbols(): string[] {
    const section = this.#section(this.#symbolsAt, 'symbols')
    const count = section.u32()
    if (count > section.end - section.at)
      throw new TsdbFormatError(this.file, this.#symbolsAt, `${count} symbols cannot be`)
    return Array.from({ length: count }, (_, i) => {
      this.#byOffset.set(section.at, i)
      return section.text()
    })
  }

  #symbol(given: number, at: number): number {
    const symbol = this.#version === 1 ? this.#byOffset.get(given) : given
    if (symbol === undefined || symbol >= this.symbols.length)
      throw new TsdbFormatError(this.file, at, `a series names symbol ${given}, which there is not`)
    return symbol
  }

  /** Of all series: those under the empty name and value. */
  #findPostings(): number {
    const table = this.#section(this.#postingsTable, 'table of postings')
    for (let n = table.u32(); n > 0; n--) {
      const texts = Array.from({ length: Math.min(table.uvarint(), 2) }, () => table.text())
      const offset = table.uvarint()
      if (texts.every((text) => text === '')) return offset
    }
    throw new TsdbFormatError(this.file, this.#postingsTable, 'the table of postings does not list all series')
  }

  #section(at: number, what: string): ByteCursor {
    if (at < HEADER_BYTES || at + 8 > this.#bytes.length)
      throw new TsdbFormatError(this.file, at, `${what} are outside of the file`)
    const length = this.#u32At(at)
    const end = at + 4 + length
    if (end + 4 > this.#bytes.length) throw new TsdbFormatError(this.file, at, `${what} are cut off`)
    if (crc32c(this.#bytes, at + 4, end) !== this.#u32At(end))
      throw new TsdbFormatError(this.file, at, `wrong checksum of ${what}`)
    return new ByteCursor(this.#bytes, { file: this.file, at: at + 4, end })
  }

  #u32At(at: number): number {
    const { buffer, byteOffset } = this.#bytes
    return new DataView(buffer, byteOffset + at, 4).getUint32(0)
  }
}
