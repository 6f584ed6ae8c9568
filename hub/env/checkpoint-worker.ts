/** Entry of the checkpoint thread: the real disk around `hub/ingest/checkpoint-thread.ts`. */
import { parentPort } from 'node:worker_threads'
// Not through the door: it brings the network along, 15 MB a thread.
import { nodeDisk } from '../../agent/env/disk.ts'
import { bindLibc } from '../../agent/env/libc.ts'
import { createCheckpointThread, type ToCheckpoint } from '../ingest/checkpoint_mod.ts'

if (parentPort) {
  const channel = parentPort
  const answer = createCheckpointThread(nodeDisk, trimMemory)
  channel.on('message', (message: ToCheckpoint) => channel.postMessage(answer(message)))
}

/**
 * glibc keeps what was freed between blocks that live on: 60 MB after 1,000,000 series were made. It is asked here, where
 * the library that calls it (7 MB) goes with the thread.
 */
function trimMemory(): void {
  try {
    const trim = bindLibc((declare) => declare('int malloc_trim(size_t pad)') as (pad: number) => number)
    trim(0)
  } catch {
    // Not glibc, or no koffi for this machine.
  }
}
