/**
 * Tells of batches that were overwritten before a hub had them: the first at once, those after it in one line a minute.
 * A link that is down for a week would fill the journal otherwise. The exact counts are in the metrics and the gaps.
 */
import type { Logger } from '../../protocol/env/mod.ts'
import type { Overwritten } from '../../protocol/env/ring-store.ts'

export const TELL_EVERY_MS = 60_000

export class OverwriteNotice {
  readonly #log: Logger
  #untold: Overwritten | null = null
  #toldAt = Number.NEGATIVE_INFINITY

  constructor(log: Logger) {
    this.#log = log
  }

  /** @param now monotonic, ms */
  add(more: Overwritten, now: number): void {
    this.#untold = sum(this.#untold, more)
    this.tell(now)
  }

  /** What is not told yet, if it is time. */
  tell(now: number): void {
    if (this.#untold === null || now - this.#toldAt < TELL_EVERY_MS) return
    this.#log.warn('Batches were overwritten before a hub had them: raise the ring size or restore the link', {
      ...this.#untold,
    })
    this.#untold = null
    this.#toldAt = now
  }
}

function sum(a: Overwritten | null, b: Overwritten): Overwritten {
  if (a === null) return b
  const hasTimes = (each: Overwritten): boolean => each.samples > 0
  const times = [a, b].filter(hasTimes)
  return {
    batches: a.batches + b.batches,
    samples: a.samples + b.samples,
    sizeBytes: a.sizeBytes + b.sizeBytes,
    minTimeMs: times.length === 0 ? 0 : Math.min(...times.map(({ minTimeMs }) => minTimeMs)),
    maxTimeMs: times.length === 0 ? 0 : Math.max(...times.map(({ maxTimeMs }) => maxTimeMs)),
  }
}
