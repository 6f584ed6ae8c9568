/** Lines out of the chunks of a TCP connection, and of a datagram; each bounded. */
import { joinBytes } from '../../protocol/bytes/mod.ts'

/** As Go's bufio.Scanner, with which upstream reads. */
const MAX_LINE_BYTES = 64 * 1024
const NEWLINE = 0x0a
const NOTHING = new Uint8Array(0)
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export type LineSink = {
  readonly line: (line: string) => void
  /** A line that is not UTF-8. */
  readonly garbled: () => void
  /** Once at most: the connection is of no more use. */
  readonly tooLong: () => void
}

export class GraphiteStream {
  readonly #sink: LineSink
  #rest: Uint8Array = NOTHING
  #isBroken = false

  constructor(sink: LineSink) {
    this.#sink = sink
  }

  /** False once a line is longer than 64 KiB. */
  push(chunk: Uint8Array): boolean {
    if (this.#isBroken) return false
    const end = chunk.lastIndexOf(NEWLINE)
    if (end >= 0) {
      readLines(joinBytes([this.#rest, chunk.subarray(0, end)]), this.#sink)
      this.#rest = chunk.slice(end + 1)
    } else this.#rest = joinBytes([this.#rest, chunk])
    if (this.#rest.length <= MAX_LINE_BYTES) return true
    this.#isBroken = true
    this.#rest = NOTHING
    this.#sink.tooLong()
    return false
  }

  /** What is left is a line. */
  end(): void {
    readLines(this.#rest, this.#sink)
    this.#rest = NOTHING
  }
}

/** The lines of whole text. Bytes that are not UTF-8 cost the lines that have them. */
export function readLines(bytes: Uint8Array, sink: LineSink): void {
  if (bytes.length === 0) return
  const text = decode(bytes)
  if (text !== null) {
    for (const line of text.split('\n')) if (line.trim() !== '') sink.line(line)
    return
  }
  for (let from = 0; from <= bytes.length; ) {
    const at = bytes.indexOf(NEWLINE, from)
    const end = at < 0 ? bytes.length : at
    const line = decode(bytes.subarray(from, end))
    if (line === null) sink.garbled()
    else if (line.trim() !== '') sink.line(line)
    from = end + 1
  }
}

function decode(bytes: Uint8Array): string | null {
  try {
    return UTF8.decode(bytes)
  } catch {
    return null
  }
}
