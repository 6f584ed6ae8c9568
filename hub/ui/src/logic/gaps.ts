/** The reasons of the hub's gap ledger in words. Semantics: hub/ingest/ledger.ts, protocol/batch, MissReason. */
import type { Gap } from '../api/types.ts'

export type GapKind = 'late' | 'missed' | 'lost'

export type GapReason = { readonly kind: GapKind; readonly text: string }

const REASONS: Readonly<Record<string, GapReason>> = {
  pending: { kind: 'late', text: 'collected perhaps, but the batch is not here yet' },
  agent_down: { kind: 'missed', text: 'the agent was not running' },
  shutdown: { kind: 'missed', text: 'the agent was being stopped' },
  suspended: { kind: 'missed', text: 'the host slept or its clock jumped' },
  overrun: { kind: 'missed', text: 'the scrape before it had not ended' },
  budget: { kind: 'missed', text: 'left out to keep the uplink within its budget' },
  overwritten: { kind: 'lost', text: 'collected, and overwritten in the ring before it could be sent' },
  removed: { kind: 'missed', text: 'the target was removed, and put back later' },
  unknown: { kind: 'lost', text: 'nobody has said what became of it' },
  forgotten: { kind: 'lost', text: 'older than what the ledger remembers' },
}

export function gapReason(reason: string): GapReason {
  return REASONS[reason] ?? { kind: 'lost', text: reason }
}

/** The scrapes that are missing; null where the interval is not known. */
export function missedSlots({ fromMs, toMs, intervalMs }: Gap): number | null {
  return intervalMs > 0 ? Math.round((toMs - fromMs) / intervalMs) + 1 : null
}

/** With the interval after the last slot, in which nothing came either. */
export function gapLengthMs({ fromMs, toMs, intervalMs }: Gap): number {
  return toMs - fromMs + intervalMs
}

export type Stripe = { readonly from: number; readonly to: number; readonly kind: GapKind }

/** Gaps of all targets as stripes of [0, 1) over [startMs, endMs); the worst kind wins where they lie over each other. */
export function gapStripes(gaps: readonly Gap[], startMs: number, endMs: number, cells: number): Stripe[] {
  const worst = new Uint8Array(cells)
  const kinds: readonly GapKind[] = ['missed', 'late', 'lost']
  const place = (timeMs: number): number => ((timeMs - startMs) / (endMs - startMs)) * cells
  for (const gap of gaps) {
    const rank = kinds.indexOf(gapReason(gap.reason).kind) + 1
    const last = Math.min(cells, Math.max(place(gap.fromMs) + 1, place(gap.fromMs + gapLengthMs(gap))))
    for (let cell = Math.max(0, Math.floor(place(gap.fromMs))); cell < last; cell++)
      if (worst[cell]! < rank) worst[cell] = rank
  }
  const stripes: Stripe[] = []
  for (let cell = 0; cell < cells; cell++) {
    const rank = worst[cell]!
    if (rank === 0) continue
    let end = cell + 1
    while (end < cells && worst[end] === rank) end++
    stripes.push({ from: cell / cells, to: end / cells, kind: kinds[rank - 1]! })
    cell = end - 1
  }
  return stripes
}
