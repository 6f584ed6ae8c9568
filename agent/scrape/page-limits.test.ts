import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelValue } from '../../protocol/labels/mod.ts'
import { target, World } from './testing/world.ts'

const I = '{instance="a:1", job="test"}'

test('sample_limit refuses the page as a whole but counts it', async () => {
  const world = new World()
  world.answer('a:1', 'a 1\nb 2\nc 3\ndropped 4\n')
  const metricRelabel = (labels: Parameters<typeof labelValue>[0]) =>
    labelValue(labels, '__name__') === 'dropped' ? null : labels
  await world.manager.apply([target('a:1', { limits: { samples: 2 }, metricRelabel: metricRelabel as never })])
  await world.nextScrape()
  const [scrape] = world.sink.scrapes
  assert.deepEqual(world.sink.rows(scrape), [])
  assert.equal(world.manager.targets()[0]!.lastError, 'sample limit exceeded')
  assert.equal(world.sink.report(scrape, 'scrape_samples_scraped'), 4)
  assert.equal(world.sink.report(scrape, 'scrape_samples_post_metric_relabeling'), 3)
  assert.equal(world.manager.counters.exceededSampleLimit, 1)
})

const drop = (name: string) => (labels: Parameters<typeof labelValue>[0]) =>
  labelValue(labels, '__name__') === name ? null : labels

// As Prometheus 3.5 answers the same pages (bench/e2e/scrape-pages.test.ts).
const repeatedPages: readonly (readonly [what: string, body: string, rest: object, told: readonly number[]])[] = [
  ['a line again and again', 'a 1\na 2\na 3\nb 1\n', {}, [1, 4, 4, 2]],
  ['a line again, and one too many', 'a 1\na 2\nb 1\nc 1\n', {}, [0, 4, 4, 2]],
  ['a line again that rules drop', 'd 1\nd 2\na 1\na 1\nb 1\n', { metricRelabel: drop('d') }, [1, 5, 3, 2]],
  ['a line again at times of its own', 'a 1 1\na 2 2\na 3 3\n', {}, [0, 3, 3, 1]],
  [
    'a line again at times that are ignored',
    'a 1 1\na 2 2\nb{x="} "} 3 3\nb{x="} "} 3\n',
    { honorTimestamps: false },
    [1, 4, 4, 2],
  ],
  ['one series in two spellings', 'a{x="1",y="2"} 1\na{y="2",x="1"} 1\nb 1\n', {}, [0, 3, 3, 1]],
]
for (const [what, body, rest, [up, scraped, kept, added]] of repeatedPages)
  for (const filler of ['', '# HELP z a long comment, as one page in three has, so that lines are counted first\n\n'])
    test(`sample_limit counts ${what} as upstream${filler && ', on a longer page'}`, async () => {
      const world = new World()
      world.answer('a:1', filler + body)
      await world.manager.apply([target('a:1', { limits: { samples: 2 }, ...rest })])
      await world.nextScrape()
      const [scrape] = world.sink.scrapes
      assert.equal(world.sink.report(scrape, 'up'), up)
      assert.equal(world.sink.report(scrape, 'scrape_samples_scraped'), scraped)
      assert.equal(world.sink.report(scrape, 'scrape_samples_post_metric_relabeling'), kept)
      if (up === 1) assert.equal(world.sink.report(scrape, 'scrape_series_added'), added)
      await world.manager.stop()
    })

const refusedPages: readonly (readonly [what: string, body: string, rest: Parameters<typeof target>[1]])[] = [
  ['over its sample limit', 'a 1\nb 2\nc 3\n', { limits: { samples: 2 } }],
  ['over its sample limit after relabelling', 'a 1\nb 2\nc 3\n', { limits: { samples: 2 }, metricRelabel: (l) => l }],
  ['with a label too many', 'a 1\nb{x="1"} 2\n', { limits: { labels: 3 } }],
  ['that is malformed at its end', 'a 1\nb 2\nc{\n', {}],
]
for (const [what, body, rest] of refusedPages) {
  test(`a page ${what} adds no series to the dictionary`, async () => {
    const world = new World()
    world.answer('a:1', body)
    await world.manager.apply([target('a:1', rest)])
    await world.nextScrape()
    await world.nextScrape()
    assert.notEqual(world.manager.targets()[0]!.lastError, '')
    const defined = world.sink.definitions.map(({ labels }) => labelValue(labels, '__name__'))
    assert.deepEqual(
      defined.filter((name) => name !== 'up' && !name.startsWith('scrape_')),
      [],
    )
    // Once the page is good, all of it is there.
    world.answer('a:1', 'a 1\nb 2\n')
    await world.nextScrape()
    assert.deepEqual(world.lastRows, [`a${I} 1`, `b${I} 2`])
    await world.manager.stop()
  })
}

test('a page far beyond its sample limit costs no memory for its lines', async () => {
  const world = new World()
  world.answer('a:1', Array.from({ length: 50_000 }, (_, i) => `many{i="${i}"} 1\n`).join(''))
  await world.manager.apply([target('a:1', { limits: { samples: 100 } })])
  await world.nextScrape()
  assert.equal(world.manager.targets()[0]!.lastError, 'sample limit exceeded')
  assert.equal(world.sink.report(world.sink.scrapes[0], 'scrape_samples_scraped'), 50_000)
  assert.ok(world.manager.targets()[0]!.series < 10, `${world.manager.targets()[0]!.series} series are kept`)
  await world.manager.stop()
})

test('without a sample_limit there still is one, and it says how to take more', async () => {
  const world = new World()
  world.answer('a:1', Array.from({ length: 200_001 }, (_, i) => `m${i} 1\n`).join(''))
  await world.manager.apply([target('a:1', {})])
  await world.nextScrape()
  assert.equal(
    world.manager.targets()[0]!.lastError,
    'sample limit exceeded: more than 200000 samples; set sample_limit to take more',
  )
  await world.manager.stop()
})

test('a label limit refuses the page', async () => {
  const world = new World()
  world.answer('a:1', 'a 1\nb{x="1"} 2\n')
  await world.manager.apply([target('a:1', { limits: { labels: 3 } })])
  await world.nextScrape()
  assert.equal(world.manager.targets()[0]!.lastError, 'label_limit exceeded (metric: b, number of labels: 4, limit: 3)')
  assert.equal(world.manager.counters.exceededLabelLimits, 1)
})

test('a body above the limit is refused and reported as -1 bytes', async () => {
  const world = new World()
  world.answer('a:1', `x 1\n# ${'y'.repeat(1000)}\n`)
  await world.manager.apply([target('a:1', { limits: { bodyBytes: 100 }, extraScrapeMetrics: true })])
  await world.nextScrape()
  assert.equal(world.manager.targets()[0]!.lastError, 'body size limit exceeded')
  assert.equal(world.sink.report(world.sink.scrapes[0], 'scrape_body_size_bytes'), -1)
  assert.equal(world.manager.counters.exceededBodySizeLimit, 1)
})

test('a body just below the limit is read, one that reaches it is not', async () => {
  for (const [bodyBytes, health] of [
    [5, 'up'],
    [4, 'down'],
  ] as const) {
    const world = new World()
    world.answer('a:1', 'x 1\n')
    await world.manager.apply([target('a:1', { limits: { bodyBytes } })])
    await world.nextScrape()
    assert.equal(world.manager.targets()[0]!.health, health)
    await world.manager.stop()
  }
})
