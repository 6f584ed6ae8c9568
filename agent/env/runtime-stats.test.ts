import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchByTimer } from './runtime-stats.ts'

test('a loop that was held up is seen, and not while nobody watches', { timeout: 10_000 }, async () => {
  const delays = watchByTimer(20)
  const until = async (count: number): Promise<void> => {
    while (delays.count < count) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.equal(delays.count, 0)
  assert.equal(delays.enable(), true)
  assert.equal(delays.enable(), false)
  await until(1)
  delays.reset()
  const start = performance.now()
  while (performance.now() - start < 60);
  await until(1)
  // At least what was left of the time after the timer was due.
  assert.ok(delays.max >= 30e6 && delays.max < 10e9, `${delays.max} ns`)
  assert.equal(delays.disable(), true)
  assert.equal(delays.disable(), false)
  delays.reset()
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.equal(delays.count, 0)
})
