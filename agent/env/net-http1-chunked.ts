/**
 * Takes the chunked transfer coding off a body. Sizes and trailers are bounded, so that a server cannot make us read
 * for ever without a byte of body. Semantics: RFC 9112 section 7.1; Go net/http/internal, chunkedReader.
 */
import { NetError } from '../../protocol/env/mod.ts'

const MAX_LINE_BYTES = 4096
const MAX_TRAILER_BYTES = 64 * 1024
const LF = 10
const CR = 13

type State = 'size' | 'data' | 'data-end' | 'trailer' | 'done'

export class ChunkedBody {
  #state: State = 'size'
  #line = ''
  #left = 0
  #trailerBytes = 0

  get isDone(): boolean {
    return this.#state === 'done'
  }

  /**
   * @param push gets the pieces of the body
   * @returns bytes used: fewer than there are when the body ended before them
   * @throws NetError `PROTOCOL`
   */
  take(bytes: Uint8Array, push: (piece: Uint8Array) => void): number {
    let at = 0
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const piece = bytes.subarray(at, at + this.#left)
        at += piece.length
        this.#left -= piece.length
        if (this.#left === 0) this.#state = 'data-end'
        push(piece)
        continue
      }
      const end = bytes.indexOf(LF, at)
      const to = end < 0 ? bytes.length : end
      if (this.#line.length + to - at > MAX_LINE_BYTES) throw broken('header line too long')
      for (; at < to; at++) this.#line += String.fromCharCode(bytes[at]!)
      if (end < 0) return at
      at++
      this.#endLine()
    }
    return at
  }

  #endLine(): void {
    const line = this.#line.charCodeAt(this.#line.length - 1) === CR ? this.#line.slice(0, -1) : this.#line
    this.#line = ''
    if (this.#state === 'data-end') {
      if (line !== '') throw broken('malformed chunked encoding')
      this.#state = 'size'
    } else if (this.#state === 'size') {
      const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line)
      if (size === null) throw broken('invalid byte in chunk length')
      this.#left = Number.parseInt(size[1]!, 16)
      this.#state = this.#left === 0 ? 'trailer' : 'data'
    } else if (line === '') this.#state = 'done'
    else if ((this.#trailerBytes += line.length) > MAX_TRAILER_BYTES) throw broken('trailer too long')
  }
}

function broken(reason: string): NetError {
  return new NetError('PROTOCOL', reason)
}
