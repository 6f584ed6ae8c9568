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

type Phase = { readonly due: Set<Due>; readonly timer: Timer }

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
    let phase = this.#waiting.get(slotMs)
    if (phase === undefined) {
      const timer = clock.setTimer(Math.max(0, slotMs - clock.now()), () => this.#begin(slotMs))
      this.#waiting.set(slotMs, (phase = { due: new Set(), timer }))
    }
    const { due: all, timer } = phase
    all.add(due)
    return {
      cancel: () => {
        if (!all.delete(due) || all.size > 0 || this.#waiting.get(slotMs)?.due !== all) return
        timer.cancel()
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
