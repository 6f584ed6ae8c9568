import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DesiredShards, type Sums } from './desired-shards.ts'

const BOUNDS = { minShards: 1, maxShards: 10 }
/** Ten seconds after ten seconds of the same rates. */
function run(perTurn: Sums, present: number, delayS: number, turns = 20): number {
  const shards = new DesiredShards()
  let now = present
  for (let i = 1; i <= turns; i++) {
    const sums = Object.fromEntries(Object.entries(perTurn).map(([key, value]) => [key, value * i])) as Sums
    now = shards.update(sums, now, delayS, BOUNDS)
  }
  return now
}

test('as many shards as it takes time to send what comes in', () => {
  // 10,000 samples in ten seconds take forty seconds of requests.
  assert.equal(run({ read: 10_000, dropped: 0, delivered: 10_000, sendSeconds: 40 }, 1, 0), 4)
  assert.equal(run({ read: 10_000, dropped: 0, delivered: 10_000, sendSeconds: 4 }, 4, 0), 1)
})

test('bounded; none is given up while the receiver is behind; none is added while it takes nothing', () => {
  assert.equal(run({ read: 1e6, dropped: 0, delivered: 1e6, sendSeconds: 1000 }, 1, 0), 10)
  assert.equal(run({ read: 10_000, dropped: 0, delivered: 10_000, sendSeconds: 1 }, 4, 60), 4)
  assert.equal(run({ read: 10_000, dropped: 0, delivered: 0, sendSeconds: 100 }, 2, 600), 2)
})

test('what relabelling drops needs no shard', () => {
  assert.equal(run({ read: 20_000, dropped: 10_000, delivered: 10_000, sendSeconds: 40 }, 1, 0), 4)
})
