/**
 * The ingest thread's state machine, without the thread: the only writer of the head and of the log. Every input is
 * applied to the head and framed for the log at once; `commit` makes both count, and releases the answers.
 */
import type { Compressor, Cursor } from '../../protocol/batch/mod.ts'
import type { Clock, Disk, Logger, Random } from '../../protocol/env/mod.ts'
import type { WriteKind } from '../../protocol/remote-write/mod.ts'
import type { ReaderShare, SeriesRef } from '../tsdb/contract.ts'
import { DiskFullError, DiskReserve, openWal, type ReplayReport, type SyncedEnd, type Wal } from '../wal/mod.ts'
import { BatchIntake, type BatchLimitsOfHub, type KnownAgent, type Outcome } from './batches.ts'
import type { Checkpointer, CheckpointRecord } from './checkpointer.ts'
import { Checkpoints } from './checkpoints.ts'
import type { BatchCodec } from './codec.ts'
import { CommitTimer } from './commit-times.ts'
import { type IngestCounters, newCounters } from './counters.ts'
import { type HeadFactory, type IngestHead, type LateHead, lateHead } from './head.ts'
import type { Gap } from './ledger.ts'
import { LimitSight } from './limit-sight.ts'
import { LocalIntake } from './local.ts'
import { LogApplier } from './log-applier.ts'
import { MemoryPressure } from './pressure.ts'
import { encodeLocal, encodeRules, type LocalRecord, RecordType, type RuleResults, toCbor } from './records.ts'
import { RemoteWriteIntake, type WriteDecoder, type WritePreparer } from './remote-write.ts'
import { LACKS, Room } from './room.ts'
import { SeriesRefusals } from './series-refusals.ts'
import { StartZeros } from './start-zeros.ts'
import { type AgentStatusOfIngest, describeAgents, type IngestStatus } from './status.ts'
import { REMOTE_WRITE_1, refused, type WriteAnswer } from './write-answer.ts'

/** Frees the memory of a group that grows faster than it can be synced. */
const MAX_PENDING_BYTES = 32 << 20

export type EngineOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly log: Logger
  /** The data directory. */
  readonly directory: string
  /** The hub's name in acknowledgements. */
  readonly hub: string
  readonly codec: BatchCodec
  readonly compressor: Compressor
  readonly heads: HeadFactory
  readonly decodeWrite: WriteDecoder
  readonly prepareWrite?: WritePreparer
  readonly limits: BatchLimitsOfHub
  /** See `StartZerosOptions.reachMs`; absent: no zeros are made. */
  readonly startZeroReachMs?: number
  readonly segmentBytes: number
  /** Log since the last checkpoint that brings about the next. */
  readonly checkpointBytes: number
  /** New series that bring one about, too; default 100,000. */
  readonly newSeries?: number
  readonly reserveBytes: number
  /** Writes checkpoints beside ingest; without one they are written in its stead. */
  readonly checkpointer?: Checkpointer
  /** See `CheckpointsOptions`. */
  readonly collectGarbage?: () => void
  /** See `WalOptions`. */
  readonly synced?: SyncedEnd
}

export class IngestEngine {
  readonly counters: IngestCounters = newCounters()
  readonly replayReport: ReplayReport
  readonly #options: EngineOptions
  readonly #wal: Wal
  readonly #head: IngestHead
  readonly #reserve: DiskReserve
  readonly #room: Room
  readonly #pressure: MemoryPressure
  readonly #batches: BatchIntake
  readonly #local: LocalIntake
  readonly #remote: RemoteWriteIntake
  readonly #sight: LimitSight
  readonly #refusals: SeriesRefusals
  readonly #zeros: StartZeros
  readonly #applier: LogApplier
  readonly #commits = new CommitTimer()
  readonly #checkpoints: Checkpoints

  /** @throws DirectoryLockedError, DiskError, FatalDiskError */
  static async open(options: EngineOptions): Promise<IngestEngine> {
    const engine = new IngestEngine(options)
    await engine.#reserve.start()
    return engine
  }

  private constructor(options: EngineOptions) {
    this.#options = options
    this.#sight = new LimitSight(options.clock, options.log)
    const late = lateHead(options.heads, options.log, this.#sight)
    const { head } = late
    this.#head = head
    this.#pressure = new MemoryPressure(head)
    this.#wal = openWal(options)
    try {
      this.#reserve = new DiskReserve({ ...options, makeRoom: () => this.#wal.dropReleased() })
      this.#room = new Room({ ...options, head, reserve: this.#reserve })
      const { counters } = this
      const { log, codec, hub, limits } = options
      const record = (type: number, parts: readonly Uint8Array[]): void => this.#wal.append(type, parts)
      const refusals = new SeriesRefusals(record)
      this.#refusals = refusals
      const zeros = new StartZeros({ head, counters, record, reachMs: options.startZeroReachMs ?? null })
      this.#zeros = zeros
      const sight = this.#sight
      this.#batches = new BatchIntake({ head, codec, log, hub, limits, counters, record, sight, refusals, zeros })
      this.#local = new LocalIntake({ head, log, counters, refusals, zeros })
      this.#remote = new RemoteWriteIntake({
        head,
        log,
        counters,
        record,
        zeros,
        compressor: options.compressor,
        decode: options.decodeWrite,
        ...(options.prepareWrite && { prepare: options.prepareWrite }),
        outOfOrderWindowMs: limits.outOfOrderWindowMs ?? null,
        maxFutureMs: limits.maxFutureMs,
      })
      this.#applier = new LogApplier({
        head,
        batches: this.#batches,
        local: this.#local,
        remote: this.#remote,
        refusals,
        zeros,
        compressor: options.compressor,
        onLost: (record, why) => this.#lost(record, why),
      })
      const records = (): Iterable<CheckpointRecord> => this.#stateRecords()
      const room = (): number => this.#reserve.availableBytes - options.reserveBytes
      this.#checkpoints = new Checkpoints({ ...options, head, wal: this.#wal, counters, records, room })
      const startedMs = options.clock.monotonic()
      this.replayReport = this.#wal.replay(
        (type, payload) => this.#replay(type, payload, late),
        () => this.#startOver(late),
      )
      this.#settle(late)
      this.#batches.endReplay()
      this.#remote.begin(() => lifeOf(options.random))
      this.#refusals.endReplay()
      zeros.endReplay()
      head.hasLimits = true
      head.publish()
      this.#pressure.begin()
      // Counters count this process's work; what was stored before it is in the agents' own figures.
      Object.assign(counters, { ...newCounters(), replayLost: counters.replayLost })
      this.#sight.forget()
      log.info('WAL replayed', {
        records: this.replayReport.records,
        segments: this.replayReport.segments,
        damages: this.replayReport.damages.length,
        durationMs: Math.round(options.clock.monotonic() - startedMs),
      })
    } catch (error) {
      this.#wal.close()
      throw error
    }
  }

  setAgents(agents: readonly KnownAgent[]): void {
    this.#batches.setKnownAgents(agents)
  }

  /** The acknowledgement counts after the next successful `commit`. */
  acceptBatch(subject: string, bytes: Uint8Array): Outcome {
    const lack = this.#room.lack()
    if (lack) return this.#batches.noRoom(lack)
    return this.#batches.accept(subject, bytes, this.#options.clock.now())
  }

  acceptLocal(record: LocalRecord): boolean {
    if (this.#room.lack()) {
      this.counters.localScrapesDropped++
      // The definitions would be missed by every later scrape.
      if (record.definitions.length === 0) return false
      record = { ...record, scrape: null, missed: [] }
      if (this.#wal.pendingBytes > MAX_PENDING_BYTES) return false
    }
    const { failures } = this.#head.memory
    const isApplied = this.#local.apply(record)
    // Logged in any case: its definitions are needed by what follows.
    this.#appendRefusable(RecordType.local, encodeLocal(record))
    if (isApplied) return this.#head.memory.failures === failures
    this.counters.localScrapesDropped++
    this.#options.log.error('A local source uses a series that it did not define', { source: record.source })
    return false
  }

  acceptRules(results: RuleResults): boolean {
    if (this.#room.lack()) return false
    const { failures } = this.#head.memory
    this.#local.applyRules(results)
    this.#appendRefusable(RecordType.rules, encodeRules(results))
    return this.#head.memory.failures === failures
  }

  /** To the log, with what of it the head has just refused. */
  #appendRefusable(type: number, record: Uint8Array): void {
    const payload = this.#options.compressor.compress(record, 1)
    this.#refusals.logBefore(payload)
    this.#zeros.logBefore(payload)
    this.#wal.append(type, [payload])
  }

  /** @param body as received */
  acceptRemoteWrite(body: Uint8Array, kind: WriteKind = REMOTE_WRITE_1): WriteAnswer {
    const lack = this.#room.lack()
    if (lack) return refused(503, LACKS[lack])
    return this.#remote.accept(body, kind, this.#options.clock.now())
  }

  /** The disk. */
  get isFull(): boolean {
    return this.#reserve.isFull
  }

  /** See `IngestStatus`. */
  get isMemoryHigh(): boolean {
    return this.#pressure.isHigh
  }

  get pendingBytes(): number {
    return this.#wal.pendingBytes
  }

  get mustCommit(): boolean {
    return this.#wal.pendingBytes >= 4 << 20
  }

  /**
   * Makes what was accepted durable, then visible. False on a full disk: everything stays pending, answers too.
   * @throws FatalDiskError
   */
  commit(): boolean {
    const bytes = this.#wal.pendingBytes
    const startedMs = this.#options.clock.monotonic()
    try {
      this.#wal.commit()
      if (bytes > 0) this.#commits.observe((this.#options.clock.monotonic() - startedMs) / 1000)
    } catch (error) {
      if (!(error instanceof DiskFullError)) throw error
      this.#reserve.sawFull()
      return false
    }
    this.#reserve.wrote(bytes)
    this.#head.publish()
    this.#checkpoints.ifDue()
    return true
  }

  /** Writes a checkpoint now, and holds everything until it is there. @throws DiskFullError, FatalDiskError */
  checkpoint(): void {
    this.#checkpoints.inPlace()
  }

  /** The same beside ingest. Rejects with DiskFullError, FatalDiskError (which every later `commit` throws, too). */
  checkpointAside(): Promise<void> {
    return this.#checkpoints.aside()
  }

  *#stateRecords(): Generator<CheckpointRecord> {
    for (const source of this.#local.save()) yield [RecordType.source, toCbor(source)]
    for (const agent of this.#batches.agents.values()) yield [RecordType.agent, toCbor(agent.save())]
  }

  share(): ReaderShare {
    return this.#head.share()
  }

  cursor(agent: string): Cursor {
    const state = this.#batches.agents.get(agent)
    if (!state) return []
    return [...state.epochs]
      .map(([epoch, { stored }]) => ({ epoch, sequences: stored.intervals() }))
      .sort((a, b) => a.epoch - b.epoch)
  }

  /** Of a remote agent, or of a source inside the hub. */
  ledger(agent: string, fromMs: number, toMs: number): Gap[] {
    const remote = this.#batches.agents.get(agent)
    if (remote) return remote.ledger.gaps(fromMs, toMs, remote.isComplete)
    return this.#local.sources.get(agent)?.ledger.gaps(fromMs, toMs, true) ?? []
  }

  agents(): AgentStatusOfIngest[] {
    return describeAgents(this.#batches.agents, this.#local.sources, this.#options.clock.now())
  }

  status(): IngestStatus {
    return {
      counters: { ...this.counters },
      refused: Object.fromEntries(this.#batches.refused),
      agents: this.agents(),
      wal: this.#wal.stats(),
      head: this.#head.stats(),
      commits: this.#commits.times(),
      bytesSinceCheckpoint: this.#wal.bytesSinceCheckpoint,
      exceeded: this.#sight.exceeded(),
      isFull: this.isFull,
      isMemoryFull: this.#head.isAlmostFull,
      isMemoryHigh: this.isMemoryHigh,
      isMemoryFailing: this.#pressure.isFailing,
      availableBytes: this.#reserve.availableBytes,
      replay: this.replayReport,
    }
  }

  /**
   * Retention: samples and gaps before `minTimeMs` are forgotten. Trims are not logged: after a restart, what the log
   * still holds is there until the next trim.
   * @returns the local sources that use series which are gone, and must begin their dictionaries anew
   */
  trim(minTimeMs: number): string[] {
    const removed = this.#head.trim(minTimeMs)
    for (const agent of this.#batches.agents.values()) agent.ledger.prune(minTimeMs)
    for (const source of this.#local.sources.values()) source.ledger.prune(minTimeMs)
    return removed === 0 ? [] : this.#forgetDead()
  }

  /** See `IngestHead.closeBefore`; counts once what was accepted before is committed. */
  closeBefore(maxTimeMs: number): number {
    return this.#head.closeBefore(maxTimeMs)
  }

  /** Blocks hold what was closed. @returns as `trim` */
  evict(): string[] {
    const dead = this.#head.evict() === 0 ? [] : this.#forgetDead()
    this.#pressure.relieved()
    return [...new Set([...dead, ...this.#local.takeStarved()])]
  }

  #forgetDead(): string[] {
    const isLive = (ref: SeriesRef): boolean => this.#head.isLive(ref)
    this.#remote.forgetDead(isLive)
    // The next batch that needs them asks for the keyframe, which defines them again.
    for (const agent of this.#batches.agents.values())
      for (const epoch of agent.epochs.values()) if (epoch.dictionary.refuseDead(isLive) > 0) epoch.forgetDictionary()
    return [...this.#local.sources]
      .filter(([, source]) => source.dictionary.refuseDead(isLive) > 0)
      .map(([name]) => name)
  }

  close(): void {
    this.#checkpoints.close()
    this.#reserve.close()
    this.#wal.close()
  }

  #replay(type: number, payload: Uint8Array, late: LateHead): void {
    if (type === RecordType.head) {
      late.restore(payload)
      return
    }
    this.#settle(late)
    try {
      this.#applier.apply(type, payload)
    } catch (error) {
      // One record that cannot be applied must not keep the hub from starting, now and every time.
      this.#lost(String(type), error instanceof Error ? error.message : String(error))
    }
  }

  /** The snapshot is whole, or there is none. */
  #settle(late: LateHead): void {
    if (!late.settle()) return
    this.#remote.restored()
    this.#checkpoints.restored()
  }

  /** A checkpoint proved damaged: nothing that it said counts. */
  #startOver(late: LateHead): void {
    late.startOver()
    this.#batches.agents.clear()
    this.#local.sources.clear()
  }

  #lost(record: string, why: string): void {
    this.counters.replayLost++
    this.#options.log.error('Cannot apply a record of the log again', { record, why })
  }
}

/** Names this process in the log; never 0. */
function lifeOf(random: Random): number {
  return (new DataView(random.bytes(4).slice().buffer).getUint32(0, true) | 1) >>> 0
}
