/**
 * Scrape slots of one target as runs `[from, to]` of slots `interval` apart, kept sorted. Ten thousand scrapes on time
 * are one run. Bounded: beyond `MAX_RUNS` the oldest run is forgotten, and `knownFromMs` says from when on it counts.
 */
import type { MissReason } from '../../protocol/batch/types.ts'

export const MAX_RUNS = 1024

/** `reason` is null for slots that were collected. */
export type SlotRun = { fromMs: number; toMs: number; intervalMs: number; reason: MissReason | null }

export class SlotRuns {
  readonly runs: SlotRun[]
  knownFromMs: number
  forgotten = 0

  constructor(runs: SlotRun[] = [], knownFromMs = Number.NEGATIVE_INFINITY) {
    this.runs = runs
    this.knownFromMs = knownFromMs
  }

  add(fromMs: number, toMs: number, intervalMs: number, reason: MissReason | null): void {
    const at = this.#runBefore(fromMs)
    const before = this.runs[at]
    if (before && before.reason === reason && before.intervalMs === intervalMs && onGrid(before, fromMs)) {
      if (fromMs <= before.toMs + intervalMs) {
        if (toMs > before.toMs) before.toMs = toMs
        this.#joinNext(at)
        return
      }
    }
    this.runs.splice(at + 1, 0, { fromMs, toMs, intervalMs, reason })
    this.#joinNext(at + 1)
    if (this.runs.length > MAX_RUNS) {
      const oldest = this.runs.shift()!
      this.knownFromMs = Math.max(this.knownFromMs, oldest.toMs + oldest.intervalMs)
      this.forgotten++
    }
  }

  prune(beforeMs: number): void {
    let count = 0
    while (count < this.runs.length && this.runs[count]!.toMs < beforeMs) count++
    if (count > 0) this.runs.splice(0, count)
  }

  #joinNext(at: number): void {
    const run = this.runs[at]!
    for (;;) {
      const next = this.runs[at + 1]
      if (!next || next.reason !== run.reason || next.intervalMs !== run.intervalMs) return
      if (next.fromMs > run.toMs + run.intervalMs || !onGrid(run, next.fromMs)) return
      run.toMs = Math.max(run.toMs, next.toMs)
      this.runs.splice(at + 1, 1)
    }
  }

  #runBefore(slotMs: number): number {
    // Slots come mostly in order: the last run is the likely one.
    if (this.runs.length > 0 && this.runs.at(-1)!.fromMs <= slotMs) return this.runs.length - 1
    let low = 0
    let high = this.runs.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.runs[middle]!.fromMs <= slotMs) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

const onGrid = (run: SlotRun, slotMs: number): boolean =>
  run.intervalMs > 0 && (slotMs - run.fromMs) % run.intervalMs === 0
