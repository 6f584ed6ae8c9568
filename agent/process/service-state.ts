/**
 * What the service manager hears of the agent's life, as sd_notify(3) wants it; silence where there is none.
 * `WATCHDOG=1` comes from the event loop that does everything else: a loop that hangs is restarted.
 */
import type { Clock, Timer } from '../../protocol/env/mod.ts'

export type ServiceStateDeps = {
  readonly clock: Clock
  /** null: nobody asked to be told. */
  readonly send: ((text: string) => void) | null
  /** `WATCHDOG_USEC`; '' = no watchdog. */
  readonly watchdogUsec: string
}

const WATCHDOG_MS_MIN = 100

export class ServiceState {
  readonly #deps: ServiceStateDeps
  #timer: Timer | null = null

  constructor(deps: ServiceStateDeps) {
    this.#deps = deps
  }

  ready(status: string): void {
    this.#deps.send?.(`READY=1\nSTATUS=${oneLine(status)}`)
    if (this.#timer === null) this.#watch()
  }

  /** `ready` follows, whether the new configuration was taken or not. */
  reloading(): void {
    const usec = Math.round(this.#deps.clock.monotonic() * 1000)
    this.#deps.send?.(`RELOADING=1\nMONOTONIC_USEC=${usec}\nSTATUS=Reading the configuration`)
  }

  status(text: string): void {
    this.#deps.send?.(`STATUS=${oneLine(text)}`)
  }

  stopping(): void {
    this.#deps.send?.('STOPPING=1\nSTATUS=Handing over what was collected')
  }

  /** Twice as often as asked, so that one late turn of the loop is no reason to be killed. */
  #watch(): void {
    const { clock, send, watchdogUsec } = this.#deps
    if (!send || !/^[1-9]\d*$/.test(watchdogUsec)) return
    const everyMs = Math.max(WATCHDOG_MS_MIN, Number(watchdogUsec) / 2000)
    send('WATCHDOG=1')
    this.#timer = clock.setTimer(everyMs, () => this.#watch(), { unref: true })
  }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ')
