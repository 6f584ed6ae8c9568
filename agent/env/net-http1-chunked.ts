/**
 * Takes the chunked transfer coding off a body. Sizes and trailers are bounded, so that a server cannot make us read
 * for ever without a byte of body. Semantics: RFC 9112 section 7.1; Go net/http/internal, chunkedReader.
 *
 * Hot where a server sends single bytes: 80,000 chunks may come in one read. Their bytes are moved together within the
 * buffer they came in, and handed on as one piece; framing is read byte by byte, without strings.
 */
import { NetError } from '../../protocol/env/mod.ts'

const MAX_LINE_BYTES = 4096
const MAX_TRAILER_BYTES = 64 * 1024
const MAX_SIZE_DIGITS = 12
/** Larger pieces are not worth a move. */
const MAX_MOVED_BYTES = 1024
/** Below, a call costs more than it moves. */
const MAX_LOOP_BYTES = 32
const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const SEMICOLON = 59

type State = 'size' | 'data' | 'data-end' | 'trailer' | 'done'

export class ChunkedBody {
  #state: State = 'size'
  #left = 0
  /** Of the line that is being read. */
  #lineBytes = 0
  #hasCr = false
  /** Of a size line: what has been read of it, and what may follow. */
  #size = 0
  #sizeDigits = 0
  #sizePart: 'digits' | 'space' | 'extension' = 'digits'
  #trailerBytes = 0

  get isDone(): boolean {
    return this.#state === 'done'
  }

  /**
   * @param bytes overwritten
   * @param push gets the pieces of the body
   * @returns bytes used: fewer than there are when the body ended before them
   * @throws NetError `PROTOCOL`
   */
  take(bytes: Uint8Array, push: (piece: Uint8Array) => void): number {
    // The piece that is being gathered.
    let from = 0
    let to = 0
    let at = 0
    try {
      while (at < bytes.length && this.#state !== 'done') {
        if (this.#state !== 'data') {
          const usual = this.#lineBytes === 0 ? this.#readUsual(bytes, at) : at
          if (usual === at) this.#readFraming(bytes[at++]!)
          else at = usual
          continue
        }
        const end = Math.min(bytes.length, at + this.#left)
        this.#left -= end - at
        if (this.#left === 0) this.#state = 'data-end'
        if (to > from && end - at <= MAX_MOVED_BYTES) {
          if (end - at > MAX_LOOP_BYTES) bytes.copyWithin(to, at, end)
          else for (let i = at; i < end; i++) bytes[to + i - at] = bytes[i]!
          to += end - at
        } else {
          if (to > from) push(bytes.subarray(from, to))
          from = at
          to = end
        }
        at = end
      }
    } finally {
      // What came before a fault has arrived.
      if (to > from) push(bytes.subarray(from, to))
    }
    return at
  }

  /** A chunk's end and a size of digits alone, where they are whole. @returns where to go on, `at` if they are not */
  #readUsual(bytes: Uint8Array, at: number): number {
    let i = at
    if (this.#state === 'data-end') {
      if (bytes[i] !== CR || bytes[i + 1] !== LF) return at
      i += 2
    } else if (this.#state !== 'size') return at
    let size = 0
    const first = i
    const most = Math.min(bytes.length, first + MAX_SIZE_DIGITS)
    for (; i < most; i++) {
      const digit = hexDigit(bytes[i]!)
      if (digit < 0) break
      size = size * 16 + digit
    }
    if (size === 0 || bytes[i] !== CR || bytes[i + 1] !== LF) return at
    this.#left = size
    this.#state = 'data'
    return i + 2
  }

  #readFraming(byte: number): void {
    if (byte === LF) {
      this.#endLine()
      this.#lineBytes = 0
      this.#hasCr = false
      return
    }
    if (++this.#lineBytes > MAX_LINE_BYTES) throw broken('header line too long')
    const isAfterCr = this.#hasCr
    this.#hasCr = byte === CR
    if (this.#state === 'trailer') return
    if (this.#state === 'data-end') {
      if (byte !== CR || isAfterCr) throw broken('malformed chunked encoding')
    } else if (isAfterCr) throw broken('invalid byte in chunk length')
    else if (byte !== CR) this.#readSize(byte)
  }

  #readSize(byte: number): void {
    if (this.#sizePart === 'extension') return
    if (this.#sizePart === 'digits') {
      const digit = hexDigit(byte)
      if (digit >= 0) {
        if (++this.#sizeDigits > MAX_SIZE_DIGITS) throw broken('invalid byte in chunk length')
        this.#size = this.#size * 16 + digit
        return
      }
    }
    if (byte === SEMICOLON) this.#sizePart = 'extension'
    else if (byte === SPACE || byte === TAB) this.#sizePart = 'space'
    else throw broken('invalid byte in chunk length')
  }

  #endLine(): void {
    const length = this.#lineBytes - (this.#hasCr ? 1 : 0)
    if (this.#state === 'data-end') this.#state = 'size'
    else if (this.#state === 'size') {
      if (this.#sizeDigits === 0) throw broken('invalid byte in chunk length')
      this.#left = this.#size
      this.#state = this.#left === 0 ? 'trailer' : 'data'
      this.#size = 0
      this.#sizeDigits = 0
      this.#sizePart = 'digits'
    } else if (length === 0) this.#state = 'done'
    else if ((this.#trailerBytes += length) > MAX_TRAILER_BYTES) throw broken('trailer too long')
  }
}

/** -1 for other bytes. */
function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

function broken(reason: string): NetError {
  return new NetError('PROTOCOL', reason)
}
