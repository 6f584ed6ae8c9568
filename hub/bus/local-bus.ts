/** The hub's own handle on its bus: a `Bus` without a socket. Published messages arrive in a later microtask. */
import {
  type Bus,
  BusError,
  type BusMessage,
  type BusStatus,
  type BusSubscription,
  type Clock,
  type PublishOptions,
  type RequestOptions,
} from '../../protocol/env/mod.ts'
import { decodeHeaders, encodeHeaders } from './headers.ts'
import type { Router } from './router.ts'
import { fromWire, isLiteral, isValidPattern, toWire } from './subjects.ts'
import type { Peer, WireMessage, WireSubscription } from './types.ts'

export interface LocalHost {
  readonly router: Router
  readonly clock: Clock
  readonly maxPayloadBytes: number
  /** Counts, routes, and answers "no responders" through the peer's own subscriptions. */
  publish(from: Peer, message: WireMessage): void
  handlerFailed(identity: string, subject: string, error: unknown): void
}

type LocalSubscription = WireSubscription & { readonly onMessage: (message: BusMessage) => void }

const NO_BYTES = new Uint8Array(0)

export class LocalBus implements Bus, Peer {
  readonly isLocal = true
  readonly echo = true
  readonly wantsNoResponders = true
  readonly maxPayloadBytes: number
  status: BusStatus = 'connected'
  readonly #identity: string
  readonly #host: LocalHost
  readonly #inbox: string
  readonly #subscriptions = new Set<LocalSubscription>()
  readonly #requests = new Map<string, { resolve: (message: BusMessage) => void; reject: (error: Error) => void }>()
  readonly #statusListeners: ((status: BusStatus) => void)[] = []
  #queue: WireMessage[] = []
  #lastRequest = 0
  #listening: BusSubscription | null = null

  /** @param inbox prefix of reply subjects, unique among peers */
  constructor(identity: string, inbox: string, host: LocalHost) {
    this.#identity = identity
    this.#inbox = inbox
    this.#host = host
    this.maxPayloadBytes = host.maxPayloadBytes
  }

  onStatus(fn: (status: BusStatus) => void): void {
    this.#statusListeners.push(fn)
  }

  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void {
    if (this.status === 'closed') throw closedError()
    const wire = toWire(subject)
    if (!isLiteral(wire)) throw new BusError('BAD_SUBJECT', `Bad subject "${subject}"`)
    const header = options?.headers === undefined ? NO_BYTES : encodeHeaders(options.headers)
    const sizeBytes = header.length + payload.length
    if (sizeBytes > this.maxPayloadBytes)
      throw new RangeError(`Message of ${sizeBytes} bytes is above the bus's max_payload of ${this.maxPayloadBytes}`)
    let data = payload
    if (header.length > 0) {
      data = new Uint8Array(sizeBytes)
      data.set(header)
      data.set(payload, header.length)
    }
    if (this.#queue.length === 0) queueMicrotask(() => this.#sendQueued())
    this.#queue.push({ subject: wire, reply: toWire(options?.reply ?? ''), headerBytes: header.length, data })
  }

  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<BusMessage> {
    if (this.status === 'closed') return Promise.reject(closedError())
    this.#listening ??= this.subscribe(`${this.#inbox}.*`, (message) => this.#answered(message))
    const reply = `${this.#inbox}.${++this.#lastRequest}`
    const { promise, resolve, reject } = Promise.withResolvers<BusMessage>()
    const timer = this.#host.clock.setTimer(options.timeoutMs, () =>
      reject(new BusError('TIMEOUT', `No answer on "${subject}" in time`)),
    )
    this.#requests.set(reply, {
      resolve,
      reject: (error) =>
        reject(
          error instanceof NobodyAnswers ? new BusError('NO_RESPONDERS', `Nobody answers on "${subject}"`) : error,
        ),
    })
    try {
      this.publish(subject, payload, { reply, ...(options.headers && { headers: options.headers }) })
    } catch (error) {
      reject(error)
    }
    return promise.finally(() => {
      timer.cancel()
      this.#requests.delete(reply)
    })
  }

  subscribe(
    subject: string,
    onMessage: (message: BusMessage) => void,
    options?: { readonly queue?: string },
  ): BusSubscription {
    if (this.status === 'closed') throw closedError()
    const wire = toWire(subject)
    if (!isValidPattern(wire)) throw new BusError('BAD_SUBJECT', `Bad subject "${subject}"`)
    const queue = toWire(options?.queue ?? '')
    const subscription = { subject: wire, queue, sid: '', peer: this, max: 0, delivered: 0, closed: false, onMessage }
    this.#subscriptions.add(subscription)
    this.#host.router.add(subscription)
    return {
      unsubscribe: () => {
        this.#subscriptions.delete(subscription)
        this.#host.router.remove(subscription)
      },
    }
  }

  async flush(): Promise<void> {
    if (this.status === 'closed') throw closedError()
    this.#sendQueued()
  }

  async close(): Promise<void> {
    if (this.status === 'closed') return
    this.#sendQueued()
    this.status = 'closed'
    for (const subscription of this.#subscriptions) this.#host.router.remove(subscription)
    this.#subscriptions.clear()
    for (const request of [...this.#requests.values()]) request.reject(closedError())
    for (const listener of this.#statusListeners) listener('closed')
  }

  deliver(subscription: WireSubscription, { subject, reply, headerBytes, data }: WireMessage): void {
    try {
      const headers = headerBytes === 0 ? null : decodeHeaders(data.subarray(0, headerBytes))
      const payload = headerBytes === 0 ? data : data.subarray(headerBytes)
      const message = { subject: fromWire(subject), reply: fromWire(reply), payload, headers }
      ;(subscription as LocalSubscription).onMessage(message)
    } catch (error) {
      this.#host.handlerFailed(this.#identity, subject, error)
    }
  }

  #sendQueued(): void {
    const queue = this.#queue
    this.#queue = []
    for (const message of queue) this.#host.publish(this, message)
  }

  #answered(message: BusMessage): void {
    const request = this.#requests.get(message.subject)
    if (request === undefined) return // too late
    if (message.headers?.['Status'] === '503' && message.payload.length === 0) request.reject(new NobodyAnswers())
    else request.resolve({ ...message, payload: message.payload.slice() })
  }
}

class NobodyAnswers extends Error {}

function closedError(): BusError {
  return new BusError('CLOSED', 'The bus is closed')
}
