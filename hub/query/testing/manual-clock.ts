/** A clock that stands still until it is told to move. */
import type { Clock, Timer } from '../../../protocol/env/mod.ts'

type Pending = { readonly atMs: number; readonly fn: () => void }

export class ManualClock implements Clock {
  #nowMs = 0
  readonly #pending = new Set<Pending>()

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#nowMs
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const pending = { atMs: this.#nowMs + delayMs, fn }
    this.#pending.add(pending)
    return { cancel: () => void this.#pending.delete(pending) }
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.setTimer(delayMs, resolve))
  }

  get timers(): number {
    return this.#pending.size
  }

  advance(ms: number): void {
    this.#nowMs += ms
    for (const pending of [...this.#pending].sort((a, b) => a.atMs - b.atMs)) {
      if (pending.atMs > this.#nowMs || !this.#pending.delete(pending)) continue
      pending.fn()
    }
  }
}
