import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { acceptHeader } from './accept.ts'
import { alignTimestamp, lastSlot, nextSlot, slotOffset } from './slots.ts'
import { httpSource, slotHash, targetHash, targetKey, targetUrl, withTargetDefaults } from './target.ts'

const input = (address: string) =>
  withTargetDefaults({ job: 'j', source: httpSource({ address }), labels: labelsFrom({ instance: address, job: 'j' }) })

test('offsets spread targets over their interval', () => {
  const buckets = new Array<number>(10).fill(0)
  for (let i = 0; i < 1000; i++) buckets[Math.floor(slotOffset(targetHash(input(`h${i}:1`)), 'seed', 10_000) / 1000)]!++
  for (const count of buckets) assert.ok(count > 60 && count < 140, buckets.join())
})

test('the targets of an agent share few moments, those of two agents none', () => {
  const offsets = (seed: string, intervalMs: number) =>
    new Set(Array.from({ length: 1000 }, (_, i) => slotOffset(targetHash(input(`h${i}:1`)), seed, intervalMs)))
  for (const [intervalMs, phases] of [
    [60_000, 20],
    [10_000, 20],
    [5000, 10],
    [1000, 2],
    [999, 1],
    [400, 1],
    [1, 1],
  ] as const) {
    const one = offsets('one', intervalMs)
    assert.equal(one.size, phases)
    for (const offset of one) assert.ok(offset >= 0 && offset < intervalMs && Number.isInteger(offset))
    if (intervalMs > 10_000) assert.equal(one.intersection(offsets('two', intervalMs)).size, 0)
  }
})

test('the seed moves the offsets, a restart does not', () => {
  const hash = targetHash(input('h:1'))
  assert.equal(slotOffset(hash, 'a', 15_000), slotOffset(hash, 'a', 15_000))
  assert.notEqual(slotOffset(hash, 'a', 15_000), slotOffset(hash, 'b', 15_000))
})

test('slots are pinned to absolute time', () => {
  const times = fc.tuple(fc.integer({ min: 0, max: 2e12 }), fc.nat(59_999), fc.constantFrom(1000, 15_000, 60_000))
  fc.assert(
    fc.property(times, ([now, anyOffset, interval]) => {
      const offset = anyOffset % interval
      const next = nextSlot(now, offset, interval)
      const last = lastSlot(now, offset, interval)
      assert.ok(next >= now && next - now < interval)
      assert.ok(last <= now && now - last < interval)
      assert.equal((next - offset) % interval, 0)
      assert.equal(next - last, next === now ? 0 : interval)
    }),
  )
})

const alignments: readonly (readonly [what: string, now: number, interval: number, collector: boolean, is: number])[] =
  [
    ['on time', 1000, 15_000, false, 1000],
    ['2 ms late is smoothed', 1002, 15_000, false, 1000],
    ['2 ms early is smoothed', 998, 15_000, false, 1000],
    ['3 ms late is not', 1003, 15_000, false, 1003],
    ['fractions are cut', 1003.9, 15_000, false, 1003],
    ['at most 1% of a short interval', 1002, 100, false, 1002],
    ['1% of a short interval is', 1001, 100, false, 1000],
    ['a collector 50 ms late is smoothed', 1050, 15_000, true, 1000],
    ['a collector 51 ms late is not', 1051, 15_000, true, 1051],
    ['a collector with a short interval by 1% at most', 1011, 1000, true, 1011],
  ]
for (const [what, now, intervalMs, isCollector, timestamp] of alignments) {
  test(`alignTimestamp(): ${what}`, () =>
    assert.equal(alignTimestamp(now, { slotMs: 1000, intervalMs, isCollector }), timestamp))
}

test('collectors of one agent and interval are due together, those of two agents are not', () => {
  const collector = (name: string) =>
    slotHash(
      withTargetDefaults({
        job: name,
        source: { kind: 'collect', name, collect: () => [] },
        labels: labelsFrom({ job: name }),
      }),
    )
  assert.equal(slotOffset(collector('a'), 'one', 15_000), slotOffset(collector('b'), 'one', 15_000))
  assert.notEqual(slotOffset(collector('a'), 'one', 15_000), slotOffset(collector('a'), 'two', 15_000))
})

test('targetUrl() sorts parameters and escapes the path', () => {
  const source = httpSource({
    address: '[::1]:9',
    scheme: 'https',
    path: '/a b?c',
    params: { z: ['1', '2'], a: ['x&y'] },
  })
  assert.equal(targetUrl(source), 'https://[::1]:9/a%20b%3Fc?a=x%26y&z=1&z=2')
})

test('targetKey() names job and instance and tells targets with other labels apart', () => {
  const one = input('h:1')
  const other = { ...one, labels: labelsFrom({ instance: 'h:1', job: 'j', rack: '2' }) }
  assert.match(targetKey(one), /^j\/h:1\/[0-9a-f]{16}$/)
  assert.notEqual(targetKey(one), targetKey(other))
})

test('acceptHeader() is upstream’s for the same protocols', () => {
  assert.equal(
    acceptHeader(
      ['OpenMetricsText1.0.0', 'OpenMetricsText0.0.1', 'PrometheusText1.0.0', 'PrometheusText0.0.4'],
      'allow-utf-8',
    ),
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
  )
})
