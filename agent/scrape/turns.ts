/**
 * Scrapes of large pages begin in turn. What is due in one phase begins at once (phases.ts), and bodies of more than
 * 256 KiB share a little memory (agent/env/net-collector.ts): a phase of large pages that arrive slowly would fill it,
 * and the largest would be cut, at every scrape. Nobody waits for long: who holds the memory may be hung.
 */
import type { Clock, Timer } from '../../protocol/env/mod.ts'

/** Smaller pages have memory of their own. */
const LARGE_BYTES = 256 * 1024
/** Of pages under way at once: a little less than what they share. */
const UNDER_WAY_MAX_BYTES = 15 * 1024 * 1024
/** The part of its interval that a scrape waits at most, and the most of all. */
const WAIT_SHARE = 1 / 4
const WAIT_MAX_MS = 2000

type Waiting = { readonly bytes: number; readonly begin: (nowMs: number) => void; readonly timer: Timer }

export class Turns {
  readonly #clock: Clock
  readonly #queue = new Set<Waiting>()
  /** Of the last page of a job, which says something of its other targets. */
  readonly #ofJobs = new Map<string, number>()
  #bytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What to expect of a target that was not scraped yet. */
  usual(job: string): number {
    return this.#ofJobs.get(job) ?? 0
  }

  saw(job: string, bytes: number): void {
    this.#ofJobs.set(job, bytes)
  }

  /**
   * Calls `begin`, which says `ended` with the same bytes when it is through: at once when there is room, otherwise when
   * others have ended or a quarter of the interval is over.
   * @param bytes of the target's last page, or what is usual
   * @returns what cancels the waiting; null when it has begun
   */
  take(bytes: number, nowMs: number, intervalMs: number, begin: (nowMs: number) => void): Timer | null {
    const isFree = this.#queue.size === 0 && this.#hasRoom(bytes)
    if (bytes <= LARGE_BYTES || isFree) {
      this.#begin(bytes, nowMs, begin)
      return null
    }
    const waitMs = Math.min(intervalMs * WAIT_SHARE, WAIT_MAX_MS)
    const waiting = { bytes, begin, timer: this.#clock.setTimer(waitMs, () => this.#call(waiting)) }
    this.#queue.add(waiting)
    return { cancel: () => this.#leave(waiting) }
  }

  ended(bytes: number): void {
    if (bytes <= LARGE_BYTES) return
    this.#bytes -= bytes
    for (const waiting of this.#queue) {
      if (!this.#hasRoom(waiting.bytes)) return
      this.#call(waiting)
    }
  }

  #hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= UNDER_WAY_MAX_BYTES
  }

  #call(waiting: Waiting): void {
    this.#leave(waiting)
    this.#begin(waiting.bytes, this.#clock.now(), waiting.begin)
  }

  #leave(waiting: Waiting): void {
    waiting.timer.cancel()
    this.#queue.delete(waiting)
  }

  #begin(bytes: number, nowMs: number, begin: (nowMs: number) => void): void {
    if (bytes > LARGE_BYTES) this.#bytes += bytes
    begin(nowMs)
  }
}
