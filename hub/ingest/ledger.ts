/**
 * The gap ledger: for any agent, target and stretch of time, which slots were collected, which were missed and why,
 * and which nobody has accounted for yet. Rebuilt from the log's batches, carried in its checkpoints.
 */
import type { MissedSlots, MissReason, Scrape } from '../../protocol/batch/types.ts'
import { type SlotRun, SlotRuns } from './slots.ts'

export const MAX_TARGETS_PER_AGENT = 4096

/**
 * `pending`: a batch is missing that may hold the slot. `removed`: the target had ended (`isTargetEnd`) and was put back
 * later. `unknown`: neither, and yet nobody said what became of it.
 */
export type GapReason = MissReason | 'pending' | 'removed' | 'unknown' | 'forgotten'

/** Both ends are slots, and included. */
export type Gap = {
  readonly target: string
  readonly fromMs: number
  readonly toMs: number
  readonly intervalMs: number
  readonly reason: GapReason
}

/** `ended`: those of the collected slots at which the target ended. */
type Target = { readonly collected: SlotRuns; readonly missed: SlotRuns; readonly ended: SlotRuns }

type SavedRuns = { readonly runs: readonly SlotRun[]; readonly knownFromMs: number | null }
export type LedgerState = readonly {
  readonly target: string
  readonly collected: SavedRuns
  readonly missed: SavedRuns
  /** Absent where an older hub saved it, or nothing ended. */
  readonly ended?: SavedRuns
}[]

/** The ledger of one agent. */
export class Ledger {
  readonly #targets = new Map<string, Target>()
  /** Targets beyond the limit, which are stored but not watched. */
  untracked = 0

  /** @param isEnd whether the target ended with it: see `isTargetEnd` */
  collected(
    { target: name, slotMs, intervalMs }: Pick<Scrape, 'target' | 'slotMs' | 'intervalMs'>,
    isEnd = false,
  ): void {
    const target = this.#target(name)
    target?.collected.add(slotMs, slotMs, intervalMs, null)
    if (isEnd) target?.ended.add(slotMs, slotMs, intervalMs, null)
  }

  missed(slots: MissedSlots): void {
    this.#target(slots.target)?.missed.add(slots.fromMs, slots.toMs, slots.intervalMs, slots.reason)
  }

  /**
   * What is missing in [fromMs, toMs], by target and time.
   * @param complete whether every batch that the agent is known to have made is there
   */
  gaps(fromMs: number, toMs: number, complete: boolean): Gap[] {
    const gaps: Gap[] = []
    for (const [target, slots] of this.#targets) {
      const { collected, missed } = slots
      const knownFrom = Math.max(collected.knownFromMs, missed.knownFromMs)
      if (knownFrom > fromMs && Number.isFinite(knownFrom))
        gaps.push({ target, fromMs, toMs: Math.min(toMs, knownFrom), intervalMs: 0, reason: 'forgotten' })
      for (const gap of gapsOf(target, slots, complete)) {
        if (gap.toMs < Math.max(fromMs, knownFrom) || gap.fromMs > toMs) continue
        gaps.push(clip(gap, fromMs, toMs))
      }
    }
    return gaps.sort((a, b) => (a.target < b.target ? -1 : a.target > b.target ? 1 : a.fromMs - b.fromMs))
  }

  /**
   * Up to when the agent's data is all accounted for: collected, or missed with a reason. Null before the first slot.
   * With all batches there, that is the newest slot; else the slot before the first one that is open.
   */
  watermarkMs(complete: boolean): number | null {
    let newest: number | null = null
    let open = Number.POSITIVE_INFINITY
    for (const [target, slots] of this.#targets) {
      const { collected, missed } = slots
      const last = Math.max(collected.runs.at(-1)?.toMs ?? -Infinity, missed.runs.at(-1)?.toMs ?? -Infinity)
      if (Number.isFinite(last) && (newest === null || last > newest)) newest = last
      if (complete) continue
      for (const gap of gapsOf(target, slots, false))
        if (gap.reason === 'pending') open = Math.min(open, gap.fromMs - gap.intervalMs)
    }
    return newest === null ? null : Math.min(newest, open)
  }

  prune(beforeMs: number): void {
    for (const [name, target] of this.#targets) {
      target.collected.prune(beforeMs)
      target.missed.prune(beforeMs)
      target.ended.prune(beforeMs)
      if (target.collected.runs.length === 0 && target.missed.runs.length === 0) this.#targets.delete(name)
    }
  }

  save(): LedgerState {
    return [...this.#targets].map(([target, { collected, missed, ended }]) => ({
      target,
      collected: saveRuns(collected),
      missed: saveRuns(missed),
      ...(ended.runs.length > 0 && { ended: saveRuns(ended) }),
    }))
  }

  static load(state: LedgerState): Ledger {
    const ledger = new Ledger()
    for (const { target, collected, missed, ended } of state)
      ledger.#targets.set(target, {
        collected: loadRuns(collected),
        missed: loadRuns(missed),
        ended: ended === undefined ? new SlotRuns() : loadRuns(ended),
      })
    return ledger
  }

  #target(name: string): Target | null {
    const known = this.#targets.get(name)
    if (known) return known
    if (this.#targets.size >= MAX_TARGETS_PER_AGENT) {
      this.untracked++
      return null
    }
    const target = { collected: new SlotRuns(), missed: new SlotRuns(), ended: new SlotRuns() }
    this.#targets.set(name, target)
    return target
  }
}

/** Missed runs, less what was collected after all; and holes between the runs of either kind. */
function* gapsOf(
  target: string,
  { collected: { runs: collected }, missed: { runs: missed }, ended: { runs: ended } }: Target,
  complete: boolean,
): Generator<Gap> {
  const all = [...collected, ...missed].sort((a, b) => a.fromMs - b.fromMs)
  let coveredTo = Number.NEGATIVE_INFINITY
  let interval = 0
  for (const run of all) {
    // Half an interval of grace: after a reload a target's slots lie on another grid.
    if (coveredTo > Number.NEGATIVE_INFINITY && run.fromMs - coveredTo > 1.5 * Math.max(interval, run.intervalMs))
      yield {
        target,
        fromMs: coveredTo + interval,
        toMs: lastSlotBefore(run, coveredTo, interval),
        intervalMs: interval,
        reason: !complete ? 'pending' : holds(ended, coveredTo) ? 'removed' : 'unknown',
      }
    if (run.reason !== null) {
      // An agent that starts again counts from the target's last slot, also where that ended it.
      const wasAway = run.reason === 'agent_down' || run.reason === 'shutdown'
      const reason = wasAway && holds(ended, run.fromMs - stepOf(run)) ? 'removed' : run.reason
      yield* uncovered(target, run, collected, reason)
    }
    if (run.toMs >= coveredTo) {
      coveredTo = run.toMs
      interval = stepOf(run)
    }
  }
}

/** @param runs by beginning, of single slots or of slots that follow each other */
function holds(runs: readonly SlotRun[], slotMs: number): boolean {
  let low = 0
  let high = runs.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (runs[middle]!.fromMs <= slotMs) low = middle + 1
    else high = middle
  }
  return low > 0 && runs[low - 1]!.toMs >= slotMs
}

/** On the grid that went before, which need not be that of `run`. */
function lastSlotBefore(run: SlotRun, coveredToMs: number, intervalMs: number): number {
  const slots = Math.floor((run.fromMs - coveredToMs) / intervalMs - 0.5)
  return coveredToMs + Math.max(1, slots) * intervalMs
}

/** The slots of a missed run that were not stored after all: what was stored wins over any announcement. */
function* uncovered(target: string, run: SlotRun, collected: readonly SlotRun[], reason: GapReason): Generator<Gap> {
  const intervalMs = stepOf(run)
  const stored = collected.flatMap((other) => [...sharedSlots(run, other)]).sort((a, b) => a[0] - b[0])
  let from = run.fromMs
  for (const [first, last] of stored) {
    if (first > from) yield { target, fromMs: from, toMs: first - intervalMs, intervalMs, reason }
    from = Math.max(from, last + intervalMs)
  }
  if (from <= run.toMs) yield { target, fromMs: from, toMs: run.toMs, intervalMs, reason }
}

/** The slots that two runs have in common, as stretches on the grid of `run`. */
function* sharedSlots(run: SlotRun, other: SlotRun): Generator<readonly [firstMs: number, lastMs: number]> {
  const toMs = Math.min(run.toMs, other.toMs)
  if (Math.max(run.fromMs, other.fromMs) > toMs) return
  const step = stepOf(run)
  const otherStep = stepOf(other)
  if (otherStep === step && (other.fromMs - run.fromMs) % step === 0) {
    yield [Math.max(run.fromMs, other.fromMs), toMs]
    return
  }
  // Another interval or offset, as after a reload: slots meet once in a common multiple of both intervals, if at all.
  const periodMs = (step / greatestCommonDivisor(step, otherStep)) * otherStep
  const skipped = Math.max(0, Math.ceil((run.fromMs - other.fromMs) / otherStep))
  const startMs = other.fromMs + skipped * otherStep
  for (let slot = startMs; slot < startMs + periodMs && slot <= toMs; slot += otherStep) {
    if ((slot - run.fromMs) % step !== 0) continue
    for (let shared = slot; shared <= toMs; shared += periodMs) yield [shared, shared]
    return
  }
}

/** A single slot has no interval: it lies on the grid of whole milliseconds. */
const stepOf = (run: SlotRun): number => Math.max(1, run.intervalMs)

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b]
  return a
}

const clip = (gap: Gap, fromMs: number, toMs: number): Gap => ({
  ...gap,
  fromMs: Math.max(gap.fromMs, fromMs),
  toMs: Math.min(gap.toMs, toMs),
})

const saveRuns = (runs: SlotRuns): SavedRuns => ({
  runs: runs.runs.map((run) => ({ ...run })),
  knownFromMs: Number.isFinite(runs.knownFromMs) ? runs.knownFromMs : null,
})

const loadRuns = (saved: SavedRuns): SlotRuns =>
  new SlotRuns(
    saved.runs.map((run) => ({ ...run })),
    saved.knownFromMs ?? Number.NEGATIVE_INFINITY,
  )
