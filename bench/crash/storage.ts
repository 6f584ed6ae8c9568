/**
 * The hub's storage on a disk that fails: the real ingest engine, head and block store in one thread, in the order in
 * which the hub's main thread drives them (hub/process/blocks.ts). Every sample, be it a float, a stale marker or a native
 * histogram, is a function of (series, number), and
 * the journal of what was acknowledged lies outside of the disk, so that an export can be held against both.
 */
import { runtimeSigner, runtimeVerifier } from '../../agent/env/ed25519.ts'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import {
  BlockStore,
  cutsUntil,
  type DueCuts,
  dueCuts,
  earlyCuts,
  mergeReaders,
  openBlock,
  RunCache,
  rangesOf,
} from '../../hub/block/mod.ts'
import { createWriteDecoder } from '../../hub/env/write-decoder.ts'
import { CheckpointCopier, type Checkpointer, type CheckpointRecord } from '../../hub/ingest/checkpoint_mod.ts'
import { createBatchCodec, type EngineOptions, IngestEngine, type KnownAgent } from '../../hub/ingest/thread_mod.ts'
import {
  createHead,
  createSampleBuffer,
  evictedUntil,
  headRestorer,
  openReader,
  type ReaderShare,
  type SampleBuffer,
  type SeriesReader,
} from '../../hub/tsdb/mod.ts'
import { manualClock, memoryLogger, seededRandom } from '../../hub/wal/testing/mod.ts'
import { BatchEncoder } from '../../protocol/batch/mod.ts'
import type { Disk } from '../../protocol/env/mod.ts'
import { decodePublicKey, generateSeed, publicKeyOfSeed } from '../../protocol/identity/mod.ts'
import { type Labels, labelsFrom, labelValue } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress, type WriteSeries } from '../../protocol/remote-write/mod.ts'
import type { Exemplar } from '../../protocol/samples/mod.ts'
import { samplesSubject } from '../../protocol/subjects/mod.ts'
import { exemplarOf, floatTextAt, histogramText, isExemplarOf, putFloat, sampleOf, textOf } from './samples.ts'

export const DIRECTORY = '/data'
export const BLOCK_MS = 60_000
/** Of a number's sample after the one before it. */
export const STEP_MS = 20_000
export const START_MS = 1_767_225_600_000
const SERIES = 6
const ALL = { minTime: -8e15, maxTime: 8e15 }
const VERIFIER = runtimeVerifier()

/** Ways in, each with series of its own. */
export type Inlet = 'write' | 'agent'

/** What was sent and acknowledged over all lives of a storage; never on the disk that fails. */
export class Journal {
  readonly sent = new Set<string>()
  readonly acknowledged = new Set<string>()
  /** Retention was told to forget what is before this. */
  forgottenBeforeMs = Number.NEGATIVE_INFINITY
  next = 0
  readonly seed = generateSeed(seededRandom(77))
  readonly agent = 'sim'
  /** Batches of the agent that the hub has not acknowledged, by sequence. */
  readonly open = new Map<number, { readonly bytes: Uint8Array; readonly keys: readonly string[] }>()
  readonly keyframes = new Map<number, Uint8Array>()
  readonly encoder = new BatchEncoder({
    agent: this.agent,
    epoch: START_MS,
    signer: runtimeSigner(this.seed),
    hasher: runtimeSha256,
    compressor: runtimeZstd,
    keyframeEvery: 4,
  })

  get known(): KnownAgent {
    return {
      agent: this.agent,
      publicKey: decodePublicKey(publicKeyOfSeed(this.seed)),
      approved: true,
      identity: labelsFrom({ agent: this.agent }),
    }
  }
}

export const keyOf = (series: string, n: number): string => `${series}/${n}`
export const timeOf = (n: number): number => START_MS + n * STEP_MS

export type StorageOptions = { readonly seed: number; readonly segmentBytes?: number; readonly reserveBytes?: number }

export class Storage {
  readonly engine: IngestEngine
  readonly blocks: BlockStore
  readonly log = memoryLogger()
  readonly disk: Disk
  readonly journal: Journal
  readonly #steps: Steps
  #failure: unknown = null
  /** Cuts before their time. */
  early = 0
  #covered = Number.NEGATIVE_INFINITY
  /** Sent since the last commit that went well. */
  #pending: string[] = []
  #acks: number[] = []

  static async open(disk: Disk, journal: Journal, options: StorageOptions): Promise<Storage> {
    const log = memoryLogger()
    const clock = manualClock(START_MS)
    const steps = new Steps()
    const engineOptions: EngineOptions = {
      clock,
      random: seededRandom(options.seed),
      disk,
      log,
      directory: DIRECTORY,
      hub: 'hub-1',
      codec: createBatchCodec({ verifier: VERIFIER, compressor: runtimeZstd, hasher: runtimeSha256 }),
      compressor: runtimeZstd,
      heads: { create: () => createHead(HEAD), restore: () => headRestorer(HEAD) },
      decodeWrite: createWriteDecoder(),
      limits: { maxFutureMs: Number.POSITIVE_INFINITY, maxSeriesPerAgent: 1000 },
      segmentBytes: options.segmentBytes ?? 6000,
      checkpointBytes: Number.POSITIVE_INFINITY,
      reserveBytes: options.reserveBytes ?? 0,
      checkpointer: new SteppedCheckpointer(disk, steps),
    }
    const engine = await IngestEngine.open(engineOptions)
    engine.setAgents([journal.known])
    try {
      const blocks = BlockStore.open({ disk, compressor: runtimeZstd, log, directory: `${DIRECTORY}/blocks` })
      return new Storage(disk, journal, engine, blocks, log, steps)
    } catch (error) {
      engine.close()
      throw error
    }
  }

  private constructor(
    disk: Disk,
    journal: Journal,
    engine: IngestEngine,
    blocks: BlockStore,
    log: ReturnType<typeof memoryLogger>,
    steps: Steps,
  ) {
    this.#steps = steps
    this.disk = disk
    this.journal = journal
    this.engine = engine
    this.blocks = blocks
    this.log = log
  }

  /** One number of every series of an inlet; an agent's may arrive out of order, or twice. */
  send(inlet: Inlet, random: () => number): void {
    const n = this.journal.next++
    if (inlet === 'write') this.#sendWrite(n)
    else this.#sendBatch(n, random)
  }

  /** @returns false on a full disk */
  commit(): boolean {
    if (!this.engine.commit()) return false
    for (const key of this.#pending) this.journal.acknowledged.add(key)
    for (const sequence of this.#acks) this.journal.open.delete(sequence)
    this.#pending = []
    this.#acks = []
    return true
  }

  /** Everything that is no longer whole ends in blocks, as `BlockKeeper` does it. */
  cut(nowMs = timeOf(this.journal.next)): void {
    this.#cut(dueCuts(this.#headRange(), nowMs, 0, BLOCK_MS, this.#evictedUntil))
  }

  /** As it is done for want of memory. */
  cutEarly(nowMs = timeOf(this.journal.next)): void {
    const due = earlyCuts(this.#headRange(), nowMs, BLOCK_MS, this.#evictedUntil)
    if (due !== null && due.maxTime % BLOCK_MS !== 0) this.early++
    this.#cut(due)
  }

  get #evictedUntil(): number {
    return evictedUntil(this.engine.share())
  }

  #cut(due: DueCuts | null): void {
    if (due === null) return
    const closed = this.engine.closeBefore(due.maxTime)
    if (!this.commit()) return
    const range = this.#headRange()
    const ranges = rangesOf(range && cutsUntil(range, closed, this.#evictedUntil, BLOCK_MS))
    const reader = openReader(this.engine.share())
    try {
      for (const range of ranges) this.blocks.cut(reader, range)
    } finally {
      reader.release()
    }
    this.#covered = closed
    this.engine.evict()
    this.checkpoint()
  }

  /** Begins one, as the hub does; it goes on with each `step`. */
  checkpoint(): void {
    this.engine.checkpointAside().catch((error) => {
      if (error.code === 'FATAL_DISK') this.#failure ??= error
    })
  }

  /** What runs beside ingest gets a turn. @throws what ended it, if that ends the process */
  async step(): Promise<void> {
    this.#steps.take()
    for (let i = 0; i < 10; i++) await null
    if (this.#failure) throw this.#failure
  }

  maintain(retentionMs: number, nowMs = timeOf(this.journal.next)): void {
    this.blocks.sweep()
    if (retentionMs > 0) {
      // First the promise, then the deed: it may be carried out, or not, if the power goes in between.
      this.journal.forgottenBeforeMs = Math.max(this.journal.forgottenBeforeMs, nowMs - retentionMs)
      this.blocks.applyRetention({ timeMs: retentionMs, sizeBytes: 0 }, nowMs)
    }
    this.blocks.compact(retentionMs, BLOCK_MS)
    this.blocks.sweep()
  }

  /** Samples as they are served, as text that tells all their bits, in the order of the reader, by series. */
  export(): Export {
    const rows = new Map<string, ServedSeries>()
    const head = openReader(this.engine.share())
    const cache = new RunCache(1 << 20)
    const opened: ReturnType<typeof openBlock>[] = []
    const damaged: string[] = []
    try {
      for (const path of this.blocks.share().paths)
        opened.push(
          openBlock({ disk: this.disk, compressor: runtimeZstd }, path, {
            cache,
            onDamage: (error) => damaged.push(error.message),
          }),
        )
      const reader: SeriesReader = mergeReaders([head, ...opened])
      const buffer = createSampleBuffer()
      for (const ref of reader.select([], ALL)) {
        reader.read(ref, ALL, buffer)
        const name = seriesName(reader.labels(ref))
        if (rows.has(name)) throw new Error(`series ${name} is there twice`)
        const samples = Array.from(
          { length: buffer.count },
          (_, i) => [buffer.times[i]!, servedText(buffer, i)] as const,
        )
        rows.set(name, { samples, exemplars: reader.exemplars(ref, ALL) })
      }
    } finally {
      for (const each of opened) each.close()
      head.release()
    }
    if (damaged.length > 0) throw new Error(`damaged blocks: ${damaged}`)
    return rows
  }

  get coveredUntilMs(): number {
    return this.#covered
  }

  close(): void {
    this.engine.close()
  }

  #headRange() {
    const reader = openReader(this.engine.share())
    const range = reader.timeRange()
    reader.release()
    return range
  }

  #sendWrite(n: number): void {
    const names = Array.from({ length: SERIES }, (_, i) => `write-${i + (n >> 4)}`)
    const series = names.map((name) => writeSeriesOf(name, n))
    for (const name of names) this.journal.sent.add(keyOf(name, n))
    const answer = this.engine.acceptRemoteWrite(snappyCompress(encodeWriteRequest(series)))
    if (answer.status === 204) this.#pending.push(...names.map((name) => keyOf(name, n)))
    else if (answer.status !== 503) throw new Error(`remote write was answered ${answer.status} ${answer.message}`)
  }

  #sendBatch(n: number, random: () => number): void {
    const { encoder, open, keyframes } = this.journal
    const names = Array.from({ length: SERIES }, (_, i) => `agent-${i + (n >> 4)}`)
    const ids = names.map((name) => encoder.define(labelsFrom({ __name__: 'sim', series: name }), null))
    const samples = names.map((name) => sampleOf(name, n))
    const values = new Float64Array(names.length)
    for (const [i, sample] of samples.entries()) putFloat(sample, values, i)
    const histograms = new Map(samples.flatMap((each, i) => (each.type === 'histogram' ? [[i, each.histogram]] : [])))
    const exemplars = names.flatMap((name, i) => {
      const exemplar = exemplarOf(name, n, timeOf(n))
      return exemplar ? [{ id: ids[i]!, exemplar }] : []
    })
    encoder.add({
      target: 't0',
      slotMs: timeOf(n),
      intervalMs: STEP_MS,
      timestampMs: timeOf(n),
      ids: Uint32Array.from(ids),
      values,
      timestamps: null,
      startTimestamps: null,
      histograms: histograms.size > 0 ? histograms : null,
      exemplars: exemplars.length > 0 ? exemplars : null,
    })
    const { bytes, header } = encoder.seal()!
    const keys = names.map((name) => keyOf(name, n))
    for (const key of keys) this.journal.sent.add(key)
    open.set(header.sequence, { bytes, keys })
    if (header.base === header.sequence) keyframes.set(header.sequence, bytes)
    for (const sequence of [...open.keys()]) if (random() < 0.8) this.deliver(sequence)
    // An old one too: it pushes another out of what the hub keeps of them.
    if (random() < 0.3) this.#offer([...keyframes.values()][Math.floor(random() * keyframes.size)]!)
  }

  /** An open batch, and its keyframe before it if the hub wants that. */
  deliver(sequence: number): void {
    const batch = this.journal.open.get(sequence)
    if (!batch) return
    let answer = this.#offer(batch.bytes)
    if (answer?.kind === 'keyframe-wanted') {
      this.#offer(this.journal.keyframes.get(answer.base)!)
      answer = this.#offer(batch.bytes)
    }
    if (answer?.kind !== 'stored') {
      if (answer === null) return
      throw new Error(`batch ${sequence} was answered ${JSON.stringify(answer)}`)
    }
    this.#pending.push(...batch.keys)
    this.#acks.push(sequence)
  }

  #offer(bytes: Uint8Array) {
    return this.engine.acceptBatch(samplesSubject({ site: 'main', agent: this.journal.agent }), bytes.slice()).ack
  }
}

const HEAD = { maxBytes: 256 << 20, maxExemplars: 64, maxMetadataFamilies: 16 }

type ServedSeries = {
  readonly samples: readonly (readonly [timeMs: number, text: string])[]
  readonly exemplars: readonly Exemplar[]
}
export type Export = ReadonlyMap<string, ServedSeries>

function servedText(buffer: SampleBuffer, at: number): string {
  const flag = buffer.flags[at]
  if (flag === 2) return histogramText(buffer.histograms![at]!)
  const text = floatTextAt(buffer.values, at)
  return (text === 'stale') === (flag === 1) ? text : `${text} with flag ${flag}`
}

/** One number of a series as a remote writer sends it. */
function writeSeriesOf(name: string, n: number): WriteSeries {
  const labels = labelsFrom({ __name__: 'sim', series: name })
  const sample = sampleOf(name, n)
  if (sample.type === 'histogram') {
    const histograms = [{ timestampMs: timeOf(n), histogram: sample.histogram }]
    return { labels, timestamps: [], values: new Float64Array(0), histograms }
  }
  const values = new Float64Array(1)
  putFloat(sample, values, 0)
  const exemplar = exemplarOf(name, n, timeOf(n))
  return { labels, timestamps: [timeOf(n)], values, exemplars: exemplar ? [exemplar] : [] }
}

const seriesName = (labels: Labels): string => labelValue(labels, 'series')

/** Lets those who wait go on, at times that the workload chooses. */
class Steps {
  #waiting: (() => void)[] = []

  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  take(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** The checkpoint thread without a thread: what it does falls between steps of the workload, which go on meanwhile. */
class SteppedCheckpointer implements Checkpointer {
  readonly #disk: Disk
  readonly #steps: Steps
  #copier: CheckpointCopier | null = null

  constructor(disk: Disk, steps: Steps) {
    this.#disk = disk
    this.#steps = steps
  }

  async copy(target: Parameters<Checkpointer['copy']>[0], share: ReaderShare) {
    await this.#steps.next()
    const copier = new CheckpointCopier(this.#disk, target)
    this.#copier = copier
    const copies = copier.copy(share)
    await this.#steps.next()
    return copies
  }

  async finish(index: number, records: readonly CheckpointRecord[]): Promise<void> {
    await this.#steps.next()
    this.#copier!.finish(index, records)
    this.#copier = null
    await this.#steps.next()
  }

  abort(): void {
    this.#copier?.abort()
    this.#copier = null
  }
}

/** What is wrong with an export: nothing, when acknowledged ⊆ stored ⊆ sent, each once, bit for bit and in order. */
export function judge(rows: Export, journal: Journal, mayLack: ReadonlySet<string> = new Set()) {
  const problems: string[] = []
  const stored = new Set<string>()
  for (const [series, { samples, exemplars }] of rows) {
    for (const exemplar of exemplars) {
      const n = (exemplar.timestampMs! - START_MS) / STEP_MS
      if (!journal.sent.has(keyOf(series, n)) || !isExemplarOf(exemplar, series, n))
        problems.push(`${series} has an exemplar that was never sent: ${JSON.stringify(exemplar)}`)
    }
    let last = Number.NEGATIVE_INFINITY
    for (const [timeMs, text] of samples) {
      const n = (timeMs - START_MS) / STEP_MS
      if (timeMs <= last) problems.push(`${series} has ${timeMs} after ${last}`)
      last = timeMs
      if (!journal.sent.has(keyOf(series, n))) problems.push(`${series} has a sample at ${timeMs} that was never sent`)
      else if (text !== textOf(sampleOf(series, n)))
        problems.push(`${series} holds ${text} for number ${n} instead of ${textOf(sampleOf(series, n))}`)
      stored.add(keyOf(series, n))
    }
  }
  const lost: string[] = []
  for (const key of journal.acknowledged) {
    if (stored.has(key) || mayLack.has(key)) continue
    if (timeOf(Number(key.slice(key.indexOf('/') + 1))) < journal.forgottenBeforeMs) continue
    lost.push(key)
  }
  return { problems, lost, stored }
}
