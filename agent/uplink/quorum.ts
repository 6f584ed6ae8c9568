/**
 * When enough hubs have a batch. With one required acknowledgement the first settles it; with more, each hub's
 * intervals are kept per epoch until the overlap is deep enough.
 */
import { type SequenceInterval, SequenceSet } from '../../protocol/batch/mod.ts'

const MAX_HUBS = 64
const MAX_EPOCHS = 64

export class Quorum {
  private readonly required: number
  private readonly stored = new Map<number, Map<string, SequenceSet>>()

  constructor(required: number) {
    this.required = required
  }

  /** @returns the intervals of `epoch` that enough hubs have now; may repeat what was returned before */
  add(hub: string, epoch: number, sequences: readonly SequenceInterval[]): readonly SequenceInterval[] {
    if (this.required <= 1) return sequences
    const hubs = this.hubsOf(epoch)
    let set = hubs.get(hub)
    if (!set) {
      if (hubs.size >= MAX_HUBS) hubs.delete(hubs.keys().next().value!)
      hubs.set(hub, (set = new SequenceSet()))
    }
    for (const [first, last] of sequences) set.addInterval(first, last)
    return covered([...hubs.values()], this.required)
  }

  private hubsOf(epoch: number): Map<string, SequenceSet> {
    let hubs = this.stored.get(epoch)
    if (hubs) return hubs
    if (this.stored.size >= MAX_EPOCHS) this.stored.delete(Math.min(...this.stored.keys()))
    this.stored.set(epoch, (hubs = new Map()))
    return hubs
  }
}

/** Intervals that at least `depth` of the sets contain. */
export function covered(sets: readonly SequenceSet[], depth: number): SequenceInterval[] {
  const edges: [at: number, step: 1 | -1][] = []
  for (const set of sets) for (const [first, last] of set.toIntervals()) edges.push([first, 1], [last + 1, -1])
  edges.sort((a, b) => a[0] - b[0] || a[1] - b[1])
  const out: SequenceInterval[] = []
  let now = 0
  let start = -1
  for (let i = 0; i < edges.length; ) {
    const at = edges[i]![0]
    while (i < edges.length && edges[i]![0] === at) now += edges[i++]![1]
    if (now >= depth && start < 0) start = at
    else if (now < depth && start >= 0) {
      out.push([start, at - 1])
      start = -1
    }
  }
  return out
}
