/**
 * Threads that load their code while the main thread still loads its own, and learn what they are to do afterwards: a
 * restart has two cores busy from the start, and what it waits for most, the replay of the log, begins sooner.
 *
 * Such a thread gets its data as its first message rather than as `workerData`; `givenData` hides the difference.
 */
import { type MessagePort, workerData } from 'node:worker_threads'
// Not through the door: it brings the network along, for which the first thread would wait.
import { threadPool } from '../../agent/env/pool.ts'
import type { Pool, WorkerHandle } from '../../protocol/env/mod.ts'

const COMMANDS: ReadonlySet<string> = new Set([
  'agents',
  'check-alertmanager',
  'check-config',
  'check-rules',
  'test-rules',
  'tsdb',
  '--help',
  '-h',
  '--version',
])

/** Those of every hub, the one first whose work takes longest; none where the arguments ask for something else. */
export function beginHubThreads(argv: readonly string[]): Pool {
  if (argv.some((argument) => COMMANDS.has(argument))) return threadPool
  return threadsAhead(threadPool, [
    { url: new URL('./ingest-worker.ts', import.meta.url).href, name: 'ingest' },
    { url: new URL('./block-worker.ts', import.meta.url).href, name: 'blocks' },
  ])
}

/** Of threads that say nothing before they have their data. @param entries with the names they will be spawned by */
export function threadsAhead(pool: Pool, entries: readonly { readonly url: string; readonly name: string }[]): Pool {
  const waiting = new Map(entries.map((entry) => [entry.url, begun(pool.spawn(entry))]))
  return {
    spawn(spec) {
      const worker = waiting.get(spec.url)
      if (!worker) return pool.spawn(spec)
      waiting.delete(spec.url)
      worker.post(spec.data)
      return worker
    },
  }
}

/** Whoever asks after the thread has ended is told, too. */
function begun(worker: WorkerHandle): WorkerHandle {
  const listeners: ((error: Error | null) => void)[] = []
  let end: { readonly error: Error | null } | null = null
  worker.onExit((error) => {
    end = { error }
    for (const listener of listeners) listener(error)
  })
  return {
    post: (message, transfer) => worker.post(message, transfer),
    onMessage: (fn) => worker.onMessage(fn),
    onExit: (fn) => {
      if (end === null) listeners.push(fn)
      else queueMicrotask(() => fn(end!.error))
    },
    terminate: () => worker.terminate(),
  }
}

/**
 * The thread's side: calls `begin` with the data. It must listen to the channel before it returns, or miss messages.
 */
export function givenData<Data>(channel: MessagePort, begin: (data: Data) => Promise<void>): Promise<void> {
  if (workerData !== null && workerData !== undefined) return begin(workerData as Data)
  return new Promise((resolve, reject) => {
    channel.once('message', (data: Data) => {
      try {
        begin(data).then(resolve, reject)
      } catch (error) {
        reject(error)
      }
    })
  })
}
