/**
 * What waits to be written to one client. Pieces are gathered while an input chunk is worked on and copied into one
 * buffer when it is flushed: many small messages cost one write, and nobody's bytes are lent to the socket.
 */
import type { ByteSocket } from '../../protocol/env/mod.ts'

const FLUSH_BYTES = 64 * 1024

export class Outbox {
  readonly #socket: ByteSocket
  readonly #maxPendingBytes: number
  readonly #onOverflow: (pendingBytes: number) => void
  #pieces: (string | Uint8Array)[] = []
  #gatheredBytes = 0
  #scheduled = false
  #ended = false

  constructor(socket: ByteSocket, maxPendingBytes: number, onOverflow: (pendingBytes: number) => void) {
    this.#socket = socket
    this.#maxPendingBytes = maxPendingBytes
    this.#onOverflow = onOverflow
  }

  get pendingBytes(): number {
    return this.#gatheredBytes + this.#socket.pendingBytes
  }

  /** @param text a wire string */
  text(text: string): void {
    this.#add(text, text.length)
  }

  /** Copied at the latest when the current task ends. */
  bytes(bytes: Uint8Array): void {
    this.#add(bytes, bytes.length)
  }

  flush(): void {
    this.#scheduled = false
    if (this.#gatheredBytes === 0 || this.#ended) return
    const out = Buffer.allocUnsafeSlow(this.#gatheredBytes)
    let at = 0
    for (const piece of this.#pieces) {
      if (typeof piece === 'string') at += out.write(piece, at, 'latin1')
      else {
        out.set(piece, at)
        at += piece.length
      }
    }
    this.#pieces = []
    this.#gatheredBytes = 0
    this.#socket.write(out)
    const { pendingBytes } = this
    if (pendingBytes > this.#maxPendingBytes) this.#onOverflow(pendingBytes)
  }

  /** Flushes, then ends the connection. */
  end(): void {
    this.flush()
    this.#ended = true
    this.#socket.end()
  }

  destroy(): void {
    this.#ended = true
    this.#pieces = []
    this.#gatheredBytes = 0
    this.#socket.destroy()
  }

  #add(piece: string | Uint8Array, bytes: number): void {
    if (this.#ended) return
    this.#pieces.push(piece)
    this.#gatheredBytes += bytes
    if (this.#gatheredBytes >= FLUSH_BYTES) this.flush()
    else if (!this.#scheduled) {
      this.#scheduled = true
      queueMicrotask(() => this.flush())
    }
  }
}
