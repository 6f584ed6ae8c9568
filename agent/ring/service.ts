/**
 * The asynchronous `RingStore` over the synchronous engine: calls in order, commits in groups. A commit that finds
 * the last one long ago happens at once; under load they are `groupMs` apart or `groupBytes` large, so that a disk
 * sees a few large syncs a second instead of many small ones.
 */
import {
  type Clock,
  type RingBatch,
  type RingCommit,
  type RingGroup,
  type RingHead,
  type RingOpening,
  type RingQuery,
  type RingStats,
  type RingStore,
  RingStoreError,
  type Timer,
} from '../../protocol/env/mod.ts'
import type { RingEngine } from './engine.ts'

export type GroupOptions = { readonly groupMs: number; readonly groupBytes: number }
export const GROUP_DEFAULTS: GroupOptions = { groupMs: 250, groupBytes: 262_144 }
/** Acknowledgements alone may wait for a group that takes them along: losing them costs a resend. */
const ACK_FLUSH_MS = 30_000

type Waiting = {
  readonly group: RingGroup
  readonly bytes: number
  readonly resolve: (commit: RingCommit) => void
  readonly reject: (error: unknown) => void
}
type Intervals = Parameters<RingStore['acknowledge']>[1]

export class RingService implements RingStore {
  private readonly engine: RingEngine
  private readonly clock: Clock
  private readonly options: GroupOptions
  private waiting: Waiting[] = []
  private waitingBytes = 0
  private lastCommit = Number.NEGATIVE_INFINITY
  private timer: Timer | null = null
  private ackTimer: Timer | null = null
  private closed = false

  constructor(engine: RingEngine, clock: Clock, options: GroupOptions = GROUP_DEFAULTS) {
    this.engine = engine
    this.clock = clock
    this.options = options
  }

  async open(nowMs: number): Promise<RingOpening> {
    return this.engine.open(nowMs)
  }

  async beginEpoch(nowMs: number): Promise<number> {
    this.commit()
    return this.engine.beginEpoch(nowMs)
  }

  append(group: RingGroup): Promise<RingCommit> {
    if (this.closed) return Promise.reject(new RingStoreError('CLOSED', 'Cannot append to the ring: it is closed'))
    return new Promise((resolve, reject) => {
      const bytes = group.records.reduce((sum, record) => sum + record.bytes.length, 0)
      // The last group may be large, but not together with others: one transaction has to fit into the WAL's share.
      if (this.waitingBytes + bytes > 2 * this.options.groupBytes) this.commit()
      this.waiting.push({ group, bytes, resolve, reject })
      this.waitingBytes += bytes
      const restMs = this.lastCommit + this.options.groupMs - this.clock.monotonic()
      if (restMs <= 0 || this.waitingBytes >= this.options.groupBytes) this.commit()
      else this.timer ??= this.clock.setTimer(restMs, () => this.commit())
    })
  }

  async heads(query: RingQuery): Promise<readonly RingHead[]> {
    return this.engine.heads(query)
  }

  async read(epoch: number, sequences: Intervals, maxBytes: number): Promise<readonly RingBatch[]> {
    return this.engine.read(epoch, sequences, maxBytes)
  }

  async acknowledge(epoch: number, sequences: Intervals): Promise<void> {
    this.engine.settle(epoch, sequences, 'acked')
    this.flushLater()
  }

  async refuse(epoch: number, sequences: Intervals): Promise<void> {
    this.engine.settle(epoch, sequences, 'refused')
    this.flushLater()
  }

  async discard(epoch: number, base: number): Promise<RingCommit> {
    this.commit()
    return this.engine.discard(epoch, base)
  }

  async stats(): Promise<RingStats> {
    return this.engine.stats()
  }

  async close(nowMs: number): Promise<void> {
    if (this.closed) return
    this.commit()
    this.closed = true
    this.ackTimer?.cancel()
    this.engine.close(nowMs)
  }

  /** One transaction for all that waits; when it fails, each group is tried alone, so that one cannot fail others. */
  private commit(): void {
    this.timer?.cancel()
    this.timer = null
    const waiting = this.waiting
    if (waiting.length === 0) return
    this.waiting = []
    this.waitingBytes = 0
    this.lastCommit = this.clock.monotonic()
    if (waiting.length > 1) {
      try {
        const commit = this.write(joined(waiting.map(({ group }) => group)))
        // What the transaction trimmed is told once, with the first group.
        waiting.forEach(({ resolve }, i) => {
          resolve(i === 0 ? commit : { overwritten: null, misses: [], recovery: null })
        })
        return
      } catch (error) {
        if (error instanceof RingStoreError && error.code === 'IO') {
          for (const { reject } of waiting) reject(error)
          return
        }
      }
    }
    for (const { group, resolve, reject } of waiting) {
      try {
        resolve(this.write(group))
      } catch (error) {
        reject(error)
      }
    }
  }

  /** Puts the acknowledgements on disk, too. */
  private write(group: RingGroup): RingCommit {
    const commit = this.engine.append(group)
    this.ackTimer?.cancel()
    this.ackTimer = null
    return commit
  }

  private flushLater(): void {
    if (this.closed) return
    this.ackTimer ??= this.clock.setTimer(ACK_FLUSH_MS, () => {
      this.ackTimer = null
      try {
        this.engine.flush()
      } catch {
        // The next append meets the same error and reports it to its caller.
      }
    })
  }
}

function joined(groups: readonly RingGroup[]): RingGroup {
  return {
    records: groups.flatMap((group) => group.records),
    announced: groups.flatMap((group) => group.announced),
    lastSlots: groups.flatMap((group) => group.lastSlots),
    dictionaries: groups.flatMap((group) => group.dictionaries),
  }
}
