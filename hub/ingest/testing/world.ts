/** A hub's ingest over a disk that forgets, and agents that scrape made-up targets. */
import { runtimeSigner, runtimeVerifier } from '../../../agent/env/ed25519.ts'
import { runtimeSha256 } from '../../../agent/env/sha256.ts'
import { runtimeZstd } from '../../../agent/env/zstd.ts'
import { BatchEncoder, type SealedBatch } from '../../../protocol/batch/mod.ts'
import type { Random } from '../../../protocol/env/mod.ts'
import { decodePublicKey, generateSeed, publicKeyOfSeed } from '../../../protocol/identity/mod.ts'
import { type Labels, labelsFrom } from '../../../protocol/labels/mod.ts'
import { setStaleAt } from '../../../protocol/samples/mod.ts'
import { samplesSubject } from '../../../protocol/subjects/mod.ts'
import { createWriteDecoder } from '../../env/write-decoder.ts'
import { MemoryDisk, manualClock, memoryLogger, seededRandom } from '../../wal/testing/mod.ts'
import {
  createBatchCodec,
  type EngineOptions,
  IngestEngine,
  type KnownAgent,
  type WriteDecoder,
} from '../thread_mod.ts'
import { MemoryHeads } from './memory-head.ts'

export const NOW = 1_767_225_600_000
export const INTERVAL = 15_000

export const decodeWrite: WriteDecoder = createWriteDecoder()

export class World {
  readonly random: Random
  readonly clock = manualClock(NOW)
  readonly log = memoryLogger()
  readonly heads = new MemoryHeads()
  disk = new MemoryDisk()
  readonly agents: KnownAgent[] = []
  options: Partial<EngineOptions> = {}

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  engineOptions(): EngineOptions {
    return {
      clock: this.clock,
      random: this.random,
      disk: this.disk,
      log: this.log,
      directory: '/data',
      hub: 'hub-1',
      codec: createBatchCodec({ verifier: runtimeVerifier(), compressor: runtimeZstd, hasher: runtimeSha256 }),
      compressor: runtimeZstd,
      heads: this.heads,
      decodeWrite,
      limits: { maxFutureMs: 600_000, maxSeriesPerAgent: 1000 },
      segmentBytes: 20_000,
      checkpointBytes: Number.POSITIVE_INFINITY,
      reserveBytes: 0,
      ...this.options,
    }
  }

  async open(): Promise<IngestEngine> {
    const engine = await IngestEngine.open(this.engineOptions())
    engine.setAgents(this.agents)
    return engine
  }

  agent(name: string, options: { keyframeEvery?: number; identity?: Labels } = {}): SimulatedAgent {
    const agent = new SimulatedAgent(name, this.random, options.keyframeEvery ?? 4)
    this.agents.push({ ...agent.known, identity: options.identity ?? agent.known.identity })
    return agent
  }
}

export class SimulatedAgent {
  readonly name: string
  readonly subject: string
  readonly known: KnownAgent
  readonly encoder: BatchEncoder
  readonly seed: string
  readonly #random: Random
  slot = 0

  constructor(name: string, random: Random, keyframeEvery: number, epoch = NOW) {
    this.name = name
    this.#random = random
    this.seed = generateSeed(random)
    this.subject = samplesSubject({ site: 'main', agent: name })
    const publicKey = decodePublicKey(publicKeyOfSeed(this.seed))
    this.known = { agent: name, publicKey, approved: true, identity: labelsFrom({ agent: name }) }
    const signer = runtimeSigner(this.seed)
    this.encoder = new BatchEncoder({
      agent: name,
      epoch,
      signer,
      hasher: runtimeSha256,
      compressor: runtimeZstd,
      keyframeEvery,
    })
  }

  /** One scrape of one target; series come and go, and go with a stale marker. */
  scrape(target = 't0', atMs = NOW - 3_600_000 + this.slot * INTERVAL): void {
    this.slot++
    const ids: number[] = []
    for (let i = 0; i < 8; i++)
      if (this.#random.float() < 0.8)
        ids.push(this.encoder.define(labelsFrom({ __name__: `m${i + (this.slot >> 3)}`, target }), null))
    const values = Float64Array.from(ids, () => Math.floor(this.#random.float() * 100))
    if (this.#random.float() < 0.2 && ids.length > 0) setStaleAt(new Uint32Array(values.buffer), 0)
    this.encoder.add({
      target,
      slotMs: atMs,
      intervalMs: INTERVAL,
      timestampMs: atMs,
      ids: Uint32Array.from(ids),
      values,
      timestamps: null,
      startTimestamps: null,
      histograms: null,
      exemplars: null,
    })
  }

  batch(scrapes = 1): SealedBatch {
    for (let i = 0; i < scrapes; i++) this.scrape()
    return this.encoder.seal()!
  }
}
