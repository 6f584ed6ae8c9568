import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTargetEnd } from '../../protocol/batch/mod.ts'
import { labelsFrom, labelValue } from '../../protocol/labels/mod.ts'
import { targetKey } from './target.ts'
import { INTERVAL_MS, target, World } from './testing/world.ts'

const I = '{instance="a:1", job="test"}'

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
  assert.deepEqual(world.sink.scrapes.map(isTargetEnd), [false, true])
  await world.clock.advance(5 * INTERVAL_MS)
  assert.equal(world.sink.scrapes.at(-1), scrape)
  assert.equal(world.clock.timerCount, 0)
})

test('only a removed target tells its end: one that fails, or shows nothing, does not', async () => {
  const world = new World()
  world.answer('a:1', 'x 1\n')
  await world.manager.apply([target('a:1')])
  await world.nextScrape()
  world.answer('a:1', 'nonsense{\n')
  await world.nextScrape()
  world.answer('a:1', '')
  await world.nextScrape()
  assert.deepEqual(world.sink.scrapes.map(isTargetEnd), [false, false, false])
  await world.manager.stop()
})

test('a removed target of which others show every series tells its end without a marker', async () => {
  const world = new World()
  const labels = labelsFrom({ instance: 'shared', job: 'test' })
  world.answer('a:1', 'x 1\n')
  world.answer('b:1', 'x 2\n')
  await world.manager.apply([target('a:1', { labels }), target('b:1', { labels })])
  await world.clock.advance(2 * INTERVAL_MS)
  await world.manager.apply([target('b:1', { labels })])
  await world.clock.advance(INTERVAL_MS)
  const ends = world.sink.scrapes.filter(isTargetEnd)
  assert.deepEqual(
    ends.map(({ target, ids }) => [target, ids.length]),
    [[targetKey(target('a:1', { labels })), 0]],
  )
  await world.manager.stop()
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

test('a reload while a target hangs leaves no slot unaccounted for: the others go on at theirs, it lists its own', async () => {
  const world = new World()
  const names = ['slow:1', 'a:1', 'b:1', 'c:1']
  for (const name of names) world.answer(name, 'x 1\n', name === 'slow:1' ? { delayMs: 25_003 } : {})
  const targets = (samples: number) =>
    names.map((name) => {
      const config = target(name, { timeoutMs: 60_000 })
      return { ...config, limits: { ...config.limits, samples } }
    })
  await world.manager.apply(targets(10))
  const due = world.manager.targets().map(({ key, nextSlotMs }) => ({ key, first: nextSlotMs }))
  // All are under way or done but once, the slow one still is.
  await world.clock.advance(INTERVAL_MS)
  const reloaded = world.manager.apply(targets(20))
  await world.clock.advance(60_000)
  await reloaded
  const nowMs = world.clock.now()
  for (const { key, first } of due) {
    const slots = world.sink.scrapes.filter((scrape) => scrape.target === key).map(({ slotMs }) => slotMs)
    for (const { target: of, fromMs, toMs } of world.sink.gaps)
      if (of === key) for (let slotMs = fromMs; slotMs <= toMs; slotMs += INTERVAL_MS) slots.push(slotMs)
    const wanted: number[] = []
    // What is under way is not yet told.
    const untilMs = nowMs - (key === due[0]!.key ? 26_000 : 0)
    for (let slotMs = first; slotMs < untilMs; slotMs += INTERVAL_MS) wanted.push(slotMs)
    const told = slots.filter((slotMs) => slotMs < untilMs).sort((a, b) => a - b)
    assert.deepEqual(told, wanted, key)
  }
  const gaps = new Set(world.sink.gaps.map(({ target: of }) => of))
  assert.deepEqual([...gaps], [due[0]!.key], 'only the slow one has missed any')
  await world.manager.stop()
})

test('a stop does not wait for what a reload has ended and a target holds up; its slot is listed, no marker written', async () => {
  const world = new World()
  for (const name of ['gone:1', 'changed:1']) world.answer(name, 'x 1\n', { delayMs: 50_000 })
  const of = (name: string, samples = 0) => {
    const config = target(name, { timeoutMs: 60_000 })
    return { ...config, limits: { ...config.limits, samples } }
  }
  await world.manager.apply([of('gone:1'), of('changed:1')])
  const due = world.manager.targets().map(({ key, nextSlotMs }) => [key, nextSlotMs, 'shutdown'])
  await world.clock.advance(INTERVAL_MS)
  let isReloaded = false
  void world.manager.apply([of('changed:1', 20)]).then(() => {
    isReloaded = true
  })
  await world.clock.advance(1)
  assert.equal(isReloaded, false)
  let isStopped = false
  const stopped = world.manager.stop().then(() => {
    isStopped = true
  })
  await world.clock.advance(0)
  assert.ok(isStopped)
  await stopped
  assert.deepEqual(
    world.sink.gaps.map(({ target: key, fromMs, reason }) => [key, fromMs, reason]),
    due,
  )
  await world.clock.advance(10 * INTERVAL_MS)
  assert.deepEqual(world.sink.scrapes, [])
})
