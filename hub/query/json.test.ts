import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { type Labels, labelsFrom } from '../../protocol/labels/mod.ts'
import { CUSTOM_BUCKETS_SCHEMA, EMPTY_HISTOGRAM, type Exemplar, type Histogram } from '../../protocol/samples/mod.ts'
import type { SeriesReader } from '../tsdb/contract.ts'
import { writeExemplars } from './discovery.ts'
import { formatJsonFloat, formatPlainFloat, formatTimestamp, JsonWriter } from './json.ts'
import { writeResult } from './results.ts'
import { stepTimes } from './step-times.ts'

const KIT = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance')
const FILE = path.join(KIT, 'http-api/json-encoding.json')

type HistogramJson = Omit<Histogram, 'positiveSpans' | 'negativeSpans'> & {
  readonly positiveSpans: readonly [number, number][]
  readonly negativeSpans: readonly [number, number][]
}
type ValueJson = number | string
type Case = { readonly body: string } & (
  | {
      readonly kind: 'vector'
      readonly samples: readonly { metric: Record<string, string>; timestampMs: number; value: ValueJson }[]
    }
  | {
      readonly kind: 'matrix'
      readonly series: readonly {
        metric: Record<string, string>
        points?: readonly [number, ValueJson][]
        histograms?: readonly [number, HistogramJson][]
      }[]
    }
  | { readonly kind: 'point'; readonly timestampMs: ValueJson; readonly value: ValueJson }
  | {
      readonly kind: 'exemplars'
      readonly series: readonly {
        labels: Record<string, string>
        exemplars: readonly { labels: Record<string, string>; value: ValueJson; timestampMs: number }[]
      }[]
    }
)

const numberOf = (value: ValueJson): number => Number(String(value).replace('Inf', 'Infinity'))
const spans = (pairs: readonly [number, number][] = []) => pairs.map(([offset, length]) => ({ offset, length }))

function histogramOf(json: HistogramJson): Histogram {
  return {
    ...EMPTY_HISTOGRAM,
    ...json,
    positiveSpans: spans(json.positiveSpans),
    negativeSpans: spans(json.negativeSpans),
  }
}

/** The results of these cases have samples with times of their own: raw matrices, and vectors of one each. */
function encode(given: Case): string {
  const range = { startMs: 0, endMs: 0, stepMs: 1, instant: true }
  const context = { range, text: '', limit: 0, poll: () => {}, stats: null }
  switch (given.kind) {
    case 'point':
      return text(
        new JsonWriter()
          .raw('{"status":"success","data":')
          .point(
            typeof given.timestampMs === 'string' ? BigInt(given.timestampMs) : given.timestampMs,
            numberOf(given.value),
          )
          .raw('}')
          .finish(),
      )
    case 'vector': {
      const parts = given.samples.map(({ metric, timestampMs, value }) => {
        const series = {
          labels: labelsFrom(metric),
          values: Float64Array.of(numberOf(value)),
          present: Uint8Array.of(1),
          histograms: null,
        }
        const one = { ...context, range: { ...range, startMs: timestampMs, endMs: timestampMs } }
        return text(writeResult({ type: 'vector', series: [series], annotations: [] }, one))
      })
      // An instant query has one time for all; here each has its own.
      const [head, tail] = ['{"status":"success","data":{"resultType":"vector","result":[', ']}}']
      return `${head}${parts.map((part) => part.slice(head.length, -tail.length)).join(',')}${tail}`
    }
    case 'matrix': {
      const series = given.series.map(({ metric, points = [], histograms = [] }) => ({
        labels: labelsFrom(metric),
        times: Float64Array.from([...points, ...histograms].map(([time]) => time)),
        values: Float64Array.from([...points.map(([, value]) => numberOf(value)), ...histograms.map(() => 0)]),
        histograms: [...points.map(() => undefined), ...histograms.map(([, json]) => histogramOf(json))],
      }))
      return text(writeResult({ type: 'raw-matrix', series, annotations: [] }, context))
    }
    case 'exemplars': {
      const reader = {
        select: () => Uint32Array.from(given.series.keys()),
        labels: (ref: number): Labels => labelsFrom(given.series[ref]!.labels),
        exemplars: (ref: number): Exemplar[] =>
          given.series[ref]!.exemplars.map(({ labels, value, timestampMs }) => ({
            labels: labelsFrom(labels),
            value: numberOf(value),
            timestampMs,
          })),
      }
      return text(writeExemplars(reader as unknown as SeriesReader, TASK)!)
    }
  }
}

const TASK = { kind: 'exemplars', query: 'x', startMs: 0, endMs: 1, features: [] } as const

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

test('results are written as upstream writes them', {
  skip: fs.existsSync(FILE) ? false : `${FILE} is absent`,
}, async (t) => {
  const { cases } = JSON.parse(fs.readFileSync(FILE, 'utf8')) as { cases: Case[] }
  assert.ok(cases.length > 15)
  for (const [i, given] of cases.entries())
    await t.test(`${given.kind} ${i}`, () => assert.equal(encode(given), given.body))
})

const FLOATS: readonly [value: number, text: string][] = [
  [0, '0'],
  [-0, '-0'],
  [1e-6, '0.000001'],
  [9.99e-7, '9.99e-07'],
  [1e20, '100000000000000000000'],
  [1e21, '1e+21'],
  [-1.5e300, '-1.5e+300'],
  [5e-324, '5e-324'],
  [0.1 + 0.2, '0.30000000000000004'],
  [-Infinity, '-Inf'],
]
for (const [value, shown] of FLOATS)
  test(`formatJsonFloat() writes ${shown}`, () => assert.equal(formatJsonFloat(value), shown))

const TIMES: readonly [ms: number | bigint, text: string][] = [
  [0, '0'],
  [-1, '-0.001'],
  [-1500, '-1.500'],
  [1_700_000_000_050, '1700000000.050'],
  [-12345678123456555n, '-12345678123456.555'],
  [5n, '0.005'],
  [7000n, '7'],
]
for (const [ms, shown] of TIMES)
  test(`formatTimestamp() writes ${shown}`, () => assert.equal(formatTimestamp(ms), shown))

test('strings of any length and script survive', () => {
  for (const given of ['', 'é'.repeat(100_000), 'a"b\\c\n\u0001', `${'x'.repeat(47)}€`, '\u{1f600}'.repeat(20_000)]) {
    assert.equal(JSON.parse(text(new JsonWriter().string(given).finish())), given)
  }
})

const LISTS: readonly (readonly [what: string, texts: readonly string[]])[] = [
  ['one', ['pod-1']],
  ['many', Array.from({ length: 3000 }, (_, i) => `pod-${i}`)],
  ['empty ones', ['', '', '']],
  ['what needs escaping', ['a"b', 'c\\d', 'e\n\u0001', '\u007f', '","']],
  ['all scripts', ['é', '€', '\u{1f600}', 'plain']],
  ['what is no UTF-8, and what looks like it', ['a\udcffb', '\\udcff', '\ud83d', '\u{1f600}']],
]
for (const [what, texts] of LISTS) {
  test(`strings() writes ${what} as string() does each`, () => {
    const each = new JsonWriter()
    for (const [i, one] of texts.entries()) each.raw(i === 0 ? '' : ',').string(one)
    assert.equal(text(new JsonWriter().strings(texts).finish()), text(each.finish()))
  })
}

test('labels that begin like the last ones are written as all others are, wherever the buffer ends', () => {
  const sets = Array.from({ length: 3000 }, (_, i) => ({
    __name__: i % 7 === 0 ? 'other' : 'requests_total',
    ...(i % 5 > 0 && { job: `job-${i >> 9}` }),
    ...(i % 3 > 0 && { path: `/é"${i >> 4}` }),
    pod: `pod-${i}`,
  }))
  const given = [{}, {}, { a: 'b' }, { a: 'b' }, {}, { a: 'b', c: 'd' }, { a: 'c', c: 'd' }, ...sets]
  const out = new JsonWriter()
  for (const [i, labels] of given.entries()) out.raw(i === 0 ? '[' : ',').labels(labelsFrom(labels))
  assert.deepEqual(JSON.parse(text(out.raw(']').finish())), given)
})

test('answers share no memory, neither with each other nor with the next one', () => {
  const [one, other] = [new JsonWriter().string('one'), new JsonWriter().string('other')]
  const answers = [one.finish(), other.finish(), new JsonWriter().string('next').finish()]
  new JsonWriter().raw('x'.repeat(100)).finish()
  assert.deepEqual(answers.map(text), ['"one"', '"other"', '"next"'])
  for (const { buffer, length } of answers) assert.equal(buffer.byteLength, length)
})

test('points of steps are written as single points are', () => {
  const values = Float64Array.of(
    0,
    -0,
    1,
    9,
    10,
    999_999_999,
    1e9,
    1_000_000_007,
    999_999_999_999_999,
    1e15,
    8_234_567_890.5,
    1.5,
    -7,
    1e21,
    5e-324,
    Number.NaN,
    Infinity,
    -Infinity,
    123_456.75,
  )
  const startMs = 1_700_000_000_250
  const times = stepTimes(startMs, 500, values.length)
  const steps = new JsonWriter()
  const points = new JsonWriter()
  values.forEach((value, i) => {
    steps.stepPoint(times, i, values, i === 0)
    points.raw(i === 0 ? '' : ',').point(startMs + 500 * i, value)
  })
  assert.equal(text(steps.finish()), text(points.finish()))
})

test('times of steps outgrow their first buffer', () => {
  const { bytes, starts } = stepTimes(-9_000_000_000_000_999, 1, 50)
  assert.equal(text(bytes.subarray(starts[49], starts[50])), formatTimestamp(-9_000_000_000_000_950))
})

test('an answer that is being written can be ended', () => {
  const one = { labels: labelsFrom({}), values: new Float64Array(1), present: Uint8Array.of(1), histograms: null }
  const range = { startMs: 0, endMs: 0, stepMs: 1, instant: false }
  let polls = 0
  const poll = () => {
    if (++polls === 3) throw new Error('enough')
  }
  assert.throws(
    () =>
      writeResult(
        { type: 'matrix', series: [one, one, one, one], annotations: [] },
        { range, text: '', limit: 0, poll, stats: null },
      ),
    /^Error: enough$/,
  )
})

test('what is no UTF-8 is replaced', () => {
  assert.equal(text(new JsonWriter().string('a\udcffb').finish()), '"a�b"')
})

test('a custom-bucket histogram begins at -Inf, inclusively, and ends at +Inf', () => {
  const histogram: Histogram = {
    ...EMPTY_HISTOGRAM,
    schema: CUSTOM_BUCKETS_SCHEMA,
    count: 6,
    sum: 3,
    positiveSpans: [{ offset: 0, length: 3 }],
    positiveBuckets: [1, 2, 3],
    customValues: [0.5, 1],
  }
  assert.equal(
    text(new JsonWriter().histogramPoint(1000, histogram).finish()),
    '[1,{"count":"6","sum":"3","buckets":[[3,"-Inf","0.5","1"],[0,"0.5","1","2"],[0,"1","+Inf","3"]]}]',
  )
})

test('a histogram without observations has no buckets', () => {
  assert.equal(text(new JsonWriter().histogramPoint(0, EMPTY_HISTOGRAM).finish()), '[0,{"count":"0","sum":"0"}]')
})

for (const [value, shown] of [
  [1e21, `1${'0'.repeat(21)}`],
  [-1.25e22, `-125${'0'.repeat(20)}`],
  [1e-7, '0.0000001'],
  [-1.5e-10, '-0.00000000015'],
  [5e-324, `0.${'0'.repeat(323)}5`],
  [0.1, '0.1'],
  [-0, '-0'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf'],
] as const)
  test(`the number ${value} on its own has no exponent`, () => {
    assert.equal(formatPlainFloat(value), shown)
    const range = { startMs: 1010, endMs: 1010, stepMs: 1, instant: true }
    const result = { type: 'scalar' as const, values: Float64Array.of(value), annotations: [] }
    const body = writeResult(result, { range, text: '', limit: 0, poll: () => {}, stats: null })
    const text = `{"status":"success","data":{"resultType":"scalar","result":[1.01,"${shown}"]}}`
    assert.equal(new TextDecoder().decode(body), text)
  })

test('lists that come again are written as the first time, whatever stands before them', () => {
  const lists = [['a', 'b"', '\ud800'], [], ['\u00e9'.repeat(5000)]]
  for (const list of lists)
    for (const before of ['[', '[0,', '[1,2,'])
      assert.equal(
        text(new JsonWriter().raw(before).keptStrings(list).finish()),
        text(new JsonWriter().raw(before).strings(list).finish()),
      )
})
