/**
 * `Bus` over the official NATS clients: TCP (`nats://`, `tls://`) and WebSocket (`ws://`, `wss://`). The adapter dials
 * by itself, one client connection after the other, for three reasons: a bus exists from the start and its
 * subscriptions outlive connections; the official client's own reconnect keeps every message published meanwhile
 * without a bound; and it picks its transport from a global, which two buses of different kinds would fight over.
 */
import type { ConnectionOptions, Msg, NatsConnection, Subscription } from '@nats-io/nats-core'
import { errors, headers as newHeaders } from '@nats-io/nats-core'
import {
  type Bus,
  BusError,
  type BusMessage,
  type BusStatus,
  type BusSubscription,
  type PublishOptions,
  type RequestOptions,
  type TlsOptions,
} from '../../protocol/env/mod.ts'
import { dialNats, natsAuthenticator, serverKind } from './nats-dial.ts'

export type NatsBusOptions = {
  /** All `nats://`/`tls://`, or all `ws://`/`wss://` with their path: `ws://hub:9090/nats`. */
  readonly servers: readonly string[]
  /** Shown by the server's connection list. */
  readonly name: string
  /** `SU…` */
  readonly nkeySeed?: string
  readonly user?: string
  readonly pass?: string
  readonly token?: string
  /** Text of a `.creds` file. */
  readonly creds?: string
  readonly inboxPrefix?: string
  readonly tls?: TlsOptions
  /** Of one attempt to connect. Default 5 s. */
  readonly connectTimeoutMs?: number
  /** First pause after a lost connection; doubles up to `reconnectMaxMs`, each pause random in [½, 1] of that. */
  readonly reconnectMinMs?: number
  readonly reconnectMaxMs?: number
  /** Hears failed attempts, refusals and other errors of the server. */
  readonly onError?: (error: Error) => void
}

export interface NatsBus extends Bus {
  readonly stats: { readonly connects: number; readonly failedConnects: number; readonly publishesDropped: number }
  /** The last failure to connect or error of the server, for status pages; null once connected. */
  readonly lastError: Error | null
  /** From INFO of the current connection. */
  readonly serverVersion: string | null
  /** The client of the current connection, for JetStream; a new one after each `connected`. */
  readonly connection: NatsConnection | null
}

const CONNECT_TIMEOUT_MS = 5_000
const PING_INTERVAL_MS = 10_000
const DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024
/** A connection that lived this long was healthy: the next pause starts small again. */
const HEALTHY_MS = 10_000
const CLOSE_FLUSH_MS = 1_000

/** Returns at once, `disconnected`; connects in the background, for ever, until `close`. */
export function connectNats(options: NatsBusOptions): NatsBus {
  return new NatsClientBus(options)
}

type Wish = {
  readonly subject: string
  readonly queue: string | undefined
  readonly onMessage: (message: BusMessage) => void
  live: Subscription | null
}

class NatsClientBus implements NatsBus {
  readonly stats = { connects: 0, failedConnects: 0, publishesDropped: 0 }
  status: BusStatus = 'disconnected'
  lastError: Error | null = null
  connection: NatsConnection | null = null
  readonly #options: NatsBusOptions
  readonly #authenticator: ConnectionOptions['authenticator']
  readonly #statusListeners: ((status: BusStatus) => void)[] = []
  readonly #wishes = new Set<Wish>()
  readonly #waiting = new Set<(error: BusError) => void>()
  readonly #stop = Promise.withResolvers<void>()
  readonly #loop: Promise<void>
  #maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES
  #gossiped: readonly string[] = []

  constructor(options: NatsBusOptions) {
    serverKind(options.servers) // refuses a bad list at once
    this.#options = options
    this.#authenticator = natsAuthenticator(options)
    this.#loop = this.#connectForEver()
  }

  get maxPayloadBytes(): number {
    return this.#maxPayloadBytes
  }

  get serverVersion(): string | null {
    return this.connection?.info?.version ?? null
  }

  onStatus(fn: (status: BusStatus) => void): void {
    this.#statusListeners.push(fn)
  }

  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void {
    if (this.status === 'closed') throw closedError()
    const headers = headersFor(options?.headers)
    this.#checkSize(payload.length + headersBytes(options?.headers))
    if (this.connection === null) {
      this.stats.publishesDropped++
      return
    }
    try {
      this.connection.publish(subject, payload, { ...(headers && { headers }), ...replyOption(options) })
    } catch (error) {
      const known = busError(error, subject)
      if (known.code !== 'CLOSED') throw known
      this.stats.publishesDropped++ // the connection was lost a moment ago; its end is about to be reported
    }
  }

  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<BusMessage> {
    const { connection } = this
    if (this.status === 'closed') return Promise.reject(closedError())
    if (connection === null) return Promise.reject(disconnectedError(subject))
    const headers = headersFor(options.headers)
    try {
      this.#checkSize(payload.length + headersBytes(options.headers))
    } catch (error) {
      return Promise.reject(error)
    }
    return connection
      .request(subject, payload, { timeout: Math.max(1, options.timeoutMs), ...(headers && { headers }) })
      .then(toBusMessage, (error) => {
        const known = busError(error, subject)
        throw known.code === 'CLOSED' && !this.#isClosed() ? disconnectedError(subject) : known
      })
  }

  subscribe(
    subject: string,
    onMessage: (message: BusMessage) => void,
    options?: { readonly queue?: string },
  ): BusSubscription {
    if (this.status === 'closed') throw closedError()
    const wish: Wish = { subject, queue: options?.queue, onMessage, live: null }
    if (this.connection !== null) this.#subscribeNow(wish, this.connection)
    this.#wishes.add(wish)
    return {
      unsubscribe: () => {
        this.#wishes.delete(wish)
        wish.live?.unsubscribe()
        wish.live = null
      },
    }
  }

  async flush(): Promise<void> {
    if (this.status === 'closed') throw closedError()
    const { connection } = this
    if (connection === null) throw new BusError('DISCONNECTED', 'Cannot flush: the bus is disconnected')
    const lost = Promise.withResolvers<never>()
    this.#waiting.add(lost.reject)
    try {
      await Promise.race([connection.flush(), lost.promise])
    } finally {
      this.#waiting.delete(lost.reject)
    }
  }

  async close(): Promise<void> {
    if (this.status !== 'closed') {
      const { connection } = this
      if (connection !== null)
        await Promise.race([connection.flush().catch(() => {}), pause(CLOSE_FLUSH_MS, this.#stop.promise)])
      this.#setStatus('closed')
      this.#stop.resolve()
      await connection?.close()
    }
    await this.#loop
  }

  async #connectForEver(): Promise<void> {
    const { reconnectMinMs = 250, reconnectMaxMs = 15_000 } = this.#options
    let failures = 0
    while (this.status !== 'closed') {
      const started = performance.now()
      const connection = await this.#connectOnce()
      if (connection !== null) {
        await this.#serve(connection)
        if (performance.now() - started >= HEALTHY_MS) failures = 0
      }
      if (this.#isClosed()) return
      const ceiling = Math.min(reconnectMaxMs, reconnectMinMs * 2 ** Math.min(failures++, 20))
      await pause(ceiling * (0.5 + Math.random() / 2), this.#stop.promise)
    }
  }

  async #connectOnce(): Promise<NatsConnection | null> {
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS, name, inboxPrefix, tls } = this.#options
    try {
      return await dialNats(
        {
          servers: [...new Set([...this.#options.servers, ...this.#gossiped])],
          name,
          reconnect: false,
          timeout: connectTimeoutMs,
          pingInterval: PING_INTERVAL_MS,
          maxPingOut: 2,
          noAsyncTraces: true,
          ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
          ...(this.#authenticator && { authenticator: this.#authenticator }),
        },
        tls,
      )
    } catch (error) {
      if (this.status === 'closed') return null
      this.stats.failedConnects++
      this.#failed(error)
      return null
    }
  }

  /** Until the connection ends. */
  async #serve(connection: NatsConnection): Promise<void> {
    if (this.status === 'closed') return connection.close()
    this.connection = connection
    this.lastError = null
    this.stats.connects++
    this.#maxPayloadBytes = connection.info?.max_payload ?? DEFAULT_MAX_PAYLOAD_BYTES
    if (serverKind(this.#options.servers) === 'tcp')
      this.#gossiped = (connection.info?.connect_urls ?? []).map((address) => `nats://${address}`)
    void this.#watchErrors(connection)
    for (const wish of this.#wishes) this.#subscribeNow(wish, connection)
    this.#setStatus('connected')
    const reason = await connection.closed()
    this.connection = null
    for (const wish of this.#wishes) wish.live = null
    for (const lost of this.#waiting) lost(new BusError('DISCONNECTED', 'The connection to the bus was lost'))
    this.#waiting.clear()
    if (reason instanceof Error) this.#failed(reason)
    if (!this.#isClosed()) this.#setStatus('disconnected')
  }

  async #watchErrors(connection: NatsConnection): Promise<void> {
    for await (const event of connection.status()) if (event.type === 'error') this.#failed(event.error)
  }

  #subscribeNow(wish: Wish, connection: NatsConnection): void {
    try {
      wish.live = connection.subscribe(wish.subject, {
        ...(wish.queue === undefined ? {} : { queue: wish.queue }),
        callback: (error, message) => {
          if (error === null && this.#wishes.has(wish)) wish.onMessage(toBusMessage(message))
        },
      })
    } catch (error) {
      const known = busError(error, wish.subject)
      if (known.code !== 'CLOSED') throw known
    }
  }

  #checkSize(sizeBytes: number): void {
    if (sizeBytes > this.#maxPayloadBytes)
      throw new RangeError(`Message of ${sizeBytes} bytes is above the bus's max_payload of ${this.#maxPayloadBytes}`)
  }

  /** A call, since `status` changes across awaits behind the type checker's back. */
  #isClosed(): boolean {
    return this.status === 'closed'
  }

  #failed(error: unknown): void {
    this.lastError = error instanceof Error ? error : new Error(String(error))
    this.#options.onError?.(this.lastError)
  }

  #setStatus(status: BusStatus): void {
    if (this.status === status) return
    this.status = status
    for (const listener of this.#statusListeners) listener(status)
  }
}

function pause(delayMs: number, stop: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, delayMs)
  void stop.then(resolve)
  return promise.finally(() => clearTimeout(timer))
}

function toBusMessage(message: Msg): BusMessage {
  let headers: Record<string, string> | null = null
  if (message.headers !== undefined) {
    headers = {}
    for (const name of message.headers.keys()) headers[name] = message.headers.values(name).join(', ')
  }
  return { subject: message.subject, reply: message.reply ?? '', payload: message.data, headers }
}

function headersFor(record: PublishOptions['headers']) {
  if (record === undefined) return undefined
  const headers = newHeaders()
  for (const [name, value] of Object.entries(record)) headers.append(name, value)
  return headers
}

/** As encoded: `NATS/1.0`, then `name: value` lines, then an empty one. */
function headersBytes(record: PublishOptions['headers']): number {
  if (record === undefined) return 0
  let sizeBytes = 12
  for (const [name, value] of Object.entries(record)) sizeBytes += Buffer.byteLength(`${name}: ${value}\r\n`)
  return sizeBytes
}

function replyOption(options: PublishOptions | undefined): { reply?: string } {
  return options?.reply === undefined ? {} : { reply: options.reply }
}

function busError(error: unknown, subject: string): BusError {
  const cause = error instanceof errors.RequestError && error.cause !== undefined ? error.cause : error
  const text = cause instanceof Error ? cause.message : String(cause)
  if (cause instanceof errors.NoRespondersError)
    return new BusError('NO_RESPONDERS', `Nobody answers on "${subject}"`, { cause })
  if (cause instanceof errors.TimeoutError)
    return new BusError('TIMEOUT', `No answer on "${subject}" in time`, { cause })
  if (cause instanceof errors.PermissionViolationError) return new BusError('PERMISSION', text, { cause })
  if (cause instanceof errors.InvalidSubjectError)
    return new BusError('BAD_SUBJECT', `Bad subject "${subject}"`, { cause })
  if (cause instanceof errors.ClosedConnectionError || cause instanceof errors.DrainingConnectionError)
    return new BusError('CLOSED', text, { cause })
  // What the client's multiplexer says to requests under way when their connection ends.
  if (text === 'connection closed') return new BusError('CLOSED', text, { cause })
  return new BusError('SERVER', text, { cause })
}

function closedError(): BusError {
  return new BusError('CLOSED', 'The bus is closed')
}

function disconnectedError(subject: string): BusError {
  return new BusError('DISCONNECTED', `No answer on "${subject}": the bus is disconnected`)
}
