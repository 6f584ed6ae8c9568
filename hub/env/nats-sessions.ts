/** What is done with a real NATS as long as there is a connection, and again with the next one, until the end. */
import type { NatsConnection } from '@nats-io/nats-core'
import type { NatsBus } from '../../agent/env/nats-bus.ts'

export type NatsSessionsOptions = {
  readonly bus: NatsBus
  /** Between the end of one session and the next. */
  readonly retryMs: number
  /** One session: ends with the connection, with `stopped`, or by an error. */
  readonly serve: (connection: NatsConnection) => Promise<void>
  readonly onError: (error: unknown) => void
  /** After each session but the last. */
  readonly onPause?: () => void
}

/** Begins at once, whether or not the bus is connected; ends by itself when the bus is closed. */
export class NatsSessions {
  isStopped = false
  readonly #options: NatsSessionsOptions
  readonly #stop = Promise.withResolvers<void>()
  readonly #loop: Promise<void>
  #wake: (() => void) | null = null

  constructor(options: NatsSessionsOptions) {
    this.#options = options
    options.bus.onStatus(() => this.#wake?.())
    this.#loop = this.#run()
  }

  /** Resolves once `stop` is called. */
  get stopped(): Promise<void> {
    return this.#stop.promise
  }

  async stop(): Promise<void> {
    this.isStopped = true
    this.#stop.resolve()
    this.#wake?.()
    await this.#loop
  }

  async #run(): Promise<void> {
    // The owner is made first: `serve` reads what it holds.
    await Promise.resolve()
    const { bus, retryMs, serve, onError, onPause } = this.#options
    while (!this.isStopped) {
      const { connection, status } = bus
      if (status === 'closed') return
      if (connection === null) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        continue
      }
      try {
        await serve(connection)
      } catch (error) {
        onError(error)
      }
      if (this.isStopped) return
      onPause?.()
      await this.pause(retryMs)
    }
  }

  /** Cut short by `stop`. */
  pause(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, delayMs)
    void this.#stop.promise.then(resolve)
    return promise.finally(() => clearTimeout(timer))
  }
}
