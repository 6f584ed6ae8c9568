/** Worker threads of the runtime. */
import { Worker } from 'node:worker_threads'
import type { Pool } from '../../protocol/env/mod.ts'

export const threadPool: Pool = {
  spawn({ url, name, data }) {
    const worker = new Worker(new URL(url), { name, workerData: data })
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
