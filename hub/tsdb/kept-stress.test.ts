/** Threads that read what they have decoded before, while the writer takes chunks away and gives their memory to others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM } from '../../protocol/samples/mod.ts'
import { createHead } from './mod.ts'
import { bitsAt } from './testing/kept-stress.ts'

/** For so long at least, and until each thread has compared so many reads. More by hand: KEPT_STRESS_MS, KEPT_STRESS_SEED. */
const FOR_MS = Number(process.env['KEPT_STRESS_MS'] ?? 2500)
const COMPARED_MIN = 500
const READERS = 2
const LIVE = 40
const SEED = Number(process.env['KEPT_STRESS_SEED'] ?? 1)

type Done = { readonly counts: Readonly<Record<string, number>>; readonly errors: readonly string[] }

test('what threads keep decoded is what is stored, whoever gets the memory next', {
  timeout: 60_000 + FOR_MS,
}, async () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  /** The end; then reads that each thread has compared. */
  const flag = new Int32Array(new SharedArrayBuffer(4 * (1 + READERS)))
  const workers = Array.from({ length: READERS }, (_, i) => {
    const workerData = { flag, owner: i + 1, share: head.share() }
    return new Worker(new URL('./testing/kept-stress.worker.ts', import.meta.url), { workerData })
  })
  const done = workers.map(
    (worker) =>
      new Promise<Done>((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', (error) => {
          Atomics.store(flag, 0, 1)
          reject(error)
        })
      }),
  )
  head.onPage(() => {
    for (const worker of workers) worker.postMessage(head.share())
  })
  let seed = SEED
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * n)
  }
  const values = new Float64Array(LIVE)
  const words = new Uint32Array(values.buffer)
  const ids = Array.from({ length: LIVE }, (_, i) => i)
  let nextId = LIVE
  let time = 1_000_000
  const refOf = (id: number): number => head.series(labelsFrom({ __name__: 'x', id: String(id), text: `t${id % 7}` }))
  const setAt = (id: number, at: number, i: number): void => bitsAt(id, at, words.subarray(2 * i, 2 * i + 2))
  const own = (id: number, at: number, start: number): void => {
    setAt(id, at, 0)
    head.appendFloat(refOf(id), at, values, 0, start)
  }
  const column = (from: number, to: number): void => {
    time += random(10) === 0 ? 1000 + random(9000) : 15_000
    const refs = Uint32Array.from(ids.slice(from, to), refOf)
    for (let i = from; i < to; i++) setAt(ids[i]!, time, i - from)
    head.appendColumn(time, refs, values, to - from)
    head.publish()
  }
  const step = (): void => {
    const what = random(100)
    if (what < 40) for (let n = random(60); n >= 0; n--) column(0, LIVE / 2)
    else if (what < 55) for (let n = random(40); n >= 0; n--) column(LIVE / 4, (3 * LIVE) / 4)
    else if (what < 75) {
      const every = random(2) === 0 ? 15_000 : 1 + random(20_000)
      const from = LIVE / 2 + random(LIVE / 4)
      for (let n = random(60); n >= 0; n--) {
        time += every
        for (let i = from; i < LIVE; i++) own(ids[i]!, time, i % 9 === 0 ? time - 5 : 0)
      }
    } else if (what < 82) for (let n = random(30); n >= 0; n--) own(ids[random(LIVE)]!, time - 1 - random(2_000_000), 0)
    else if (what < 85) {
      const id = ids[LIVE - 1]!
      time += 1000
      head.appendHistogram(refOf(id), time, { ...EMPTY_HISTOGRAM, count: 1, sum: time }, 0)
    } else if (what < 92) {
      head.closeBefore(time - random(1_500_000))
      head.evict()
    } else if (what < 95) head.trim(time - random(4_000_000))
    else {
      // Their memory, ids of their labels and those of groups go to others.
      for (let n = random(8); n >= 0; n--) ids[random(LIVE)] = nextId++
      if (random(8) === 0) {
        head.trim((time += 1))
        head.trim(time)
      }
    }
    head.publish()
  }
  const end = performance.now() + FOR_MS
  const isReading = (): boolean => Atomics.load(flag, 0) === 0 && flag.subarray(1).some((n) => n < COMPARED_MIN)
  let steps = 0
  while ((performance.now() < end && Atomics.load(flag, 0) === 0) || isReading()) {
    step()
    if (++steps % 8 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  Atomics.store(flag, 0, 1)
  const all = await Promise.all(done)
  assert.deepEqual(
    all.flatMap(({ errors }) => errors),
    [],
  )
  assert.equal(head.stats().activeReaders, 0)
  console.log(`# ${steps} steps, ${nextId} series, ${JSON.stringify(all.map(({ counts }) => counts))}`)
})
