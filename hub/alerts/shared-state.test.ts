/** Silences and the notification log on members whose clocks differ: of two versions the later stays, on all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../agent/scrape/testing/virtual-clock.ts'
import { DiskError } from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { keptLog } from '../cluster/testing/kept-log.ts'
import { NotificationLog } from './nflog.ts'
import { Silences } from './silences.ts'
import { memoryStateStore, type StateStore } from './state-store.ts'

const START_MS = 1_700_000_000_000
const HOUR_MS = 3_600_000
const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) }
const { log } = keptLog()

/** Two members, each told what the other changes, at once. */
function silences({ skewMs = 0 } = {}) {
  const clock = new VirtualClock(START_MS)
  const other = { ...clockOf(clock), now: () => clock.now() + skewMs }
  const a = new Silences({ clock, store: memoryStateStore(), log, random })
  const b = new Silences({ clock: other, store: memoryStateStore(), log, random })
  const merged: string[] = []
  const tell = (from: Silences, to: Silences) => ({
    changed: async (key: string) => {
      merged.push(...to.merge([[key, from.text(key)!]]))
      return true
    },
    forgotten: () => {},
  })
  a.share(tell(a, b))
  b.share(tell(b, a))
  return { clock, a, b, merged }
}

function clockOf(clock: VirtualClock) {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimer: (ms: number, fn: () => void) => clock.setTimer(ms, fn),
    sleep: (ms: number) => clock.sleep(ms),
  }
}

const request = (inMs: number) => ({
  id: '',
  matchers: [{ name: 'a', op: '=' as const, value: 'b' }],
  startsAtMs: 0,
  endsAtMs: START_MS + inMs,
  createdBy: 'me',
  comment: 'c',
  annotations: {},
})

for (const skewMs of [0, -600_000, 600_000])
  test(`a silence can be changed and ended on either hub when their clocks differ by ${skewMs / 60_000} min`, async () => {
    const { clock, a, b, merged } = silences({ skewMs })
    const id = a.set(request(2 * HOUR_MS))
    if (skewMs < 0) assert.equal(b.state(b.get(id)!), 'pending')
    const { startsAtMs } = a.get(id)!
    b.set({ ...request(2 * HOUR_MS), id, startsAtMs: Math.max(startsAtMs, START_MS + skewMs), comment: 'two' })
    await clock.advance(1000)
    for (const each of [...a.list()]) assert.deepEqual(b.get(each.id), each)
    for (const { id: each } of b.list()) if (b.state(b.get(each)!) !== 'expired') b.expire(each)
    await clock.advance(Math.abs(skewMs) + 1000)
    assert.deepEqual(a.silencing(labelsFrom({ a: 'b' })), [])
    assert.deepEqual(b.silencing(labelsFrom({ a: 'b' })), [])
    assert.ok(!merged.includes('ours is newer'), merged.join())
  })

test('a silence of another member holds, an older version of one does not undo it, and what is none is let be', () => {
  const { a, b } = silences()
  const id = a.set(request(HOUR_MS))
  const first = a.text(id)!
  assert.deepEqual(b.silencing(labelsFrom({ a: 'b' })), [id])
  b.expire(id)
  assert.deepEqual(a.merge([[id, first]]), ['ours is newer'])
  assert.deepEqual(a.silencing(labelsFrom({ a: 'b' })), [])
  const unknown = first.replaceAll(id, 'other')
  const bad = [
    unknown.replace('"version":1', '"version":2'),
    unknown.replace('"op":"="', '"op":"=~"').replace('"value":"b"', '"value":"("'),
    'no JSON',
    'null',
  ]
  for (const text of bad) assert.deepEqual(a.merge([['other', text]]), ['same'], text)
  assert.deepEqual(a.merge([['another', unknown]]), ['same'])
  assert.equal(a.list().length, 1)
})

test('silences that ended long ago are forgotten, and not taken again from whoever still has them', async () => {
  const { clock, a, b } = silences()
  const id = a.set(request(HOUR_MS))
  const text = b.text(id)!
  await clock.advance(HOUR_MS + 120 * HOUR_MS + 1)
  assert.deepEqual([[...a.keys()], a.text(id)], [[], undefined])
  a.sweep(clock.now())
  assert.equal(a.get(id), null)
  assert.deepEqual(a.merge([[id, text]]), ['same'])
})

test('a silence that cannot be written is refused, and is nowhere', () => {
  const store: StateStore = {
    ...memoryStateStore(),
    put: () => {
      throw new DiskError('ENOSPC', 'alerts.db', 'no space')
    },
  }
  const told: string[] = []
  const all = new Silences({ clock: new VirtualClock(START_MS), store, log, random })
  all.share({ changed: async (key) => told.push(key) > 0, forgotten: () => {} })
  assert.throws(() => all.set(request(HOUR_MS)), { code: 'ENOSPC' })
  assert.deepEqual([all.list(), told], [[], []])
})

const entry = (atMs: number, ...firing: string[]) => ({
  firing,
  resolved: [],
  atMs,
  expiresAtMs: START_MS + HOUR_MS,
})

test('of two entries of the log the later stays; what was told here last is the latest, whatever clocks say', async () => {
  const store = memoryStateStore()
  const a = new NotificationLog({ clock: new VirtualClock(START_MS), store, log })
  const text = (atMs: number, firing: string): string => JSON.stringify({ version: 1, ...entry(atMs, firing) })
  assert.deepEqual(a.merge([['k', text(START_MS + 5, 'other')]]), ['taken'])
  assert.deepEqual(a.merge([['k', text(START_MS + 4, 'old')]]), ['ours is newer'])
  assert.deepEqual(a.get('k')!.firing, ['other'])
  await a.put('k', entry(START_MS, 'own'))
  assert.deepEqual(a.get('k'), entry(START_MS + 6, 'own'))
  assert.deepEqual(a.merge([['k', text(START_MS + 7, 'newer')]]), ['taken'])
  // Whichever is newer, of the disk and of the cluster.
  const again = new NotificationLog({ clock: new VirtualClock(START_MS), store, log })
  assert.deepEqual(again.get('k')!.firing, ['newer'])
  assert.deepEqual(again.merge([['k', text(START_MS + 6, 'stale')]]), ['ours is newer'])
  assert.deepEqual(again.merge([['k', 'no JSON']]), ['ours is newer'])
  assert.deepEqual(again.merge([['none', 'no JSON']]), ['same'])
  assert.deepEqual(again.text('k'), text(START_MS + 7, 'newer'))
})

test('entries of the log expire, here and for the others', async () => {
  const clock = new VirtualClock(START_MS)
  const store = memoryStateStore()
  const forgotten: string[] = []
  const all = new NotificationLog({ clock, store, log })
  all.share({ changed: async () => true, refresh: async () => {}, forgotten: (key) => void forgotten.push(key) })
  await all.put('k', entry(START_MS, 'a'))
  const text = all.text('k')!
  await clock.advance(HOUR_MS + 1)
  assert.deepEqual([[...all.keys()], all.text('k')], [[], undefined])
  all.sweep(clock.now())
  assert.deepEqual([all.get('k'), forgotten, store.load('sent')], [undefined, ['k'], []])
  assert.deepEqual(all.merge([['k', text]]), ['same'])
})
