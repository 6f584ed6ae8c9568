/** Entry of the block thread: the real world around `hub/block/thread.ts`. */
import { parentPort, threadId, workerData } from 'node:worker_threads'
// Not through the door: it brings the network along, 15 MB a thread.
import { systemClock } from '../../agent/env/clock.ts'
import { keepCompiled } from '../../agent/env/compile-cache.ts'
import { nodeDisk } from '../../agent/env/disk.ts'
import { createLogger } from '../../agent/env/logger.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import type { LogLevel } from '../../protocol/env/mod.ts'
import { runBlockThread, type ToBlocks } from '../block/mod.ts'
import { openReader } from '../tsdb/mod.ts'

export type BlockWorkerData = {
  readonly directory: string
  readonly logLevel: LogLevel
  readonly logFormat: 'logfmt' | 'json'
}

if (parentPort) {
  const channel = parentPort
  const { directory, logLevel, logFormat } = workerData as BlockWorkerData
  keepCompiled()
  await runBlockThread(
    {
      post: (message) => channel.postMessage(message),
      onMessage: (fn) => void channel.on('message', (message: ToBlocks) => fn(message)),
    },
    {
      disk: nodeDisk,
      compressor: runtimeZstd,
      log: createLogger({ level: logLevel, format: logFormat, now: systemClock.now }),
      directory,
      openHead: (share) => openReader(share, { owner: threadId }),
    },
  )
  channel.close()
}
