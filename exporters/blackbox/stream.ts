/** A byte stream that is read on demand, with a deadline: what the probers read their protocols from. */
import { joinBytes } from '../../protocol/bytes/mod.ts'
import { type ByteSocket, type Clock, NetError } from '../../protocol/env/mod.ts'

/** Above this many bytes that nobody has read the peer is made to wait. */
const HIGH_WATER_BYTES = 256 * 1024
const NEWLINE = 0x0a
const LATIN1 = new TextDecoder('latin1')

export class ByteStream {
  readonly #socket: ByteSocket
  readonly #clock: Clock
  readonly #deadlineMs: number
  readonly #chunks: Uint8Array[] = []
  #bufferedBytes = 0
  #isPaused = false
  #end: { readonly error: Error | null } | null = null
  #wake: (() => void) | null = null

  /** @param deadlineMs monotonic */
  constructor(socket: ByteSocket, clock: Clock, deadlineMs: number) {
    this.#socket = socket
    this.#clock = clock
    this.#deadlineMs = deadlineMs
    socket.onData((chunk) => {
      this.#chunks.push(chunk)
      this.#bufferedBytes += chunk.length
      if (this.#bufferedBytes > HIGH_WATER_BYTES && !this.#isPaused) {
        this.#isPaused = true
        socket.pause()
      }
      this.#wake?.()
    })
    socket.onClose((error) => {
      this.#end = { error }
      this.#wake?.()
    })
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  close(): void {
    this.#socket.destroy()
  }

  /** The next bytes; null at the end. @throws NetError */
  async read(): Promise<Uint8Array | null> {
    for (;;) {
      // Also while there is no end of what comes.
      if (this.#clock.monotonic() > this.#deadlineMs) throw this.#timeout()
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#bufferedBytes -= chunk.length
        if (this.#isPaused && this.#bufferedBytes <= HIGH_WATER_BYTES / 2) {
          this.#isPaused = false
          this.#socket.resume()
        }
        return chunk
      }
      if (this.#end?.error) throw this.#failure(this.#end.error)
      if (this.#end) return null
      await this.#more()
    }
  }

  /** Puts back what was read too much. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#chunks.unshift(bytes)
    this.#bufferedBytes += bytes.length
  }

  /** Exactly so many bytes. @throws NetError `UNEXPECTED_EOF` */
  async readExactly(count: number): Promise<Uint8Array> {
    const out = new Uint8Array(count)
    for (let filled = 0; filled < count; ) {
      const chunk = await this.read()
      if (chunk === null) throw new NetError('UNEXPECTED_EOF', 'unexpected EOF')
      const taken = chunk.subarray(0, count - filled)
      out.set(taken, filled)
      filled += taken.length
      this.unread(chunk.subarray(taken.length))
    }
    return out
  }

  /** Up to the newline, which is left out, as is a carriage return before it. @throws NetError */
  async readLine(maxBytes: number): Promise<string> {
    const parts: Uint8Array[] = []
    for (let total = 0; ; ) {
      const chunk = await this.read()
      if (chunk === null) throw new NetError('UNEXPECTED_EOF', 'unexpected EOF')
      const at = chunk.indexOf(NEWLINE)
      const part = at < 0 ? chunk : chunk.subarray(0, at)
      total += part.length
      if (total > maxBytes) throw new NetError('BODY_TOO_LARGE', `a line has more than ${maxBytes} bytes`)
      parts.push(part)
      if (at < 0) continue
      this.unread(chunk.subarray(at + 1))
      return LATIN1.decode(joinBytes(parts)).replace(/\r$/, '')
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(Math.max(0, this.#deadlineMs - this.#clock.monotonic()), () => {
        this.#wake = null
        reject(this.#timeout())
      })
      this.#wake = () => {
        this.#wake = null
        timer.cancel()
        resolve()
      }
    })
  }

  #timeout(): NetError {
    return new NetError('TIMEOUT', `read ${this.#socket.remoteAddress}: i/o timeout`)
  }

  #failure(error: Error): NetError {
    if (error instanceof NetError) return error
    const code = (error as { code?: string }).code ?? 'EUNKNOWN'
    const reason = code === 'ECONNRESET' ? 'connection reset by peer' : error.message
    return new NetError(code, `read ${this.#socket.remoteAddress}: ${reason}`, { cause: error })
  }
}
