/**
 * What the ring holds, in memory: one row of columns per sequence of an epoch, about 40 bytes a batch. It answers
 * "what is to be trimmed next" and "what is pending" without reading a page.
 */
import type { RingHead } from '../../protocol/env/mod.ts'

export const KEPT = 1
export const ACKED = 2
export const REFUSED = 4

type Row = {
  readonly sequence: number
  readonly base: number
  readonly sizeBytes: number
  readonly sampleCount: number
  readonly minTimeMs: number
  readonly maxTimeMs: number
  readonly sealedMs: number
}

export class EpochIndex {
  readonly epoch: number
  readonly ordinal: number
  /** Sequence of row 0. */
  first = 0
  /** Rows in use, holes included. */
  length = 0
  keptCount = 0
  /** Kept and (acknowledged or refused). */
  settledCount = 0
  flags = new Uint8Array(16)
  bases = new Uint32Array(16)
  sizes = new Uint32Array(16)
  samples = new Uint32Array(16)
  times = new Float64Array(3 * 16)
  /** By keyframe sequence: how many other kept batches stand on it. */
  readonly dependents = new Map<number, number>()

  constructor(epoch: number, ordinal: number) {
    this.epoch = epoch
    this.ordinal = ordinal
  }

  add(row: Row): void {
    if (this.length === 0) this.first = row.sequence
    const i = row.sequence - this.first
    if (i < 0) throw new Error(`BUG: sequence ${row.sequence} of epoch ${this.epoch} comes after ${this.first}`)
    this.reserve(i + 1)
    if (this.flags[i]! & KEPT) throw new Error(`BUG: sequence ${row.sequence} of epoch ${this.epoch} comes twice`)
    this.length = Math.max(this.length, i + 1)
    this.flags[i]! |= KEPT
    this.bases[i] = row.base
    this.sizes[i] = row.sizeBytes
    this.samples[i] = row.sampleCount
    this.times.set([row.minTimeMs, row.maxTimeMs, row.sealedMs], 3 * i)
    this.keptCount++
    if (this.flags[i]! & (ACKED | REFUSED)) this.settledCount++
    if (row.base !== row.sequence) this.dependents.set(row.base, (this.dependents.get(row.base) ?? 0) + 1)
  }

  remove(sequence: number): void {
    const i = sequence - this.first
    const flags = this.flags[i]!
    this.keptCount--
    if (flags & (ACKED | REFUSED)) this.settledCount--
    this.flags[i] = 0
    const base = this.bases[i]!
    if (base !== sequence) {
      const rest = this.dependents.get(base)! - 1
      if (rest > 0) this.dependents.set(base, rest)
      else this.dependents.delete(base)
    }
    this.dropLeadingHoles()
  }

  has(sequence: number): boolean {
    return this.flagsOf(sequence) !== 0
  }

  /** 0 for what is not kept. */
  flagsOf(sequence: number): number {
    const i = sequence - this.first
    if (i < 0 || i >= this.length) return 0
    const flags = this.flags[i]!
    return flags & KEPT ? flags : 0
  }

  /** Sets the flag on kept rows in [first, last]; returns how many became settled by it. */
  settle(first: number, last: number, flag: number, onSettled: (row: number) => void): number {
    let count = 0
    const to = Math.min(last - this.first, this.length - 1)
    for (let i = Math.max(0, first - this.first); i <= to; i++) {
      const flags = this.flags[i]!
      if (!(flags & KEPT)) continue
      if (!(flags & (ACKED | REFUSED))) {
        count++
        onSettled(i)
      }
      this.flags[i] = flags | flag
    }
    this.settledCount += count
    return count
  }

  /** Intervals of kept rows with the flag, flattened: first, last, first, last… */
  intervals(flag: number): number[] {
    const out: number[] = []
    for (let i = 0; i < this.length; i++) {
      if (!(this.flags[i]! & KEPT) || !(this.flags[i]! & flag)) continue
      const sequence = this.first + i
      if (out.length > 0 && out[out.length - 1] === sequence - 1) out[out.length - 1] = sequence
      else out.push(sequence, sequence)
    }
    return out
  }

  /** The oldest batch that may be trimmed, settled or not as asked; -1 if there is none. */
  oldestTrimmable(settled: boolean, protectedBase: number): number {
    if (settled ? this.settledCount === 0 : this.settledCount === this.keptCount) return -1
    for (let i = 0; i < this.length; i++) {
      const flags = this.flags[i]!
      if (!(flags & KEPT) || ((flags & (ACKED | REFUSED)) !== 0) !== settled) continue
      const sequence = this.first + i
      if (sequence !== protectedBase && !this.dependents.has(sequence)) return sequence
    }
    return -1
  }

  headAt(row: number): RingHead {
    return {
      epoch: this.epoch,
      sequence: this.first + row,
      base: this.bases[row]!,
      sizeBytes: this.sizes[row]!,
      sampleCount: this.samples[row]!,
      minTimeMs: this.times[3 * row]!,
      maxTimeMs: this.times[3 * row + 1]!,
      sealedMs: this.times[3 * row + 2]!,
    }
  }

  /** The keyframe that the newest batch stands on; -1 without batches. */
  get newestBase(): number {
    return this.length > 0 ? this.bases[this.length - 1]! : -1
  }

  /** Sequences of pending batches that stand on this keyframe. */
  unsettledOn(base: number): number[] {
    const out: number[] = []
    for (let i = 0; i < this.length; i++) if (this.isPending(i) && this.bases[i] === base) out.push(this.first + i)
    return out
  }

  /** When the oldest pending batch was sealed; null when none is. */
  get oldestPendingMs(): number | null {
    if (this.settledCount === this.keptCount) return null
    for (let i = 0; i < this.length; i++) if (this.isPending(i)) return this.times[3 * i + 2]!
    return null
  }

  private isPending(row: number): boolean {
    return (this.flags[row]! & (KEPT | ACKED | REFUSED)) === KEPT
  }

  private reserve(rows: number): void {
    if (rows <= this.flags.length) return
    const capacity = Math.max(rows, this.flags.length * 2)
    this.flags = grown(new Uint8Array(capacity), this.flags)
    this.bases = grown(new Uint32Array(capacity), this.bases)
    this.sizes = grown(new Uint32Array(capacity), this.sizes)
    this.samples = grown(new Uint32Array(capacity), this.samples)
    this.times = grown(new Float64Array(3 * capacity), this.times)
  }

  /** Shifts only when at least half is unused, so that each row moves at most once on average. */
  private dropLeadingHoles(): void {
    if (this.keptCount === 0) {
      this.length = 0
      this.flags.fill(0)
      return
    }
    let holes = 0
    while (holes < this.length && !(this.flags[holes]! & KEPT)) holes++
    if (holes < 64 || holes * 2 < this.length) return
    for (const column of [this.flags, this.bases, this.sizes, this.samples]) column.copyWithin(0, holes, this.length)
    this.times.copyWithin(0, 3 * holes, 3 * this.length)
    this.flags.fill(0, this.length - holes)
    this.first += holes
    this.length -= holes
  }
}

function grown<A extends Uint8Array | Uint32Array | Float64Array>(to: A, from: A): A {
  to.set(from)
  return to
}
