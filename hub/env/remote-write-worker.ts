/** Entry of the remote-write thread: the real world around `hub/remote-write/thread.ts`. */
import { parentPort } from 'node:worker_threads'
// Not through the door: it brings the network along, 15 MB a thread.
import { systemClock } from '../../agent/env/clock.ts'
import { keepCompiled } from '../../agent/env/compile-cache.ts'
import { nodeDisk } from '../../agent/env/disk.ts'
import { runtimeVerifier } from '../../agent/env/ed25519.ts'
import { createLogger } from '../../agent/env/logger.ts'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { createBatchCodec } from '../ingest/view_mod.ts'
import { RemoteWriteThread, type RemoteWriteWorkerData, type ToRemoteWrite } from '../remote-write/thread_mod.ts'
import { SyncedEnd } from '../wal/mod.ts'
import { givenData } from './threads-ahead.ts'
import { createWriteDecoder } from './write-decoder.ts'

if (parentPort) {
  const channel = parentPort
  keepCompiled()
  await givenData(channel, (data: RemoteWriteWorkerData) => {
    const { logLevel: level, logFormat: format } = data
    const thread = new RemoteWriteThread({
      clock: systemClock,
      disk: nodeDisk,
      log: createLogger({ level, format, now: systemClock.now }).with({ component: 'remote-write' }),
      codec: createBatchCodec({ verifier: runtimeVerifier(), compressor: runtimeZstd, hasher: runtimeSha256 }),
      compressor: runtimeZstd,
      decodeWrite: createWriteDecoder(),
      directory: data.directory,
      synced: new SyncedEnd(data.synced),
      endpoints: data.endpoints,
      post: (message, transfer) => channel.postMessage(message, [...(transfer ?? [])]),
    })
    channel.on('message', (message: ToRemoteWrite) => thread.receive(message))
    return Promise.resolve()
  })
}
