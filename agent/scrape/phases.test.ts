import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Phases } from './phases.ts'
import { VirtualClock } from './testing/virtual-clock.ts'
import { target, World } from './testing/world.ts'

const START_MS = 1_700_000_000_000

test('what is due in one slot shares one timer and one reading of the clock', async () => {
  const clock = new VirtualClock(START_MS)
  const phases = new Phases(clock, () => {})
  const begun: string[] = []
  const note = (name: string) => (nowMs: number) => void begun.push(`${name} ${nowMs - START_MS}`)
  phases.at(START_MS + 50, note('a'))
  phases.at(START_MS + 50, note('b'))
  phases.at(START_MS + 80, note('c'))
  assert.equal(clock.timerCount, 2)
  // A reading each would put the second a second later.
  clock.passAfterReads(1000)
  await clock.advance(50)
  assert.deepEqual(begun, ['a 50', 'b 50'])
  await clock.advance(30)
  assert.equal(begun.length, 3)
})

test('the last to cancel takes the timer along, and no timer of those who come later', async () => {
  const clock = new VirtualClock(START_MS)
  const phases = new Phases(clock, () => {})
  let begun = 0
  const first = phases.at(START_MS + 50, () => begun++)
  const second = phases.at(START_MS + 50, () => begun++)
  first.cancel()
  first.cancel()
  assert.equal(clock.timerCount, 1)
  second.cancel()
  assert.equal(clock.timerCount, 0)
  phases.at(START_MS + 50, () => begun++)
  second.cancel()
  first.cancel()
  await clock.advance(50)
  assert.equal(begun, 1)
})

test('who joins a phase after the clock was set forth, or the host slept, does not wait for its old timer', async () => {
  const clock = new VirtualClock(START_MS)
  const phases = new Phases(clock, () => {})
  const begun: string[] = []
  const note = (name: string) => (nowMs: number) => void begun.push(`${name} ${nowMs - START_MS}`)
  const rare = phases.at(START_MS + 60_000, note('rare'))
  // Timers do not notice: it would come 50 s late.
  clock.step(50_000)
  const often = phases.at(START_MS + 60_000, note('often'))
  assert.equal(clock.timerCount, 1)
  await clock.advance(10_000)
  assert.deepEqual(begun, ['rare 60000', 'often 60000'])
  const [again, other] = [rare, often].map((_, i) => phases.at(START_MS + 200_000, note(`${i}`)))
  clock.step(30_000)
  const last = phases.at(START_MS + 200_000, note('last'))
  for (const timer of [again!, other!, last]) timer.cancel()
  assert.equal(clock.timerCount, 0)
})

test('the sink hears once that all scrapes under way are recorded, the slow one too', async () => {
  const world = new World()
  const recorded: number[] = []
  Object.assign(world.sink, { settled: () => void recorded.push(world.sink.scrapes.length) })
  // One interval for all, and a hash that may put them into different phases: the same slot is made by trying.
  const all = Array.from({ length: 200 }, (_, i) => target(`h${i}:1`))
  for (const [i] of all.entries()) world.answer(`h${i}:1`, 'x 1\n', i % 10 === 0 ? { delayMs: 300 } : {})
  await world.manager.apply(all)
  const slots = new Map<number, number>()
  for (const { nextSlotMs } of world.manager.targets()) slots.set(nextSlotMs, (slots.get(nextSlotMs) ?? 0) + 1)
  assert.equal(slots.size, 20)
  await world.clock.advance(10_000)
  const inOrder = [...slots].sort(([a], [b]) => a - b).map(([, count]) => count)
  let sum = 0
  assert.deepEqual(
    recorded.slice(0, 19),
    inOrder.slice(0, 19).map((count) => (sum += count)),
  )
  await world.manager.stop()
})
