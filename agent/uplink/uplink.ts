/**
 * Gets every committed batch into a hub: publishes, waits for the hub's own acknowledgement, resends the same bytes
 * until it comes. The ring is the memory; this holds only the batches under way.
 *
 * Two lanes. *Fresh*: what the recorder has just committed, sent at once; when its window is full, the oldest gives
 * way (it is in the ring) rather than the newest waiting. *Backlog*: all other batches without acknowledgement, oldest
 * first, read from the ring page by page, under a smaller window and a byte rate, beside the fresh ones.
 *
 * A batch that had to be sent again after two batch ages is backlog too, and so is everything that was under way when
 * the connection was lost. On each connect the hub's cursor is asked first, so that lost acknowledgements cost no resend.
 */
import { type Ack, BatchError, decodeAck, decodeCursor, type SequenceInterval } from '../../protocol/batch/mod.ts'
import type {
  Bus,
  BusStatus,
  BusSubscription,
  Clock,
  Logger,
  PendingMiss,
  Random,
  RingBatch,
  RingStore,
  Timer,
} from '../../protocol/env/mod.ts'
import { ackSubject, backlogSubject, cursorSubject, samplesSubject } from '../../protocol/subjects/mod.ts'
import { BacklogReader } from './backlog.ts'
import { parsePubAck } from './puback.ts'
import { Quorum } from './quorum.ts'
import { type InFlight, type Lane, Window } from './window.ts'

export type UplinkOptions = {
  readonly bus: Bus
  readonly ring: RingStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly agent: string
  readonly site: string
  /** As the recorder's; a batch older than two of them is backlog. Default 5 s. */
  readonly batchAgeMs?: number
  /** Hubs that must have a batch before it may be forgotten: the replication factor. Default 1. */
  readonly requiredAcks?: number
  /** From publish to the hub's acknowledgement; doubles with each resend, up to `ackTimeoutMsMax`. */
  readonly ackTimeoutMs?: number
  readonly ackTimeoutMsMax?: number
  /** From publish to the transport's answer. */
  readonly publishTimeoutMs?: number
  readonly freshBatches?: number
  readonly freshBytes?: number
  readonly backlogBatches?: number
  readonly backlogBytes?: number
  readonly backlogBytesPerSecond?: number
  /** Holds back what the budget does not allow yet; without one everything leaves at once. */
  readonly pacer?: LinkPacer
  /** Gaps made by discarding what no hub can decode; goes to the recorder. */
  readonly onMisses?: (misses: readonly PendingMiss[]) => void
  /** A hub wants the present keyframe and the ring has lost it; the recorder makes a new one. */
  readonly onKeyframeLost?: () => void
}

export interface LinkPacer {
  /** Monotonic time from which something may be sent. */
  readyAt(): number
  spend(bytes: number): void
}

export type UplinkStats = {
  readonly connected: boolean
  readonly inFlightBatches: number
  readonly inFlightBytes: number
  /** Publishes, resends included; `resent` alone; by lane. */
  readonly sent: number
  readonly sentBytes: number
  readonly sentFresh: number
  readonly sentBacklog: number
  readonly resent: number
  readonly acked: number
  readonly refused: number
  readonly keyframesWanted: number
  /** Publishes that the transport refused, or did not answer. */
  readonly publishErrors: number
  /** Acknowledgements that could not be read. */
  readonly badAcks: number
  /** Batches that exceed the bus' payload limit; they wait for a larger one. */
  readonly tooLarge: number
  readonly lastRefusal: string
}

const CURSOR_TIMEOUT_MS = 2000
const CURSOR_RETRY_MS_MAX = 60_000
const KEYFRAME_REPEAT_MS = 1000
/** Subject, headers, publish answer and acknowledgement of one batch, with TCP's and TLS's own share. */
const MESSAGE_OVERHEAD_BYTES = 400
const DEFAULTS = {
  batchAgeMs: 5000,
  requiredAcks: 1,
  ackTimeoutMs: 10_000,
  ackTimeoutMsMax: 60_000,
  publishTimeoutMs: 5000,
  freshBatches: 32,
  freshBytes: 2_097_152,
  backlogBatches: 16,
  backlogBytes: 1_048_576,
  backlogBytesPerSecond: 4_194_304,
  pacer: { readyAt: () => Number.NEGATIVE_INFINITY, spend: () => {} },
  onMisses: () => {},
  onKeyframeLost: () => {},
} as const

export class Uplink {
  private readonly options: Required<UplinkOptions>
  private readonly lanes: Readonly<Record<Lane, Window>>
  private readonly subjects: Readonly<Record<Lane, string>>
  private readonly quorum: Quorum
  private readonly backlog: BacklogReader
  /** Batches that this connection cannot carry. */
  private readonly oversized = new Set<string>()
  private readonly wantedKeyframes = new Set<string>()
  private readonly keyframesSentAt = new Map<string, number>()
  private subscription: BusSubscription | null = null
  private timer: Timer | null = null
  private timerAt = Number.POSITIVE_INFINITY
  private connection = 0
  private connected = false
  /** The backlog waits for the cursor's first answer (or its absence). */
  private cursorAsked = false
  private stopped = false
  private nextAttempt: number
  private silent = false
  private counts = {
    sent: 0,
    sentBytes: 0,
    fresh: 0,
    resent: 0,
    acked: 0,
    refused: 0,
    keyframes: 0,
    publishErrors: 0,
    badAcks: 0,
    tooLarge: 0,
  }
  private lastRefusal = ''

  constructor(options: UplinkOptions) {
    this.options = { ...DEFAULTS, ...options }
    const { agent, site, freshBatches, freshBytes, backlogBatches, backlogBytes } = this.options
    this.lanes = {
      fresh: new Window({ maxBatches: freshBatches, maxBytes: freshBytes }),
      backlog: new Window({ maxBatches: backlogBatches, maxBytes: backlogBytes }),
    }
    this.subjects = { fresh: samplesSubject({ site, agent }), backlog: backlogSubject({ site, agent }) }
    this.quorum = new Quorum(this.options.requiredAcks)
    this.backlog = new BacklogReader(this.options.ring, this.options.clock, this.options.backlogBytesPerSecond)
    // Grows over restarts too, so that no message id is used twice within the transport's window of duplicates.
    this.nextAttempt = Math.floor(this.options.clock.now())
  }

  start(): void {
    const { bus, agent } = this.options
    this.subscription = bus.subscribe(ackSubject(agent), ({ payload }) => this.takeAck(payload))
    bus.onStatus((status) => this.takeStatus(status))
    this.takeStatus(bus.status)
  }

  stop(): void {
    this.stopped = true
    this.connected = false
    this.timer?.cancel()
    this.subscription?.unsubscribe()
    for (const lane of Object.values(this.lanes)) lane.clear()
  }

  /** A batch that the ring has just committed. Its bytes are borrowed until it is acknowledged. */
  offer(batch: RingBatch): void {
    if (!this.connected || this.stopped) return
    if (this.options.pacer.readyAt() > this.options.clock.monotonic()) {
      // It is in the ring, and leaves when the budget allows.
      this.backlog.mark()
      this.arm()
      return
    }
    const fresh = this.lanes.fresh
    while (!fresh.hasRoom(batch.bytes.length)) {
      fresh.remove(fresh.oldest()!)
      this.backlog.mark()
    }
    this.send(this.enter(batch, 'fresh'))
    this.arm()
  }

  stats(): UplinkStats {
    const { fresh, backlog } = this.lanes
    const c = this.counts
    return {
      connected: this.connected,
      inFlightBatches: fresh.size + backlog.size,
      inFlightBytes: fresh.bytes + backlog.bytes,
      sent: c.sent,
      sentBytes: c.sentBytes,
      sentFresh: c.fresh,
      sentBacklog: c.sent - c.fresh,
      resent: c.resent,
      acked: c.acked,
      refused: c.refused,
      keyframesWanted: c.keyframes,
      publishErrors: c.publishErrors,
      badAcks: c.badAcks,
      tooLarge: c.tooLarge,
      lastRefusal: this.lastRefusal,
    }
  }

  private takeStatus(status: BusStatus): void {
    const connected = status === 'connected' && !this.stopped
    if (connected === this.connected) return
    this.connected = connected
    this.connection++
    // All of it is in the ring; whatever is not acknowledged by the time of the next connect is backlog.
    for (const lane of Object.values(this.lanes)) lane.clear()
    this.oversized.clear()
    this.wantedKeyframes.clear()
    this.backlog.rewind()
    this.cursorAsked = false
    if (connected) void this.askCursor(this.connection)
  }

  private async askCursor(connection: number): Promise<void> {
    const { bus, agent, clock, random, log } = this.options
    for (let retryMs = 1000; ; retryMs = Math.min(2 * retryMs, CURSOR_RETRY_MS_MAX)) {
      try {
        const options = { timeoutMs: CURSOR_TIMEOUT_MS }
        const { payload } = await bus.request(cursorSubject(agent), new Uint8Array(0), options)
        const cursor = decodeCursor(payload)
        // One hub's answer is no quorum; the others acknowledge again when they see a duplicate.
        if (this.options.requiredAcks === 1)
          for (const { epoch, sequences } of cursor) await this.settle(epoch, sequences)
        if (this.connection === connection) this.openBacklog()
        return
      } catch (error) {
        if (this.connection !== connection || this.stopped) return
        log.debug('No hub told its cursor, going on without', { error })
        this.openBacklog()
      }
      await clock.sleep(retryMs * (0.75 + 0.5 * random.float()))
      if (this.connection !== connection || this.stopped) return
    }
  }

  private openBacklog(): void {
    this.cursorAsked = true
    this.pump()
  }

  private enter(batch: RingBatch, lane: Lane): InFlight {
    const { epoch, sequence, base, sealedMs, bytes } = batch
    const dueAt = Number.POSITIVE_INFINITY
    const entry: InFlight = { epoch, sequence, base, sealedMs, bytes, lane, sends: 0, dueAt }
    this.lanes[lane].add(entry)
    return entry
  }

  private send(entry: InFlight): void {
    const { bus, clock, agent, publishTimeoutMs, log } = this.options
    entry.dueAt = clock.monotonic() + this.ackTimeout(entry)
    if (entry.bytes.length > bus.maxPayloadBytes) {
      this.counts.tooLarge++
      this.lanes[entry.lane].remove(entry)
      this.oversized.add(`${entry.epoch}/${entry.sequence}`)
      log.error('A batch exceeds the payload limit of the bus: raise max_payload there, or scrape fewer series', {
        batch: `${entry.epoch}/${entry.sequence}`,
        sizeBytes: entry.bytes.length,
        maxPayloadBytes: bus.maxPayloadBytes,
      })
      return
    }
    const headers = { 'Nats-Msg-Id': `${agent}.${entry.epoch}.${entry.sequence}.${this.nextAttempt++}` }
    this.counts.sent++
    this.counts.sentBytes += entry.bytes.length
    this.options.pacer.spend(entry.bytes.length + MESSAGE_OVERHEAD_BYTES)
    if (entry.lane === 'fresh') this.counts.fresh++
    if (entry.sends > 0) this.counts.resent++
    entry.sends++
    const connection = this.connection
    bus.request(this.subjects[entry.lane], entry.bytes, { timeoutMs: publishTimeoutMs, headers }).then(
      ({ payload }) => {
        const answer = parsePubAck(payload)
        if (answer.kind === 'error') this.publishFailed(entry, connection, answer.message)
      },
      (error: unknown) => this.publishFailed(entry, connection, error instanceof Error ? error.message : String(error)),
    )
  }

  /** Sooner than an acknowledgement that stays away: nobody has the batch. */
  private publishFailed(entry: InFlight, connection: number, reason: string): void {
    this.counts.publishErrors++
    if (connection !== this.connection || this.stopped) return
    this.options.log.debug('The bus did not take a batch', { batch: `${entry.epoch}/${entry.sequence}`, reason })
    const backoffMs = Math.min(500 * 2 ** Math.min(entry.sends - 1, 7), this.options.ackTimeoutMsMax)
    entry.dueAt = this.options.clock.monotonic() + this.jittered(backoffMs)
    this.arm()
  }

  private ackTimeout({ sends }: InFlight): number {
    const { ackTimeoutMs, ackTimeoutMsMax } = this.options
    return this.jittered(Math.min(ackTimeoutMs * 2 ** Math.min(sends, 20), ackTimeoutMsMax))
  }

  private jittered(ms: number): number {
    return ms * (0.85 + 0.3 * this.options.random.float())
  }

  private pump(): void {
    if (!this.connected || this.stopped) return
    const now = this.options.clock.monotonic()
    const wallMs = this.options.clock.now()
    for (const lane of Object.values(this.lanes))
      for (const entry of [...lane.values()]) {
        if (entry.dueAt > now) continue
        const allowedAt = this.options.pacer.readyAt()
        if (allowedAt > now) {
          entry.dueAt = allowedAt
          continue
        }
        this.silent = true
        if (entry.lane === 'fresh' && wallMs - entry.sealedMs > 2 * this.options.batchAgeMs) {
          lane.remove(entry)
          this.backlog.mark()
        } else this.send(entry)
      }
    this.fillBacklog()
    this.arm()
  }

  private fillBacklog(): void {
    const { fresh, backlog } = this.lanes
    if (!this.canReadBacklog() || this.backlogReadyAt() > this.options.clock.monotonic()) return
    const connection = this.connection
    const isUnderWay = (epoch: number, sequence: number): boolean =>
      fresh.has(epoch, sequence) || backlog.has(epoch, sequence) || this.oversized.has(`${epoch}/${sequence}`)
    const room = backlog.limits.maxBytes - backlog.bytes
    this.backlog.next(isUnderWay, backlog.limits.maxBatches - backlog.size, room).then(
      (batches) => {
        if (connection !== this.connection || this.stopped) return
        for (const batch of batches)
          if (!isUnderWay(batch.epoch, batch.sequence)) this.send(this.enter(batch, 'backlog'))
        this.arm()
      },
      (error: unknown) => {
        this.options.log.warn('Cannot read the backlog from the ring', { error })
        this.armAt(this.options.clock.monotonic() + 1000)
      },
    )
  }

  private canReadBacklog(): boolean {
    return this.cursorAsked && this.backlog.hasMore() && this.lanes.backlog.hasRoom(1)
  }

  private backlogReadyAt(): number {
    return Math.max(this.backlog.readyAt(), this.options.pacer.readyAt())
  }

  private arm(): void {
    let next = this.canReadBacklog() ? this.backlogReadyAt() : Number.POSITIVE_INFINITY
    for (const lane of Object.values(this.lanes)) for (const { dueAt } of lane.values()) next = Math.min(next, dueAt)
    this.armAt(next)
  }

  private armAt(at: number): void {
    if (this.stopped || at === Number.POSITIVE_INFINITY || (this.timer && this.timerAt <= at)) return
    this.timer?.cancel()
    this.timerAt = at
    // Whole milliseconds: a rest smaller than the clock's resolution would fire again and again at the same time.
    this.timer = this.options.clock.setTimer(Math.max(0, Math.ceil(at - this.options.clock.monotonic())), () => {
      this.timer = null
      this.pump()
    })
  }

  private takeAck(payload: Uint8Array): void {
    let ack: Ack
    try {
      ack = decodeAck(payload)
    } catch (error) {
      if (!(error instanceof BatchError)) throw error
      this.counts.badAcks++
      this.options.log.warn('Cannot read an acknowledgement', { error: error.message })
      return
    }
    if (this.stopped) return
    const handled =
      ack.kind === 'stored'
        ? this.settle(ack.epoch, this.quorum.add(ack.hub, ack.epoch, ack.sequences))
        : ack.kind === 'refused'
          ? this.refuse(ack.epoch, ack.sequence, ack.reason, ack.hub)
          : this.sendKeyframe(ack.epoch, ack.base)
    handled.catch((error: unknown) => this.options.log.error('Cannot record an acknowledgement', { error }))
    if (ack.kind !== 'stored') return
    this.wake()
    if (this.wantedKeyframes.size > 0) this.sendDependents(ack.epoch, ack.sequences)
  }

  /** The hub speaks again after a silence: do not sit out the long timeouts that grew meanwhile. */
  private wake(): void {
    if (!this.silent) return
    this.silent = false
    const now = this.options.clock.monotonic()
    const { ackTimeoutMs } = this.options
    for (const lane of Object.values(this.lanes))
      for (const entry of lane.values()) {
        if (entry.sends > 1) entry.dueAt = Math.min(entry.dueAt, now + this.jittered(ackTimeoutMs / 4))
        entry.sends = Math.min(entry.sends, 1)
      }
    this.arm()
  }

  private async settle(epoch: number, sequences: readonly SequenceInterval[]): Promise<void> {
    if (sequences.length === 0) return
    const contains = (sequence: number): boolean =>
      sequences.some(([first, last]) => sequence >= first && sequence <= last)
    for (const lane of Object.values(this.lanes))
      for (const entry of [...lane.values()])
        if (entry.epoch === epoch && contains(entry.sequence) && lane.remove(entry)) this.counts.acked++
    // In this order: the backlog is read after the ring knows.
    const done = this.options.ring.acknowledge(epoch, sequences)
    this.pump()
    await done
  }

  private async refuse(epoch: number, sequence: number, reason: string, hub: string): Promise<void> {
    for (const lane of Object.values(this.lanes)) {
      const entry = lane.get(epoch, sequence)
      if (entry) lane.remove(entry)
    }
    this.counts.refused++
    this.lastRefusal = reason
    this.options.log.error('A hub refused a batch, which is set aside', { batch: `${epoch}/${sequence}`, reason, hub })
    await this.options.ring.refuse(epoch, [[sequence, sequence]])
    this.pump()
  }

  /** A hub has a keyframe that was asked for: now it can read the batches that stand on it. */
  private sendDependents(epoch: number, sequences: readonly SequenceInterval[]): void {
    for (const key of this.wantedKeyframes) {
      const [wantedEpoch, base] = key.split('.').map(Number)
      if (wantedEpoch !== epoch || !sequences.some(([first, last]) => base! >= first && base! <= last)) continue
      this.wantedKeyframes.delete(key)
      for (const lane of Object.values(this.lanes))
        for (const entry of lane.values())
          if (entry.epoch === epoch && entry.base === base && entry.sequence !== base) this.send(entry)
    }
  }

  /** Several batches ask for the same keyframe at once: it is sent once a second. */
  private async sendKeyframe(epoch: number, base: number): Promise<void> {
    const { clock, ring, log } = this.options
    const key = `${epoch}.${base}`
    const now = clock.monotonic()
    if (now - (this.keyframesSentAt.get(key) ?? Number.NEGATIVE_INFINITY) < KEYFRAME_REPEAT_MS) return
    this.keyframesSentAt.set(key, now)
    if (this.keyframesSentAt.size > 256) this.keyframesSentAt.delete(this.keyframesSentAt.keys().next().value!)
    this.counts.keyframes++
    const [keyframe] = await ring.read(epoch, [[base, base]], Number.POSITIVE_INFINITY)
    if (!this.connected) return
    if (!keyframe) {
      log.error('A hub wants a keyframe that the ring has lost: the batches on it are dropped as a gap', {
        epoch,
        base,
      })
      const { misses } = await ring.discard(epoch, base)
      for (const lane of Object.values(this.lanes))
        for (const entry of [...lane.values()]) if (entry.epoch === epoch && entry.base === base) lane.remove(entry)
      this.options.onMisses(misses)
      this.options.onKeyframeLost()
      return
    }
    if (this.wantedKeyframes.size >= 256) this.wantedKeyframes.clear()
    this.wantedKeyframes.add(key)
    const known = this.lanes.fresh.get(epoch, base) ?? this.lanes.backlog.get(epoch, base)
    this.send(known ?? this.enter(keyframe, 'fresh'))
    this.arm()
  }
}
