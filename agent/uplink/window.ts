/**
 * Batches under way: sent (or waiting for their turn again) and not acknowledged. Bounded by count and bytes per lane;
 * what does not fit stays in the ring.
 */
export type Lane = 'fresh' | 'backlog'

export type InFlight = {
  readonly epoch: number
  readonly sequence: number
  readonly base: number
  readonly sealedMs: number
  readonly bytes: Uint8Array
  readonly lane: Lane
  /** Times published. */
  sends: number
  /** Monotonic: when to send (again). */
  dueAt: number
}

export type WindowLimits = { readonly maxBatches: number; readonly maxBytes: number }

export class Window {
  readonly limits: WindowLimits
  private readonly entries = new Map<string, InFlight>()
  private totalBytes = 0

  constructor(limits: WindowLimits) {
    this.limits = limits
  }

  get size(): number {
    return this.entries.size
  }

  get bytes(): number {
    return this.totalBytes
  }

  /** A batch larger than the whole window still gets through, alone. */
  hasRoom(bytes: number): boolean {
    if (this.entries.size === 0) return true
    return this.entries.size < this.limits.maxBatches && this.totalBytes + bytes <= this.limits.maxBytes
  }

  add(entry: InFlight): void {
    this.entries.set(keyOf(entry.epoch, entry.sequence), entry)
    this.totalBytes += entry.bytes.length
  }

  has(epoch: number, sequence: number): boolean {
    return this.entries.has(keyOf(epoch, sequence))
  }

  get(epoch: number, sequence: number): InFlight | undefined {
    return this.entries.get(keyOf(epoch, sequence))
  }

  remove(entry: InFlight): boolean {
    if (!this.entries.delete(keyOf(entry.epoch, entry.sequence))) return false
    this.totalBytes -= entry.bytes.length
    return true
  }

  clear(): void {
    this.entries.clear()
    this.totalBytes = 0
  }

  /** In the order they were added. */
  values(): IterableIterator<InFlight> {
    return this.entries.values()
  }

  oldest(): InFlight | undefined {
    return this.entries.values().next().value
  }
}

const keyOf = (epoch: number, sequence: number): string => `${epoch}.${sequence}`
