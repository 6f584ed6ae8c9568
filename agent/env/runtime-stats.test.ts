import assert from 'node:assert/strict'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { test } from 'node:test'
import { watchByTimer } from './runtime-stats.ts'

test('a loop that was held up is seen, and not while nobody watches', { timeout: 10_000 }, async () => {
  const delays = watchByTimer(20, 0)
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

const isNode = !('bun' in process.versions || 'deno' in process.versions)
test('a loop that is on time shows what Node’s own watch shows of it', { skip: !isNode && 'Node alone' }, async () => {
  const ours = watchByTimer(20)
  const nodes = monitorEventLoopDelay({ resolution: 10 })
  ours.enable()
  nodes.enable()
  while (ours.count < 5) await new Promise((resolve) => setTimeout(resolve, 5))
  for (const { min } of [ours, nodes]) assert.ok(min >= 8e6 && min < 10e9, `${min} ns`)
  ours.disable()
  nodes.disable()
})
