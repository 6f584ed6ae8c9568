/** Worker threads of the runtime. */
import { Worker } from 'node:worker_threads'
import type { Pool } from '../../protocol/env/mod.ts'

/**
 * Our threads keep their data in typed arrays, and what they leave to collect is small: V8's 48 MB for new objects,
 * which it fills before it looks, would be most of what a thread weighs.
 */
const LIMITS = { maxYoungGenerationSizeMb: 6 }

export const threadPool: Pool = {
  spawn({ url, name, data }) {
    const worker = new Worker(new URL(url), { name, workerData: data, resourceLimits: LIMITS })
    let failure: Error | null = null
    worker.on('error', (error) => {
      failure = error instanceof Error ? error : new Error(String(error))
    })
    return {
      post: (message, transfer) => worker.postMessage(message, transfer ? [...transfer] : []),
      onMessage: (fn) => void worker.on('message', fn),
      onExit: (fn) =>
        void worker.once('exit', (code) =>
          fn(failure ?? (code === 0 ? null : new Error(`Worker "${name}" exited with code ${code}`))),
        ),
      terminate: async () => void (await worker.terminate()),
    }
  },
}
