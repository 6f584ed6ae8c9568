/** What an OTLP sender is told of the data points that are not stored. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WriteKind } from '../../protocol/remote-write/mod.ts'
import type { WriteAnswer } from './mod.ts'
import { NOW, World } from './testing/world.ts'

const OTLP: WriteKind = { format: 'otlp-json', encoding: 'identity' }

const at = (timeMs: number, more: object): object => ({ timeUnixNano: `${timeMs}000000`, ...more })
const gauge = (name: string, ...dataPoints: object[]): object => ({ name, gauge: { dataPoints } })
const delta = (name: string, ...dataPoints: object[]): object => ({
  name,
  sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints },
})
const histogram = (name: string, ...dataPoints: object[]): object => ({
  name,
  histogram: { aggregationTemporality: 2, dataPoints },
})
const buckets = (...bucketCounts: number[]): object => ({
  count: bucketCounts.reduce((sum, count) => sum + count, 0),
  sum: 1,
  bucketCounts,
  explicitBounds: bucketCounts.slice(1).map((_, i) => i + 1),
})

/** The second of two writes. */
async function answers(first: readonly object[], second: readonly object[]): Promise<WriteAnswer> {
  const engine = await new World(61).open()
  const write = (metrics: readonly object[]): WriteAnswer => {
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 's' } }, attribute('host', 'h')] }
    const body = JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] })
    const answer = engine.acceptRemoteWrite(new TextEncoder().encode(body), OTLP)
    engine.commit()
    return answer
  }
  assert.equal(write(first).rejectedPoints, 0)
  const before = engine.counters.otlpPointsRejected
  const answer = write(second)
  assert.equal(engine.counters.otlpPointsRejected - before, answer.rejectedPoints)
  engine.close()
  return answer
}

const attribute = (key: string, stringValue: string): object => ({ key, value: { stringValue } })
const HOUR = 3_600_000

const ROWS: readonly [what: string, first: object[], second: object[], rejected: number, message: RegExp][] = [
  ['all that is stored', [], [gauge('g', at(NOW, { asInt: 1 }))], 0, /^$/],
  ['what was stored before', [gauge('g', at(NOW, { asInt: 1 }))], [gauge('g', at(NOW, { asInt: 1 }))], 0, /^$/],
  [
    'another value at the same time',
    [gauge('g', at(NOW, { asInt: 1 }))],
    [gauge('g', at(NOW, { asInt: 2 }), at(NOW + 1, { asInt: 3 }))],
    1,
    /^duplicate sample for timestamp 1767225600000; overrides not allowed: existing 1, new value 2$/,
  ],
  [
    'points of the future',
    [],
    [gauge('g', at(NOW, { asInt: 1 }), at(NOW + HOUR, { asInt: 2 }), at(NOW + 2 * HOUR, { asInt: 3 }))],
    2,
    /too far in the future/,
  ],
  [
    'deltas, of which each is a point',
    [],
    [delta('d', at(NOW, { asInt: 1 }), at(NOW + 1, { asInt: 2 })), gauge('g', at(NOW, { asInt: 1 }))],
    2,
    /^invalid temporality and type combination for metric "d"$/,
  ],
  [
    'a histogram, however many of its series are refused',
    [histogram('h', at(NOW, buckets(1, 2, 3)))],
    [histogram('h', at(NOW, buckets(4, 5, 6)), at(NOW + 1, buckets(4, 5, 6)))],
    1,
    /^(?:duplicate sample for timestamp 1767225600000; overrides not allowed: existing \d+, new value \d+\n?){3}$/,
  ],
  [
    'a native histogram that is not sound',
    [],
    [
      {
        name: 'e',
        exponentialHistogram: {
          aggregationTemporality: 2,
          dataPoints: [
            at(NOW, { count: 9, sum: 1, scale: 0, positive: { offset: 0, bucketCounts: [1] } }),
            at(NOW + 1, { count: 1, sum: 1, scale: 0, positive: { offset: 0, bucketCounts: [1] } }),
          ],
        },
      },
    ],
    1,
    /invalid native histogram/,
  ],
  ['a metric without points', [], [gauge('g')], 0, /empty data points/],
]

for (const [what, first, second, rejected, message] of ROWS)
  test(`points that are told to be rejected: ${what}`, async () => {
    const answer = await answers(first, second)
    assert.match(answer.message, message)
    assert.equal(answer.rejectedPoints, rejected)
  })
