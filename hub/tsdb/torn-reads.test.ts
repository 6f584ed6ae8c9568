import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { createHead } from './mod.ts'

/** Both go on for as long, and until so many series were read, be the machine as busy as it is. */
const FOR_MS = 3000
const READS_MIN = 1000

test('a thread that reads while another appends, trims and churns sees no torn series', {
  timeout: 60_000,
}, async () => {
  const head = createHead()
  const names = (job: string, from: number, n: number) =>
    new Uint32Array(n).map((_, i) => head.series(labelsFrom({ job, i: String(from + i) })))
  const refs = names('live', 0, 400)
  /** The end; reads so far. */
  const flag = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(new URL('./testing/torn-reads.worker.ts', import.meta.url), {
    workerData: { flag, share: head.share() },
  })
  const done = new Promise<{ reads: number; samples: number; stalePages: number; errors: string[] }>(
    (resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    },
  )
  head.onPage(() => worker.postMessage(head.share()))
  const values = new Float64Array(400)
  const end = performance.now() + FOR_MS
  let k = 0
  const isReading = (): boolean => Atomics.load(flag, 0) === 0 && Atomics.load(flag, 1) < READS_MIN
  for (; performance.now() < end || isReading(); k++) {
    for (let i = 0; i < 400; i++) {
      const ref = refs[i]!
      values[i] =
        ref % 4 === 0 ? 7 : ref % 4 === 1 ? k * 3 : ref % 4 === 2 ? Math.sin(k + ref) : Math.floor(k / 24) / 10
    }
    assert.equal(head.appendColumn(k * 1000, refs, values, 400), 400)
    // Churn gives freed blocks and ids to others as fast as it can.
    if (k % 50 === 49) {
      const churn = names('churn', k, 40)
      head.appendColumn(k * 1000, churn, values, 40)
      head.trim(k * 1000 - 300_000)
    }
    head.publish()
    if (k % 200 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  Atomics.store(flag, 0, 1)
  const { reads, samples, stalePages, errors } = await done
  assert.deepEqual(errors, [])
  assert.ok(reads >= READS_MIN, `${reads} reads`)
  assert.equal(head.stats().activeReaders, 0)
  console.log(
    `# ${k} scrapes of 400 series beside ${reads} series reads (${samples} samples), ${stalePages} stale shares`,
  )
})
