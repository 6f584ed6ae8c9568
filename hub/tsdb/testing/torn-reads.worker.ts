/** A reading thread for torn-reads.test.ts: reads for as long as the flag is 0 and checks that every series is whole. */
import { parentPort, workerData } from 'node:worker_threads'
import { createSampleBuffer, openReader, type ReaderShare, StalePagesError } from '../mod.ts'

const { flag } = workerData as { flag: Int32Array; share: ReaderShare }
let { share } = workerData as { share: ReaderShare }
const out = createSampleBuffer()
let reads = 0
let samples = 0
let stalePages = 0
const errors: string[] = []

parentPort!.on('message', (message: ReaderShare) => {
  share = message
})

/** Sample k of series s has the value s * 1000 + f(k); every one from the first on must be there. */
function check(ref: number): void {
  for (let i = 0; i < out.count; i++) {
    const k = Math.round(out.times[i]! / 1000)
    if (i > 0 && out.times[i]! !== out.times[i - 1]! + 1000) errors.push(`series ${ref}: hole before sample ${k}`)
    const wanted =
      ref % 4 === 0 ? 7 : ref % 4 === 1 ? k * 3 : ref % 4 === 2 ? Math.sin(k + ref) : Math.floor(k / 24) / 10
    if (out.values[i] !== wanted) errors.push(`series ${ref} sample ${k}: ${out.values[i]} where ${wanted} was stored`)
    if (errors.length > 3) return
  }
}

/** One reader: the newest sample that it has seen of a series may not be gone when it looks again. */
function round(): void {
  const reader = openReader(share, { owner: 9 })
  try {
    const range = { minTime: -Infinity, maxTime: Infinity }
    const refs = reader.select([{ name: 'job', op: '=', value: 'live' }], range)
    let newest = 0
    for (const ref of refs) {
      reader.read(ref, range, out)
      if (out.count === 0) continue
      check(ref)
      if (reader.labels(ref).length !== 4) errors.push(`series ${ref} has ${reader.labels(ref).length / 2} labels`)
      // Scrapes are published whole: a series that is read later cannot be older.
      const last = out.times[out.count - 1]!
      if (last < newest) errors.push(`series ${ref} ends at ${last}, one before it at ${newest}`)
      newest = Math.max(newest, last)
      reads++
      samples += out.count
    }
  } catch (error) {
    if (!(error instanceof StalePagesError)) throw error
    stalePages++
  } finally {
    reader.release()
  }
}

function loop(): void {
  for (let i = 0; i < 4 && errors.length === 0; i++) round()
  Atomics.store(flag, 1, reads)
  // What is wrong ends the writer, too.
  if (errors.length > 0) Atomics.store(flag, 0, 1)
  if (Atomics.load(flag, 0) === 0 && errors.length === 0) setImmediate(loop)
  else {
    parentPort!.postMessage({ reads, samples, stalePages, errors })
    parentPort!.close()
  }
}
loop()
