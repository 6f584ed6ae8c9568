/** The ingest thread without a thread: the same worker loop, its messages cloned as between threads. */
import type { Pool, WorkerHandle } from '../../../protocol/env/mod.ts'
import { type IngestWorkerOptions, runIngestWorker, type ToIngest } from '../thread_mod.ts'

export function inProcessPool(options: () => IngestWorkerOptions): Pool {
  return {
    spawn(): WorkerHandle {
      let toWorker: (message: ToIngest) => void = () => {}
      let toMain: (message: unknown) => void = () => {}
      let onExit: (error: Error | null) => void = () => {}
      queueMicrotask(() => {
        runIngestWorker(
          {
            post: (message) => {
              const copy = structuredClone(message)
              setImmediate(() => toMain(copy))
            },
            onMessage: (fn) => {
              toWorker = fn
            },
          },
          options(),
        ).then(
          () => setImmediate(() => onExit(null)),
          (error: Error) => setImmediate(() => onExit(error)),
        )
      })
      return {
        post: (message, transfer) => {
          const copy = structuredClone(message as ToIngest, transfer ? { transfer: [...transfer] } : {})
          setImmediate(() => toWorker(copy))
        },
        onMessage: (fn) => {
          toMain = fn
        },
        onExit: (fn) => {
          onExit = fn
        },
        terminate: async () => {},
      }
    },
  }
}
