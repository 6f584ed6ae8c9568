import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_BLOCKS, type QueryTask, type WorkerAnswer } from './contract.ts'
import { giveBack } from './held-answers.ts'
import { flagOf, instant, ok, queryOf, refusal, settle, TryingPool, text, world } from './testing/service-world.ts'

test('an answer passes through, and the counters return to rest', async () => {
  const { pool, service, clock } = world()
  const answer = service.run(instant('up'), { timeoutMs: 1000 })
  await settle()
  assert.equal(service.counters.active, 1)
  clock.advance(500)
  pool.calls[0]!.finish(ok('{}'))
  assert.equal(new TextDecoder().decode((await answer).body), '{}')
  const { started, active, waiting, seconds } = service.counters
  assert.deepEqual({ started, active, waiting, seconds }, { started: 1, active: 0, waiting: 0, seconds: 0.5 })
  assert.equal(clock.timers, 0)
})

test('small ones are answered at once, also while a queue of others is full', async () => {
  const { pool, service } = world({ small: ['up'] })
  const gone = new AbortController()
  const { signal } = gone
  const waiting = Array.from({ length: 400 }, () => service.run(instant('heavy'), { timeoutMs: 1000, signal }))
  await assert.rejects(
    service.run(instant('heavy'), { timeoutMs: 1000 }),
    refusal('unavailable', /^too many queries are waiting/),
  )
  assert.equal(new TextDecoder().decode((await service.run(instant('up'), { timeoutMs: 1000 })).body), 'up')
  assert.equal(new TextDecoder().decode(service.runAtOnce(instant('up'))!.body), 'up')
  assert.equal(service.runAtOnce(instant('heavy')), null)
  assert.equal(service.counters.inPlace, 2)
  gone.abort()
  pool.calls[0]!.finish(ok())
  await Promise.allSettled(waiting)
})

test('clients get the worker in turn, each in its own order', async () => {
  const { pool, service } = world()
  const order: string[] = []
  const ask = (client: string, query: string) =>
    service.run(instant(query), { timeoutMs: 1000, client }).then(() => order.push(query))
  const all = [ask('a', 'a1'), ask('a', 'a2'), ask('a', 'a3'), ask('b', 'b1'), ask('c', 'c1'), ask('b', 'b2')]
  for (let i = 0; i < all.length; i++) {
    await settle()
    assert.equal(pool.calls.length, i + 1, 'one at a time')
    pool.calls[i]!.finish(ok())
  }
  await Promise.all(all)
  assert.deepEqual(order, ['a1', 'a2', 'b1', 'c1', 'a3', 'b2'])
})

test('a hundred at once wait for their turn; what is beyond the bound of the queue is refused', async () => {
  for (const [maxConcurrency, limit] of [
    [1, 400],
    [20, 400],
    [200, 600],
  ] as const) {
    const { pool, service } = world({ maxConcurrency })
    const taken = Array.from({ length: limit }, (_, i) => service.run(instant(`q${i}`), { timeoutMs: 1000 }))
    await assert.rejects(
      service.run(instant('more'), { timeoutMs: 1000 }),
      refusal('unavailable', new RegExp(`^too many queries are waiting \\(limit ${limit};.*=${maxConcurrency} `)),
    )
    assert.deepEqual([service.counters.rejected, service.counters.waiting], [1, limit - 1])
    for (let i = 0; i < limit; i++) {
      await settle()
      pool.calls[i]!.finish(ok())
    }
    await Promise.all(taken)
    const again = service.run(instant('again'), { timeoutMs: 1000 })
    await settle()
    pool.calls[limit]!.finish(ok())
    await again
  }
})

test('what waits holds only so much text', async () => {
  const { pool, service } = world()
  const megabyte = 'x'.repeat(1 << 20)
  const abort = new AbortController()
  const ask = () => service.run(instant(megabyte), { timeoutMs: 1000, signal: abort.signal })
  const taken = Array.from({ length: 32 }, () => ask().catch((error: unknown) => error))
  await settle()
  await assert.rejects(ask(), refusal('unavailable', /\(limit \d+ characters of their texts\)/))
  abort.abort()
  pool.calls[0]!.finish(ok())
  await Promise.all(taken)
  const again = service.run(instant('short'), { timeoutMs: 1000 })
  await settle()
  pool.calls[1]!.finish(ok())
  await again
})

test('a query can time out while it waits', async () => {
  const { clock, pool, service } = world()
  const first = service.run(instant('slow'), { timeoutMs: 10_000 })
  const second = service.run(instant('late'), { timeoutMs: 1000 })
  await settle()
  assert.equal(service.counters.waiting, 1)
  clock.advance(1000)
  await assert.rejects(second, refusal('timeout', /^query timed out in query queue$/))
  pool.calls[0]!.finish(ok())
  await first
  assert.equal(pool.calls.length, 1, 'the one that waited never ran')
  assert.deepEqual([service.counters.timedOut, service.counters.waiting, service.counters.active], [1, 0, 0])
})

test('a query can be cancelled while it waits', async () => {
  const { pool, service } = world()
  const first = service.run(instant('slow'), { timeoutMs: 10_000 })
  const abort = new AbortController()
  const second = service.run(instant('gone'), { timeoutMs: 1000, signal: abort.signal })
  await settle()
  abort.abort()
  await assert.rejects(second, refusal('canceled', /^query was canceled in query queue$/))
  pool.calls[0]!.finish(ok())
  await first
  assert.deepEqual([service.counters.canceled, pool.calls.length], [1, 1])
})

test('a client that has gone already never gets a worker', async () => {
  const { pool, service } = world()
  await assert.rejects(
    service.run(instant('x'), { timeoutMs: 1000, signal: AbortSignal.abort() }),
    refusal('canceled', /in query queue/),
  )
  assert.equal(pool.calls.length, 0)
})

test('what runs is told by the flag word', async () => {
  const { clock, pool, service } = world({ threads: 2 })
  const abort = new AbortController()
  const gone = service.run(instant('gone'), { timeoutMs: 500, signal: abort.signal })
  const late = service.run(instant('late'), { timeoutMs: 900 })
  await settle()
  const [first, second] = pool.calls
  assert.deepEqual([flagOf(first!.task), flagOf(second!.task)], [0, 0])
  abort.abort()
  assert.deepEqual([flagOf(first!.task), flagOf(second!.task)], [1, 0])
  clock.advance(900)
  assert.deepEqual([flagOf(first!.task), flagOf(second!.task)], [1, 2], 'the first reason stays')
  first!.finish({ ...ok(), status: 499, error: { type: 'canceled', message: '' } })
  second!.finish({ ...ok(), status: 503, error: { type: 'timeout', message: '' } })
  assert.equal((await gone).status, 499)
  assert.equal((await late).status, 503)
  assert.deepEqual([service.counters.canceled, service.counters.timedOut], [1, 1])
})

test('stale pages are asked for again, with a new share each time, but not for ever', async () => {
  const { pool, service } = world()
  const answer = service.run(instant('x'), { timeoutMs: 1000 })
  for (let i = 0; i < 6; i++) {
    await settle()
    assert.equal(pool.calls[i]!.task.share.pages.length, i)
    pool.calls[i]!.finish({ ...ok(), status: 500, isStale: true })
  }
  assert.equal((await answer).isStale, true)
  assert.equal(pool.calls.length, 6)

  const second = service.run(instant('x'), { timeoutMs: 1000 })
  await settle()
  pool.calls[6]!.finish({ ...ok(), isStale: true })
  await settle()
  pool.calls[7]!.finish(ok('now'))
  assert.equal(new TextDecoder().decode((await second).body), 'now')
})

test('while blocks are merged away, a query comes again as often as that happens, until its deadline', async () => {
  let merges = 0
  const { pool, service } = world({ blocks: () => ({ ...NO_BLOCKS, paths: ['kept', `merged-${merges++}`] }) })
  const answer = service.run(instant('x'), { timeoutMs: 1000 })
  for (let i = 0; i < 20; i++) {
    await settle()
    pool.calls[i]!.finish({ ...ok(), status: 500, isStale: true })
  }
  await settle()
  pool.calls[20]!.finish(ok('now'))
  assert.equal(text(await answer), 'now')
})

test('a worker that dies ends its query alone: named in the log, its claims released', async () => {
  const { pool, service, logged, released } = world({ threads: 2 })
  const bad = service.run(instant('count(death)'), { timeoutMs: 1000 })
  const good = service.run(instant('up'), { timeoutMs: 1000 })
  await settle()
  const words = new Int32Array(pool.calls[0]!.task.flags)
  Atomics.store(words, 1, 77)
  pool.calls[0]!.die(new Error('Worker terminated due to reaching memory limit'))
  pool.calls[1]!.finish(ok('fine'))
  await assert.rejects(bad, refusal('execution', /^the query ended its worker thread: Worker terminated due to/))
  assert.equal(new TextDecoder().decode((await good).body), 'fine')
  assert.deepEqual(released, [77])
  assert.equal(logged.length, 1)
  assert.equal(logged[0]![1]!['query'], 'count(death)')
  assert.deepEqual([service.counters.crashed, service.counters.active], [1, 0])
})

/** Both workers are held, and these wait. */
async function stalled(...waiting: string[]) {
  const all = world({ pool: new TryingPool(2) })
  const ask = (query: string, client = '') => all.service.run(instant(query), { timeoutMs: 10_000, client })
  const heavy = [ask('heavy 1'), ask('heavy 2')]
  const answers = waiting.map((query) => ask(query, query))
  await settle()
  /** Lets the two, and what was given to the workers since, end. */
  const end = async (): Promise<void> => {
    for (let i = 0; i < all.pool.calls.length; i++) {
      all.pool.calls[i]!.finish(ok(`worker: ${queryOf(all.pool.calls[i]!.task)}`))
      await settle()
    }
    await Promise.all(heavy)
    const { active, waiting: left } = all.service.counters
    assert.deepEqual([active, left], [0, 0])
  }
  return { ...all, ask, answers, end }
}
const large = (): WorkerAnswer => ({ ...ok(), status: 422, isLarge: true })

test('small queries overtake when no worker has come free for 50 ms, one at a time', async () => {
  const { clock, pool, answers, service, end } = await stalled('small 1', 'small 2')
  clock.advance(49)
  await settle()
  assert.equal(pool.trials.length, 0)
  clock.advance(1)
  await settle()
  assert.equal(pool.trials.length, 1)
  assert.equal(pool.trials[0]!.task.isTrial, true)
  assert.deepEqual(pool.trials[0]!.task.part, { kind: 'whole', threads: 1 })
  pool.trials[0]!.finish(ok('one'))
  assert.equal(text(await answers[0]!), 'one')
  await settle()
  // Still no worker is free: no second wait.
  assert.equal(queryOf(pool.trials[1]!.task), 'small 2')
  pool.trials[1]!.finish(ok('two'))
  assert.equal(text(await answers[1]!), 'two')
  assert.equal(pool.calls.length, 2)
  assert.deepEqual([service.counters.overtook, service.counters.started], [2, 4])
  await end()
  assert.deepEqual([clock.timers, pool.trials.length], [0, 2])
})

test('while workers come free nobody overtakes', async () => {
  const { clock, pool, answers, end } = await stalled('a', 'b', 'c')
  clock.advance(40)
  pool.calls[0]!.finish(ok())
  await settle()
  clock.advance(40)
  pool.calls[1]!.finish(ok())
  await settle()
  clock.advance(49)
  await settle()
  assert.deepEqual([pool.calls.length, pool.trials.length], [4, 0])
  clock.advance(1)
  await settle()
  assert.equal(queryOf(pool.trials[0]!.task), 'c')
  pool.trials[0]!.finish(ok())
  await end()
  await Promise.all(answers)
})

test('what is found to be large waits at the head of its turn, and is not tried again', async () => {
  const { clock, pool, service, answers, ask, end } = await stalled('large', 'small')
  clock.advance(50)
  await settle()
  const after = ask('after', 'large')
  pool.trials[0]!.finish(large())
  await settle()
  assert.deepEqual(
    pool.trials.map(({ task }) => queryOf(task)),
    ['large', 'small'],
  )
  pool.trials[1]!.finish(large())
  await settle()
  assert.equal(queryOf(pool.trials[2]!.task), 'after')
  pool.trials[2]!.finish(large())
  await settle()
  assert.equal(pool.trials.length, 3)
  assert.deepEqual([service.counters.active, service.counters.waiting], [2, 3])
  await end()
  assert.equal(text(await answers[0]!), 'worker: large')
  assert.equal(text(await answers[1]!), 'worker: small')
  assert.equal(text(await after), 'worker: after')
  assert.deepEqual([service.counters.overtook, service.counters.started], [0, 5])
})

test('the worker for small queries may die: the others are asked, and its claims released', async () => {
  const { clock, pool, answers, released, logged, end } = await stalled('growing')
  clock.advance(50)
  await settle()
  Atomics.store(new Int32Array(pool.trials[0]!.task.flags), 1, 99)
  pool.trials[0]!.die(new Error('Worker terminated due to reaching memory limit'))
  await settle()
  assert.deepEqual([released, logged], [[99], []])
  await end()
  assert.equal(text(await answers[0]!), 'worker: growing')
})

test('a query that times out while it is tried says so; one that waits after it, too', async () => {
  const { clock, pool, answers, end } = await stalled('slow', 'waits')
  clock.advance(50)
  await settle()
  clock.advance(10_000)
  assert.equal(flagOf(pool.trials[0]!.task), 2)
  await assert.rejects(answers[1]!, refusal('timeout', /in query queue$/))
  pool.trials[0]!.finish({ ...ok(), status: 503, error: { type: 'timeout', message: '' } })
  assert.equal((await answers[0]!).status, 503)
  await end()
})

test('an answer from stale pages is tried again, where small ones are', async () => {
  const { clock, pool, answers, end } = await stalled('small')
  clock.advance(50)
  await settle()
  pool.trials[0]!.finish({ ...ok(), isStale: true })
  await settle()
  assert.notEqual(pool.trials[1]!.task.share, pool.trials[0]!.task.share)
  pool.trials[1]!.finish(ok('fresh'))
  assert.equal(text(await answers[0]!), 'fresh')
  await end()
})

test('a large answer is refused while clients have not read others; small ones are not', async () => {
  const { pool, service } = world({ threads: 3, maxHeldBytes: 10 << 20 })
  const answers = ['large', 'larger', 'small'].map((query) => service.run(instant(query), { timeoutMs: 1000 }))
  await settle()
  pool.calls[0]!.finish({ ...ok(), body: new Uint8Array(8 << 20) })
  const first = await answers[0]!
  pool.calls[1]!.finish({ ...ok(), body: new Uint8Array(8 << 20) })
  await assert.rejects(answers[1]!, refusal('unavailable', /^clients have yet to read 8388608 bytes of other answers/))
  pool.calls[2]!.finish(ok('{}'))
  await answers[2]
  assert.equal(service.counters.rejected, 1)
  giveBack(first.body)
  const again = service.run(instant('again'), { timeoutMs: 1000 })
  await settle()
  pool.calls[3]!.finish({ ...ok(), body: new Uint8Array(8 << 20) })
  assert.equal((await again).body.length, 8 << 20)
})

test('closing refuses what waits', async () => {
  const { pool, service } = world()
  const first = service.run(instant('a'), { timeoutMs: 1000 })
  const second = service.run(instant('b'), { timeoutMs: 1000 })
  await settle()
  await service.close()
  await assert.rejects(second, refusal('unavailable', /the hub is stopping/))
  pool.calls[0]!.finish(ok())
  await first
})

test('what each task is called in the log when it is no expression', async () => {
  const { pool, service, logged } = world()
  const answer = service.run({ kind: 'cardinality', limit: 1 }, { timeoutMs: 1000 })
  await settle()
  assert.equal(queryOf(pool.calls[0]!.task), undefined)
  pool.calls[0]!.die(new Error('gone'))
  await assert.rejects(answer)
  assert.deepEqual([logged[0]![1]!['kind'], logged[0]![1]!['query']], ['cardinality', 'cardinality'])
})
