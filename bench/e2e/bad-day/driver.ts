/**
 * An agent written for the test: it sends batches at full rate and writes down which ones a hub has acknowledged, in a
 * journal outside of everything that is killed. Its samples are a function of (series, number), so an export can be
 * compared with what was sent. It is a nasty peer on purpose: batches go out of order and several times.
 */
import fs from 'node:fs'
import { runtimeSigner } from '../../../agent/env/ed25519.ts'
import { connectNats, type NatsBus } from '../../../agent/env/nats-bus.ts'
import { runtimeSha256 } from '../../../agent/env/sha256.ts'
import { runtimeZstd } from '../../../agent/env/zstd.ts'
import { BatchEncoder, decodeAck, type SealedBatch } from '../../../protocol/batch/mod.ts'
import type { Scrape } from '../../../protocol/batch/types.ts'
import { inboxPrefix } from '../../../protocol/identity/mod.ts'
import { type Labels, labelsFrom } from '../../../protocol/labels/mod.ts'
import type { Exemplar } from '../../../protocol/samples/mod.ts'
import { ackSubject, backlogSubject, samplesSubject } from '../../../protocol/subjects/mod.ts'
import { oracleValue } from '../oracle.ts'

const SCRAPES_PER_BATCH = 5
/** Of the samples' times; far below any scrape interval, so that a short test sends many, and never ahead of the clock. */
const STEP_MS = 5
const BATCH_EVERY_MS = SCRAPES_PER_BATCH * STEP_MS
const RESEND_AFTER_MS = 1500
/** Unacknowledged batches beyond which no new one is made. */
const MAX_OPEN = 400

export type DriverOptions = {
  readonly agent: string
  readonly seed: string
  readonly busUrl: string
  readonly journalFile: string
  readonly random: () => number
  readonly seriesCount: number
  /** More than the plain floats, in each scrape. */
  readonly more?: DriverMore
}

/** Series of its own, with samples of any kind: `of` fills the slots of the values from `at` on. */
export type DriverMore = {
  readonly labels: readonly Labels[]
  of(n: number, timestampMs: number, values: Float64Array, at: number): Pick<Scrape, 'histograms'> & MoreExemplars
}
/** By position among `labels`. */
type MoreExemplars = { readonly exemplars: readonly { readonly at: number; readonly exemplar: Exemplar }[] }

type Open = { readonly batch: SealedBatch; sentMs: number }

export class Driver {
  readonly agent: string
  readonly seriesCount: number
  /** Samples of each series that were sealed into batches: numbers 0 to here. */
  sentCount = 0
  readonly startMs = Math.floor(Date.now() / 1000) * 1000 - 1000
  /** Sequences that a hub said it stored. */
  readonly acked = new Set<number>()
  /** Copies of batches sent beyond the first. */
  extraSends = 0
  refused = 0
  lastRefusal = ''
  keyframesWanted = 0
  readonly #options: DriverOptions
  readonly #encoder: BatchEncoder
  readonly #ids: Uint32Array
  readonly #bus: NatsBus
  readonly #open = new Map<number, Open>()
  readonly #keyframes = new Map<number, SealedBatch>()
  readonly #broughtMs = new Map<number, number>()
  readonly #journal: number
  #timer: NodeJS.Timeout | null = null

  constructor(options: DriverOptions) {
    this.#options = options
    this.agent = options.agent
    this.seriesCount = options.seriesCount
    const { agent, seed } = options
    this.#encoder = new BatchEncoder({
      agent,
      epoch: Date.now(),
      signer: runtimeSigner(seed),
      hasher: runtimeSha256,
      compressor: runtimeZstd,
      keyframeEvery: 32,
    })
    const plain = Array.from({ length: options.seriesCount }, (_, i) =>
      labelsFrom({ __name__: 'driver_value', series: String(i) }),
    )
    const labels = [...plain, ...(options.more?.labels ?? [])]
    this.#ids = Uint32Array.from(labels, (each) => this.#encoder.define(each, null))
    this.#journal = fs.openSync(options.journalFile, 'a')
    this.#bus = connectNats({
      servers: [options.busUrl],
      name: agent,
      nkeySeed: seed,
      inboxPrefix: inboxPrefix(agent),
      reconnectMaxMs: 500,
    })
    this.#bus.subscribe(ackSubject(agent), ({ payload }) => this.#takeAck(payload))
  }

  /** A new batch every 25 ms. */
  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), BATCH_EVERY_MS)
  }

  /** No new batches; what is open is still sent again. */
  drain(): void {
    this.stop()
    this.#timer = setInterval(() => this.#resend(), 100)
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
  }

  get openCount(): number {
    return this.#open.size
  }

  /** For the message of a failure. */
  describe(): string {
    const open = [...this.#open.keys()]
    return `${this.agent}, ${this.#bus.status} (${this.#bus.lastError?.message ?? 'no error'}): ${open.length} batches open (${open.slice(0, 5)}…${open.slice(-5)}), ${this.acked.size} acknowledged, ${this.refused} refused (${this.lastRefusal}), ${this.keyframesWanted} keyframes wanted`
  }

  async close(): Promise<void> {
    this.stop()
    await this.#bus.close()
    fs.closeSync(this.#journal)
  }

  /** Numbers of the samples in a batch, the last not included. */
  static samplesOf(sequence: number): readonly [from: number, to: number] {
    return [sequence * SCRAPES_PER_BATCH, (sequence + 1) * SCRAPES_PER_BATCH]
  }

  timeOf(n: number): number {
    return this.startMs + n * STEP_MS
  }

  numberAt(timeMs: number): number {
    return (timeMs - this.startMs) / STEP_MS
  }

  #tick(): void {
    const { random } = this.#options
    if (this.#open.size < MAX_OPEN) {
      const batch = this.#seal()
      const { sequence, base } = batch.header
      this.#open.set(sequence, { batch, sentMs: 0 })
      if (base === sequence) this.#keyframes.set(sequence, batch)
      // One in five waits for a resend, and so arrives out of order.
      if (random() < 0.8) this.#send(batch)
      if (random() < 0.2) this.#again(Math.floor(random() * (sequence + 1)))
    }
    this.#resend()
  }

  #seal(): SealedBatch {
    for (let i = 0; i < SCRAPES_PER_BATCH; i++) {
      const n = this.sentCount++
      const timestampMs = this.timeOf(n)
      const values = new Float64Array(this.#ids.length)
      for (let series = 0; series < this.seriesCount; series++) values[series] = oracleValue(n, series)
      const more = this.#options.more?.of(n, timestampMs, values, this.seriesCount)
      const exemplars = more?.exemplars.map(({ at, exemplar }) => ({ id: this.#ids[this.seriesCount + at]!, exemplar }))
      this.#encoder.add({
        target: 'driver',
        slotMs: timestampMs,
        intervalMs: STEP_MS,
        timestampMs,
        ids: this.#ids,
        values,
        timestamps: null,
        startTimestamps: null,
        histograms: more?.histograms ?? null,
        exemplars: exemplars ?? null,
      })
    }
    return this.#encoder.seal()!
  }

  #resend(): void {
    const now = performance.now()
    let budget = 20
    for (const open of this.#open.values()) {
      if (now - open.sentMs < RESEND_AFTER_MS) continue
      if (budget-- === 0) return
      this.#send(open.batch)
    }
  }

  /** A batch that is open, or a keyframe: whatever is still at hand, stored or not. */
  #again(sequence: number): void {
    const batch = this.#open.get(sequence)?.batch ?? this.#keyframes.get(sequence - (sequence % 32))
    if (!batch) return
    this.extraSends++
    this.#send(batch)
  }

  #send(batch: SealedBatch): void {
    const open = this.#open.get(batch.header.sequence)
    if (open) open.sentMs = performance.now()
    const lane = this.#options.random() < 0.5 ? samplesSubject : backlogSubject
    const subject = lane({ site: 'main', agent: this.agent })
    // Fire and forget, with a reply subject as agents have it: the hub's own word is what counts.
    this.#bus.request(subject, batch.bytes, { timeoutMs: 5000 }).catch(() => {})
  }

  /** With what stands on it right behind: a hub keeps only a few keyframes of an agent. */
  #bringKeyframe(base: number): void {
    const now = performance.now()
    if (now - (this.#broughtMs.get(base) ?? Number.NEGATIVE_INFINITY) < RESEND_AFTER_MS / 2) return
    this.#broughtMs.set(base, now)
    this.keyframesWanted++
    const keyframe = this.#keyframes.get(base)
    if (keyframe) this.#send(keyframe)
    for (const { batch } of this.#open.values())
      if (batch.header.base === base && batch.header.sequence !== base) this.#send(batch)
  }

  #takeAck(payload: Uint8Array): void {
    const ack = decodeAck(payload)
    if (ack.kind === 'refused') {
      this.refused++
      this.lastRefusal = `${ack.sequence}: ${ack.reason}`
      return
    }
    if (ack.kind === 'keyframe-wanted') {
      this.#bringKeyframe(ack.base)
      return
    }
    for (const [first, last] of ack.sequences) {
      for (let sequence = first; sequence <= last; sequence++) {
        if (this.acked.has(sequence)) continue
        fs.writeSync(this.#journal, `${sequence}\n`)
        this.acked.add(sequence)
        this.#open.delete(sequence)
      }
    }
    fs.fdatasyncSync(this.#journal)
  }
}
