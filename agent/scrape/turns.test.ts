import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from './testing/virtual-clock.ts'
import { target, World } from './testing/world.ts'
import { Turns } from './turns.ts'

const MIB = 1024 * 1024
const INTERVAL_MS = 4000

function scene() {
  const clock = new VirtualClock(0)
  const turns = new Turns(clock)
  const begun: string[] = []
  const take = (name: string, bytes: number) =>
    turns.take(bytes, clock.now(), INTERVAL_MS, (nowMs) => void begun.push(`${name} ${nowMs}`))
  return { clock, turns, begun, take }
}

test('large pages begin while there is room, the others when one has ended, in order; small ones at once', async () => {
  const { clock, turns, begun, take } = scene()
  take('a', 5 * MIB)
  take('b', 6 * MIB)
  take('c', 5 * MIB)
  take('d', MIB)
  take('small', 256 * 1024)
  assert.deepEqual(begun, ['a 0', 'b 0', 'small 0'])
  turns.ended(256 * 1024)
  await clock.advance(10)
  assert.equal(begun.length, 3)
  turns.ended(5 * MIB)
  assert.deepEqual(begun.slice(3), ['c 10', 'd 10'])
  for (const bytes of [6 * MIB, 5 * MIB, MIB]) turns.ended(bytes)
  take('larger than all', 16 * MIB)
  assert.equal(begun.at(-1), 'larger than all 10')
  assert.equal(clock.timerCount, 0)
})

test('of a target that was not scraped yet, what its job gave last is expected', () => {
  const { turns } = scene()
  assert.equal(turns.usual('a'), 0)
  turns.saw('a', 5)
  turns.saw('b', 7)
  assert.deepEqual(
    ['a', 'b', 'c'].map((job) => turns.usual(job)),
    [5, 7, 0],
  )
})

test('a hung page holds the others up for a quarter of their interval; who cancels does not begin', async () => {
  const { clock, turns, begun, take } = scene()
  take('hung', 15 * MIB)
  take('a', MIB)
  take('b', MIB)!.cancel()
  take('c', MIB)
  await clock.advance(999)
  assert.deepEqual(begun, ['hung 0'])
  await clock.advance(1)
  assert.deepEqual(begun, ['hung 0', 'a 1000', 'c 1000'])
  turns.ended(15 * MIB)
  take('d', 10 * MIB)
  assert.equal(begun.at(-1), 'd 1000')
})

test('slow large pages of one phase are asked for in turn once their size is known, each in its slot', async () => {
  const world = new World()
  const page = `x 1\n${`# ${'x'.repeat(1000)}\n`.repeat(1150)}`
  const all = Array.from({ length: 400 }, (_, i) => target(`h${i}:1`))
  for (const [i] of all.entries()) world.answer(`h${i}:1`, page, { delayMs: 100 })
  await world.manager.apply(all)
  const mostAtOnce = async (): Promise<number> => {
    const from = world.net.requests.length
    await world.clock.advance(10_000)
    const starts = world.net.requests.slice(from).map(({ atMs }) => atMs)
    return Math.max(...starts.map((atMs) => starts.filter((other) => other >= atMs && other < atMs + 100).length))
  }
  assert.ok((await mostAtOnce()) > 13)
  await world.clock.advance(1000)
  assert.ok((await mostAtOnce()) <= 13)
  assert.deepEqual([...new Set(world.manager.targets().map(({ lastError }) => lastError))], [''])
  const counts = new Map<string, number>()
  for (const { target } of world.sink.scrapes) counts.set(target, (counts.get(target) ?? 0) + 1)
  assert.deepEqual([...new Set(counts.values())].sort(), [2, 3])
  await world.manager.stop()
})
