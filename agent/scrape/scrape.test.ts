import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gauge } from '../../protocol/exposition/mod.ts'
import { labelsFrom, labelsToObject, labelValue } from '../../protocol/labels/mod.ts'
import { INTERVAL_MS, target, World } from './testing/world.ts'

const I = '{instance="a:1", job="test"}'

test('a series carries the name of its family where its own does not tell it', async () => {
  const world = new World()
  const page =
    '# TYPE rings counter\nrings_total 2\nrings_created 1\n# TYPE house info\nhouse_info{a="b"} 1\n# TYPE wait histogram\nwait_bucket{le="+Inf"} 1\nwait_count 1\n# TYPE doors gauge\ndoors 1\n# EOF\n'
  world.answer('a:1', page, { contentType: 'application/openmetrics-text; version=1.0.0' })
  const metricRelabel = (labels: Parameters<typeof labelValue>[0]) =>
    labelValue(labels, '__name__') === 'doors' ? labelsFrom({ ...labelsToObject(labels), __name__: 'gates' }) : labels
  await world.manager.apply([target('a:1', { metricRelabel })])
  await world.nextScrape()
  const families = world.sink.definitions
    .slice(0, 6)
    .map(({ labels, metadata }) => [labelValue(labels, '__name__'), metadata?.family ?? metadata?.type ?? null])
  assert.deepEqual(families, [
    ['rings_total', 'rings'],
    ['rings_created', null],
    ['house_info', 'house'],
    ['wait_bucket', 'histogram'],
    ['wait_count', 'histogram'],
    ['gates', 'doors'],
  ])
})

test('a scrape gives samples, then the report, all at the slot', async () => {
  const world = new World()
  world.answer('a:1', '# HELP x An x.\n# TYPE x counter\nx 1\ny{k="v"} 2.5\n', { delayMs: 250 })
  await world.manager.apply([target('a:1')])
  const { nextSlotMs } = world.manager.targets()[0]!
  await world.clock.advance(INTERVAL_MS)
  const [scrape] = world.sink.scrapes
  assert.equal(scrape?.slotMs, nextSlotMs)
  assert.equal(scrape.timestampMs, nextSlotMs)
  assert.deepEqual(world.sink.rows(scrape, true), [
    `x${I} 1`,
    'y{instance="a:1", job="test", k="v"} 2.5',
    `up${I} 1`,
    `scrape_duration_seconds${I} 0.25`,
    `scrape_samples_scraped${I} 2`,
    `scrape_samples_post_metric_relabeling${I} 2`,
    `scrape_series_added${I} 2`,
  ])
  assert.deepEqual(world.sink.definitions[0]!.metadata, { type: 'counter', help: 'An x.', unit: '' })
  assert.equal(world.sink.definitions[1]!.metadata, null)
  const status = world.manager.targets()[0]!
  assert.deepEqual([status.health, status.lastError, status.lastScrapeDurationMs], ['up', '', 250])
  assert.deepEqual(status.metadata(), [{ family: 'x', type: 'counter', help: 'An x.', unit: '' }])
  await world.manager.stop()
})

test('a series is defined once; later scrapes add none', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n')
  await world.manager.apply([target('a:1')])
  await world.clock.advance(5 * INTERVAL_MS)
  assert.equal(world.sink.scrapes.length, 5)
  assert.deepEqual(
    world.sink.scrapes.map((scrape) => world.sink.report(scrape, 'scrape_series_added')),
    [1, 0, 0, 0, 0],
  )
  const slots = world.sink.scrapes.map(({ slotMs }) => slotMs)
  assert.deepEqual(
    slots.slice(1).map((slot, i) => slot - slots[i]!),
    [INTERVAL_MS, INTERVAL_MS, INTERVAL_MS, INTERVAL_MS],
  )
  await world.manager.stop()
})

test('extra_scrape_metrics adds three', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n')
  await world.manager.apply([target('a:1', { extraScrapeMetrics: true, limits: { samples: 7 } })])
  await world.nextScrape()
  const rows = world.sink.rows(world.sink.scrapes[0], true).slice(-3)
  assert.deepEqual(rows, [`scrape_timeout_seconds${I} 10`, `scrape_sample_limit${I} 7`, `scrape_body_size_bytes${I} 4`])
})

test('a series that vanishes ends with one marker; one that returns is no new series', async () => {
  const world = new World()
  await world.manager.apply([target('a:1')])
  const pages = ['x 1\ny 2\n', 'x 1\n', 'x 1\n', 'x 1\ny 3\n']
  const rows: string[][] = []
  for (const page of pages) {
    world.answer('a:1', page)
    await world.nextScrape()
    rows.push(world.lastRows)
  }
  assert.deepEqual(rows, [[`x${I} 1`, `y${I} 2`], [`x${I} 1`, `y${I} stale`], [`x${I} 1`], [`x${I} 1`, `y${I} 3`]])
  assert.equal(world.sink.report(world.sink.scrapes.at(-1), 'scrape_series_added'), 0)
})

const failures: readonly (readonly [what: string, body: string, rest: object, error: string])[] = [
  ['an error status', 'x 1\n', { status: 503 }, 'server returned HTTP status 503 Service Unavailable'],
  [
    'a page that cannot be read',
    'x 1\nz true\n',
    {},
    'strconv.ParseFloat: parsing "true": invalid syntax while parsing: "z true"',
  ],
  ['a timeout', 'x 1\n', { delayMs: INTERVAL_MS }, 'Get "http://a:1/metrics": context deadline exceeded'],
  [
    'a foreign Content-Type',
    '<html>',
    { contentType: 'text/html' },
    'received unsupported Content-Type "text/html" and no fallback_scrape_protocol specified for target',
  ],
]
for (const [what, body, rest, error] of failures) {
  test(`${what} ends all series, with up 0 and the reason kept`, async () => {
    const world = new World()
    world.answer('a:1', 'x 1\ny 2\n')
    await world.manager.apply([target('a:1', { timeoutMs: 5000 })])
    await world.nextScrape()
    world.answer('a:1', body, rest)
    await world.nextScrape()
    await world.clock.advance(5000)
    assert.deepEqual(world.lastRows, [`x${I} stale`, `y${I} stale`])
    assert.equal(world.sink.report(world.sink.scrapes.at(-1), 'up'), 0)
    const status = world.manager.targets()[0]!
    assert.deepEqual([status.health, status.lastError], ['down', error])
    // No second marker, and the series come back.
    await world.nextScrape()
    await world.clock.advance(5000)
    assert.deepEqual(world.lastRows, [])
    world.answer('a:1', 'x 1\ny 2\n')
    await world.nextScrape()
    assert.deepEqual(world.lastRows, [`x${I} 1`, `y${I} 2`])
    await world.manager.stop()
  })
}

test('an empty body is a good scrape without samples, whatever its type', async () => {
  const world = new World()
  world.answer('a:1', '', { contentType: '' })
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  assert.equal(world.sink.report(world.sink.scrapes[0], 'up'), 1)
})

test('fallback_scrape_protocol reads what names no type', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n', { contentType: '' })
  await world.manager.apply([target('a:1', { fallbackProtocol: 'PrometheusText0.0.4' })])
  await world.nextScrape()
  assert.deepEqual(world.lastRows, [`x${I} 1`])
})

test('duplicates are counted and the first is kept, also when relabelling makes them', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\nx 2\ny{k="1"} 3\ny{k="2"} 4\n')
  const metricRelabel = (labels: Parameters<typeof labelValue>[0]) =>
    labelsFrom({ __name__: labelValue(labels, '__name__'), instance: 'a:1', job: 'test' })
  await world.manager.apply([target('a:1', { metricRelabel })])
  await world.nextScrape()
  assert.deepEqual(world.lastRows, [`x${I} 1`, `y${I} 3`])
  assert.equal(world.manager.counters.sampleDuplicate, 2)
  assert.equal(world.sink.report(world.sink.scrapes[0], 'scrape_samples_post_metric_relabeling'), 4)
  assert.equal(world.sink.report(world.sink.scrapes[0], 'up'), 1)
})

test('own timestamps are honoured, not tracked for staleness, and bounded', async () => {
  const world = new World()
  const now = world.clock.now()
  world.answer('a:1', `x 1 ${now - 5000}\nx 2 ${now - 4000}\nfuture 1 ${now + 3_600_000}\n`)
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  assert.deepEqual(
    world.sink.scrapes.map((scrape) => world.sink.rows(scrape)),
    [[`x${I} 1 @${now - 5000}`], [`x${I} 2 @${now - 4000}`]],
  )
  assert.equal(world.manager.counters.sampleOutOfBounds, 1)
  world.answer('a:1', '')
  await world.nextScrape()
  assert.deepEqual(world.lastRows, [])
})

test('track_timestamps_staleness marks them; honor_timestamps false ignores them', async () => {
  for (const [rest, first] of [
    [{ trackTimestampsStaleness: true }, `x${I} 1 @1000`],
    [{ honorTimestamps: false }, `x${I} 1`],
  ] as const) {
    const world = new World()
    world.answer('a:1', 'x 1 1000\n')
    await world.manager.apply([target('a:1', rest)])
    await world.nextScrape()
    assert.deepEqual(world.lastRows, [first])
    world.answer('a:1', '')
    await world.nextScrape()
    assert.deepEqual(world.lastRows, [`x${I} stale`])
  }
})

test('exemplars travel when they change, with a time', async () => {
  const world = new World()
  const page = (id: string) => `# TYPE x counter\nx_total 1 # {trace="${id}"} 0.5\n# EOF\n`
  await world.manager.apply([target('a:1')])
  const seen: unknown[] = []
  for (const id of ['1', '1', '2']) {
    world.answer('a:1', page(id), { contentType: 'application/openmetrics-text' })
    await world.nextScrape()
    const scrape = world.sink.scrapes.at(-1)!
    seen.push(
      scrape.exemplars?.map(({ id: series, exemplar }) => [
        series,
        exemplar.labels[1],
        exemplar.timestampMs === scrape.slotMs,
      ]) ?? null,
    )
  }
  assert.deepEqual(seen, [[[0, '1', true]], null, [[0, '2', true]]])
})

test('start timestamps become a column when asked for', async () => {
  const world = new World()
  const page = '# TYPE x counter\nx_total 5\nx_created 1.5\n# TYPE y gauge\ny 1\n# EOF\n'
  world.answer('a:1', page, { contentType: 'application/openmetrics-text' })
  await world.manager.apply([target('a:1', { startTimestamps: true })])
  await world.nextScrape()
  assert.deepEqual(world.lastRows, [`x_total${I} 5`, `y${I} 1`])
  assert.deepEqual([...world.sink.scrapes[0]!.startTimestamps!].slice(0, 3), [1500, 0, 0])
})

test('a collector in the process is scraped like any other, by families or bytes', async () => {
  const world = new World()
  const source = (collect: () => never) => ({ kind: 'collect' as const, name: 'inproc', collect })
  const labels = labelsFrom({ instance: 'a:1', job: 'test' })
  const families = () => [gauge('x', 'An x.', [{ labels: ['k', 'v'], value: 1e6 }])]
  await world.manager.apply([target('a:1', { source: source(families as never), labels })])
  await world.nextScrape()
  assert.deepEqual(world.lastRows, ['x{instance="a:1", job="test", k="v"} 1000000'])
  assert.equal(world.manager.targets()[0]!.url, 'inproc')
})

test('a collector that throws or hangs costs only its own up', async () => {
  const world = new World()
  let calls = 0
  const labels = labelsFrom({ instance: 'a:1', job: 'test' })
  const collect = () => {
    calls++
    if (calls === 1) throw new Error('no such device')
    return new Promise<never>(() => {})
  }
  world.answer('b:1', 'y 1\n')
  await world.manager.apply([
    target('a:1', { source: { kind: 'collect', name: 'c', collect }, labels, timeoutMs: 1000 }),
    target('b:1'),
  ])
  const errors: string[] = []
  for (let i = 0; i < 3; i++) {
    await world.clock.advance(INTERVAL_MS)
    errors.push(world.manager.targets()[0]!.lastError)
  }
  assert.deepEqual(errors, [
    'Collector c failed: no such device',
    'context deadline exceeded',
    'Collector c has not answered since its last scrape',
  ])
  assert.equal(calls, 2)
  assert.equal(world.manager.targets()[1]!.health, 'up')
  await world.manager.stop()
})

test('churn does not grow the cache without bound, and markers stay right', async () => {
  const world = new World()
  await world.manager.apply([target('a:1')])
  for (let scrape = 0; scrape < 40; scrape++) {
    const lines = Array.from({ length: 200 }, (_, i) => `churn{i="${scrape}-${i}"} 1\n`)
    world.answer('a:1', `stable ${scrape}\n${lines.join('')}`)
    await world.nextScrape()
    const stale = world.lastRows.filter((row) => row.endsWith('stale')).length
    assert.equal(stale, scrape === 0 ? 0 : 200)
    assert.equal(world.lastRows[0], `stable${I} ${scrape}`)
  }
  assert.ok(world.manager.targets()[0]!.series < 2500, `${world.manager.targets()[0]!.series}`)
})

test('self-metrics are families under upstream’s names', async () => {
  const world = new World()
  world.answer('a:1', '# TYPE x gauge\nx 1\nx 2\n')
  await world.manager.apply([target('a:1', { limits: { targets: 7 } })])
  await world.clock.advance(3 * INTERVAL_MS)
  const values = new Map(
    world.manager
      .families()
      .flatMap(({ name, metrics }) => metrics.map(({ value, suffix = '' }) => [name + suffix, value] as const)),
  )
  assert.equal(values.get('prometheus_target_scrapes_sample_duplicate_timestamp_total'), 3)
  assert.equal(values.get('prometheus_target_scrape_pool_targets'), 1)
  assert.equal(values.get('prometheus_target_scrape_pool_target_limit'), 7)
  assert.equal(values.get('prometheus_target_metadata_cache_entries'), 1)
  assert.equal(values.get('prometheus_target_interval_length_seconds_count'), 2)
  assert.equal(values.get('prometheus_target_interval_length_seconds_sum'), 20)
})

test('failed scrapes stand in the scrape failure log, a line each; good ones do not', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'heliograph-failures-'))
  const failureLogFile = join(directory, 'failures.json')
  try {
    const world = new World()
    world.answer('a:1', '', { status: 503 })
    world.answer('b:1', 'x 1\n')
    await world.manager.apply([target('a:1', { failureLogFile }), target('b:1', { failureLogFile })])
    await world.clock.advance(2 * INTERVAL_MS)
    await world.manager.stop()
    const lines = readFileSync(failureLogFile, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.equal(lines.length, 2)
    for (const { time, ...rest } of lines) {
      assert.match(time, /^2023-11-14T22:.*Z$/)
      const msg = 'server returned HTTP status 503 '
      assert.deepEqual(
        { ...rest, msg: rest.msg.slice(0, msg.length) },
        { level: 'ERROR', msg, job_name: 'test', target: 'http://a:1/metrics' },
      )
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a scrape failure log that cannot be written fails nothing', async () => {
  const world = new World()
  world.answer('a:1', '', { status: 503 })
  await world.manager.apply([target('a:1', { failureLogFile: '/nowhere/at/all/failures.json' })])
  await world.clock.advance(2 * INTERVAL_MS)
  assert.equal(world.manager.counters.failures, 2)
  assert.equal(world.manager.failureLinesLost, 2)
  await world.manager.stop()
})
