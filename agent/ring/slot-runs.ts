/** Runs of scrape slots: grown slot by slot while recording, merged when they become gaps. */
import type { SlotGap, SlotRun } from '../../protocol/env/mod.ts'

/** Collects slots per target into runs; a hole or a change of interval starts another run. */
export class SlotRuns {
  private readonly runs: { target: string; fromMs: number; toMs: number; intervalMs: number }[] = []
  private readonly last = new Map<string, (typeof this.runs)[number]>()

  add(target: string, slotMs: number, intervalMs: number): void {
    const run = this.last.get(target)
    // A scrape with repeated series comes in several parts of one slot.
    if (run && slotMs === run.toMs) return
    if (run && run.intervalMs === intervalMs && slotMs === run.toMs + intervalMs) {
      run.toMs = slotMs
      return
    }
    const next = { target, fromMs: slotMs, toMs: slotMs, intervalMs }
    this.runs.push(next)
    this.last.set(target, next)
  }

  take(): SlotRun[] {
    this.last.clear()
    return this.runs.splice(0)
  }
}

/** Joins gaps of one target, interval and reason that touch or overlap. */
export function mergeGaps(gaps: readonly SlotGap[]): SlotGap[] {
  const sorted = [...gaps].sort(
    (a, b) =>
      compareText(a.target, b.target) ||
      compareText(a.reason, b.reason) ||
      a.intervalMs - b.intervalMs ||
      a.fromMs - b.fromMs,
  )
  const out: SlotGap[] = []
  for (const gap of sorted) {
    const last = out[out.length - 1]
    const joins =
      last !== undefined &&
      last.target === gap.target &&
      last.reason === gap.reason &&
      last.intervalMs === gap.intervalMs &&
      gap.fromMs <= last.toMs + last.intervalMs &&
      (gap.fromMs - last.fromMs) % gap.intervalMs === 0
    if (joins) out[out.length - 1] = { ...last, toMs: Math.max(last.toMs, gap.toMs) }
    else out.push(gap)
  }
  return out
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
