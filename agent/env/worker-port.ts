/**
 * The worker thread's side of `WorkerHandle`. Bun's own workers weigh 4 MB less than those of node:worker_threads, which
 * bring the streams of a process with them: there, the data come as the first message, and nothing may import that module.
 */
import type * as threads from 'node:worker_threads'

export interface WorkerPort {
  readonly data: unknown
  post(message: unknown): void
  onMessage(fn: (message: unknown) => void): void
  /** Nothing more will come: the thread may end. */
  close(): void
}

type BunScope = {
  onmessage: ((event: { readonly data: unknown }) => void) | null
  readonly postMessage: (message: unknown) => void
}
declare const Bun: undefined | { readonly isMainThread: boolean }

/** Calls `serve` in a worker thread that `threadPool` has started with `isPlain`, and nothing elsewhere. */
export function inWorker(serve: (port: WorkerPort) => void): void {
  if (typeof Bun !== 'undefined') {
    inBun(Bun.isMainThread, serve)
    return
  }
  const { parentPort: port, workerData } = process.getBuiltinModule('node:worker_threads') as typeof threads
  if (port === null) return
  serve({
    data: workerData,
    post: (message) => port.postMessage(message),
    onMessage: (fn) => void port.on('message', fn),
    close: () => port.close(),
  })
}

function inBun(isMainThread: boolean, serve: (port: WorkerPort) => void): void {
  if (isMainThread) return
  const scope = globalThis as unknown as BunScope
  scope.onmessage = ({ data }) => {
    let take: (message: unknown) => void = () => {}
    scope.onmessage = (event) => take(event.data)
    serve({
      data,
      post: (message) => scope.postMessage(message),
      onMessage: (fn) => {
        take = fn
      },
      close: () => process.exit(0),
    })
  }
}
