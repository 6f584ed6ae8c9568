import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SeriesList } from './series-list.ts'
import { target, World } from './testing/world.ts'

test('a list holds what was added since it was cleared, however often it was', () =>
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant(0), fc.nat(70), fc.nat(5000)), { maxLength: 20 }), (steps) => {
      const list = new SeriesList()
      let expected: number[] = []
      for (const count of steps) {
        if (count === 0) list.clear()
        if (count === 0) expected = []
        for (let i = 0; i < count; i++) list.push(i * 3)
        for (let i = 0; i < count; i++) expected.push(i * 3)
        assert.deepEqual(
          Array.from({ length: list.length }, (_, i) => list.items[i]),
          expected,
        )
      }
    }),
    { examples: [[[2000, 0, 0, 1]], [[2000, 0, 70, 0, 0, 70]]] },
  ))

test('of a large target, scrape after scrape, each series has one sample, and what is gone ends', async () => {
  const world = new World()
  const page = (count: number): string => Array.from({ length: count }, (_, i) => `x{i="${i}"} 1\n`).join('')
  world.answer('a:1', page(3000))
  await world.manager.apply([target('a:1')])
  for (let scrape = 0; scrape < 6; scrape++) {
    await world.nextScrape()
    const { ids } = world.sink.scrapes.at(-1)!
    assert.equal(ids.length, 3005)
    assert.equal(new Set(ids).size, ids.length, `scrape ${scrape}`)
  }
  world.answer('a:1', page(2990))
  await world.nextScrape()
  const rows = world.sink.rows(world.sink.scrapes.at(-1)!)
  assert.equal(rows.length, 3000)
  assert.equal(rows.filter((row) => row.endsWith(' stale')).length, 10)
  await world.manager.stop()
})
