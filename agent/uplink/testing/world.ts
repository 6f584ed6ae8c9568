/**
 * A small world for tests: one agent (real recorder, ring policy and uplink) and one or more model hubs, joined by a
 * bus that loses, doubles, delays and reorders, all from one seed on a virtual clock.
 */
import assert from 'node:assert/strict'
import {
  type Ack,
  decodeBatch,
  encodeAck,
  encodeCursor,
  type Keyframe,
  readHeader,
  SequenceSet,
} from '../../../protocol/batch/mod.ts'
import { noSigner, sha256, stored } from '../../../protocol/batch/testing/arbitraries.ts'
import type { Bus, BusMessage, BusStatus, Logger, Random, RingRecord } from '../../../protocol/env/mod.ts'
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import {
  MemoryRingFiles,
  Recorder,
  type RecorderOptions,
  RingEngine,
  RingService,
  readBatchHead,
} from '../../ring/mod.ts'
import { VirtualClock } from '../../scrape/testing/virtual-clock.ts'
import { Uplink, type UplinkOptions } from '../mod.ts'

export const START_MS = 1_700_000_000_000
export const AGENT = 'web-1'

export const silentLog: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLog,
}

/** mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return { float, bytes: (count) => Uint8Array.from({ length: count }, () => float() * 256) }
}

export type Weather = {
  /** Chance that a message (batch, PubAck or acknowledgement) is lost, or comes twice. */
  loss: number
  double: number
  delayMsMax: number
}

export class ModelHub {
  readonly name: string
  readonly world: World
  up = true
  /** Batches that this hub will not take. */
  refuses: (epoch: number, sequence: number) => boolean = () => false
  /** By `epoch/sequence`, in the order stored. */
  readonly batches = new Map<string, Uint8Array>()
  readonly cursor = new Map<number, SequenceSet>()
  readonly storedAt = new Map<string, number>()
  readonly samples: { target: string; slotMs: number }[] = []
  readonly gaps: { target: string; slotMs: number; reason: string }[] = []
  readonly subjects: string[] = []
  received = 0
  private keyframes = new Map<string, Keyframe>()

  constructor(name: string, world: World) {
    this.name = name
    this.world = world
  }

  /** Keeps what is on disk, forgets the keyframes it held in memory. */
  restart(): void {
    this.keyframes = new Map()
  }

  take(subject: string, bytes: Uint8Array): void {
    if (!this.up) return
    this.received++
    const header = readHeader(bytes)
    const { epoch, sequence, base } = header
    const key = `${epoch}/${sequence}`
    this.subjects.push(`${subject.split('.')[2]} ${key}`)
    const known = this.batches.get(key)
    const keyframe = base === sequence ? null : (this.keyframes.get(`${epoch}/${base}`) ?? null)
    if (this.refuses(epoch, sequence))
      this.say({ kind: 'refused', epoch, sequence, reason: 'not wanted', hub: this.name })
    else if (known) this.takeAgain(known, bytes, { epoch, sequence, base })
    else if (base !== sequence && !keyframe) this.say({ kind: 'keyframe-wanted', epoch, base, hub: this.name })
    else this.store(bytes, keyframe, { epoch, sequence })
  }

  private takeAgain(
    known: Uint8Array,
    bytes: Uint8Array,
    { epoch, sequence, base }: { readonly epoch: number; readonly sequence: number; readonly base: number },
  ): void {
    const key = `${epoch}/${sequence}`
    assert.deepEqual(bytes, known, `batch ${key} was resent with other bytes`)
    if (base === sequence) this.keyframes.set(key, decodeBatch(bytes, null, stored).keyframe!)
    this.say({ kind: 'stored', epoch, sequences: [[sequence, sequence]], hub: this.name })
  }

  private store(
    bytes: Uint8Array,
    keyframe: Keyframe | null,
    { epoch, sequence }: { readonly epoch: number; readonly sequence: number },
  ): void {
    const key = `${epoch}/${sequence}`
    const decoded = decodeBatch(bytes, keyframe, stored)
    if (decoded.keyframe) this.keyframes.set(key, decoded.keyframe)
    for (const { target, slotMs } of decoded.scrapes) this.samples.push({ target, slotMs })
    for (const { target, fromMs, toMs, intervalMs, reason } of decoded.missed)
      for (let slotMs = fromMs; slotMs <= toMs; slotMs += intervalMs) this.gaps.push({ target, slotMs, reason })
    this.batches.set(key, bytes.slice())
    this.storedAt.set(key, this.world.clock.now())
    let set = this.cursor.get(epoch)
    if (!set) this.cursor.set(epoch, (set = new SequenceSet()))
    set.add(sequence)
    this.say({ kind: 'stored', epoch, sequences: [[sequence, sequence]], hub: this.name })
  }

  cursorBytes(): Uint8Array {
    return encodeCursor([...this.cursor].map(([epoch, set]) => ({ epoch, sequences: set.toIntervals() })))
  }

  private say(ack: Ack): void {
    this.world.bus.deliverAck(encodeAck(ack))
  }
}

export class ModelBus implements Bus {
  status: BusStatus = 'disconnected'
  maxPayloadBytes = 1_048_576
  readonly messageIds = new Set<string>()
  private readonly world: World
  private onAck: ((message: BusMessage) => void) | null = null
  private statusListeners: ((status: BusStatus) => void)[] = []
  private connection = 0

  constructor(world: World) {
    this.world = world
  }

  set(status: BusStatus): void {
    if (status === this.status) return
    this.status = status
    this.connection++
    for (const fn of this.statusListeners) fn(status)
  }

  /** The agent's process is gone. */
  forget(): void {
    this.connection++
    this.status = 'disconnected'
    this.onAck = null
    this.statusListeners = []
  }

  onStatus(fn: (status: BusStatus) => void): void {
    this.statusListeners.push(fn)
  }

  request(
    subject: string,
    payload: Uint8Array,
    options: { readonly timeoutMs: number; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<BusMessage> {
    if (this.status !== 'connected') return Promise.reject(new Error('not connected'))
    return new Promise((resolve, reject) => {
      const { clock } = this.world
      clock.setTimer(options.timeoutMs, () => reject(new Error('timeout')))
      const answer = (bytes: Uint8Array): void =>
        this.through(() => resolve({ subject: '_INBOX', reply: '', payload: bytes, headers: null }))
      if (subject.startsWith('helio.v1.cursor.')) {
        const hub = this.world.hubs.find(({ up }) => up)
        if (hub) this.through(() => answer(hub.cursorBytes()))
        return
      }
      const id = options.headers!['Nats-Msg-Id']!
      assert.ok(!this.messageIds.has(id), `message id ${id} was used twice`)
      this.messageIds.add(id)
      const copy = payload.slice()
      let seq = 0
      this.through(() => {
        for (const hub of this.world.hubs) hub.take(subject, copy)
        answer(new TextEncoder().encode(JSON.stringify({ stream: 'HELIO', seq: ++seq })))
      })
    })
  }

  publish(): void {
    throw new Error('the uplink publishes with a reply inbox')
  }

  subscribe(_subject: string, onMessage: (message: BusMessage) => void): { unsubscribe(): void } {
    this.onAck = onMessage
    return { unsubscribe: () => void (this.onAck = null) }
  }

  deliverAck(bytes: Uint8Array): void {
    this.through(() => this.onAck?.({ subject: 'helio.v1.ack.web-1', reply: '', payload: bytes, headers: null }))
  }

  async flush(): Promise<void> {}
  async close(): Promise<void> {}

  /** A message on its way: lost, late or twice; never over a cut connection. */
  private through(arrive: () => void): void {
    const { random, weather, clock } = this.world
    const { connection } = this
    const copies = random.float() < weather.loss ? 0 : random.float() < weather.double ? 2 : 1
    for (let i = 0; i < copies; i++)
      clock.setTimer(random.float() * weather.delayMsMax, () => {
        if (connection === this.connection) arrive()
      })
  }
}

export type Agent = { readonly recorder: Recorder; readonly uplink: Uplink; readonly ring: RingService; alive: boolean }

export class World {
  readonly clock = new VirtualClock(START_MS)
  readonly random: Random
  readonly weather: Weather = { loss: 0, double: 0, delayMsMax: 20 }
  readonly bus = new ModelBus(this)
  readonly hubs: ModelHub[]
  readonly files: MemoryRingFiles
  /** Slots that the agent was asked to record, by `target@slot`. */
  readonly scraped = new Set<string>()
  readonly sealedAt = new Map<string, number>()
  maxInFlightBytes = 0
  agent!: Agent

  constructor(options: { readonly seed: number; readonly capBytes?: number; readonly hubs?: number }) {
    this.random = seededRandom(options.seed)
    this.files = new MemoryRingFiles(options.capBytes ?? 8_000_000)
    this.hubs = Array.from({ length: options.hubs ?? 1 }, (_, i) => new ModelHub(`hub-${i}`, this))
  }

  async startAgent(
    options: { readonly recorder?: Partial<RecorderOptions>; readonly uplink?: Partial<UplinkOptions> } = {},
  ): Promise<Agent> {
    const { clock, random, bus } = this
    const ring = new RingService(new RingEngine(this.files, readBatchHead), clock)
    const recorder: Recorder = await Recorder.open({
      agent: AGENT,
      ring,
      clock,
      log: silentLog,
      signer: noSigner,
      hasher: sha256,
      compressor: stored,
      onFatal: (error) => {
        // The recorder of a dead process, whose timers nobody stopped.
        if (this.agent.recorder === recorder && this.agent.alive) throw error
      },
      ...options.recorder,
    })
    const uplink = new Uplink({
      bus,
      ring,
      clock,
      random,
      log: silentLog,
      agent: AGENT,
      site: 'lab',
      onMisses: (misses) => recorder.takeMisses(misses),
      onKeyframeLost: () => recorder.forceKeyframe(),
      ...options.uplink,
    })
    const agent: Agent = { recorder, uplink, ring, alive: true }
    recorder.onCommitted((batch) => {
      this.sealedAt.set(`${batch.epoch}/${batch.sequence}`, (batch as RingRecord).sealedMs)
      uplink.offer(batch)
    })
    uplink.start()
    this.agent = agent
    return agent
  }

  /** kill -9: nothing runs any more, what is committed stays. */
  crash(): void {
    this.agent.alive = false
    this.agent.uplink.stop()
    this.bus.forget()
    // The dead recorder's timers may still fire: its ring must not reach the disk.
    const dead = this.agent.ring as unknown as { engine: { append(): never } }
    dead.engine.append = () => {
      throw new Error('the process is dead')
    }
  }

  scrape(target: string, intervalMs: number, samples = 5): void {
    const slotMs = Math.floor(this.clock.now() / intervalMs) * intervalMs
    const { recorder } = this.agent
    const ids = new Uint32Array(samples)
    const values = new Float64Array(samples)
    for (let i = 0; i < samples; i++) {
      ids[i] = recorder.define(labelsFrom({ __name__: 'm', i: String(i), target }), null)
      values[i] = Math.floor(this.random.float() * 1000)
    }
    this.scraped.add(`${target}@${slotMs}`)
    recorder.append({
      target,
      slotMs,
      intervalMs,
      timestampMs: slotMs,
      ids,
      values,
      timestamps: null,
      startTimestamps: null,
      histograms: null,
      exemplars: null,
    })
  }

  /** Seals what is pending; the ring's group commit needs the clock to go on. */
  async flush(): Promise<void> {
    const done = this.agent.recorder.flush()
    await this.clock.advance(1000)
    await done
  }

  /** Turns the clock; while the agent lives, both targets are scraped at their slots. */
  async run(forMs: number, each?: (second: number) => void): Promise<void> {
    for (let second = 0; second < forMs / 1000; second++) {
      await this.clock.advance(1000)
      each?.(second)
      if (!this.agent.alive) continue
      const at = Math.round(this.clock.now() / 1000)
      if (at % 5 === 0) this.scrape('a', 5000)
      if (at % 15 === 0) this.scrape('b', 15_000)
      this.maxInFlightBytes = Math.max(this.maxInFlightBytes, this.agent.uplink.stats().inFlightBytes)
    }
  }
}
