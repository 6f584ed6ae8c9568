/**
 * What is due in one slot is begun by one timer, and the sink is told when nothing is under way any more: it need not
 * wait for company. A process that wakes up finds its code and data out of the processor's caches, which costs more than
 * reading a page: ten targets at once cost the agent two thirds of what they cost one by one, and the hub, which hears of
 * them in one batch, four fifths.
 * Hot: bench/pipeline
 */
import type { Clock, Timer } from '../../protocol/env/mod.ts'

/** @param nowMs one reading of the clock for all that is due */
export type Due = (nowMs: number) => void

type Phase = {
  readonly due: Set<Due>
  timer: Timer
  /** When the timer fires, by the monotonic clock. */
  firesAt: number
}

/** A timer later than this for its slot is one of before: the wall clock was set forth, or the host slept. */
const LATE_MS = 10

export class Phases {
  readonly #clock: Clock
  readonly #onSettled: () => void
  readonly #waiting = new Map<number, Phase>()
  #underWay = 0

  /** @param onSettled the last scrape under way has been recorded */
  constructor(clock: Clock, onSettled: () => void) {
    this.#clock = clock
    this.#onSettled = onSettled
  }

  /** Calls `due` at `slotMs`, or at once. Who comes late for its slot does so for reasons of the clock: it looks. */
  at(slotMs: number, due: Due): Timer {
    const clock = this.#clock
    const delayMs = Math.max(0, slotMs - clock.now())
    const firesAt = clock.monotonic() + delayMs
    let phase = this.#waiting.get(slotMs)
    if (phase === undefined || phase.firesAt > firesAt + LATE_MS) {
      const timer = clock.setTimer(delayMs, () => this.#begin(slotMs))
      if (phase === undefined) this.#waiting.set(slotMs, (phase = { due: new Set(), timer, firesAt }))
      else {
        phase.timer.cancel()
        Object.assign(phase, { timer, firesAt })
      }
    }
    const waiting = phase
    waiting.due.add(due)
    return {
      cancel: () => {
        if (!waiting.due.delete(due) || waiting.due.size > 0 || this.#waiting.get(slotMs) !== waiting) return
        waiting.timer.cancel()
        this.#waiting.delete(slotMs)
      },
    }
  }

  began(): void {
    this.#underWay++
  }

  ended(): void {
    if (--this.#underWay === 0) this.#onSettled()
  }

  #begin(slotMs: number): void {
    const { due } = this.#waiting.get(slotMs)!
    this.#waiting.delete(slotMs)
    const nowMs = this.#clock.now()
    for (const each of due) each(nowMs)
  }
}
