/** Members of a cluster with the same alerts: one notifies, whatever happens to it, to NATS and to clocks. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterBus, World } from './scenarios.ts'
import type { StateStore } from './state-store.ts'

const CONFIG = `
route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 5s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://{{hook}}'}]}]
`

function open(names: readonly string[]) {
  const bus = new ClusterBus()
  const join = (name: string, store?: StateStore, more: { readonly listenMs?: number } = {}): World =>
    new World(CONFIG, {}, { bus, name, ...(store && { store }), ...more })
  const worlds = names.map((name) => join(name))
  const all = [...worlds]
  const push = async (to: readonly World[], labels: Record<string, string>, endsInMs?: number): Promise<void> => {
    const endsAt = endsInMs === undefined ? {} : { endsAt: new Date(bus.clock.now() + endsInMs).toISOString() }
    for (const world of to) assert.equal((await world.api('POST', '/alerts', [{ labels, ...endsAt }])).status, 200)
  }
  const run = async (seconds: number, world = all[0]!): Promise<void> => {
    const end = (bus.clock.now() - 1_700_000_000_000) / 1000 + seconds
    await world.until(end)
  }
  const told = (): string[] =>
    bus.received.map(({ alerts }) =>
      alerts.map(({ labels, endsAt }) => `${labels['n']}${endsAt.startsWith('0001-') ? '' : ' resolved'}`).join(),
    )
  return { bus, worlds, join, push, run, told }
}

const HOUR_MS = 3_600_000

test('each change of a group is told once by three members, first and last', async () => {
  const { worlds, push, run, told } = open(['a', 'b', 'c'])
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(60)
  assert.deepEqual(told(), ['1'])
  await push(worlds, { n: '2' }, HOUR_MS)
  await run(60)
  assert.deepEqual(told(), ['1', '1,2'])
  await push(worlds, { n: '1' }, -1000)
  await push(worlds, { n: '2' }, -1000)
  await run(60)
  assert.deepEqual(told(), ['1', '1,2', '1 resolved,2 resolved'])
  for (const { dispatcher } of worlds) assert.equal(dispatcher.groups.length, 0)
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(60)
  assert.deepEqual(told().slice(3), ['1'])
})

test('without a cluster the same alerts are told by each', async () => {
  const worlds = [new World(CONFIG, {}), new World(CONFIG, {})]
  for (const world of worlds) {
    await world.api('POST', '/alerts', [{ labels: { n: '1' } }])
    await world.until(5)
    assert.equal(world.received.length, 1)
  }
})

test('an alert that only one member has is told after its wait', async () => {
  const { worlds, push, run, told } = open(['a', 'b'])
  await push([worlds[1]!], { n: '1' }, HOUR_MS)
  await run(15)
  assert.deepEqual(told(), [])
  await run(5)
  assert.deepEqual(told(), ['1'])
})

test('when the first is killed the second goes on, without repeating what the first has told', async () => {
  const { worlds, push, run, told } = open(['a', 'b'])
  const [a, b] = worlds as [World, World]
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(20)
  a.kill()
  await run(60)
  assert.deepEqual(told(), ['1'])
  await push([b], { n: '2' }, HOUR_MS)
  await run(6)
  assert.deepEqual(told(), ['1', '1,2'])
  assert.deepEqual(b.dispatcher.cluster!.status.peers, [{ id: 'id-b', name: 'b', address: 'b:9093' }])
})

test('when the first is killed before it has told, the second tells', async () => {
  const { worlds, push, run, told } = open(['a', 'b'])
  const [a] = worlds as [World, World]
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(0.5)
  a.kill()
  await run(17)
  assert.deepEqual(told(), ['1'])
})

test('when the first cannot reach the receiver, the second tries', async () => {
  const { worlds, push, run, told } = open(['a', 'b'])
  const [a] = worlds as [World, World]
  a.setUnreachable(true)
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(60)
  assert.deepEqual(told(), ['1'])
})

test('a silence of one member holds on the other at once, so do its change and its end', async () => {
  const { bus, worlds, push, run, told } = open(['a', 'b'])
  const [a, b] = worlds as [World, World]
  await run(1)
  const iso = (inMs: number): string => new Date(bus.clock.now() + inMs).toISOString()
  const silence = { matchers: [{ name: 'n', value: '1', isRegex: false }], createdBy: 'me', comment: 'c' }
  const made = await b.api('POST', '/silences', { ...silence, startsAt: iso(0), endsAt: iso(HOUR_MS) })
  const { silenceID: id } = (await made.json()) as { silenceID: string }
  await run(0.1)
  assert.equal(a.dispatcher.silences.state(a.dispatcher.silences.get(id)!), 'active')
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(40)
  assert.deepEqual(told(), [])
  const { startsAtMs } = a.dispatcher.silences.get(id)!
  const changed = {
    ...silence,
    id,
    comment: 'other',
    startsAt: new Date(startsAtMs).toISOString(),
    endsAt: iso(HOUR_MS),
  }
  assert.equal((await a.api('POST', '/silences', changed)).status, 200)
  await run(0.1)
  assert.equal(b.dispatcher.silences.get(id)!.comment, 'other')
  assert.equal((await a.api('DELETE', `/silence/${id}`)).status, 200)
  await run(0.1)
  assert.equal(b.dispatcher.silences.state(b.dispatcher.silences.get(id)!), 'expired')
  await run(40)
  assert.deepEqual(told(), ['1'])
})

test('NATS away: both tell rather than none, silences hold where they are known, afterwards one tells again', async () => {
  const { worlds, push, run, told } = open(['a', 'b'])
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(20)
  for (const world of worlds) world.setAway(true)
  await push(worlds, { n: '2' }, HOUR_MS)
  await run(30)
  assert.deepEqual(told(), ['1', '1,2', '1,2'])
  for (const world of worlds) world.setAway(false)
  await run(10)
  for (const { dispatcher } of worlds) {
    assert.equal(dispatcher.cluster!.status.peers.length, 2)
    for (const { pending } of dispatcher.cluster!.shared) assert.equal(pending, 0)
  }
  await push(worlds, { n: '3' }, HOUR_MS)
  await run(60)
  assert.deepEqual(told().slice(3), ['1,2,3'])
})

test('a hub that starts while NATS is away goes on alone, with what it knew', async () => {
  const { worlds, join, push, run, told } = open(['a'])
  const [a] = worlds as [World]
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(5)
  a.kill()
  const again = join('a', a.store)
  again.setAway(true)
  await push([again], { n: '1' }, HOUR_MS)
  await run(3)
  assert.equal(again.dispatcher.cluster!.status.status, 'settling')
  await push([again], { n: '2' }, HOUR_MS)
  await run(20)
  assert.equal(again.dispatcher.cluster!.status.status, 'ready')
  assert.deepEqual(told(), ['1', '1,2'])
})

test('a hub that starts without its disk has the log from the others, and a NATS without its disk has it from the hubs', async () => {
  const { bus, worlds, join, push, run, told } = open(['a', 'b'])
  const [a, b] = worlds as [World, World]
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(20)
  a.kill()
  b.kill()
  const fresh = join('a')
  await push([fresh], { n: '1' }, HOUR_MS)
  await run(30)
  assert.deepEqual(told(), ['1'])
  fresh.kill()
  for (const kv of [bus.leases, bus.entries]) kv.wipe()
  join('b', b.store)
  await run(1)
  const third = join('c')
  await push([third], { n: '1' }, HOUR_MS)
  await run(40)
  assert.deepEqual(told(), ['1'])
})

test('members whose turns coincide do not both tell', async () => {
  const { worlds, join, push, run, told } = open(['m'])
  const [m] = worlds as [World]
  m.setSlowMs(3000)
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(1.5)
  // Its name is before: at once it is the first, while the other is about to tell.
  const first = join('a')
  await push([first], { n: '1' }, HOUR_MS)
  await run(60)
  assert.deepEqual(told(), ['1'])
})

test('a flush that waited while another told something newer does not tell the past', async () => {
  const { worlds, push, run, told } = open(['a', 'b'])
  const [a, b] = worlds as [World, World]
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(3)
  // The second is waiting with news of alert 2; the first knows that all is over.
  await push([b], { n: '2' }, HOUR_MS)
  await run(5)
  await push([a], { n: '1' }, -1000)
  await run(11)
  await push([b], { n: '1' }, -1000)
  await push([b], { n: '2' }, -1000)
  await run(60)
  assert.deepEqual(told(), ['1', '1 resolved'])
})

test('the status names the members, and says when they are known', async () => {
  const { worlds, run } = open(['b', 'a'])
  const cluster = async (world: World): Promise<unknown> =>
    ((await (await world.api('GET', '/status')).json()) as { cluster: unknown }).cluster
  assert.equal(((await cluster(worlds[0]!)) as { status: string }).status, 'settling')
  await run(1)
  const peers = [
    { name: 'a', address: 'a:9093' },
    { name: 'b', address: 'b:9093' },
  ]
  assert.deepEqual(await cluster(worlds[0]!), { name: 'b', status: 'ready', peers })
  assert.deepEqual(await cluster(worlds[1]!), { name: 'a', status: 'ready', peers })
})

test('what is told when a hub stops is in its log, and it waits no longer than it must', async () => {
  const { bus, worlds, push, run, told } = open(['a'])
  const [a] = worlds as [World]
  a.setSlowMs(500)
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(1.2)
  a.dispatcher.stop()
  const idle = a.dispatcher.whenIdle(1000).then(() => bus.clock.now())
  const stoppedMs = bus.clock.now()
  await run(2)
  assert.deepEqual(told(), ['1'])
  assert.equal(a.store.load('sent').length, 1)
  assert.ok((await idle) - stoppedMs < 500)
})

test('a hub that starts waits for what the others have told before it tells anything', async () => {
  const { worlds, join, push, run, told } = open(['b'])
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(5)
  const late = join('a')
  late.setAway(true)
  await push([late], { n: '1' }, HOUR_MS)
  await run(5)
  late.setAway(false)
  await run(60)
  assert.deepEqual(told(), ['1'])
})

test('what a hub saw before it knew the others, and is over by then, is not told', async () => {
  const { worlds, join, push, run, told } = open(['b'])
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(5)
  await push(worlds, { n: '1' }, -1000)
  await run(10)
  // As of rules that are evaluated on samples from before the restart, until the first scrape.
  const late = join('a')
  late.setAway(true)
  await push([late], { n: '1' }, HOUR_MS)
  await run(3)
  await push([late], { n: '1' }, 0)
  await run(1)
  late.setAway(false)
  await run(60)
  assert.deepEqual(told(), ['1', '1 resolved'])
})

test('a hub that comes back lets the others speak until it has scraped its own targets; when they are gone, no longer', async () => {
  const { worlds, join, push, run, told } = open(['b', 'c'])
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(40)
  await push(worlds, { n: '1' }, -1000)
  await run(40)
  assert.deepEqual(told(), ['1', '1 resolved'])
  const late = join('a', undefined, { listenMs: 60_000 })
  await push([late], { n: '1' }, HOUR_MS)
  await run(30)
  await push([late], { n: '1' }, 0)
  await run(60)
  assert.deepEqual(told(), ['1', '1 resolved'])
  late.kill()
  const later = join('a', late.store, { listenMs: 300_000 })
  const all = [...worlds, later]
  await push(all, { n: '2' }, HOUR_MS)
  await run(20)
  assert.deepEqual(told().slice(2), ['2'])
  for (const world of worlds) world.kill()
  await push([later], { n: '3' }, HOUR_MS)
  await run(20)
  assert.deepEqual(told().slice(3), ['2,3'])
})

test('hubs that all have just started do not wait for each other', async () => {
  const { join, push, run, told } = open([])
  const worlds = [join('a', undefined, { listenMs: 300_000 }), join('b', undefined, { listenMs: 300_000 })]
  await run(20, worlds[0])
  await push(worlds, { n: '1' }, HOUR_MS)
  await run(20, worlds[0])
  assert.deepEqual(told(), ['1'])
})
