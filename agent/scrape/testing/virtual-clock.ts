/** A clock that a test turns by hand. Timers run in order of their time; promises settle between them. */
import type { Clock, Timer } from '../../../protocol/env/mod.ts'

type Pending = { readonly atMs: number; readonly order: number; readonly fn: () => void }

export class VirtualClock implements Clock {
  #monotonicMs = 0
  #wallOffsetMs: number
  #order = 0
  readonly #pending = new Set<Pending>()
  #passAfterRead: number[] = []

  constructor(startMs: number) {
    this.#wallOffsetMs = startMs
  }

  now(): number {
    const now = this.#monotonicMs + this.#wallOffsetMs
    this.#monotonicMs += this.#passAfterRead.shift() ?? 0
    return now
  }

  /** A host with too much to do: so much time passes after each of the next readings of the wall clock. */
  passAfterReads(...passMs: readonly number[]): void {
    this.#passAfterRead = [...passMs]
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const pending = { atMs: this.#monotonicMs + Math.max(0, delayMs), order: this.#order++, fn }
    this.#pending.add(pending)
    return { cancel: () => void this.#pending.delete(pending) }
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.setTimer(delayMs, resolve))
  }

  get timerCount(): number {
    return this.#pending.size
  }

  /** Sets the wall clock; timers do not notice. */
  step(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  /** The host sleeps: time passes, nothing runs. */
  suspend(forMs: number): void {
    this.#monotonicMs += forMs
  }

  async advance(byMs: number): Promise<void> {
    const untilMs = this.#monotonicMs + byMs
    await settle()
    for (;;) {
      const next = [...this.#pending].sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0]
      if (next === undefined || next.atMs > untilMs) break
      this.#pending.delete(next)
      this.#monotonicMs = Math.max(this.#monotonicMs, next.atMs)
      next.fn()
      await settle()
    }
    this.#monotonicMs = Math.max(this.#monotonicMs, untilMs)
    await settle()
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}
