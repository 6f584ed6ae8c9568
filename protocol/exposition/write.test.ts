import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsToObject } from '../labels/mod.ts'
import {
  counter,
  formatGoFloat,
  gauge,
  histogramLines,
  type Metric,
  type MetricFamily,
  metricTypeOf,
  summaryLines,
} from './family.ts'
import { formatOpenMetricsFloat } from './go-float.ts'
import { parseExposition } from './parse.ts'
import { formatExposition, writeExposition } from './write.ts'

const floats: readonly (readonly [value: number, text: string])[] = [
  [0, '0'],
  [-0, '-0'],
  [1, '1'],
  [123456, '123456'],
  [999999, '999999'],
  [1_000_000, '1e+06'],
  [1_234_567, '1.234567e+06'],
  [21_474_836_480, '2.147483648e+10'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [4.9351e-5, '4.9351e-05'],
  [-1.5e100, '-1.5e+100'],
  [5e-324, '5e-324'],
  [0.1 + 0.2, '0.30000000000000004'],
  [Number.NaN, 'NaN'],
  [Infinity, '+Inf'],
  [-Infinity, '-Inf'],
]
for (const [value, text] of floats) {
  test(`formatGoFloat() writes ${text}`, () => assert.equal(formatGoFloat(value), text))
}

test('formatOpenMetricsFloat() always has a point or an exponent', () => {
  assert.deepEqual([1, 0.5, 1e6, Infinity, -Infinity, Number.NaN, -2].map(formatOpenMetricsFloat), [
    '1.0',
    '0.5',
    '1e+06',
    '+Inf',
    '-Inf',
    'NaN',
    '-2.0',
  ])
})

test('formatExposition() writes families by name and metrics by label values, as client_golang', () => {
  const families: MetricFamily[] = [
    gauge('zz', 'Last.', [
      { labels: ['a', 'y'], value: 2 },
      { labels: ['a', 'x', 'b', '1'], value: 3 },
      { labels: ['a', 'x'], value: 1 },
      { labels: [], value: 0 },
    ]),
    counter('empty_total', 'Left out.', []),
    counter('aa_total', 'Line\nbreak \\ "quote"', [{ labels: ['path', 'C:\\"x"\n'], value: 1e6, timestampMs: 1500 }]),
    { name: 'bare', help: null, type: 'untyped', metrics: [{ labels: [], value: Number.NaN }] },
  ]
  assert.equal(
    formatExposition(families),
    [
      '# HELP aa_total Line\\nbreak \\\\ "quote"',
      '# TYPE aa_total counter',
      'aa_total{path="C:\\\\\\"x\\"\\n"} 1e+06 1500',
      '# TYPE bare untyped',
      'bare NaN',
      '# HELP zz Last.',
      '# TYPE zz gauge',
      'zz 0',
      'zz{a="x"} 1',
      'zz{a="y"} 2',
      'zz{a="x",b="1"} 3',
      '',
    ].join('\n'),
  )
})

test('formatExposition() keeps the lines of a histogram and a summary together, in bucket order', () => {
  const histogram: MetricFamily = {
    name: 'h',
    help: '',
    type: 'histogram',
    metrics: [...histogramLines(['m', 'b'], [0.5, 1, 10, 2], 7, 3), ...histogramLines(['m', 'a'], [Infinity, 4], 1, 4)],
  }
  const summary: MetricFamily = {
    name: 's',
    help: '',
    type: 'summary',
    metrics: summaryLines([], [0.5, 2, 0.99, 3], 9, 4),
  }
  assert.equal(
    formatExposition([summary, histogram]),
    [
      '# HELP h ',
      '# TYPE h histogram',
      'h_bucket{m="a",le="+Inf"} 4',
      'h_sum{m="a"} 1',
      'h_count{m="a"} 4',
      'h_bucket{m="b",le="0.5"} 1',
      'h_bucket{m="b",le="10"} 2',
      'h_bucket{m="b",le="+Inf"} 3',
      'h_sum{m="b"} 7',
      'h_count{m="b"} 3',
      '# HELP s ',
      '# TYPE s summary',
      's{quantile="0.5"} 2',
      's{quantile="0.99"} 3',
      's_sum 9',
      's_count 4',
      '',
    ].join('\n'),
  )
})

test('names outside the legacy alphabet are quoted', () => {
  const family = gauge('http.status', 'Dots.', [
    { labels: ['a b', 'x'], value: 1 },
    { labels: [], value: 2 },
  ])
  assert.equal(
    formatExposition([family]),
    '# HELP "http.status" Dots.\n# TYPE "http.status" gauge\n{"http.status"} 2\n{"http.status","a b"="x"} 1\n',
  )
})

const metricName = fc.oneof(
  fc.stringMatching(/^[a-z_:][a-z0-9_:]{0,8}$/),
  fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }),
)
const metric: fc.Arbitrary<Metric> = fc
  .tuple(
    fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z][a-z0-9_]{0,5}$/), fc.string({ unit: 'grapheme' })), {
      selector: ([name]) => name,
      maxLength: 3,
    }),
    fc.double(),
    fc.option(fc.nat(), { nil: undefined }),
  )
  .map(([pairs, value, timestampMs]) => ({
    labels: pairs.flat(),
    value,
    ...(timestampMs === undefined ? {} : { timestampMs }),
  }))
const family: fc.Arbitrary<MetricFamily> = fc.record({
  name: metricName.filter((name) => !/[\x00]/.test(name)),
  help: fc
    .oneof(fc.constantFrom(' ', ' \t', ' a'), fc.string({ unit: 'grapheme' }))
    .filter((help) => !/[\x00]/.test(help)),
  type: fc.constantFrom('counter' as const, 'gauge' as const, 'untyped' as const),
  metrics: fc.array(metric, { minLength: 1, maxLength: 4 }),
})

test('parseExposition() of what writeExposition() prints gives the families back', () => {
  fc.assert(
    fc.property(family, ({ metrics, ...rest }) => {
      const entries = parseExposition(writeExposition([{ metrics, ...rest }]), { format: 'text' })
      // Upstream's lexer takes a text of nothing but blanks for the blank before it (`promlex.l`).
      const help = rest.help?.replace(/^[ \t]+$/, '') ?? ''
      assert.deepEqual(entries.slice(0, 2), [
        { kind: 'help', metric: entries[0]!.kind === 'help' ? entries[0]!.metric : '', help },
        { kind: 'type', metric: entries[0]!.kind === 'help' ? entries[0]!.metric : '', type: metricTypeOf(rest.type) },
      ])
      const key = (pairs: Record<string, string>, value: number, timestampMs: number | null): string =>
        JSON.stringify([Object.entries(pairs).sort(), Object.is(value, -0) ? '-0' : String(value), timestampMs])
      const got = entries
        .slice(2)
        .map((entry) =>
          entry.kind === 'series' ? key(labelsToObject(entry.labels), entry.value, entry.timestampMs) : entry.kind,
        )
      const wanted = metrics.map(({ labels, value, timestampMs }) => {
        const pairs: Record<string, string> = { __name__: rest.name }
        for (let i = 0; i < labels.length; i += 2) pairs[labels[i]!] = labels[i + 1]!
        return key(pairs, value, timestampMs ?? null)
      })
      assert.deepEqual(got.sort(), wanted.sort())
    }),
    { numRuns: 500 },
  )
})
