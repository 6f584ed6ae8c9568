/**
 * How many connections an HTTP server holds and how long each may dawdle, for servers that are handed their
 * connections: Bun's do not look after those, nor limit their number at all.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

export type ConnectionLimits = {
  readonly maxConnections: number
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly keepAliveTimeoutMs: number
}

const TIMED_OUT = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n'
const FAREWELL_MS = 500

export class LimitedConnections {
  readonly #limits: ConnectionLimits
  readonly #timers = new Map<Duplex, NodeJS.Timeout>()
  #count = 0

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  /** False: one too many, which is closed. */
  accept(socket: Duplex): boolean {
    if (this.#count >= this.#limits.maxConnections) {
      socket.destroy()
      return false
    }
    this.#count++
    socket.once('close', () => {
      this.#count--
      this.release(socket)
    })
    this.#wait(socket, this.#limits.headersTimeoutMs)
    return true
  }

  /** From the headers to the end of the body; then nobody waits until the answer is out. */
  watch(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { socket } = incoming
    this.#wait(socket, this.#limits.requestTimeoutMs)
    incoming.once('end', () => this.release(socket))
    outgoing.once('finish', () => {
      if (!socket.destroyed) this.#wait(socket, this.#limits.keepAliveTimeoutMs, '')
    })
  }

  /** No wait is limited any longer, as of WebSockets. */
  release(socket: Duplex): void {
    clearTimeout(this.#timers.get(socket))
    this.#timers.delete(socket)
  }

  #wait(socket: Duplex, ms: number, farewell = TIMED_OUT): void {
    this.release(socket)
    const cut = (): void => {
      if (farewell !== '') socket.end(farewell)
      setTimeout(() => socket.destroy(), farewell === '' ? 0 : FAREWELL_MS).unref()
    }
    this.#timers.set(socket, setTimeout(cut, ms))
  }

  /** All at once. */
  destroyAll(): void {
    for (const socket of this.#timers.keys()) socket.destroy()
  }
}
