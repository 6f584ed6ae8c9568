import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../agent/scrape/testing/virtual-clock.ts'
import { KV_CASES, Told } from './testing/kv-cases.ts'
import { MemoryKv } from './testing/memory-kv.ts'

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 100 && !condition(); i++) await Promise.resolve()
  assert.ok(condition())
}

for (const { name, run } of KV_CASES)
  test(`a bucket in memory: ${name}`, () => {
    const kv = new MemoryKv(new VirtualClock(0))
    return run(kv.connect(), kv.connect(), until)
  })

test('a bucket in memory: entries end by their age; who was away is told everything again', async () => {
  const clock = new VirtualClock(0)
  const kv = new MemoryKv(clock, { maxAgeMs: 1000 })
  const [a, b] = [kv.connect(), kv.connect()]
  const told = new Told()
  b.watch('x', told)
  await until(() => told.all.length > 0)
  const first = (await a.put('x.1', 'one', 0))!
  b.setAway(true)
  await assert.rejects(b.get('x.1'), { code: 'AWAY' })
  await clock.advance(900)
  await a.put('x.2', 'two', 0)
  await clock.advance(100)
  assert.equal(await a.get('x.1'), null)
  assert.equal(await a.put('x.1', 'late', first), null)
  b.setAway(false)
  assert.deepEqual(told.all, ['synced', 'x.1=one', 'away', 'x.2=two', 'synced'])
})
