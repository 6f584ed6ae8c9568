/** The query service on real worker threads over a real head. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { systemClock } from '../../agent/env/mod.ts'
import type { LogFields, Logger } from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { ApiError, NO_BLOCKS, QueryService, type QueryTask, runPart, type WorkerAnswer } from '../query/mod.ts'
import { INTERVAL_MS, seededHead } from '../query/testing/head.ts'
import { SETTINGS } from '../query/testing/settings.ts'
import { createHead, evictedUntil, evictions, openReader, releaseOwner } from '../tsdb/mod.ts'
import { createQueryPool } from './query-pool.ts'

const SERIES = 2500
const SAMPLES = 120
const END = (SAMPLES - 1) * INTERVAL_MS

const head = seededHead({ seed: 7, series: SERIES, samples: SAMPLES })
const clock = systemClock
const logged: [string, LogFields | undefined][] = []
const log = { error: (message: string, fields?: LogFields) => void logged.push([message, fields]) } as Logger
const pool = createQueryPool({ threads: 2, maxHeapMb: 64 })
const service = new QueryService({
  pool,
  clock,
  log,
  share: () => head.share(),
  releaseOwner: (owner) => void releaseOwner(head.share(), owner),
  maxConcurrency: 20,
})
after(() => service.close())

const range = (query: string, stepMs = INTERVAL_MS): QueryTask => ({
  kind: 'range',
  query,
  startMs: 0,
  endMs: END,
  stepMs,
  limit: 0,
  settings: SETTINGS,
})
type Body = { readonly data: { readonly result: { metric: object; values: [number, string][] }[] } }
const json = ({ body }: WorkerAnswer): Body => JSON.parse(new TextDecoder().decode(body)) as Body

test('a heavy query runs on both workers and answers as one would', async () => {
  const task = range('sum by (g) (rate(x_total[5m]))')
  const split = json(await service.run(task, { timeoutMs: 120_000 }))
  assert.equal(service.counters.split, 1)
  const reader = openReader(head.share())
  const whole = json(
    runPart(
      { task, part: { kind: 'whole', threads: 1 }, queuedMs: 0, before: null },
      { reader, flags: new Int32Array(1), now: clock.monotonic },
    ),
  )
  reader.release()
  assert.equal(split.data.result.length, 5)
  for (const [i, { metric, values }] of split.data.result.entries()) {
    assert.deepEqual(metric, whole.data.result[i]!.metric)
    assert.ok(values.length > 100)
    for (const [k, [time, value]] of values.entries()) {
      const [otherTime, other] = whole.data.result[i]!.values[k]!
      assert.equal(time, otherTime)
      assert.ok(Math.abs(Number(value) - Number(other)) <= 1e-12 * Math.abs(Number(other)))
    }
  }
})

test('series that are more than a mailbox holds are merged all the same', async () => {
  const task = range('quantile by (g) (0.5, rate(x_total[5m]))', 2000)
  const before = service.counters.split
  let answer = await service.run(task, { timeoutMs: 120_000 })
  // A worker that has only just started may not have been free.
  for (let again = 0; again < 20 && service.counters.split === before; again++)
    answer = await service.run(task, { timeoutMs: 120_000 })
  assert.ok(service.counters.split > before)
  const split = json(answer)
  const reader = openReader(head.share())
  const given = { task, part: { kind: 'whole', threads: 1 }, queuedMs: 0, before: null } as const
  const whole = json(runPart(given, { reader, flags: new Int32Array(1), now: clock.monotonic }))
  reader.release()
  assert.deepEqual(split.data, whole.data)
})

test('a client that hangs up stops its query within 250 ms', async () => {
  // The least of some, which nothing else on this host has held up.
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5 && least >= 250; i++) {
    const abort = new AbortController()
    const heavy = service.run(range('quantile_over_time(0.5, x_total[25m:1s])', 1000), {
      timeoutMs: 120_000,
      signal: abort.signal,
    })
    await clock.sleep(400)
    const hungUpMs = clock.monotonic()
    abort.abort()
    const answer = await heavy
    assert.equal(answer.error?.type, 'canceled')
    least = Math.min(least, clock.monotonic() - hungUpMs)
  }
  assert.ok(least < 250, `took ${least} ms`)
})

test('a small query does not wait for heavy ones that hold all workers', async () => {
  const abort = new AbortController()
  const { signal } = abort
  const heavy = [1, 2, 3].map((i) =>
    service.run(range(`quantile_over_time(0.${i}, x_total[25m:1s])`, 1000), { timeoutMs: 120_000, signal }),
  )
  let ended = 0
  const done = heavy.map((each) =>
    each.then(
      () => ended++,
      () => ended++,
    ),
  )
  try {
    // Until they hold all workers, one may be free for it: that is no overtaking, and neither is it waiting.
    for (let i = 0; i < 100 && service.counters.overtook === 0; i++) {
      const answer = await service.run(range('count(y)'), { timeoutMs: 120_000 })
      assert.equal(json(answer).data.result[0]!.values.at(-1)![1] !== '0', true)
    }
    assert.deepEqual([ended, service.counters.overtook], [0, 1])
  } finally {
    abort.abort()
  }
  await Promise.all(done)
})

test('a query that takes too long ends with a timeout', async () => {
  const heavy = range('quantile_over_time(0.5, x_total[25m:1s])', 1000)
  // On a busy host its time may be over before a worker is free: that is told otherwise.
  const isOfQueue = (error: unknown): boolean => error instanceof ApiError && / in query queue$/.test(error.message)
  let answer: WorkerAnswer | null = null
  for (let timeoutMs = 1000; answer === null; timeoutMs *= 2)
    answer = await service.run(heavy, { timeoutMs }).catch((error: unknown) => {
      if (!isOfQueue(error) || timeoutMs > 30_000) throw error
      return null
    })
  assert.deepEqual([answer.status, answer.error?.message], [503, 'query timed out in expression evaluation'])
})

test('a query that ends its worker is named; the others, and the head, go on', async () => {
  const before = head.stats().activeReaders
  // Labels live on the heap: a value of 60 kB for each of the series is more than the 64 MB of this pool's workers.
  const deadly = `label_join(label_replace(x_total, "z", "${'a'.repeat(60_000)}", "", ""), "w", ",", "z", "i")`
  await assert.rejects(
    service.run(range(deadly), { timeoutMs: 120_000 }),
    (error: unknown) => error instanceof ApiError && error.type === 'execution' && /memory/.test(error.message),
  )
  assert.equal(logged.length, 1)
  assert.equal(logged[0]![1]!['query'], deadly.slice(0, 1000))
  assert.equal(head.stats().activeReaders, before, 'its claim on the pages has ended')
  const next = await service.run(range('count(y)'), { timeoutMs: 120_000 })
  assert.equal(json(next).data.result[0]!.values.at(-1)![1] !== '0', true)
})

test('many clients at once are all answered', async () => {
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      service.run(range(`sum(y{i="${i}"})`), { timeoutMs: 120_000, client: `c${i % 4}` }),
    ),
  )
  for (const answer of answers) assert.equal(json(answer).data.result.length, 1)
  assert.deepEqual([service.counters.active, service.counters.waiting], [0, 0])
})

test('a query that was told of the blocks before the head evicted to newer ones is to come again, also of late samples', async () => {
  const own = createHead()
  const ref = own.series(labelsFrom({ __name__: 'm' }))
  const append = (time: number): void => {
    own.appendFloat(ref, time, Float64Array.of(1), 0, 0)
    own.publish()
  }
  const evict = (): void => {
    own.closeBefore(1000)
    own.evict()
  }
  // One head for the life of a pool.
  const workers = createQueryPool({ threads: 1 })
  const isStale = async (known: number): Promise<boolean> => {
    const share = own.share()
    const blocks = { ...NO_BLOCKS, coveredUntil: evictedUntil(share), evictions: known }
    const task = range('m')
    const part = { kind: 'whole', threads: 1 } as const
    const flags = new SharedArrayBuffer(8)
    return (
      (await workers.run({ task, part, share, blocks, flags, lane: 0, queuedMs: 0, before: null })).isStale === true
    )
  }
  try {
    for (const time of [100, 200, 2000]) append(time)
    evict()
    const before = evictions(own.share())
    assert.equal(await isStale(before), false)
    append(150)
    assert.equal(await isStale(before), false)
    evict()
    assert.equal(await isStale(before), true, 'the late sample stands in a block that is not in the view')
    assert.equal(await isStale(evictions(own.share())), false)
  } finally {
    await workers.close()
  }
})
