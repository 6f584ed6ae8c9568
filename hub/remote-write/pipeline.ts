/**
 * What becomes of the log for one endpoint: read, relabelled, put into shards, encoded, and remembered until it is
 * answered for. It stops reading when so much is not answered for that more would only fill memory.
 *
 * Invariant: every record of which something is not answered for, or not sent yet, is at or after `cursor`.
 */
import type { Clock, Logger } from '../../protocol/env/mod.ts'
import { CUSTOM_BUCKETS_SCHEMA, type Exemplar, type Histogram } from '../../protocol/samples/mod.ts'
import { segmentOf, startOf, type WalPosition } from '../wal/mod.ts'
import type { CursorFile } from './cursor.ts'
import type { Follower, LogReader } from './follower.ts'
import {
  type Counts,
  type DropReason,
  type EndpointSpec,
  type EndpointState,
  FAMILIES_SHARD,
  type OutgoingRequest,
} from './messages.ts'
import { OutgoingLabels } from './outgoing-labels.ts'
import { type Made, RequestMaker } from './request-maker.ts'
import { ShardBatch } from './shard-batch.ts'
import { addTo, newDrops, newTally, type Tally } from './tally.ts'
import type { SampleTaker } from './tap.ts'

/** Bodies that are not answered for. */
const MAX_OUTSTANDING_BYTES = 64 << 20
/** What one step reads, so that answers and other endpoints get their turn. */
const STEP_BYTES = 1 << 20
/** The state of the log is made anew from a checkpoint when it has so many series more than twice those it had... */
const SPARE_SERIES = 100_000
/** ...or is so old: what it remembers of agents is only trimmed so. */
const MAX_STATE_AGE_MS = 24 * 3_600_000
const LOOK_EVERY_MS = 10_000

export type PipelineOptions = {
  readonly spec: EndpointSpec
  readonly clock: Clock
  readonly log: Logger
  readonly follower: Follower
  readonly cursor: CursorFile
  readonly end: () => WalPosition
  readonly send: (request: OutgoingRequest) => void
  /** Default 100,000: see `SPARE_SERIES`. */
  readonly spareSeries?: number
}

export type Backlog = { readonly bytes: number; readonly unreadBytes: number }
export const NO_BACKLOG: Backlog = { bytes: 0, unreadBytes: 0 }

type Outstanding = { readonly position: WalPosition; readonly counts: Counts; readonly bytes: number }

export class Pipeline implements LogReader, SampleTaker {
  readonly spec: EndpointSpec
  readonly #options: PipelineOptions
  #maker!: RequestMaker
  readonly #outstanding = new Map<number, Outstanding>()
  readonly #pending: Tally = newTally()
  readonly #read: Tally = newTally()
  readonly #dropped = newDrops()
  #labels!: OutgoingLabels
  /** Those that series are spread over, and one for late samples of all of them: see `#batchOf`. */
  #shards: ShardBatch[]
  /** Of the newest sample of each series that was read, by ref. */
  #newestMs = new Float64Array(0)
  /** Series of the record at hand of which a sample was late. */
  readonly #lateRefs = new Set<number>()
  /** To be used once nothing is outstanding. */
  #wantedShards: number
  #outstandingBytes = 0
  #nextId = 1
  /** The record at hand, and when it was read. */
  #record: WalPosition = 0
  #recordMs = 0
  #oldestMs = Number.NEGATIVE_INFINITY
  #seriesAtOpen = 0
  #readAtOpen = 0
  #openedMs = 0
  #renewalDueMs = 0
  /** Nothing is read until nothing is under way. */
  #isRenewing = false
  #familiesDueMs = 0
  /** What is read after it was never sent before. */
  #sentUpTo: WalPosition = 0
  #isClosing = false
  #isPassingOver = false

  constructor(options: PipelineOptions) {
    this.#options = options
    this.spec = options.spec
    this.#shards = newShards(this.spec.minShards)
    this.#wantedShards = this.spec.minShards
    const from = this.#begin()
    this.#sentUpTo = from === this.spec.startAt ? from : options.end()
    this.#open(from)
  }

  /** Itself: what it reads, it takes. */
  get taker(): SampleTaker {
    return this
  }

  /** Reads on a little where there is something to read and room for it. @returns whether more could be done at once */
  step(): boolean {
    const { follower, end } = this.#options
    if (this.#isClosing) return false
    this.#reshard()
    this.#renew()
    if (this.#mustWait()) return false
    const { sampleAgeLimitMs } = this.spec
    if (sampleAgeLimitMs > 0) this.#oldestMs = this.#options.clock.now() - sampleAgeLimitMs
    const hasRead = follower.read(end(), STEP_BYTES, this)
    this.#flushFull()
    return hasRead
  }

  /** Sends what has waited for its deadline. */
  flushDue(): void {
    const now = this.#options.clock.monotonic()
    for (const [shard, batch] of this.#shards.entries())
      if (now - batch.sinceMs >= this.spec.batchSendDeadlineMs) this.#flush(shard, batch, true)
    const { metadata } = this.spec
    if (!metadata || this.spec.isVersion2 || this.#isClosing || now < this.#familiesDueMs) return
    if (this.#options.follower.families.size === 0) return
    this.#familiesDueMs = now + metadata.intervalMs
    this.#sendFamilies(metadata.maxSamplesPerSend)
  }

  answered(id: number): void {
    const request = this.#outstanding.get(id)
    if (!request) return
    this.#outstanding.delete(id)
    this.#outstandingBytes -= request.bytes
    addTo(this.#pending, request.counts, -1)
  }

  setShards(shards: number): void {
    this.#wantedShards = shards
  }

  /** Nothing more is read; what was is sent. */
  close(): void {
    this.#isClosing = true
    this.#flushAll()
  }

  get isDrained(): boolean {
    return this.#isIdle()
  }

  /** After it, it is of no more use. */
  end(forget: boolean): void {
    const { cursor } = this.#options
    if (forget) cursor.forget()
    else this.saveCursor()
    cursor.close()
    this.#options.follower.close()
  }

  saveCursor(): void {
    this.#options.cursor.save(this.cursor)
  }

  /** The same, good for a kill alone. */
  noteCursor(): void {
    this.#options.cursor.note(this.cursor)
  }

  /** The oldest segment that would be needed after a crash. */
  get neededSegment(): number {
    return segmentOf(this.#options.cursor.saved ?? this.cursor)
  }

  get position(): WalPosition {
    return this.#options.follower.position
  }

  get cursor(): WalPosition {
    let oldest = this.#options.follower.position
    for (const { position } of this.#outstanding.values()) if (position < oldest) oldest = position
    for (const { position } of this.#shards) if (position < oldest) oldest = position
    return oldest
  }

  /** What is read from now on is counted and not sent, because the log may not be held any longer; or is sent again. */
  passOver(isPassingOver: boolean): void {
    if (isPassingOver === this.#isPassingOver) return
    this.#isPassingOver = isPassingOver
    const { log } = this.#options
    const dropped = this.#dropped.backlog_too_large
    if (isPassingOver) {
      for (const batch of this.#shards) this.#dropAll(batch)
      log.error('The receiver is too far behind: the oldest of what waits for it is dropped', {
        fromSegment: segmentOf(this.cursor),
      })
    } else
      log.warn('The receiver is sent samples again', { toSegment: segmentOf(this.cursor), dropped: { ...dropped } })
  }

  /** @param backlog bytes of log from the cursor on, and of them those that are not read */
  state(backlog: Backlog): EndpointState {
    const { follower } = this.#options
    return {
      key: this.spec.key,
      pending: { ...this.#pending },
      dropped: this.#dropped,
      read: { ...this.#read },
      readPosition: follower.position,
      shards: this.#shardCount,
      backlogBytes: backlog.bytes,
      unread: Math.round(backlog.unreadBytes * this.#density),
      gaps: follower.gaps,
      lostRecords: follower.lostRecords,
    }
  }

  /** Samples and histograms a byte of the log. */
  get #density(): number {
    const { bytesRead } = this.#options.follower
    const { samples, histograms } = this.#read
    return bytesRead === 0 ? 0 : (samples + histograms - this.#readAtOpen) / bytesRead
  }

  onRecord(position: WalPosition): void {
    // What came with the record before is complete: its exemplars follow its samples.
    this.#flushFull()
    this.#lateRefs.clear()
    this.#record = position
    this.#recordMs = this.#options.clock.monotonic()
  }

  isEnough(): boolean {
    return this.#mustWait()
  }

  float(ref: number, timestampMs: number, values: Float64Array, at: number, startMs: number): void {
    this.#read.samples++
    const reason = this.#reasonToDrop(ref, timestampMs)
    if (reason !== null) this.#dropped[reason].samples++
    else {
      this.#pending.samples++
      this.#batchOf(ref, timestampMs).float(ref, timestampMs, values, at, startMs)
    }
  }

  histogram(ref: number, timestampMs: number, histogram: Histogram, startMs: number): void {
    if (!this.spec.sendNativeHistograms) return
    this.#read.histograms++
    let reason = this.#reasonToDrop(ref, timestampMs)
    if (!this.spec.isVersion2 && histogram.schema === CUSTOM_BUCKETS_SCHEMA) reason ??= 'nhcb_in_rw1_not_supported'
    if (reason !== null) this.#dropped[reason].histograms++
    else {
      this.#pending.histograms++
      this.#batchOf(ref, timestampMs).histogram(ref, timestampMs, histogram, startMs)
    }
  }

  exemplar(ref: number, exemplar: Exemplar): void {
    if (!this.spec.sendExemplars) return
    this.#read.exemplars++
    const reason = this.#reasonToDrop(ref, exemplar.timestampMs ?? Number.POSITIVE_INFINITY)
    if (reason !== null) this.#dropped[reason].exemplars++
    else {
      this.#pending.exemplars++
      this.#marked(this.#lateRefs.has(ref) ? this.#shardCount : this.#shardOf(ref)).exemplar(ref, exemplar)
    }
  }

  #begin(): WalPosition {
    const { cursor, end, log } = this.#options
    const saved = cursor.load()
    if (saved === null) {
      log.info('Sends what is stored from now on', { segment: segmentOf(this.spec.startAt) })
      return this.spec.startAt
    }
    if (saved > end()) {
      log.error('What was sent is ahead of the log: this is another log; sends what is stored since the start')
      return this.spec.startAt
    }
    if (saved > 0) log.info('Goes on where it was', { segment: segmentOf(saved) })
    return saved
  }

  #open(from: WalPosition): void {
    const { follower, clock } = this.#options
    // An empty log has no file yet.
    follower.open(from === 0 ? startOf(0) : from)
    const { externalLabels: external, relabel: rules, isVersion2 } = this.spec
    // With an encoder of its own, which remembers labels, too.
    this.#maker = new RequestMaker(isVersion2)
    const { table, families } = follower
    this.#labels = new OutgoingLabels({ table, families, external, rules, encoder: this.#maker.encoder })
    this.#newestMs = new Float64Array(0)
    this.#seriesAtOpen = follower.table.size
    this.#readAtOpen = this.#read.samples + this.#read.histograms
    this.#openedMs = clock.monotonic()
    this.saveCursor()
  }

  get #shardCount(): number {
    return this.#shards.length - 1
  }

  /**
   * Late samples go in requests of their own: a receiver that takes none refuses the whole request, and with it what is
   * new. Prometheus does so for 1.0.
   */
  #batchOf(ref: number, timestampMs: number): ShardBatch {
    if (ref >= this.#newestMs.length) this.#newestMs = grown(this.#newestMs, ref)
    const isLate = timestampMs <= this.#newestMs[ref]!
    if (isLate) this.#lateRefs.add(ref)
    else this.#newestMs[ref] = timestampMs
    return this.#marked(isLate ? this.#shardCount : this.#shardOf(ref))
  }

  #shardOf(ref: number): number {
    return this.#shardCount === 1 ? 0 : mixed(ref) % this.#shardCount
  }

  #marked(shard: number): ShardBatch {
    const batch = this.#shards[shard]!
    batch.mark(this.#record, this.#recordMs)
    return batch
  }

  #reasonToDrop(ref: number, timestampMs: number): DropReason | null {
    if (!this.#labels.isSent(ref)) return 'dropped_series'
    if (this.#isPassingOver) return 'backlog_too_large'
    return timestampMs < this.#oldestMs ? 'too_old' : null
  }

  #mustWait(): boolean {
    if (this.#isRenewing) return true
    if (this.#isPassingOver) return false
    const { samples, histograms } = this.#pending
    if (samples + histograms >= this.spec.capacity * this.#shardCount) return true
    return this.#outstandingBytes >= MAX_OUTSTANDING_BYTES || this.#wantedShards !== this.#shardCount
  }

  #isIdle(): boolean {
    return this.#outstanding.size === 0 && this.#shards.every(({ isEmpty }) => isEmpty)
  }

  /** A series may change its shard only when nothing of it is under way. */
  #reshard(): void {
    if (this.#wantedShards === this.#shardCount) return
    this.#flushAll()
    if (this.#isIdle()) this.#shards = newShards(this.#wantedShards)
  }

  #flushAll(): void {
    for (const [shard, batch] of this.#shards.entries()) this.#flush(shard, batch, true)
  }

  #flushFull(): void {
    for (const [shard, batch] of this.#shards.entries())
      if (batch.count >= this.spec.maxSamplesPerSend) this.#flush(shard, batch, false)
  }

  /** @param all what is less than a full request, too */
  #flush(shard: number, batch: ShardBatch, all: boolean): void {
    const { maxSamplesPerSend } = this.spec
    while (batch.count >= maxSamplesPerSend || (all && !batch.isEmpty)) {
      const rows = Math.min(batch.count, maxSamplesPerSend)
      const { position } = batch
      const isLast = rows === batch.count
      const made = this.#maker.samples(batch, rows, isLast, this.#labels)
      batch.drop(rows, this.#options.clock.monotonic())
      this.#dropped.exemplar_without_sample.exemplars += made.exemplarsLost
      this.#pending.exemplars -= made.exemplarsLost
      const { samples, histograms, exemplars } = made.contents
      if (samples + histograms + exemplars > 0) this.#send(shard, position, made)
    }
  }

  #send(shard: number, position: WalPosition, { body, contents }: Made): void {
    const id = this.#nextId++
    this.#outstanding.set(id, { position, counts: contents, bytes: body.length })
    this.#outstandingBytes += body.length
    const { key, isVersion2 } = this.spec
    const mayBeThere = position < this.#sentUpTo || shard === this.#shardCount
    this.#options.send({ key, id, shard, isVersion2, mayBeThere, body, contents })
  }

  /** Not again while the last ones are under way; they do not hold the cursor back. */
  #sendFamilies(most: number): void {
    for (const { position } of this.#outstanding.values()) if (position === Number.POSITIVE_INFINITY) return
    const families = [...this.#options.follower.families]
    for (let from = 0; from < families.length; from += most)
      this.#send(FAMILIES_SHARD, Number.POSITIVE_INFINITY, this.#maker.families(families.slice(from, from + most)))
  }

  #dropAll(batch: ShardBatch): void {
    const counts = {
      samples: batch.count - batch.histograms.size,
      histograms: batch.histograms.size,
      exemplars: batch.exemplars.length,
    }
    addTo(this.#dropped.backlog_too_large, counts)
    addTo(this.#pending, counts, -1)
    batch.exemplars = []
    batch.drop(batch.count, this.#options.clock.monotonic())
  }

  /** What it remembers of series and agents that are gone is forgotten now and then; nothing may be under way then. */
  #renew(): void {
    const { follower, clock, log, spareSeries = SPARE_SERIES } = this.#options
    const now = clock.monotonic()
    if (!this.#isRenewing) {
      if (now < this.#renewalDueMs) return
      this.#renewalDueMs = now + LOOK_EVERY_MS
      const isLarge = follower.table.size > 2 * this.#seriesAtOpen + spareSeries
      if (!isLarge && now - this.#openedMs < MAX_STATE_AGE_MS) return
      if (follower.newerCheckpoint === null) return
      this.#isRenewing = true
    }
    this.#flushAll()
    if (!this.#isIdle()) return
    this.#isRenewing = false
    log.info('Series are read anew from a checkpoint', { series: follower.table.size })
    this.#open(follower.position)
  }
}

/** And the one for late samples. */
const newShards = (count: number): ShardBatch[] => Array.from({ length: count + 1 }, () => new ShardBatch())

/** Refs of one target are neighbours: they spread. */
const mixed = (ref: number): number => Math.imul(ref, 0x9e3779b1) >>> 8

function grown(times: Float64Array, ref: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(Math.max(1024, ref + 1, 2 * times.length)).fill(Number.NEGATIVE_INFINITY)
  out.set(times)
  return out
}
