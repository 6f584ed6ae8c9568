/** An ingest engine with a log, and a remote-write thread that follows it, on one disk and by one clock. */
import assert from 'node:assert/strict'
import { runtimeVerifier } from '../../../agent/env/ed25519.ts'
import { runtimeSha256 } from '../../../agent/env/sha256.ts'
import { runtimeZstd } from '../../../agent/env/zstd.ts'
import { formatLabels, labelsFrom } from '../../../protocol/labels/mod.ts'
import { MatchOp } from '../../../protocol/matchers/mod.ts'
import {
  encodeWriteRequest,
  snappyCompress,
  snappyDecompress,
  type WriteColumns,
  WriteRequest2Decoder,
  WriteRequestDecoder,
} from '../../../protocol/remote-write/mod.ts'
import { createWriteDecoder } from '../../env/write-decoder.ts'
import { NOW, World } from '../../ingest/testing/world.ts'
import { createBatchCodec, type IngestEngine } from '../../ingest/thread_mod.ts'
import { createHead, createSampleBuffer, headRestorer, openReader, type ReaderShare } from '../../tsdb/mod.ts'
import { SyncedEnd } from '../../wal/mod.ts'
import type { EndpointSpec, EndpointState, FromRemoteWrite, OutgoingRequest } from '../messages.ts'
import { RemoteWriteThread } from '../thread.ts'

export const BEFORE = NOW - 3_600_000

export const SPEC: EndpointSpec = {
  key: '0001',
  name: 'far',
  startAt: 0,
  isVersion2: false,
  externalLabels: [],
  relabel: [],
  sendExemplars: true,
  sendNativeHistograms: true,
  capacity: 10_000,
  minShards: 1,
  maxSamplesPerSend: 20,
  batchSendDeadlineMs: 1000,
  sampleAgeLimitMs: 0,
  retentionSizeBytes: 0,
  metadata: null,
}

/** As text, by series and time: the bits of a float, or the histogram. */
export type Samples = Map<string, string>

export class SendingWorld {
  readonly synced = new SyncedEnd()
  readonly ingest: World
  readonly requests: OutgoingRequest[] = []
  readonly closed: string[] = []
  readonly states = new Map<string, EndpointState>()
  discards = 0
  thread!: RemoteWriteThread
  maxBacklogBytes = Number.POSITIVE_INFINITY
  spareSeries = 100_000
  /** Of the present thread: what an earlier one posts is nobody's. */
  #life = 0

  constructor(seed: number) {
    this.ingest = new World(seed)
    this.ingest.options = {
      heads: { create: () => createHead(), restore: () => headRestorer() },
      synced: this.synced,
    }
  }

  start(...endpoints: EndpointSpec[]): void {
    const life = ++this.#life
    const { clock, log } = this.ingest
    this.requests.length = 0
    this.thread = new RemoteWriteThread({
      clock: { ...clock, setTimer: (ms, fn) => clock.setTimer(ms, () => void (life === this.#life && fn())) },
      disk: this.ingest.disk,
      log,
      codec: createBatchCodec({ verifier: runtimeVerifier(), compressor: runtimeZstd, hasher: runtimeSha256 }),
      compressor: runtimeZstd,
      decodeWrite: createWriteDecoder(),
      directory: '/data',
      synced: this.synced,
      endpoints,
      maxBacklogBytes: this.maxBacklogBytes,
      spareSeries: this.spareSeries,
      post: (message) => void (life === this.#life && this.#take(message)),
    })
  }

  #take(message: FromRemoteWrite): void {
    if (message.kind === 'request') this.requests.push(message)
    else if (message.kind === 'state') this.states.set(message.key, structuredClone(message))
    else if (message.kind === 'closed') this.closed.push(message.key)
    else this.discards++
  }

  /** Lets `ms` pass. */
  advance(ms: number): void {
    this.ingest.clock.advance(ms)
  }

  /** Takes the first `count` requests, each lane in its order. */
  answer(into: (request: OutgoingRequest) => void, count = Number.POSITIVE_INFINITY): void {
    for (const request of this.requests.splice(0, count)) {
      into(request)
      this.thread.receive({ kind: 'answered', key: request.key, id: request.id })
    }
  }
}

const first = new WriteRequestDecoder()
const second = new WriteRequest2Decoder()

export function decoded(request: OutgoingRequest, isVersion2 = false): WriteColumns {
  const bytes = snappyDecompress(request.body)
  return isVersion2 ? second.decode(bytes) : first.decode(bytes)
}

const textOf = (values: Float64Array, at: number): string =>
  new BigUint64Array(values.buffer, values.byteOffset + 8 * at, 1)[0]!.toString(16)

/** Returns the samples that were there before. */
export function collect(request: OutgoingRequest, samples: Samples, isVersion2 = false): string[] {
  const columns = decoded(request, isVersion2)
  const twice: string[] = []
  const put = (key: string, text: string): void => {
    if (samples.has(key)) twice.push(key)
    samples.set(key, text)
  }
  for (let s = 0; s < columns.seriesCount; s++) {
    const { labels, problem } = columns.labels(s)
    if (labels === null) throw new Error(problem)
    for (let i = columns.sampleStart[s]!; i < columns.sampleStart[s + 1]!; i++)
      put(`${formatLabels(labels)} @${columns.timestamps[i]}`, textOf(columns.values, i))
  }
  for (const { series, timestampMs, histogram } of columns.histograms)
    put(`${formatLabels(columns.labels(series).labels!)} @${timestampMs}`, JSON.stringify(histogram.positiveBuckets))
  return twice
}

/** All that a head holds. */
export function contentsOf(share: ReaderShare): Samples {
  const reader = openReader(share)
  const samples: Samples = new Map()
  const range = { minTime: -Infinity, maxTime: Infinity }
  const buffer = createSampleBuffer()
  for (const ref of reader.select([{ name: '__name__', op: MatchOp.regexp, value: '.+' }], range)) {
    reader.read(ref, range, buffer)
    for (let i = 0; i < buffer.count; i++) {
      const histogram = buffer.histograms?.[i]
      samples.set(
        `${formatLabels(reader.labels(ref))} @${buffer.times[i]}`,
        histogram ? JSON.stringify(histogram.positiveBuckets) : textOf(buffer.values, i),
      )
    }
  }
  reader.release()
  return samples
}

/** A remote write of one sample a series. */
export function write(engine: IngestEngine, step: number, series = 5, name = 'w'): void {
  const request = Array.from({ length: series }, (_, i) => ({
    labels: labelsFrom({ __name__: name, series: String(i) }),
    timestamps: [BEFORE + 1000 * step],
    values: Float64Array.of(step * 100 + i),
  }))
  assert.ok(engine.acceptRemoteWrite(snappyCompress(encodeWriteRequest(request))).status < 300)
}
