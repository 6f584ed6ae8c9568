/**
 * Copies of all lines to another StatsD server, packed into datagrams that are not fragmented on the way.
 * Semantics: statsd_exporter pkg/relay/relay.go (v0.30).
 */
import type { Clock, Timer } from '../../protocol/env/mod.ts'

export type RelayOptions = {
  /** Of its metrics' label. */
  readonly target: string
  readonly packetLength: number
  readonly clock: Clock
  /** Takes ownership. */
  readonly send: (packet: Uint8Array) => void
}

/** As upstream's ticker. */
const FLUSH_MS = 1000
/** Sockets are looked at when a whole second begins (agent/env/shared-delay.ts): what that finds has waited, and goes on at once. */
const AFTER_LOOK_MS = 50
const NEWLINE = 0x0a

export class Relay {
  readonly target: string
  packets = 0
  longLines = 0
  lines = 0
  readonly #options: RelayOptions
  #buffer: Uint8Array
  #used = 0
  #timer: Timer | null = null

  constructor(options: RelayOptions) {
    this.target = options.target
    this.#options = options
    this.#buffer = new Uint8Array(options.packetLength)
  }

  /** Without its newline; borrowed. */
  push(line: Uint8Array): void {
    if (line.length === 0) return
    if (line.length > this.#options.packetLength - 1) {
      this.longLines++
      return
    }
    this.lines++
    if (this.#used + line.length + 1 > this.#buffer.length) this.flush()
    this.#buffer.set(line, this.#used)
    this.#used += line.length
    this.#buffer[this.#used++] = NEWLINE
    this.#timer ??= this.#options.clock.setTimer(this.#untilTickMs(), () => this.flush(), { unref: true })
  }

  #untilTickMs(): number {
    const sinceTickMs = (this.#options.clock.monotonic() + FLUSH_MS - AFTER_LOOK_MS) % FLUSH_MS
    return Math.ceil(FLUSH_MS - sinceTickMs)
  }

  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (this.#used === 0) return
    this.#options.send(this.#buffer.slice(0, this.#used))
    this.#used = 0
    this.packets++
  }
}
