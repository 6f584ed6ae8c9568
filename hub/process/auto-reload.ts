/**
 * `--enable-feature=auto-reload-config`: looks every so often whether a file of the configuration has changed, and
 * reloads then; a change that cannot be loaded is tried once. Semantics: Prometheus cmd/prometheus/main.go (v3.5).
 */
import type { Clock, Logger, Timer } from '../../protocol/env/mod.ts'

export type AutoReloadOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly intervalMs: number
  /** Of what is loaded, as it lies on the disk. */
  readonly state: () => string
  readonly reload: () => Promise<void>
}

export class AutoReload {
  readonly #options: AutoReloadOptions
  #seen: string
  #timer: Timer | null = null

  constructor(options: AutoReloadOptions) {
    this.#options = options
    this.#seen = options.state()
    this.#wait()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #wait(): void {
    const { clock, intervalMs } = this.#options
    this.#timer = clock.setTimer(intervalMs, () => void this.#look(), { unref: true })
  }

  async #look(): Promise<void> {
    const { log, reload, state } = this.#options
    const now = state()
    if (now !== this.#seen) {
      log.info('Configuration file change detected, reloading the configuration')
      try {
        await reload()
      } catch (err) {
        log.error('Error reloading config; the running one is kept', { err })
      }
      // What changed meanwhile, or is another file by now, is seen the next time.
      this.#seen = now
    }
    if (this.#timer !== null) this.#wait()
  }
}
