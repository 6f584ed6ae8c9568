/** Entry of the block thread: the real world around `hub/block/thread.ts`. */
import { parentPort, receiveMessageOnPort, threadId } from 'node:worker_threads'
// Not through the door: it brings the network along, 15 MB a thread.
import { systemClock } from '../../agent/env/clock.ts'
import { nodeDisk } from '../../agent/env/disk.ts'
import { createLogger } from '../../agent/env/logger.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import type { LogLevel } from '../../protocol/env/mod.ts'
import { growingHead, runBlockThread, type ToBlocks } from '../block/mod.ts'
import { openReader, type ReaderShare } from '../tsdb/mod.ts'
import { givenData } from './threads-ahead.ts'

export type BlockWorkerData = {
  readonly directory: string
  readonly logLevel: LogLevel
  readonly logFormat: 'logfmt' | 'json'
}

/** Pages are announced before they are used, but the announcement comes by way of the main thread. */
const GROW_WAIT_MS = 30_000
const GROW_POLL_MS = 5

/** The share as it came first: each message brings new objects for the same memory, and readers are kept by the object. */
let known: ReaderShare | null = null
const nap = new Int32Array(new SharedArrayBuffer(4))

function learn(share: ReaderShare): ReaderShare {
  if (known === null) known = share
  else if (known.pages.length < share.pages.length) {
    const { control, pages } = known
    known = { ...share, control, pages: share.pages.map((page, i) => pages[i] ?? page) }
  }
  return known
}

if (parentPort) {
  const channel = parentPort
  /** What came while work was waiting for pages. */
  const later: ToBlocks[] = []
  const options = { owner: threadId, readsOnce: true }

  const grow = (): boolean => {
    const before = known?.pages.length ?? 0
    for (let waited = 0; waited < GROW_WAIT_MS; waited += GROW_POLL_MS) {
      for (let got = receiveMessageOnPort(channel); got; got = receiveMessageOnPort(channel)) {
        const message = got.message as ToBlocks
        if (message.kind === 'share') learn(message.share)
        else later.push(message)
      }
      if (known !== null && known.pages.length > before) {
        // Readers that are open share their pages with this one.
        openReader(known, options).release()
        return true
      }
      Atomics.wait(nap, 0, 0, GROW_POLL_MS)
    }
    return false
  }

  await givenData(channel, ({ directory, logLevel, logFormat }: BlockWorkerData) =>
    runBlockThread(
      {
        post: (message) => channel.postMessage(message),
        onMessage: (fn) =>
          void channel.on('message', (message: ToBlocks) => {
            if (message.kind === 'share') learn(message.share)
            else fn(message)
            for (let next = later.shift(); next; next = later.shift()) fn(next)
          }),
      },
      {
        disk: nodeDisk,
        compressor: runtimeZstd,
        log: createLogger({ level: logLevel, format: logFormat, now: systemClock.now }),
        directory,
        openHead: (share) => growingHead(openReader(learn(share), options), grow),
      },
    ),
  )
  channel.close()
}
