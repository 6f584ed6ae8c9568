/** Entry of the ring's worker thread: one SQLite connection, calls in the order they come. */
import { RingStoreError } from '../../protocol/env/mod.ts'
import { RingEngine, RingService, readBatchHead } from '../ring/mod.ts'
import { systemClock } from './clock.ts'
import type { RingAnswer, RingCall } from './ring-store.ts'
import { SqliteRingFiles, type SqliteRingOptions } from './ring-store-sqlite.ts'
import { inWorker, type WorkerPort } from './worker-port.ts'

inWorker(serve)

function serve(port: WorkerPort): void {
  const options = port.data as SqliteRingOptions
  let service: RingService | null = null
  port.onMessage((message) => {
    const { id, method, args, acks } = message as RingCall
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
        port.post({ id, value, error: null } satisfies RingAnswer)
        if (method === 'close') port.close()
      },
      (error: unknown) => port.post({ id, value: null, error: described(error) } satisfies RingAnswer),
    )
  })
}

/** Classes do not survive `postMessage`. */
function described(error: unknown): NonNullable<RingAnswer['error']> {
  if (error instanceof RingStoreError) return { code: error.code, message: error.message }
  return { code: 'IO', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
