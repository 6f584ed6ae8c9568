/**
 * Where the agent's collectors put scrapes: gathers them into batches, seals and signs these by age and by size, and
 * commits them to the ring; only then does the uplink hear of them.
 *
 * It also keeps the books that make every slot accounted for: the slots each batch covers, those missed while the
 * agent was away (announced at a target's first sign of life), those overwritten in the ring, and those refused because
 * the disk would not take more.
 */
import {
  BatchEncoder,
  type Compressor,
  type Hasher,
  type MissedSlots,
  type SampleSink,
  type Scrape,
} from '../../protocol/batch/mod.ts'
import {
  type Clock,
  type Logger,
  type PendingMiss,
  type RingBatch,
  type RingCommit,
  type RingGroup,
  type RingOpening,
  type RingRecovery,
  type RingStore,
  RingStoreError,
  type SlotGap,
  type Timer,
} from '../../protocol/env/mod.ts'
import type { Signer } from '../../protocol/identity/mod.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Metadata } from '../../protocol/samples/mod.ts'
import { decodeDictionary, LiveSeries } from './live-series.ts'
import { OverwriteNotice } from './overwrite-notice.ts'
import { SlotRuns } from './slot-runs.ts'

export type RecorderOptions = {
  readonly agent: string
  readonly ring: RingStore
  readonly clock: Clock
  readonly log: Logger
  readonly signer: Signer
  readonly hasher: Hasher
  readonly compressor: Compressor
  /** The ring's disk can no longer be trusted: exit, and recover at the next start. */
  readonly onFatal: (error: Error) => void
  /** The longest a sample waits here. Default 5 s: with a second for the way, alerts see data within 10 s. */
  readonly batchAgeMs?: number
  /** Whether a batch is sealed as soon as no scrape is under way: the age is for those that wait for a slow one. */
  readonly sealWhenSettled?: boolean
  /** A batch is sealed before it is estimated to pass this. Default 256 kB: a quarter of NATS' usual limit. */
  readonly maxBatchBytes?: number
  /** The same for data that hardly compresses, before the estimate has seen any. Default 50,000: at most 0.5 MB. */
  readonly maxBatchSamples?: number
  /** Sealed batches that wait for the disk; beyond, slots are missed as `overrun`. Default 8 MB. */
  readonly maxQueuedBytes?: number
  /** How often changed dictionaries are saved. Default 60 s. */
  readonly dictionaryEveryMs?: number
  readonly keyframeEvery?: number
}

/** Recorded by an earlier life of the agent, last in this slot. */
export type PreviousTarget = { readonly target: string; readonly slotMs: number; readonly intervalMs: number }

export type RecorderStats = {
  readonly epoch: number
  readonly sealedBatches: number
  readonly sealedSamples: number
  readonly sealedBytes: number
  /** Sealed, not yet on disk. */
  readonly queuedBytes: number
  /** Scrapes and their samples that found the queue full. */
  readonly droppedScrapes: number
  readonly droppedSamples: number
  readonly announcedGaps: number
  readonly recoveries: number
}

const MAX_GAPS_PER_BATCH = 2000
/** Of the bytes on the wire. */
const KEYFRAME_SHARE = 1 / 8
const MAX_GROUP_BYTES = 262_144
const RETRY_MS_MAX = 30_000
/** Targets of an earlier life that have not shown up by then are forgotten. */
const FORGET_AFTER_MS = 3_600_000
/** Series that ended stay in the dictionary: with this many, and more than twice the living, it starts anew. */
const DEAD_SERIES_MAX = 20_000

type Earlier = { readonly slotMs: number; readonly intervalMs: number; dictionary: Uint8Array | null; settled: boolean }

export class Recorder implements SampleSink {
  private readonly options: Required<RecorderOptions>
  private encoder: BatchEncoder
  private labels: Labels[] = []
  private readonly live = new LiveSeries()
  private covered = new SlotRuns()
  private batchMissed: SlotGap[] = []
  private readonly dropped = new SlotRuns()
  private readonly lastSlots = new Map<string, { target: string; slotMs: number; intervalMs: number }>()
  private readonly earlier = new Map<string, Earlier>()
  private readonly downReason: 'agent_down' | 'shutdown'
  private readonly openedAt: number
  private toAnnounce: PendingMiss[]
  private queue: RingGroup[] = []
  private committing: Promise<void> | null = null
  private ageTimer: Timer | null = null
  private dictionariesSavedAt = Number.NEGATIVE_INFINITY
  private renewing = false
  private stopped = false
  private closing = false
  private readonly closed = new AbortController()
  private readonly overwrites: OverwriteNotice
  private listener: (batch: RingBatch) => void = () => {}
  private counts = { batches: 0, samples: 0, bytes: 0, queued: 0, scrapes: 0, dropped: 0, gaps: 0, recoveries: 0 }

  /** Opens the ring and begins an epoch. @throws RingStoreError */
  static async open(options: RecorderOptions): Promise<Recorder> {
    const opening = await options.ring.open(options.clock.now())
    return new Recorder(options, opening)
  }

  private constructor(options: RecorderOptions, opening: RingOpening) {
    this.options = {
      batchAgeMs: 5000,
      sealWhenSettled: false,
      maxBatchBytes: 262_144,
      maxBatchSamples: 50_000,
      maxQueuedBytes: 8_388_608,
      dictionaryEveryMs: 60_000,
      keyframeEvery: 64,
      ...options,
    }
    this.encoder = this.newEncoder(opening.epoch)
    this.openedAt = options.clock.monotonic()
    this.overwrites = new OverwriteNotice(options.log)
    this.downReason = opening.cleanStopMs === null ? 'agent_down' : 'shutdown'
    for (const { target, slotMs, intervalMs, dictionary } of opening.targets)
      this.earlier.set(target, { slotMs, intervalMs, dictionary, settled: false })
    this.toAnnounce = [...opening.misses]
    if (opening.recovery) this.tellRecovery(opening.recovery)
    if (this.toAnnounce.length > 0) this.startAgeTimer()
  }

  get epoch(): number {
    return this.encoder.epoch
  }

  /** Called with each batch once it is on disk. */
  onCommitted(listener: (batch: RingBatch) => void): void {
    this.listener = listener
  }

  define(labels: Labels, metadata: Metadata | null): number {
    const id = this.encoder.define(labels, metadata)
    this.labels[id] ??= labels
    return id
  }

  append(scrape: Scrape): void {
    if (this.stopped) return
    this.settleEarlier(scrape.target, scrape.slotMs)
    if (this.counts.queued > this.options.maxQueuedBytes) {
      this.counts.scrapes++
      this.counts.dropped += scrape.ids.length
      this.dropped.add(scrape.target, scrape.slotMs, scrape.intervalMs)
      return
    }
    if (this.wouldBeTooLarge(scrape.ids.length)) this.seal()
    this.live.observe(scrape)
    this.covered.add(scrape.target, scrape.slotMs, scrape.intervalMs)
    this.noteSlot(scrape.target, scrape.slotMs, scrape.intervalMs)
    this.encoder.add(scrape)
    if (this.encoder.pendingBytesEstimate >= this.options.maxBatchBytes) this.seal()
    else this.startAgeTimer()
  }

  missed(slots: MissedSlots): void {
    if (this.stopped) return
    this.settleEarlier(slots.target, slots.fromMs)
    this.noteSlot(slots.target, slots.toMs, slots.intervalMs)
    this.announce(slots)
    this.startAgeTimer()
  }

  settled(): void {
    if (this.options.sealWhenSettled && this.encoder.pendingScrapes > 0 && !this.stopped) this.seal()
  }

  /** Targets that an earlier life of the agent recorded and this one has not yet. */
  previousTargets(): PreviousTarget[] {
    return [...this.earlier]
      .filter(([, { settled }]) => !settled)
      .map(([target, { slotMs, intervalMs }]) => ({ target, slotMs, intervalMs }))
  }

  /** Series that lived in the target's last scrape of an earlier life; told once, since they cost memory. */
  previousSeries(target: string): { readonly labels: Labels; readonly metadata: null }[] {
    const earlier = this.earlier.get(target)
    if (!earlier?.dictionary) return []
    try {
      return decodeDictionary(earlier.dictionary, this.options.compressor).map((labels) => ({ labels, metadata: null }))
    } catch (error) {
      this.options.log.warn('Cannot read the saved series of a target: they end by lookback', { target, error })
      return []
    } finally {
      earlier.dictionary = null
    }
  }

  /** The next batch restates the dictionary: a hub asked for a keyframe that the ring no longer has. */
  forceKeyframe(): void {
    this.encoder.forceKeyframe()
  }

  /** Gaps that the ring made outside of an append (`discard`), to be announced. */
  takeMisses(misses: readonly PendingMiss[]): void {
    this.toAnnounce.push(...misses)
    if (misses.length > 0) this.startAgeTimer()
  }

  stats(): RecorderStats {
    const { batches, samples, bytes, queued, scrapes, dropped, gaps, recoveries } = this.counts
    return {
      epoch: this.epoch,
      sealedBatches: batches,
      sealedSamples: samples,
      sealedBytes: bytes,
      queuedBytes: queued,
      droppedScrapes: scrapes,
      droppedSamples: dropped,
      announcedGaps: gaps,
      recoveries,
    }
  }

  /** Seals what is pending; resolves when all that is sealed is on disk. */
  async flush(): Promise<void> {
    this.seal()
    while (this.committing) await this.committing
  }

  /** Seals, commits, notes the clean stop. What the disk refuses now stays unrecorded: a gap at the next start. */
  async close(): Promise<void> {
    if (this.closing) return
    this.closing = true
    this.closed.abort()
    await this.flush()
    this.stopped = true
    this.ageTimer?.cancel()
    await this.options.ring.close(this.options.clock.now())
  }

  private seal(): void {
    this.ageTimer?.cancel()
    this.ageTimer = null
    for (const run of this.dropped.take()) this.announce({ ...run, reason: 'overrun' })
    const announced = this.toAnnounce.splice(0, MAX_GAPS_PER_BATCH)
    for (const { slots } of announced) this.announce(slots)
    const sealed = this.encoder.seal()
    if (!sealed) {
      if (this.closing) this.saveRest()
      return
    }
    const { header, bytes } = sealed
    const record = {
      epoch: header.epoch,
      sequence: header.sequence,
      base: header.base,
      sizeBytes: bytes.length,
      sampleCount: header.sampleCount,
      minTimeMs: header.minTimeMs,
      maxTimeMs: header.maxTimeMs,
      sealedMs: this.options.clock.now(),
      covered: this.covered.take(),
      missed: this.batchMissed,
      bytes,
    }
    this.batchMissed = []
    this.counts.batches++
    this.counts.samples += header.sampleCount
    this.counts.bytes += bytes.length
    this.counts.queued += bytes.length
    this.queue.push({
      records: [record],
      announced: announced.map(({ id }) => id),
      lastSlots: [...this.lastSlots.values()],
      dictionaries: this.dueDictionaries(),
    })
    this.lastSlots.clear()
    this.commit()
    if (this.toAnnounce.length > 0) this.startAgeTimer()
    if (this.encoder.definitionCount > 2 * this.live.count + DEAD_SERIES_MAX) void this.renewEpoch()
  }

  /** What the last batch did not carry, when the agent ends and no other will. */
  private saveRest(): void {
    const dictionaries = this.dueDictionaries()
    if (dictionaries.length === 0) return
    this.queue.push({ records: [], announced: [], lastSlots: [], dictionaries })
    this.commit()
  }

  private commit(): void {
    this.committing ??= Promise.resolve().then(() => this.commitAll())
  }

  /**
   * In order, one transaction at a time: what comes meanwhile makes the next group. Its end shows in the same turn as the
   * empty queue: what is sealed right after must find nobody at work.
   */
  private async commitAll(): Promise<void> {
    let retryMs = 500
    try {
      while (this.queue.length > 0 && !this.stopped) {
        const groups = this.nextGroups()
        try {
          const commit = await this.options.ring.append(joined(groups))
          this.queue.splice(0, groups.length)
          retryMs = 500
          this.afterCommit(groups, commit)
        } catch (error) {
          const code = error instanceof RingStoreError ? error.code : 'BUG'
          if (code === 'TOO_LARGE' && groups.length === 1) this.giveUp(groups[0]!, error as Error)
          else if (code === 'FULL' || code === 'TOO_LARGE') {
            this.options.log.warn('Cannot write to the ring now, trying again', { error, retryMs })
            // A stop does not wait for a full disk.
            if (this.closing) return
            await this.options.clock.sleep(retryMs, this.closed.signal).catch(() => {})
            retryMs = Math.min(2 * retryMs, RETRY_MS_MAX)
          } else {
            this.stopped = true
            this.options.onFatal(error instanceof Error ? error : new Error(String(error)))
          }
        }
      }
    } finally {
      this.committing = null
    }
  }

  private nextGroups(): RingGroup[] {
    const out: RingGroup[] = []
    let bytes = 0
    for (const group of this.queue) {
      const size = group.records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      if (out.length > 0 && bytes + size > MAX_GROUP_BYTES) break
      bytes += size
      out.push(group)
    }
    return out
  }

  private afterCommit(groups: readonly RingGroup[], commit: RingCommit): void {
    for (const { records } of groups)
      for (const record of records) {
        this.counts.queued -= record.sizeBytes
        this.listener(record)
      }
    const now = this.options.clock.monotonic()
    if (commit.overwritten) this.overwrites.add(commit.overwritten, now)
    else this.overwrites.tell(now)
    if (commit.recovery) {
      this.tellRecovery(commit.recovery)
      // All pending gaps come with it; those already announced in the batch before are announced again, harmlessly.
      this.toAnnounce = []
      this.encoder.forceKeyframe()
      void this.renewEpoch()
    }
    this.takeMisses(commit.misses)
  }

  /** A batch that can never be stored: its slots become a gap, and its sequence number must not be missed. */
  private giveUp(group: RingGroup, error: Error): void {
    this.queue.shift()
    this.options.log.error('Cannot store a batch, its slots are lost', { error: error.message })
    for (const record of group.records) {
      this.counts.queued -= record.sizeBytes
      this.counts.dropped += record.sampleCount
      for (const run of record.covered) this.announce({ ...run, reason: 'overrun' })
      for (const gap of record.missed) this.announce(gap)
    }
    void this.renewEpoch()
  }

  /** The old encoder goes on until the new epoch is on disk; then it is sealed, and ids start anew. */
  private async renewEpoch(): Promise<void> {
    if (this.renewing || this.stopped) return
    this.renewing = true
    try {
      const epoch = await this.options.ring.beginEpoch(this.options.clock.now())
      this.seal()
      this.encoder = this.newEncoder(epoch)
      this.labels = []
      this.live.forgetIds()
    } catch (error) {
      this.options.log.warn('Cannot begin a new epoch, going on with the old one', { error })
    } finally {
      this.renewing = false
    }
  }

  private newEncoder(epoch: number): BatchEncoder {
    const { agent, signer, hasher, compressor, keyframeEvery } = this.options
    return new BatchEncoder({
      agent,
      epoch,
      signer,
      hasher,
      compressor,
      keyframeEvery,
      keyframeShare: KEYFRAME_SHARE,
    })
  }

  private wouldBeTooLarge(samples: number): boolean {
    const { pendingSamples, pendingBytesEstimate } = this.encoder
    if (pendingSamples > 0 && pendingSamples + samples > this.options.maxBatchSamples) return true
    return pendingSamples > 0 && pendingBytesEstimate * (1 + samples / pendingSamples) > this.options.maxBatchBytes
  }

  private announce(slots: SlotGap): void {
    this.encoder.missed(slots)
    this.batchMissed.push(slots)
    this.counts.gaps++
  }

  /** The slots between the last recorded one of an earlier life and `slotMs` were missed while there was no agent. */
  private settleEarlier(target: string, slotMs: number): void {
    const earlier = this.earlier.get(target)
    if (!earlier || earlier.settled) return
    earlier.settled = true
    const { intervalMs } = earlier
    if (intervalMs <= 0) return
    const count = Math.ceil((slotMs - earlier.slotMs) / intervalMs) - 1
    if (count <= 0) return
    const fromMs = earlier.slotMs + intervalMs
    this.announce({ target, fromMs, toMs: earlier.slotMs + count * intervalMs, intervalMs, reason: this.downReason })
  }

  private noteSlot(target: string, slotMs: number, intervalMs: number): void {
    const known = this.lastSlots.get(target)
    if (!known || known.slotMs <= slotMs) this.lastSlots.set(target, { target, slotMs, intervalMs })
  }

  private dueDictionaries(): RingGroup['dictionaries'] {
    const now = this.options.clock.monotonic()
    if (!this.closing && now - this.dictionariesSavedAt < this.options.dictionaryEveryMs) return []
    this.dictionariesSavedAt = now
    const changed: RingGroup['dictionaries'][number][] = this.live.takeChanged(this.labels, this.options.compressor)
    if (now - this.openedAt < FORGET_AFTER_MS) return changed
    for (const { target } of this.previousTargets()) changed.push({ target, bytes: null })
    this.earlier.clear()
    return changed
  }

  private startAgeTimer(): void {
    if (this.stopped) return
    this.ageTimer ??= this.options.clock.setTimer(this.options.batchAgeMs, () => this.seal())
  }

  private tellRecovery(recovery: RingRecovery): void {
    this.counts.recoveries++
    this.options.log.error('The ring was damaged: set aside, salvaged, a new epoch begins', { ...recovery })
  }
}

function joined(groups: readonly RingGroup[]): RingGroup {
  if (groups.length === 1) return groups[0]!
  return {
    records: groups.flatMap((group) => group.records),
    announced: groups.flatMap((group) => group.announced),
    lastSlots: groups.flatMap((group) => group.lastSlots),
    dictionaries: groups.flatMap((group) => group.dictionaries),
  }
}
