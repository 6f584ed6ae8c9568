/**
 * Segments of Prometheus's write-ahead log into records. A page has 32 KiB; a record is cut into fragments that do not
 * cross pages.
 *
 *     fragment   kind (3 bits: 1 whole, 2 first, 3 middle, 4 last, 0 rest of the page is empty), 8 snappy, 16 zstd: u8 |
 *                length u16 | crc32c(data) u32 | data
 *
 * Big endian. Semantics: Prometheus tsdb/docs/format/wal.md, tsdb/wlog/reader.go (v3.5).
 */
import { joinBytes } from '../bytes/mod.ts'
import { crc32c } from '../crc/mod.ts'
import { snappyDecompress } from '../remote-write/mod.ts'
import { TsdbFormatError } from './errors.ts'

const PAGE_BYTES = 32 << 10
const HEADER_BYTES = 7
const KIND = 7
const SNAPPY = 8
const ZSTD = 16
const MAX_RECORD_BYTES = 256 << 20

const Fragment = { empty: 0, whole: 1, first: 2, middle: 3, last: 4 } as const

export type InflateZstd = (bytes: Uint8Array, maxBytes: number) => Uint8Array

/** Keep one for all segments of a log, in order: records may go on in the next. */
export class WalPageReader {
  readonly #zstd: InflateZstd
  #parts: Uint8Array[] = []

  constructor(zstd: InflateZstd) {
    this.#zstd = zstd
  }

  /**
   * Records are borrowed until the next one.
   * @param isLast of the log: its end may be torn, and then what is whole is given
   * @throws TsdbFormatError
   */
  *records(segment: Uint8Array, file: string, isLast: boolean): Generator<Uint8Array, void> {
    const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength)
    let at = 0
    while (at < segment.length) {
      const pageEnd = at - (at % PAGE_BYTES) + PAGE_BYTES
      const kind = segment[at]! & KIND
      if (kind === Fragment.empty) {
        at = pageEnd
        continue
      }
      const from = at + HEADER_BYTES
      const length = from <= segment.length ? view.getUint16(at + 1) : 0
      const end = from + length
      const fail = (why: string): TsdbFormatError => new TsdbFormatError(file, at, why)
      if (end > segment.length || end > pageEnd) {
        if (isLast) return
        throw fail('a record of the log is cut off')
      }
      const data = segment.subarray(from, end)
      if (crc32c(data) !== view.getUint32(at + 3)) {
        if (isLast) return
        throw fail('wrong checksum of a record of the log')
      }
      if (kind === Fragment.whole || kind === Fragment.first) this.#parts = []
      else if (this.#parts.length === 0) throw fail('a record of the log has no beginning')
      this.#parts.push(data)
      if (kind === Fragment.whole || kind === Fragment.last) {
        yield this.#inflate(joinBytes(this.#parts), segment[at]!, fail)
        this.#parts = []
      } else if (kind > Fragment.last) throw fail(`a fragment of unknown kind ${kind}`)
      at = end
    }
  }

  #inflate(bytes: Uint8Array, head: number, fail: (why: string) => TsdbFormatError): Uint8Array {
    try {
      if ((head & SNAPPY) !== 0) return snappyDecompress(bytes, MAX_RECORD_BYTES)
      return (head & ZSTD) !== 0 ? this.#zstd(bytes, MAX_RECORD_BYTES) : bytes
    } catch (error) {
      throw fail(`a record of the log does not inflate: ${(error as Error).message}`)
    }
  }
}
