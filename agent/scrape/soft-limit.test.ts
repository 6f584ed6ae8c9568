import assert from 'node:assert/strict'
import { test } from 'node:test'
import { target, World } from './testing/world.ts'

const soft = (samples: number, rest = {}) => target('a:1', { limits: { samples, isSoft: true }, ...rest })
const lines = (...names: string[]): string => names.map((name) => `${name} 1\n`).join('')
const seen = (world: World): string[] =>
  world.lastRows.map((row) => row.replace(/\{.*/, '')).filter((name) => /^[a-z]\w?$/.test(name) && name !== 'up')

test('above a soft limit the series already known stay, and new ones are refused and named', async () => {
  const world = new World()
  world.answer('a:1', lines('a', 'b', 'c'))
  await world.manager.apply([soft(4)])
  await world.nextScrape()
  assert.deepEqual(seen(world), ['a', 'b', 'c'])
  // The known ones count first, wherever they stand.
  world.answer('a:1', `evil{i="1"} 1\nevil{i="2"} 1\nevil{i="3"} 1\n${lines('a', 'b', 'c')}x 1\n`)
  await world.nextScrape()
  const scrape = world.sink.scrapes.at(-1)!
  assert.equal(world.sink.report(scrape, 'up'), 1)
  assert.equal(world.sink.report(scrape, 'scrape_samples_scraped'), 7)
  assert.equal(world.sink.report(scrape, 'scrape_samples_post_metric_relabeling'), 4)
  assert.equal(world.lastRows.filter((row) => row.startsWith('evil')).length, 1)
  const status = world.manager.targets()[0]!
  assert.equal(status.health, 'up')
  assert.equal(status.warning, 'sample_limit of 4 reached: 3 samples of new series refused, 2 of them of "evil"')
  assert.equal(world.manager.counters.refusedSamples, 3)
  await world.manager.stop()
})

test('what was refused is taken once there is room, and the warning ends', async () => {
  const world = new World()
  world.answer('a:1', lines('a', 'b', 'c'))
  await world.manager.apply([soft(2)])
  await world.nextScrape()
  assert.deepEqual(seen(world), ['a', 'b'])
  world.answer('a:1', lines('b', 'c'))
  await world.nextScrape()
  assert.deepEqual(seen(world).sort(), ['a', 'b', 'c'], 'c, b and the marker of a')
  await world.nextScrape()
  assert.deepEqual(seen(world).sort(), ['b', 'c'])
  assert.equal(world.manager.targets()[0]!.warning, '')
  await world.manager.stop()
})

test('series that rules drop take no room', async () => {
  const world = new World()
  const metricRelabel = (labels: never): never | null => ((labels as string[])[1] === 'd' ? null : labels)
  world.answer('a:1', lines('d', 'a', 'b'))
  await world.manager.apply([soft(2, { metricRelabel, metricRelabelId: 'd' })])
  await world.nextScrape()
  assert.deepEqual(seen(world), ['a', 'b'])
  assert.equal(world.manager.targets()[0]!.warning, '')
  await world.manager.stop()
})

test('a target that invents a million names costs memory for the limit only', async () => {
  const world = new World()
  await world.manager.apply([soft(100)])
  for (let round = 0; round < 5; round++) {
    const page = Array.from({ length: 20_000 }, (_, i) => `evil{i="${round}-${i}"} 1\n`).join('')
    world.answer('a:1', `${lines('a', 'b')}${page}`)
    await world.nextScrape()
  }
  const status = world.manager.targets()[0]!
  assert.match(status.warning, /samples of new series refused, \d+ of them of "evil"$/)
  assert.ok(status.series < 1000, `${status.series} series`)
  assert.ok(world.sink.definitions.length < 1000, `${world.sink.definitions.length} definitions`)
  assert.ok(seen(world).includes('a') && seen(world).includes('b'))
  await world.manager.stop()
})
