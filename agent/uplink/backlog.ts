/**
 * Reads what no hub has acknowledged from the ring, oldest first, a page at a time and no faster than the byte rate
 * allows. After the end it starts over, until a whole round has found nothing to send and nothing was marked meanwhile.
 */
import type { Clock, RingBatch, RingHead, RingStore } from '../../protocol/env/mod.ts'

const HEADS_PER_PAGE = 256

export class BacklogReader {
  private readonly ring: RingStore
  private readonly clock: Clock
  private readonly bytesPerSecond: number
  private heads: RingHead[] = []
  private after: { readonly epoch: number; readonly sequence: number } | null = null
  private reading = false
  /** Counts marks; a round that began at `roundMarks` and found nothing is quiet if that is still the count. */
  private marks = 1
  private roundMarks = 1
  private roundFound = false
  private quietMarks = 0
  private rewinds = 0
  /** Monotonic: when the bytes sent so far are paid for. */
  private paidAt = Number.NEGATIVE_INFINITY

  constructor(ring: RingStore, clock: Clock, bytesPerSecond: number) {
    this.ring = ring
    this.clock = clock
    this.bytesPerSecond = bytesPerSecond
  }

  hasMore(): boolean {
    return !this.reading && (this.quietMarks !== this.marks || this.heads.length > 0)
  }

  /** There may be a batch now that is neither acknowledged nor under way. */
  mark(): void {
    this.marks++
  }

  readyAt(): number {
    return this.paidAt
  }

  /** A new connection: all that is not acknowledged counts again. */
  rewind(): void {
    this.heads = []
    this.after = null
    this.rewinds++
    this.mark()
  }

  /** Up to so many batches, oldest first; none when it is too early, or nothing is left. */
  async next(
    isUnderWay: (epoch: number, sequence: number) => boolean,
    maxBatches: number,
    maxBytes: number,
  ): Promise<readonly RingBatch[]> {
    if (this.reading || this.clock.monotonic() < this.paidAt) return []
    this.reading = true
    try {
      await this.fillHeads(isUnderWay)
      const run = this.takeRun(isUnderWay, maxBatches, maxBytes)
      if (run.length === 0) return []
      const { epoch } = run[0]!
      const batches = await this.ring.read(
        epoch,
        run.map(({ sequence }) => [sequence, sequence]),
        Math.max(1, maxBytes),
      )
      this.pay(batches)
      return batches
    } finally {
      this.reading = false
    }
  }

  /** At most to the end of the round: it ends with the page that is not full. */
  private async fillHeads(isUnderWay: (epoch: number, sequence: number) => boolean): Promise<void> {
    while (this.heads.length === 0 && this.quietMarks !== this.marks) {
      if (this.after === null) {
        this.roundMarks = this.marks
        this.roundFound = false
      }
      const rewinds = this.rewinds
      const page = await this.ring.heads({ unackedOnly: true, after: this.after, limit: HEADS_PER_PAGE })
      if (rewinds !== this.rewinds) return
      this.heads = page.filter(({ epoch, sequence }) => !isUnderWay(epoch, sequence))
      if (this.heads.length > 0) this.roundFound = true
      const last = page[page.length - 1]
      this.after = page.length === HEADS_PER_PAGE ? { epoch: last!.epoch, sequence: last!.sequence } : null
      if (this.after !== null) continue
      if (!this.roundFound) this.quietMarks = this.roundMarks
      return
    }
  }

  /** The next heads of one epoch, by their sizes. */
  private takeRun(
    isUnderWay: (epoch: number, sequence: number) => boolean,
    maxBatches: number,
    maxBytes: number,
  ): RingHead[] {
    const run: RingHead[] = []
    let bytes = 0
    while (run.length < maxBatches && this.heads.length > 0) {
      const head = this.heads[0]!
      if (run.length > 0 && (head.epoch !== run[0]!.epoch || bytes + head.sizeBytes > maxBytes)) break
      this.heads.shift()
      if (isUnderWay(head.epoch, head.sequence)) continue
      run.push(head)
      bytes += head.sizeBytes
    }
    return run
  }

  private pay(batches: readonly RingBatch[]): void {
    const bytes = batches.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const now = this.clock.monotonic()
    this.paidAt = Math.max(now, this.paidAt) + (1000 * bytes) / this.bytesPerSecond
  }
}
