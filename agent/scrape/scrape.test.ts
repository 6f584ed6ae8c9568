import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gauge } from '../../protocol/exposition/mod.ts'
import { labelsFrom, labelValue } from '../../protocol/labels/mod.ts'
import { targetKey } from './target.ts'
import { INTERVAL_MS, target, World } from './testing/world.ts'

const I = '{instance="a:1", job="test"}'

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

test('a scrape that outlasts its slots reports them as missed', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n', { delayMs: 35_000 })
  await world.manager.apply([target('a:1', { timeoutMs: 60_000 })])
  const { nextSlotMs: first, key } = world.manager.targets()[0]!
  await world.clock.advance(first - world.clock.now() + 35_000)
  assert.deepEqual(world.sink.gaps, [
    {
      target: key,
      fromMs: first + INTERVAL_MS,
      toMs: first + 2 * INTERVAL_MS,
      intervalMs: INTERVAL_MS,
      reason: 'overrun',
    },
  ])
  // The slot that is due runs at once, with the time it really has.
  world.answer('a:1', 'x 1\n')
  await world.clock.advance(1)
  assert.equal(world.manager.targets()[0]!.nextSlotMs, first + 3 * INTERVAL_MS)
  await world.manager.stop()
})

test('a scrape that is late by nearly an interval does not take the time of the next slot', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n')
  await world.manager.apply([target('a:1')])
  const { nextSlotMs } = world.manager.targets()[0]!
  await world.clock.advance(nextSlotMs - world.clock.now() - 2)
  world.clock.suspend(INTERVAL_MS)
  // The timer finds the last milliseconds of its slot; whoever reads the clock next is in the slot after it.
  world.clock.passAfterReads(3)
  await world.clock.advance(INTERVAL_MS / 2)
  assert.deepEqual(
    world.sink.scrapes.map(({ slotMs, timestampMs }) => [slotMs, timestampMs]),
    [
      [nextSlotMs, nextSlotMs + INTERVAL_MS - 2],
      [nextSlotMs + INTERVAL_MS, nextSlotMs + INTERVAL_MS],
    ],
  )
})

test('a suspended host reports the slots it slept through; a clock set back goes on at once', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n')
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  const { nextSlotMs } = world.manager.targets()[0]!
  world.clock.suspend(10 * INTERVAL_MS)
  await world.clock.advance(0)
  assert.deepEqual(
    world.sink.gaps.map(({ fromMs, toMs, reason }) => [fromMs, toMs, reason]),
    [[nextSlotMs, nextSlotMs + 8 * INTERVAL_MS, 'suspended']],
  )
  const before = world.sink.scrapes.length
  world.clock.step(-3_600_000)
  await world.clock.advance(3 * INTERVAL_MS)
  assert.ok(world.sink.scrapes.length - before >= 2)
  assert.ok(world.sink.scrapes.at(-1)!.slotMs < nextSlotMs)
  await world.manager.stop()
})

test('a removed target ends at its next slot, its report too', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n')
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  const { nextSlotMs } = world.manager.targets()[0]!
  await world.manager.apply([])
  assert.deepEqual(world.manager.targets(), [])
  await world.clock.advance(INTERVAL_MS)
  const scrape = world.sink.scrapes.at(-1)!
  assert.equal(scrape.timestampMs, nextSlotMs)
  assert.deepEqual(world.sink.rows(scrape, true), [
    `x${I} stale`,
    `up${I} stale`,
    `scrape_duration_seconds${I} stale`,
    `scrape_samples_scraped${I} stale`,
    `scrape_samples_post_metric_relabeling${I} stale`,
    `scrape_series_added${I} stale`,
  ])
  await world.clock.advance(5 * INTERVAL_MS)
  assert.equal(world.sink.scrapes.at(-1), scrape)
  assert.equal(world.clock.timerCount, 0)
})

test('a target that comes back in time is not ended', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\ny 1\n')
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  await world.manager.apply([])
  world.answer('a:1', 'x 2\n')
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  assert.equal(world.sink.scrapes.length, 2)
  assert.deepEqual(world.lastRows, [`x${I} 2`, `y${I} stale`])
})

test('a series that another target has taken over is not ended with the old one', async () => {
  const world = new World()
  const labels = labelsFrom({ instance: 'shared', job: 'test' })
  world.answer('a:1', 'x 1\nold 1\n')
  world.answer('b:1', 'x 2\n')
  await world.manager.apply([target('a:1', { labels })])
  await world.nextScrape()
  await world.manager.apply([target('b:1', { labels })])
  await world.clock.advance(2 * INTERVAL_MS)
  const stale = world.sink.scrapes
    .flatMap((scrape) => world.sink.rows(scrape, true))
    .filter((row) => row.endsWith('stale'))
  const bIsFirst = world.sink.scrapes.findIndex((scrape) =>
    world.sink.rows(scrape).includes('x{instance="shared", job="test"} 2'),
  )
  const endAt = world.sink.scrapes.findIndex((scrape) =>
    world.sink.rows(scrape).includes('old{instance="shared", job="test"} stale'),
  )
  assert.ok(endAt > 0)
  assert.equal(
    stale.some((row) => row.startsWith('x{')),
    endAt < bIsFirst,
  )
  await world.manager.stop()
})

test('a reload leaves unchanged targets alone: no new definitions, same phase, new functions', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n')
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  const before = world.manager.targets()[0]!.nextSlotMs
  await world.clock.advance(3000)
  await world.manager.apply([target('a:1', { discoveredLabels: labelsFrom({ __address__: 'a:1' }) })])
  const status = world.manager.targets()[0]!
  assert.equal(status.nextSlotMs, before)
  assert.equal(status.discoveredLabels.length, 2)
  await world.nextScrape()
  assert.equal(world.sink.report(world.sink.scrapes.at(-1), 'scrape_series_added'), 0)
  await world.manager.stop()
})

test('a changed target hands its series to its successor, which ends what is gone', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\ny 1\n')
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  const metricRelabel = (labels: Parameters<typeof labelValue>[0]) =>
    labelValue(labels, '__name__') === 'y' ? null : labels
  await world.manager.apply([target('a:1', { metricRelabel: metricRelabel as never, metricRelabelId: 'drop y' })])
  await world.nextScrape()
  assert.deepEqual(world.lastRows, [`x${I} 1`, `y${I} stale`])
  assert.equal(world.sink.scrapes.length, 2)
  await world.manager.stop()
})

test('a reload waits for the scrape under way, and records it', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n', { delayMs: 3000 })
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  const applied = world.manager.apply([target('a:1', { honorLabels: true })])
  await world.clock.advance(3000)
  await applied
  assert.equal(world.sink.scrapes.length, 1)
  assert.deepEqual(world.sink.gaps, [])
  await world.manager.stop()
})

test('after a restart the series of the earlier life that are gone are marked at the first scrape', async () => {
  const old = ['x', 'gone'].map((name) => labelsFrom({ __name__: name, instance: 'a:1', job: 'test' }))
  const up = labelsFrom({ __name__: 'up', instance: 'a:1', job: 'test' })
  const world = new World((key) => (key === targetKey(target('a:1')) ? [...old, up] : []))
  world.answer('a:1', '# TYPE x gauge\nx 1\n')
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  assert.deepEqual(world.lastRows, [`x${I} 1`, `gone${I} stale`])
  assert.equal(world.sink.report(world.sink.scrapes[0], 'up'), 1)
  assert.equal(world.sink.definitions[0]!.metadata?.type, 'gauge')
  await world.nextScrape()
  assert.deepEqual(world.lastRows, [`x${I} 1`])
})

test('a new epoch of the dictionary defines all series anew and still ends what vanished', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\ny 1\n')
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  world.sink.newEpoch()
  world.answer('a:1', 'x 2\n')
  await world.nextScrape()
  assert.deepEqual(world.lastRows, [`x${I} 2`, `y${I} stale`])
  await world.nextScrape()
  assert.deepEqual(world.lastRows, [`x${I} 2`])
})

test('shutdown writes no markers, cuts the scrape under way and names its slot', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n')
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  world.answer('a:1', 'x 2\n', { delayMs: 5000 })
  const { nextSlotMs, key } = world.manager.targets()[0]!
  await world.nextScrape()
  await world.manager.stop()
  await world.clock.advance(3 * INTERVAL_MS)
  assert.equal(world.sink.scrapes.length, 1)
  assert.deepEqual(world.sink.gaps, [
    { target: key, fromMs: nextSlotMs, toMs: nextSlotMs, intervalMs: INTERVAL_MS, reason: 'shutdown' },
  ])
})

test('target_limit fails every target of the job until a reload brings fewer', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n')
  world.answer('b:1', 'x 1\n')
  const limits = { targets: 1 }
  await world.manager.apply([target('a:1', { limits }), target('b:1', { limits })])
  await world.clock.advance(INTERVAL_MS)
  assert.equal(world.manager.targets()[0]!.lastError, 'target_limit exceeded (number of targets: 2, limit: 1)')
  assert.equal(world.net.requests.length, 0)
  await world.manager.apply([target('a:1', { limits })])
  await world.clock.advance(INTERVAL_MS)
  assert.equal(world.manager.targets()[0]!.health, 'up')
  await world.manager.stop()
})

test('requests carry upstream’s headers and the target’s own', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n')
  const { source } = target('a:1')
  await world.manager.apply([
    target('a:1', { source: { ...source, headers: { Authorization: 'Bearer t' } } as typeof source, timeoutMs: 1500 }),
  ])
  await world.nextScrape()
  const { headers } = world.net.requests[0]!
  assert.equal(headers['X-Prometheus-Scrape-Timeout-Seconds'], '1.5')
  assert.equal(headers['Authorization'], 'Bearer t')
  assert.match(headers['Accept']!, /^application\/openmetrics-text;version=1\.0\.0/)
  assert.equal(headers['Accept-Encoding'], 'gzip')
})

test('a target of an earlier life that is gone ends on its own grid, but for what another took over', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n')
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  const before = world.sink.scrapes.length
  const series = ['gone', 'x'].map((__name__) => labelsFrom({ __name__, instance: 'a:1', job: 'test' }))
  const nowMs = world.clock.now()
  world.manager.endDeparted({ key: 'old', slotMs: nowMs - 25_000, intervalMs: 10_000, series })
  world.manager.endDeparted({ key: world.manager.targets()[0]!.key, slotMs: 0, intervalMs: 10_000, series })
  assert.equal(world.sink.scrapes.length, before + 1)
  assert.deepEqual(world.lastRows, ['gone{instance="a:1", job="test"} stale'])
  const { target: key, slotMs, timestampMs } = world.sink.scrapes.at(-1)!
  assert.deepEqual([key, slotMs, timestampMs], ['old', nowMs - 5000, nowMs - 5000])
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
