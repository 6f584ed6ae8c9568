import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { VirtualClock } from '../../agent/scrape/testing/virtual-clock.ts'
import { type Entry, type LocalEntries, type Merged, SharedEntries } from './shared-entries.ts'
import { keptLog } from './testing/kept-log.ts'
import { MemoryKv } from './testing/memory-kv.ts'

/** `TIME text`: the later stays. */
class Notes implements LocalEntries {
  readonly all = new Map<string, string>()
  keys(): Iterable<string> {
    return this.all.keys()
  }
  text(key: string): string | undefined {
    return this.all.get(key)
  }
  merge(entries: readonly Entry[]): Merged[] {
    return entries.map(([key, text]) => {
      const own = this.all.get(key)
      if (own !== undefined && timeOf(own) > timeOf(text)) return 'ours is newer'
      if (own === text) return 'same'
      this.all.set(key, text)
      return 'taken'
    })
  }
}
const timeOf = (text: string): number => Number(text.split(' ')[0])

function world() {
  const clock = new VirtualClock(0)
  const kv = new MemoryKv(clock)
  const { log, lines } = keptLog()
  const join = () => {
    const client = kv.connect()
    const notes = new Notes()
    const shared = new SharedEntries(client, 'note', notes, log)
    const set = (key: string, text: string): Promise<boolean> => {
      notes.all.set(key, text)
      return shared.changed(key)
    }
    shared.start(() => {})
    return { client, notes, shared, set }
  }
  return { clock, kv, join, lines }
}

test('a change is everywhere; of two the later stays, in whatever order they come', async () => {
  const { clock, kv, join } = world()
  const [a, b] = [join(), join()]
  await clock.advance(0)
  assert.ok(a.shared.isSettled && b.shared.isSettled)
  assert.equal(await a.set('x', '1 one'), true)
  assert.equal(b.notes.text('x'), '1 one')
  // At once, and the bucket has the older one first, or last.
  a.notes.all.set('x', '3 three')
  await Promise.all([b.set('x', '2 two'), a.shared.changed('x')])
  a.notes.all.set('y', '1 one')
  await Promise.all([b.set('y', '2 two'), a.shared.changed('y')])
  await clock.advance(0)
  for (const { notes } of [a, b]) assert.deepEqual([notes.text('x'), notes.text('y')], ['3 three', '2 two'])
  assert.equal(kv.stored.get('note.x')!.value, '3 three')
  assert.deepEqual([a.shared.pending, b.shared.pending], [0, 0])
})

test('what changed on both sides of a cut is merged afterwards, and what could not be put is counted and told once', async () => {
  const { clock, join, lines } = world()
  const [a, b] = [join(), join()]
  await a.set('x', '1 one')
  b.client.setAway(true)
  assert.equal(await b.set('x', '5 b'), false)
  assert.equal(await b.set('b', '2 b'), false)
  await a.set('x', '4 a')
  await a.set('a', '2 a')
  assert.deepEqual([b.notes.text('x'), b.notes.text('a'), b.shared.pending], ['5 b', undefined, 2])
  assert.equal(b.shared.counters.failures, 2)
  assert.deepEqual(lines, ['Entries of the alerts cannot be shared; they will be when NATS is back'])
  b.client.setAway(false)
  await clock.advance(0)
  for (const { notes } of [a, b])
    assert.deepEqual([...notes.all].sort(), [
      ['a', '2 a'],
      ['b', '2 b'],
      ['x', '5 b'],
    ])
  assert.equal(b.shared.pending, 0)
})

test('a bucket that lost its disk is filled from what the members have', async () => {
  const { clock, kv, join } = world()
  const [a, b] = [join(), join()]
  await a.set('x', '1 one')
  kv.wipe()
  a.client.setAway(true)
  a.client.setAway(false)
  await clock.advance(0)
  assert.equal(kv.stored.get('note.x')!.value, '1 one')
  assert.equal(await b.set('x', '2 two'), true)
  assert.equal(a.notes.text('x'), '2 two')
})

test('what one forgets goes from the bucket, unless it was changed', async () => {
  const { clock, kv, join } = world()
  const [a, b] = [join(), join()]
  await a.set('x', '1 one')
  await a.set('y', '1 one')
  const forget = ({ notes, shared }: typeof a, key: string): void => {
    notes.all.delete(key)
    shared.forgotten(key)
  }
  forget(a, 'x')
  await clock.advance(0)
  assert.equal(kv.stored.get('note.x')!.value, null)
  assert.equal(b.notes.text('x'), '1 one')
  assert.equal(await b.set('x', '3 again'), true)
  assert.equal(a.notes.text('x'), '3 again')
})

test('whatever members do and whenever they are away, in the end all have the newest of each entry', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), who: fc.nat(2), key: fc.constantFrom('x', 'y') }),
    fc.record({ kind: fc.constant('cut' as const), who: fc.nat(2), key: fc.constant('') }),
    fc.record({ kind: fc.constant('wait' as const), who: fc.constant(0), key: fc.constant('') }),
    fc.record({ kind: fc.constant('wipe' as const), who: fc.constant(0), key: fc.constant('') }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { clock, kv, join } = world()
      const members = [join(), join(), join()]
      const newest = new Map<string, string>()
      for (const [i, { kind, who, key }] of steps.entries()) {
        const { client, set } = members[who]!
        if (kind === 'set') {
          newest.set(key, `${i + 1} by ${who}`)
          void set(key, `${i + 1} by ${who}`)
        } else if (kind === 'cut') client.setAway(!client.isAway)
        else if (kind === 'wait') await clock.advance(0)
        else kv.wipe()
      }
      for (const { client } of members) {
        client.setAway(true)
        client.setAway(false)
      }
      await clock.advance(0)
      // As the cluster does every few seconds.
      for (const { shared } of members) await shared.retry()
      for (const { notes, shared } of members) {
        assert.deepEqual([...notes.all].sort(), [...newest].sort())
        assert.equal(shared.pending, 0)
      }
    }),
  )
})
