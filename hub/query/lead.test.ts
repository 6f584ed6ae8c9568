import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartialResult } from '../promql/engine/mod.ts'
import { ApiError, type PartStats, type QueryPart, type WorkerAnswer } from './contract.ts'
import { leadParts } from './lead.ts'
import type { ShardEnd } from './shard-states.ts'

const ok: WorkerAnswer = { status: 200, contentType: '', body: new Uint8Array(0) }
const partial = (level: number, cuts: number): PartialResult =>
  ({ cuts: Array(cuts).fill(null), annotations: [], level }) as never
const shard = (level: number, cuts = 1): WorkerAnswer => ({
  ...ok,
  partial: partial(level, cuts),
  stats: { preparationS: 0, evaluationS: 0, queueS: 0, samplesTotal: 3, samplesRead: 2, samplesPeak: 2 },
})

/** Three shards; `others`: how those end that are not free. */
function lead(others: Record<number, WorkerAnswer | ShardEnd>, own: (index: number) => WorkerAnswer = shard) {
  const ran: QueryPart[] = []
  let cost: PartStats | null = null
  const free = [0, 1, 2].filter((index) => others[index] === undefined)
  let ms = 0
  const answer = leadParts(3, {
    shards: {
      begin: () => free.shift() ?? -1,
      wait: (index) => (typeof others[index] === 'string' ? others[index] : 'put'),
      take: (index) => others[index] as WorkerAnswer,
    },
    now: () => ms++,
    run: (part, before) => {
      ran.push(part)
      if (part.kind === 'shard') return own(part.index)
      cost = before
      return ok
    },
  })
  return { answer, ran, cost }
}

test('shards that others have begun are merged with those of this thread, in order', () => {
  const { answer, ran, cost } = lead({ 1: shard(1) })
  assert.equal(answer, ok)
  assert.deepEqual(ran, [
    { kind: 'shard', index: 0, count: 3 },
    { kind: 'shard', index: 2, count: 3 },
    { kind: 'merge', partials: [partial(0, 1), partial(1, 1), partial(2, 1)] },
  ])
  assert.deepEqual(cost, { elapsedMs: 1, samplesTotal: 9, samplesRead: 6, samplesPeak: 6 })
})

test('nobody waits for a thread that is late', () => {
  assert.deepEqual(
    lead({}).ran.map(({ kind }) => kind),
    ['shard', 'shard', 'shard', 'merge'],
  )
})

test('what has nothing to be cut is computed by one thread, which says so', () => {
  const { answer, ran } = lead({}, (index) => shard(index, 0))
  assert.equal(answer.isUncut, true)
  assert.deepEqual(ran.at(-1), { kind: 'whole', threads: 1 })
})

test('an error of any shard is the answer, and so are pages that one of them lacks', () => {
  const failed: WorkerAnswer = { ...ok, status: 422, error: { type: 'execution', message: 'too many' } }
  assert.equal(lead({ 2: failed }).answer, failed)
  assert.equal(lead({}, () => failed).answer, failed)
  const stale: WorkerAnswer = { ...shard(1), isStale: true }
  assert.equal(lead({ 1: stale }).answer, stale)
})

test('who has found too much for a mailbox is left to others to merge', () => {
  const { answer, ran } = lead({ 1: 'large' })
  assert.deepEqual(answer.shards, [shard(0), null, shard(2)])
  assert.equal(ran.at(-1)!.kind, 'shard')
})

test('the death of a thread that had begun a shard is an error', () => {
  assert.throws(
    () => lead({ 1: 'dead' }),
    (error: unknown) => error instanceof ApiError && /has died/.test(error.message),
  )
})
