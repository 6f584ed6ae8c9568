/** A hub starts, and answers, on a full disk: what it wants to have there is written once there is room. */
import { type Clock, DiskError, type Logger, type Timer } from '../../protocol/env/mod.ts'

const RETRY_MS = 10_000
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

export class WhenRoom {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #retries = new Map<string, Timer>()

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = clock
    this.#log = log
  }

  /** Now, and again for as long as the disk is full. @throws what else goes wrong the first time */
  write(what: string, write: () => void): void {
    try {
      write()
    } catch (err) {
      if (!(err instanceof DiskError && FULL.has(err.code))) throw err
      this.#log.warn('No room to write yet; it is tried again', { what, retryMs: RETRY_MS })
      this.#retries.set(
        what,
        this.#clock.setTimer(RETRY_MS, () => this.#again(what, write), { unref: true }),
      )
    }
  }

  stop(): void {
    for (const timer of this.#retries.values()) timer.cancel()
  }

  #again(what: string, write: () => void): void {
    try {
      this.write(what, write)
    } catch (err) {
      this.#log.error('Cannot write', { what, err })
    }
  }
}
