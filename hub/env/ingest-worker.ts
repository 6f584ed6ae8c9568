/** Entry of the ingest thread: the real world around `hub/ingest/worker.ts`. */
import v8 from 'node:v8'
import vm from 'node:vm'
import { parentPort } from 'node:worker_threads'
// Not through the door: it brings the network along, 15 MB a thread.
import { systemClock } from '../../agent/env/clock.ts'
import { keepCompiled } from '../../agent/env/compile-cache.ts'
import { nodeDisk } from '../../agent/env/disk.ts'
import { runtimeVerifier } from '../../agent/env/ed25519.ts'
import { createLogger } from '../../agent/env/logger.ts'
import { threadPool } from '../../agent/env/pool.ts'
import { systemRandom } from '../../agent/env/random.ts'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import {
  createBatchCodec,
  DEFAULT_CHECKPOINT_BYTES,
  DEFAULT_GROUP_COMMIT_MS,
  DEFAULT_MAX_FUTURE_MS,
  DEFAULT_MAX_SERIES_PER_AGENT,
  type IngestPort,
  type IngestWorkerData,
  type IngestWorkerOptions,
  runIngestWorker,
  ThreadCheckpointer,
  type ToIngest,
} from '../ingest/thread_mod.ts'
import { createHead, type HeadOptions, headRestorer } from '../tsdb/mod.ts'
import { DEFAULT_SEGMENT_BYTES, SyncedEnd } from '../wal/mod.ts'
import { givenData } from './threads-ahead.ts'
import { createDeltaConverter, createWriteDecoder } from './write-decoder.ts'

/** What `createIngest` sends along, as the loop wants it. */
export function ingestWorkerOptions(data: IngestWorkerData): IngestWorkerOptions {
  const segmentBytes = data.segmentBytes ?? DEFAULT_SEGMENT_BYTES
  const { maxFutureMs, maxSeriesPerAgent, outOfOrderWindowMs } = data.limits ?? {}
  const headOptions: HeadOptions = data.head ?? {}
  const log = createLogger({ level: data.logLevel, format: data.logFormat, now: systemClock.now })
  return {
    clock: systemClock,
    random: systemRandom,
    disk: nodeDisk,
    log: log.with({ component: 'ingest' }),
    directory: data.directory,
    hub: data.hub,
    codec: createBatchCodec({ verifier: runtimeVerifier(), compressor: runtimeZstd, hasher: runtimeSha256 }),
    compressor: runtimeZstd,
    heads: {
      create: () => createHead(headOptions),
      restore: () => headRestorer(headOptions),
    },
    decodeWrite: createWriteDecoder(),
    prepareWrite: createDeltaConverter(),
    limits: {
      maxFutureMs: maxFutureMs ?? DEFAULT_MAX_FUTURE_MS,
      maxSeriesPerAgent: maxSeriesPerAgent ?? DEFAULT_MAX_SERIES_PER_AGENT,
      outOfOrderWindowMs: outOfOrderWindowMs ?? null,
    },
    ...(data.startZeroReachMs !== undefined && { startZeroReachMs: data.startZeroReachMs }),
    segmentBytes,
    checkpointBytes: data.checkpointBytes ?? DEFAULT_CHECKPOINT_BYTES,
    reserveBytes: data.reserveBytes ?? 2 * segmentBytes,
    checkpointer: new ThreadCheckpointer(() =>
      threadPool.spawn({ url: new URL('./checkpoint-worker.ts', import.meta.url).href, name: 'checkpoint' }),
    ),
    collectGarbage: heapCollector(),
    groupCommitMs: data.groupCommitMs ?? DEFAULT_GROUP_COMMIT_MS,
    ...(data.synced && { synced: new SyncedEnd(data.synced) }),
  }
}

/** Of this thread's heap, which holds some 10 MB that live: 20 ms. */
function heapCollector(): () => void {
  v8.setFlagsFromString('--expose-gc')
  const collect = vm.runInNewContext('gc') as (options: object) => void
  return () => collect({ type: 'major', execution: 'sync', flavor: 'regular' })
}

if (parentPort) {
  const channel = parentPort
  const port: IngestPort = {
    post: (message) => channel.postMessage(message),
    onMessage: (fn) => void channel.on('message', (message: ToIngest) => fn(message)),
  }
  keepCompiled()
  // A rejection ends the thread with its error, which the owner hears of as the worker's exit.
  await givenData(channel, (data: IngestWorkerData) => runIngestWorker(port, ingestWorkerOptions(data)))
  channel.close()
}
