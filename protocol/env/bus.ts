/**
 * The message bus as a client of the core NATS protocol sees it. Adapters: the official client (`agent/env/nats-bus`),
 * and the hub's in-process handle on its embedded bus (`hub/bus`).
 */
export type BusMessage = {
  readonly subject: string
  readonly reply: string
  /** Borrowed until the handler returns, unless copied. */
  readonly payload: Uint8Array
  /** Lower-case and upper-case as sent; null when the message has no headers. */
  readonly headers: Readonly<Record<string, string>> | null
}

export type PublishOptions = { readonly reply?: string; readonly headers?: Readonly<Record<string, string>> }
export type RequestOptions = { readonly timeoutMs: number; readonly headers?: Readonly<Record<string, string>> }
export type BusStatus = 'connected' | 'disconnected' | 'closed'

export interface BusSubscription {
  unsubscribe(): void
}

export interface Bus {
  readonly status: BusStatus
  /** From the server's INFO; messages above it are refused by `publish` with a RangeError. */
  readonly maxPayloadBytes: number
  onStatus(fn: (status: BusStatus) => void): void
  /**
   * At most once: while disconnected the message is dropped (and counted by the adapter). Takes ownership of
   * `payload`. Throws `BusError` `CLOSED` on a closed bus.
   */
  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void
  /** Rejects with `BusError` on timeout, no responders, a lost connection or a closed bus. */
  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<BusMessage>
  subscribe(
    subject: string,
    onMessage: (message: BusMessage) => void,
    options?: { readonly queue?: string },
  ): BusSubscription
  /** Resolves once the server has seen all that was published. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** `code`: `TIMEOUT`, `NO_RESPONDERS`, `DISCONNECTED`, `CLOSED`, `PERMISSION`, `BAD_SUBJECT`, `SERVER` (other -ERR). */
export class BusError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BusError'
    this.code = code
  }
}
