/** Entry of the checkpoint thread: the real disk around `hub/ingest/checkpoint-thread.ts`. */
import { parentPort } from 'node:worker_threads'
// Not through the door: it brings the network along, 15 MB a thread.
import { nodeDisk } from '../../agent/env/disk.ts'
import { createCheckpointThread, type ToCheckpoint } from '../ingest/mod.ts'

if (parentPort) {
  const channel = parentPort
  const answer = createCheckpointThread(nodeDisk)
  channel.on('message', (message: ToCheckpoint) => channel.postMessage(answer(message)))
}
