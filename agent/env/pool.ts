/** Worker threads of the runtime. */
import type * as threads from 'node:worker_threads'
import type { Pool, WorkerHandle, WorkerSpec } from '../../protocol/env/mod.ts'

/**
 * Our threads keep their data in typed arrays, and what they leave to collect is small: V8's 48 MB for new objects,
 * which it fills before it looks, would be most of what a thread weighs.
 */
const LIMITS = { maxYoungGenerationSizeMb: 6 }

export const threadPool: Pool = {
  spawn: (spec) => (spec.isPlain && 'bun' in process.versions ? spawnOfBun(spec) : spawnOfNode(spec)),
}

function spawnOfNode({ url, name, data }: WorkerSpec): WorkerHandle {
  const { Worker } = process.getBuiltinModule('node:worker_threads') as typeof threads
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
}

type BunWorker = {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void
  addEventListener(type: 'message', fn: (event: { readonly data: unknown }) => void): void
  addEventListener(type: 'error', fn: (event: { readonly message: string; readonly error?: unknown }) => void): void
  addEventListener(type: 'close', fn: (event: { readonly code: number }) => void): void
  terminate(): void
}

/** As worker-port.ts has it. */
function spawnOfBun({ url, name, data }: WorkerSpec): WorkerHandle {
  const { Worker: OwnWorker } = globalThis as unknown as {
    Worker: new (url: string, options: { readonly name: string }) => BunWorker
  }
  const worker = new OwnWorker(url, { name })
  let failure: Error | null = null
  worker.addEventListener('error', ({ message, error }) => {
    failure = error instanceof Error ? error : new Error(message)
  })
  const ended = new Promise<number>((resolve) => worker.addEventListener('close', ({ code }) => resolve(code)))
  worker.postMessage(data)
  return {
    post: (message, transfer) => worker.postMessage(message, transfer ?? []),
    onMessage: (fn) => worker.addEventListener('message', (event) => fn(event.data)),
    onExit: (fn) =>
      void ended.then((code) =>
        fn(failure ?? (code === 0 ? null : new Error(`Worker "${name}" exited with code ${code}`))),
      ),
    terminate: async () => {
      worker.terminate()
      await ended
    },
  }
}
