/** Queries that several workers compute at the same time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartialResult } from '../promql/engine/mod.ts'
import type { WorkerAnswer } from './contract.ts'
import { ShardStates } from './shard-states.ts'
import {
  flagOf,
  instant,
  type ManualPool,
  ok,
  refusal,
  settle,
  text,
  type WorldOptions,
  world,
} from './testing/service-world.ts'

const partial = (level: number): PartialResult => ({ cuts: [], annotations: [], level }) as never

const stats = { preparationS: 0, evaluationS: 0, queueS: 0, samplesTotal: 5, samplesRead: 4, samplesPeak: 2 }
const shardOf = (level: number): WorkerAnswer => ({ ...ok(), partial: partial(level), stats })

/** A query that its worker found worth splitting: the calls since. */
async function splitQuery(threads: number, options: WorldOptions<ManualPool> = {}) {
  const all = world({ ...options, threads })
  const abort = new AbortController()
  const answer = all.service.run(instant('sum(x)'), { timeoutMs: 1000, signal: abort.signal })
  await settle()
  assert.deepEqual(all.pool.calls[0]!.task.part, { kind: 'whole', threads })
  all.pool.calls[0]!.finish({ ...ok(), split: true })
  await settle()
  return { ...all, abort, answer, calls: all.pool.calls.slice(1) }
}

test('a query that says so runs on all workers at once: one leads, and answers', async () => {
  const { answer, calls, service, pool } = await splitQuery(3)
  assert.deepEqual(
    calls.map(({ task }) => [task.part, task.lane]),
    [
      [{ kind: 'lead', count: 3 }, 0],
      [{ kind: 'help', count: 3 }, 1],
      [{ kind: 'help', count: 3 }, 2],
    ],
  )
  const [mailboxes] = calls.map(({ task }) => task.mailboxes)
  assert.equal(mailboxes!.length, 2)
  for (const { task } of calls) assert.deepEqual(task.mailboxes, mailboxes)
  // Who comes too late is not waited for.
  calls[1]!.finish(ok())
  calls[0]!.finish(ok('merged'))
  assert.equal(text(await answer), 'merged')
  assert.equal(service.counters.split, 1)
  const next = service.run(instant('up'), { timeoutMs: 1000 })
  await settle()
  assert.equal(pool.calls.length, 5)
  pool.calls[4]!.finish(ok())
  calls[2]!.finish(ok())
  await next
})

test('what is too large for a mailbox is merged by one more task', async () => {
  const { answer, calls, pool } = await splitQuery(3)
  calls[0]!.finish({ ...ok(), shards: [shardOf(0), null, shardOf(2)] })
  calls[2]!.finish(ok())
  await settle()
  calls[1]!.finish({ ...shardOf(1), shard: 1 })
  await settle()
  assert.deepEqual(pool.calls[4]!.task.part, { kind: 'merge', partials: [0, 1, 2].map(partial) })
  assert.deepEqual(pool.calls[4]!.task.before, { elapsedMs: 0, samplesTotal: 15, samplesRead: 12, samplesPeak: 6 })
  pool.calls[4]!.finish(ok('merged'))
  assert.equal(text(await answer), 'merged')
})

test('a helper that dies ends the query, and whoever waits for its shard hears of it', async () => {
  const { answer, calls, released } = await splitQuery(2)
  const states = new ShardStates(new Int32Array(calls[0]!.task.flags))
  assert.equal(states.begin(1, 2, 1), 1)
  Atomics.store(new Int32Array(calls[1]!.task.flags), 2, 88)
  calls[1]!.die(new Error('Worker terminated due to reaching memory limit'))
  await assert.rejects(answer, refusal('execution', /^the query ended its worker thread/))
  assert.equal(states.wait(1).how, 'dead')
  assert.deepEqual(released, [88])
  assert.equal(flagOf(calls[0]!.task), 1, 'the one that leads stops')
  calls[0]!.finish({ ...ok(), status: 422, error: { type: 'execution', message: '' } })
  await settle()
})

test('when the one that leads dies the others stop', async () => {
  const { answer, calls } = await splitQuery(2)
  calls[0]!.die(new Error('Worker terminated due to reaching memory limit'))
  await assert.rejects(answer, refusal('execution', /^the query ended its worker thread/))
  assert.equal(flagOf(calls[1]!.task), 1)
  calls[1]!.finish(ok())
  await settle()
})

test('texts that are answered sooner by several threads are from then on given to them at once', async () => {
  const { clock, pool, service } = world({ threads: 2 })
  const took: Record<string, number> = { whole: 10, lead: 6 }
  const kinds: string[] = []
  for (let i = 0; i < 20; i++) {
    const answer = service.run(instant('sum(x)'), { timeoutMs: 1000 })
    await settle()
    const calls = pool.calls.splice(0)
    kinds.push(calls[0]!.task.part.kind)
    clock.advance(took[kinds[i]!]!)
    for (const call of calls) call.finish(ok())
    await answer
    await settle()
  }
  assert.equal(kinds[0], 'whole')
  assert.deepEqual(kinds.slice(-5), Array(5).fill('lead'))
})

test('the error of one shard is the answer, others stop, and parts of a cancelled query do not start', async () => {
  const { pool, service } = world({ threads: 2 })
  const abort = new AbortController()
  const answer = service.run(instant('sum(x)'), { timeoutMs: 1000, signal: abort.signal })
  await settle()
  pool.calls[0]!.finish({ ...ok(), split: true })
  await settle()
  pool.calls[1]!.finish({ ...ok(), status: 422, error: { type: 'execution', message: 'too many' } })
  assert.equal((await answer).status, 422)
  assert.equal(flagOf(pool.calls[2]!.task), 1, 'the other stops')
  pool.calls[2]!.finish(ok())
  await settle()

  const second = service.run(instant('sum(y)'), { timeoutMs: 1000, signal: abort.signal })
  await settle()
  abort.abort()
  pool.calls[3]!.finish({ ...ok(), split: true })
  await assert.rejects(second, refusal('canceled', /in expression evaluation$/))
  assert.equal(pool.calls.length, 4)
})

test('with others at work a query has fewer workers to split over', async () => {
  const { pool, service } = world({ threads: 2 })
  const all = [service.run(instant('a'), { timeoutMs: 1000 }), service.run(instant('b'), { timeoutMs: 1000 })]
  await settle()
  // The second came after the first was asked.
  assert.deepEqual(
    pool.calls.map(({ task }) => (task.part.kind === 'whole' ? task.part.threads : 0)),
    [2, 1],
  )
  pool.calls[0]!.finish({ ...ok(), split: true })
  await settle()
  assert.deepEqual(pool.calls[2]!.task.part, { kind: 'whole', threads: 1 })
  pool.calls[1]!.finish(ok())
  pool.calls[2]!.finish(ok())
  await Promise.all(all)
})
