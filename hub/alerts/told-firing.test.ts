/** Alerts that end while the hub is down: their end is told after the restart, and their return is news. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskError } from '../../protocol/env/mod.ts'
import { ClusterBus, World } from './scenarios.ts'
import { memoryStateStore, type StateStore } from './state-store.ts'

const CONFIG = `
route:
  {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 5s, repeat_interval: 24h}
receivers: [{name: hook, webhook_configs: [{url: 'http://{{hook}}'}]}]
`
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

function open() {
  const bus = new ClusterBus()
  const join = (name: string, store: StateStore = memoryStateStore()): World =>
    new World(CONFIG, {}, { bus, name, store })
  const push = async (world: World, n: string, endsInMs?: number): Promise<void> => {
    const endsAt = endsInMs === undefined ? {} : { endsAt: new Date(bus.clock.now() + endsInMs).toISOString() }
    const alert = { labels: { n }, annotations: { summary: `of ${n}` }, ...endsAt }
    assert.equal((await world.api('POST', '/alerts', [alert])).status, 200)
  }
  const run = async (world: World, seconds: number): Promise<void> =>
    world.until((bus.clock.now() - 1_700_000_000_000) / 1000 + seconds)
  const told = (): string[] =>
    bus.received.map(({ alerts }) =>
      alerts.map(({ labels, endsAt }) => `${labels['n']}${endsAt.startsWith('0001-') ? '' : ' resolved'}`).join(),
    )
  return { bus, join, push, run, told }
}

test('an alert that ended while the hub was down is told as resolved, and its return is told', async () => {
  const { bus, join, push, run, told } = open()
  const a = join('a')
  await push(a, '1', MINUTE_MS)
  await run(a, 3)
  a.kill()
  const again = join('a', a.store)
  await run(again, 50)
  assert.deepEqual(told(), ['1'])
  await run(again, 80)
  assert.deepEqual(told(), ['1', '1 resolved'])
  assert.deepEqual(bus.received[1]!.alerts[0]!.annotations, { summary: 'of 1' })
  assert.equal(bus.received[1]!.alerts[0]!.startsAt, bus.received[0]!.alerts[0]!.startsAt)
  await push(again, '1', MINUTE_MS)
  await run(again, 10)
  assert.deepEqual(told(), ['1', '1 resolved', '1'])
})

test('an alert that still fires after a restart is not told again, and its end once', async () => {
  const { join, push, run, told } = open()
  const a = join('a')
  await push(a, '1', MINUTE_MS)
  await run(a, 3)
  a.kill()
  const again = join('a', a.store)
  for (let i = 0; i < 4; i++) {
    await push(again, '1', MINUTE_MS)
    await run(again, 40)
  }
  assert.deepEqual(told(), ['1'])
  await push(again, '1', -1000)
  await run(again, 10)
  assert.deepEqual(told(), ['1', '1 resolved'])
  again.kill()
  assert.deepEqual(a.store.load('firing'), [])
  const third = join('a', a.store)
  await run(third, 130)
  assert.deepEqual(told(), ['1', '1 resolved'])
})

test('the end that another hub told meanwhile is not told again, though others of the group fire', async () => {
  const { join, push, run, told } = open()
  const [a, b] = [join('a'), join('b')]
  for (const n of ['1', '2']) {
    await push(a, n, MINUTE_MS)
    await push(b, n, HOUR_MS)
  }
  await run(a, 20)
  a.kill()
  await push(b, '1', -1000)
  await run(b, 20)
  await push(b, '3', HOUR_MS)
  await run(b, 20)
  assert.deepEqual(told(), ['1,2', '1 resolved,2', '2,3'])
  const again = join('a', a.store)
  for (const n of ['2', '3']) await push(again, n, HOUR_MS)
  await run(again, 130)
  assert.deepEqual(told().slice(3), [])
})

test('an end that was said to be far off is waited for', async () => {
  const { join, push, run, told } = open()
  const a = join('a')
  await push(a, '1', 8 * MINUTE_MS)
  await run(a, 3)
  a.kill()
  const again = join('a', a.store)
  await run(again, 7 * 60)
  assert.deepEqual(told(), ['1'])
  await run(again, 2 * 60)
  assert.deepEqual(told(), ['1', '1 resolved'])
})

test('what many groups are told at once is written in few transactions', async () => {
  const { bus, run } = open()
  const memory = memoryStateStore()
  let puts = 0
  const store: StateStore = {
    ...memory,
    put: (...args) => {
      puts++
      memory.put(...args)
    },
  }
  const byName = CONFIG.replace('group_by: [alertname]', 'group_by: [n]')
  const a = new World(byName, {}, { bus, name: 'a', store })
  const alerts = Array.from({ length: 200 }, (_, i) => ({ labels: { n: String(i) } }))
  assert.equal((await a.api('POST', '/alerts', alerts)).status, 200)
  await run(a, 3)
  assert.equal(bus.received.length, 200)
  assert.deepEqual([store.load('sent').length, store.load('firing').length], [200, 200])
  assert.ok(puts <= 20, String(puts))
})

test('alerts are told though what was told cannot be kept; entries that are none are let be', async () => {
  const { join, push, run, told } = open()
  const full: StateStore = {
    ...memoryStateStore(),
    load: (kind) =>
      kind === 'firing'
        ? [
            ['x', '{'],
            ['y', '{"version":1}'],
            ['z', '{"version":2}'],
          ]
        : [],
    put: () => {
      throw new DiskError('ENOSPC', 'alerts.db', 'Disk is full')
    },
  }
  const a = join('a', full)
  await push(a, '1', MINUTE_MS)
  await run(a, 3)
  assert.deepEqual(told(), ['1'])
})
