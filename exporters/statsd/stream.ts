/** Lines out of the chunks of a TCP connection, each bounded. */
import { joinBytes } from '../../protocol/bytes/mod.ts'
import type { LineCounters } from './event.ts'
import { decodeLines } from './line.ts'

/** As Go's bufio.Reader, with which upstream reads. */
const MAX_LINE_BYTES = 4096

export class LineStream {
  readonly #counters: LineCounters
  readonly #onLine: (line: string) => void
  readonly #onTooLong: () => void
  #rest: Uint8Array = new Uint8Array(0)
  #broken = false

  /** @param on `tooLong` is called once at most */
  constructor(counters: LineCounters, on: { readonly line: (line: string) => void; readonly tooLong: () => void }) {
    this.#counters = counters
    this.#onLine = on.line
    this.#onTooLong = on.tooLong
  }

  /** False once a line is longer than 4096 bytes: the connection is of no more use. */
  push(chunk: Uint8Array): boolean {
    if (this.#broken) return false
    const bytes = this.#rest.length === 0 ? chunk : joinBytes([this.#rest, chunk])
    const end = bytes.lastIndexOf(0x0a)
    if (end >= 0) this.#take(bytes.subarray(0, end))
    this.#rest = bytes.slice(end + 1)
    if (this.#rest.length <= MAX_LINE_BYTES) return true
    this.#broken = true
    this.#rest = new Uint8Array(0)
    this.#onTooLong()
    return false
  }

  end(): void {
    if (this.#rest.length > 0) this.#take(this.#rest)
    this.#rest = new Uint8Array(0)
  }

  /** Whole lines, the last one without its newline. */
  #take(bytes: Uint8Array): void {
    decodeLines(bytes, this.#counters, (line) => this.#onLine(line.endsWith('\r') ? line.slice(0, -1) : line))
  }
}
