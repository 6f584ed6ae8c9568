import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { formatLabels, labelsFrom } from '../../../protocol/labels/mod.ts'
import { CounterResetHint, EMPTY_HISTOGRAM, isStaleAt } from '../../../protocol/samples/mod.ts'
import { type Annotation, QueryError, type QueryResult } from '../contract.ts'
import { printHistogram } from '../series-description/mod.ts'
import { atVariants } from './at-variants.ts'
import { almostEqual, type LoadedSeries, readScript, runScript, type ScriptTarget, sameHistogram } from './mod.ts'

const kit = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../../shared/conformance')
const scripts = path.join(kit, 'promql')

test('readScript() reads every script of the kit', {
  skip: fs.existsSync(scripts) ? false : `${scripts} is absent`,
}, () => {
  let evals = 0
  for (const file of fs.readdirSync(scripts).filter((name) => name.endsWith('.test'))) {
    for (const command of readScript(fs.readFileSync(path.join(scripts, file), 'utf8'))) {
      if (command.kind === 'eval') evals++
    }
  }
  assert.ok(evals > 1000, `only ${evals} eval commands`)
})

function load(text: string): LoadedSeries[] {
  return [...readScript(text)].flatMap((command) => (command.kind === 'load' ? [...command.series] : []))
}

test('load puts value i at i steps, marks stale samples, keeps the later of two equal series', () => {
  const [a, b, ...rest] = load('load 10s\n  a 9\n  b{x="y z"} 1 _ stale {{sum:2}}\n  a 1+1x2')
  assert.deepEqual([rest.length, formatLabels(a!.labels), [...a!.values]], [0, '{__name__="a"}', [1, 2, 3]])
  assert.deepEqual([...b!.times], [0, 20_000, 30_000])
  assert.deepEqual([...b!.kinds], [0, 1, 2])
  assert.ok(isStaleAt(new Uint32Array(b!.values.buffer), 1))
  assert.equal(b!.histograms![2]!.sum, 2)
})

test('load gives samples the start timestamps of the @st line before', () => {
  const [a] = load('load 1m\n  a{b=" {"}@st _ -1m-1mx1 0 _x2 5ms\n  a{b=" {"} _ 1 2 3 _x2 4')
  assert.deepEqual([...a!.times], [60_000, 120_000, 180_000, 360_000])
  assert.deepEqual([...a!.startTimes!], [0, 0, 180_000, 360_005])
})

const brokenLoads: readonly (readonly [text: string, message: RegExp])[] = [
  ['load', /line 1: invalid load command/],
  ['load 1x\n a 1', /line 1: unknown unit "x" in duration "1x"/],
  ['load 1m\n a 1+1', /line 2: 1:6: parse error: unexpected end of input in series values/],
  ['load 1m\n a@st 1m\n b 1', /line 3: the @st line before this series has other labels/],
  ['load 1m\n a@st 1m 2m\n a 1', /line 3: 2 start timestamps for a series of 1 values/],
  ['load 1m\n a@st 1m', /line 2: an @st line without its series/],
  ['load 1m\n a@st 1q\n a 1', /line 2: invalid start timestamp "1q"/],
  ['\nstore 1m', /line 2: invalid command "store 1m"/],
  ['load_with_nhcb 1m\n a_bucket{le="1"} 2\n a_bucket{le="2"} 1', /bucket counts are not cumulative/],
  ['load_with_nhcb 1m\n a_bucket{le="+Inf"} 2\n a_count 1', /does not equal the count of the highest bucket/],
  ['load_with_nhcb 1m\n a_count -1', /negative count -1/],
]
for (const [text, message] of brokenLoads) {
  test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => [...readScript(text)], message))
}

test('load_with_nhcb adds histograms made of classic buckets', () => {
  const series = load(`load_with_nhcb 1m
    a_bucket{le="2", x="y"} 3 4
    a_bucket{le="1", x="y"} 1 1
    a_bucket{le="bad", x="y"} 7 7
    a_sum{x="y"} 10 20
    a_count{x="y"} 5 6
    other 1`)
  const made = series.filter(({ histograms }) => histograms !== null)
  assert.deepEqual(
    made.map(({ labels, histograms }) => [formatLabels(labels), ...histograms!.map((h) => printHistogram(h!))]),
    [
      [
        '{__name__="a", x="y"}',
        '{{schema:-53 count:5 sum:10 custom_values:[1 2] buckets:[1 2 2]}}',
        '{{schema:-53 count:6 sum:20 custom_values:[1 2] buckets:[1 3 2]}}',
      ],
    ],
  )
  assert.equal(series.length, 7)
})

const brokenEvals: readonly (readonly [text: string, message: RegExp])[] = [
  ['eval sometimes foo', /line 1: invalid eval command/],
  ['eval instant at 1m foo[', /line 1: 1:5: parse error: unexpected end of input in duration expression/],
  ['eval instant at 1m foo\n foo 1 2', /line 2: an instant query wants one value a series, got 2/],
  ['eval range from 0 to 1m step 1m foo\n foo 1 2 3', /line 2: expected 3 values, but the range has 2 steps/],
  ['eval range from 0 to 1m step 0 foo', /step must be above 0/],
  ['eval range from 2m to 1m step 1m foo', /the end 1m is before the start 2m/],
  ['eval range from 0 to 1m step 1m foo\n expect ordered', /does not go with a range query/],
  ['eval instant at 1m foo\n expect warn\n expect no_warn', /exclude each other/],
  ['eval instant at 1m foo\n expect fail\n expect fail', /more than one expect fail/],
  ['eval instant at 1m foo\n expect nothing', /invalid expect line "expect nothing"/],
]
for (const [text, message] of brokenEvals) {
  test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => [...readScript(text)], message))
}

/** Answers every query with what `answer` gives for it; a vector's points are the same at every step. */
function answering(answer: (query: string, timeMs: number) => QueryResult) {
  const asked: string[] = []
  const target: ScriptTarget = {
    clear: () => {},
    append: () => {},
    instant: (query, timeMs) => {
      asked.push(`${query} at ${timeMs}`)
      return answer(query, timeMs)
    },
    range: (query, startMs, endMs, stepMs) => {
      asked.push(`${query} from ${startMs} to ${endMs} step ${stepMs}`)
      const result = answer(query, startMs)
      return result.type === 'vector' ? { ...result, type: 'matrix' } : result
    },
  }
  return { target, asked }
}

type Row = readonly [labels: Readonly<Record<string, string>>, values: readonly (number | null)[]]

function vector(rows: readonly Row[], annotations: readonly Annotation[] = []): QueryResult {
  const series = rows.map(([labels, values]) => ({
    labels: labelsFrom(labels),
    values: Float64Array.from(values, (value) => value ?? 0),
    present: Uint8Array.from(values, (value) => (value === null ? 0 : 1)),
    histograms: null,
  }))
  return { type: 'vector', series, annotations }
}

const same = (value: number) => [value, value, value]
const foo = vector([[{ __name__: 'foo' }, same(1)]])
const warning: Annotation = { level: 'warning', message: 'PromQL warning: odd', pos: { start: 0, end: 3 } }

const runs: readonly (readonly [name: string, text: string, answer: QueryResult | Error, failure: RegExp | null])[] = [
  ['an equal vector', 'foo 1', foo, null],
  ['a nearly equal value', 'foo 1.0000001', foo, null],
  ['another value', 'foo 2', foo, /series {__name__="foo"}: expected 2 but got 1/],
  ['a name too many', '{} 1', foo, /unexpected series {__name__="foo"}/],
  ['a missing series', 'foo 1\n bar 1', foo, /expected series {__name__="bar"} is not in the result/],
  ['an unexpected series', '', foo, /unexpected series/],
  ['a histogram instead of a float', 'foo {{sum:1}}', foo, /expected histogram {{sum:1}} but got 1/],
  ['an expected failure', 'expect fail msg: no', new QueryError('execution', 'no'), null],
  ['another failure', 'expect fail regex: ^yes', new QueryError('execution', 'no'), /expected failure regex \^yes/],
  ['a failure out of the blue', 'foo 1', new QueryError('execution', 'no'), /failed: .*no/],
  ['no failure', 'expect fail', foo, /expected the query to fail, but it did not/],
  ['a scalar', '0x10', { type: 'scalar', values: Float64Array.of(16, 16, 16), annotations: [] }, null],
  ['another scalar', '1', { type: 'scalar', values: Float64Array.of(2, 2, 2), annotations: [] }, /scalar 1 but got 2/],
  ['a string', 'expect string "x y"', { type: 'string', value: 'x y', annotations: [] }, null],
  ['another string', 'expect string `x`', { type: 'string', value: 'y', annotations: [] }, /expected string "x"/],
  ['a warning', 'expect warn msg: PromQL warning: odd (1:1)\n foo 1', { ...foo, annotations: [warning] }, null],
  ['a warning of any text', 'expect warn\n foo 1', { ...foo, annotations: [warning] }, null],
  ['a warning too many', 'expect no_warn\n foo 1', { ...foo, annotations: [warning] }, /expected no warn annotations/],
  ['a missing info', 'expect info\n foo 1', foo, /expected info annotations but got none/],
  [
    'a warning not listed',
    'expect warn regex: eve.\n foo 1',
    { ...foo, annotations: [warning, { ...warning, message: 'even' }] },
    /unexpected warn annotation "PromQL warning: odd \(1:1\)"/,
  ],
  [
    'the points of another step',
    'foo 1',
    vector([[{ __name__: 'foo' }, [1, 2, 1]]]),
    /as a range query .*expected 1 but got 2/,
  ],
  [
    'an unsorted matrix',
    'foo 1\n bar 1',
    vector([
      [{ __name__: 'foo' }, same(1)],
      [{ __name__: 'bar' }, same(1)],
    ]),
    /the matrix is not sorted: {__name__="foo"} comes before {__name__="bar"}/,
  ],
]
for (const [name, lines, answer, failure] of runs) {
  test(`runScript() sees ${name}`, async () => {
    const { target } = answering(() => {
      if (answer instanceof Error) throw answer
      return answer
    })
    const report = await runScript(`eval instant at 1m foo\n${lines}`, target, { atVariants: false })
    assert.equal(report.total, 1)
    if (failure === null) assert.deepEqual(report.failures, [])
    else {
      assert.equal(report.passed, 0)
      assert.match(report.failures[0]!.message, failure)
    }
  })
}

test('runScript() compares the order only when asked to', async () => {
  const { target } = answering(() =>
    vector([
      [{ a: '1' }, [1]],
      [{ a: '2' }, [2]],
    ]),
  )
  const script = (extra: string) => `eval instant at 1m sort(foo)\n${extra} {a="2"} 2\n {a="1"} 1`
  const options = { atVariants: false, rangeRuns: false }
  assert.equal((await runScript(script(''), target, options)).passed, 1)
  const ordered = await runScript(script('expect ordered\n'), target, options)
  assert.match(ordered.failures[0]!.message, /expected series {a="1"} at position 2 but it was at 1/)
})

const rangeRuns: readonly (readonly [text: string, values: readonly (number | null)[], failure: RegExp | null])[] = [
  ['foo 1 _ 3', [1, null, 3], null],
  ['foo 1', [1, null, null], null],
  ['foo 1 2 3', [1, null, 3], /at step 1 \(60000 ms\): expected a point but there is none/],
  ['foo 1 _ 3', [1, 2, 3], /expected no point but got/],
  ['foo 1 2 3', [null, null, null], /expected series {__name__="foo"} is not in the result/],
]
for (const [text, values, failure] of rangeRuns) {
  test(`a range query with ${JSON.stringify(values)} for ${text}`, async () => {
    const { target, asked } = answering(() => vector([[{ __name__: 'foo' }, values]]))
    const report = await runScript(`eval range from 0 to 2m step 1m foo\n${text}`, target)
    assert.deepEqual(asked, ['foo from 0 to 120000 step 60000'])
    if (failure === null) assert.deepEqual(report.failures, [])
    else assert.match(report.failures[0]!.message, failure)
  })
}

test('an instant query that gives a range vector', async () => {
  const { target, asked } = answering(() => ({
    type: 'raw-matrix',
    series: [
      {
        labels: labelsFrom({ __name__: 'foo' }),
        times: Float64Array.of(0, 120_000),
        values: Float64Array.of(1, 3),
        histograms: null,
      },
    ],
    annotations: [],
  }))
  const script = (values: string) =>
    `eval instant at 2m foo[3m]\nexpect range vector from 0 to 2m step 1m\nfoo ${values}`
  assert.deepEqual((await runScript(script('1 _ 3'), target, { atVariants: false })).failures, [])
  assert.deepEqual(asked, ['foo[3m] at 120000'])
  assert.match((await runScript(script('1 3'), target)).failures[0]!.message, /expected point 1 at 60000 ms/)
})

test('runScript() runs instant queries as range queries and pinned at other times', async () => {
  const { target, asked } = answering(() => vector([]))
  await runScript('eval instant at 1m sum_over_time(foo[5m:]) + bar @ 3', target)
  const query = 'sum_over_time(foo[5m:] @ 60.000) + bar @ 3.000'
  assert.deepEqual(asked.slice(0, 2), [
    'sum_over_time(foo[5m:]) + bar @ 3 at 60000',
    'sum_over_time(foo[5m:]) + bar @ 3 from 0 to 120000 step 60000',
  ])
  assert.deepEqual(
    asked.filter((one) => one.includes(' at ')).slice(1),
    [-600_000, 0, 12_000, 60_000, 600_000].map((time) => `${query} at ${time}`),
  )
})

test('atVariants() leaves queries that depend on the time alone, and what is inside a pinned subquery', () => {
  assert.deepEqual(atVariants('sum(foo) + time()', 1000), [])
  const nested = atVariants('rate(max_over_time(foo[1m])[5m:] @ 7)', 1000)
  assert.equal(nested[0]!.query, 'rate(max_over_time(foo[1m])[5m:] @ 7.000)')
  assert.equal(atVariants('max_over_time(foo[1m:] @ end())', 0)[0]!.query, 'max_over_time(foo[1m:] @ 0.000)')
  assert.deepEqual(
    atVariants('foo', 0).map(({ timeMs }) => timeMs),
    [-1000, 0, 1000],
  )
})

test('a failing command does not stop the script', async () => {
  const { target } = answering(() => foo)
  const report = await runScript('eval instant at 0 foo\n foo 1\n\nnonsense\n\neval instant at 0 foo\n foo 1', target)
  assert.deepEqual([report.total, report.passed, report.failures[0]!.line], [3, 2, 4])
})

test('almostEqual() and sameHistogram()', () => {
  assert.ok(almostEqual(NaN, NaN) && almostEqual(Infinity, Infinity) && almostEqual(1, 1 + 1e-7))
  assert.ok(!almostEqual(0, 1e-300) && !almostEqual(1, 1.00001) && !almostEqual(Infinity, -Infinity))
  const spread = { ...EMPTY_HISTOGRAM, positiveSpans: [{ offset: 0, length: 3 }], positiveBuckets: [1, 0, 2] }
  const split = {
    ...EMPTY_HISTOGRAM,
    positiveSpans: [
      { offset: 0, length: 1 },
      { offset: 1, length: 1 },
    ],
    positiveBuckets: [1, 2],
  }
  assert.ok(sameHistogram(spread, split, true))
  const gauge = { ...split, counterResetHint: CounterResetHint.gauge }
  assert.ok(sameHistogram(spread, gauge, false) && !sameHistogram(spread, gauge, true))
  assert.ok(!sameHistogram(spread, { ...split, sum: 1 }, false))
})
