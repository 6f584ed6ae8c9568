/** Entry of the ring's worker thread: one SQLite connection, calls in the order they come. */
import { parentPort, workerData } from 'node:worker_threads'
import { RingStoreError } from '../../protocol/env/mod.ts'
import { RingEngine, RingService, readBatchHead } from '../ring/mod.ts'
import { systemClock } from './clock.ts'
import type { RingAnswer, RingCall } from './ring-store.ts'
import { SqliteRingFiles, type SqliteRingOptions } from './ring-store-sqlite.ts'

if (parentPort) serve(parentPort, workerData as SqliteRingOptions)

function serve(port: NonNullable<typeof parentPort>, options: SqliteRingOptions): void {
  let service: RingService | null = null
  port.on('message', ({ id, method, args, acks }: RingCall) => {
    const run = async (): Promise<unknown> => {
      service ??= new RingService(
        new RingEngine(new SqliteRingFiles(options), readBatchHead, options.maxAgeMs ?? 0),
        systemClock,
      )
      // Both do their work before they return: no other message comes in between.
      const noted = acks.map(([epoch, sequences]) => service!.acknowledge(epoch, sequences))
      const value = await (service[method] as (...args: unknown[]) => Promise<unknown>)(...args)
      await Promise.all(noted)
      return value
    }
    run().then(
      (value) => {
        port.postMessage({ id, value, error: null } satisfies RingAnswer)
        if (method === 'close') port.close()
      },
      (error: unknown) => port.postMessage({ id, value: null, error: described(error) } satisfies RingAnswer),
    )
  })
}

/** Classes do not survive `postMessage`. */
function described(error: unknown): NonNullable<RingAnswer['error']> {
  if (error instanceof RingStoreError) return { code: error.code, message: error.message }
  return { code: 'IO', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
