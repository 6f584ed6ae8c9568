import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { type ExpositionCases, runExpositionCases, runExpositionPage } from './conformance.ts'
import { contentTypeFor } from './content-type.ts'

const KIT = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance')
const FOLDER = path.join(KIT, 'exposition')
const skip = existsSync(FOLDER) ? false : `no conformance data at ${FOLDER}`

test('every exposition case of the conformance kit passes', { skip }, () => {
  const data = JSON.parse(readFileSync(path.join(FOLDER, 'cases.json'), 'utf8')) as ExpositionCases
  const results = runExpositionCases(data)
  assert.ok(results.length > 130, `${results.length} cases`)
  assert.deepEqual(
    results.filter(({ error }) => error !== null),
    [],
  )
})

test('every real page of the conformance kit is read', { skip }, () => {
  const fixtures = path.join(FOLDER, 'fixtures')
  const results = readdirSync(fixtures).map((name) =>
    runExpositionPage(name, readFileSync(path.join(fixtures, name)), name.endsWith('.om.txt') ? 'openmetrics' : 'text'),
  )
  assert.ok(results.length >= 4)
  assert.deepEqual(
    results.filter(({ error }) => error !== null),
    [],
  )
})

test('a quoted name without a value is no label of an exemplar', () => {
  const error = 'expected label name, got "} " ("BCLOSE") while parsing: "a_total 1 # {\\"x\\"} "'
  const input = '# TYPE a counter\na_total 1 # {"x"} 1\n# EOF\n'
  assert.equal(runExpositionCases({ errors: [{ format: 'openmetrics', input, error }] })[0]!.error, null)
})

test('a comment without a place in OpenMetrics is refused as upstream refuses it', () => {
  // The first token of the next line, since the exemplar's `#` stood where the timestamp's end was read.
  const error = 'expected a valid start token, got " # {{" ("COMMENT") while parsing: " # {{"'
  const input = 'a_total 1  # {{a="b"} 1\n# EOF\n'
  assert.equal(runExpositionCases({ errors: [{ format: 'openmetrics', input, error }] })[0]!.error, null)
})

for (const text of ['9223372036854775808', '-9223372036854775808', '1e300', '-1e300']) {
  test(`an OpenMetrics timestamp of ${text} s becomes the smallest`, () => {
    const input = `a 1 ${text}\na{b="c"} 1 # {} 1 ${text}\n# EOF\n`
    const timestampMs = -(2 ** 63)
    const entries = [
      { kind: 'series', series: 'a', value: 1, timestampMs },
      { kind: 'series', series: 'a{b="c"}', value: 1, exemplars: [{ labels: {}, value: 1, timestampMs }] },
    ]
    assert.equal(runExpositionCases({ parse: [{ name: '', format: 'openmetrics', input, entries }] })[0]!.error, null)
  })
}

// As Go 1.27's mime.ParseMediaType.
for (const [header, problem] of [
  ['text/plain; x=1; x=1', null],
  ['text/plain; x=1; X=2', 'mime: duplicate parameter name'],
  ['text/plain; x="1"; x=1', null],
  ['text/plain; x = y ; z= "a b"', null],
  ['text/plain; x="a\\"b"', null],
  ['text/plain; x="a\\b"', null],
  ['text/plain; x="a\\', 'mime: invalid media parameter'],
  ['text/plain; x=""', null],
  ['text/plain; x=', 'mime: invalid media parameter'],
  ["text/plain; x*=utf-8''a; x*0=b", null],
  ['text/plain; ;', 'mime: invalid media parameter'],
  ['text/plain ; ', null],
] as const) {
  test(`the Content-Type ${header} ${problem === null ? 'is read' : 'is refused'}`, () => {
    const error =
      problem === null
        ? null
        : `cannot parse Content-Type ${JSON.stringify(header)} and no fallback_scrape_protocol for target\n${problem}`
    assert.deepEqual(contentTypeFor(header, null), { parser: problem === null ? 'text' : null, error })
  })
}

test('a wrong expectation fails', () => {
  const results = runExpositionCases({
    parse: [{ name: 'p', format: 'text', input: 'a 1\n', entries: [{ kind: 'series', series: 'a', value: 2 }] }],
    errors: [{ format: 'text', input: 'a 1\n', error: 'something' }],
    contentType: [
      {
        name: 'c',
        contentType: 'text/plain',
        parser: 'openmetrics',
        errorContains: null,
        fallbackScrapeProtocol: null,
      },
    ],
  })
  assert.ok(results.every(({ error }) => error !== null))
})

test('bounds are spelt alike however Go may read them', () => {
  const input = '# TYPE h histogram\nh_bucket{le="1_0"} 1\nh_bucket{le="0x1p-1"} 1\nh_bucket{le="1__0"} 1\n'
  const series = ['10.0', '0.5', '1__0'].map((le) => ({ kind: 'series', labels: { __name__: 'h_bucket', le } }))
  const spelt = ['1_0', '0x1p-1', '1__0'].map((le) => `h_bucket{le="${le}"}`)
  const entries = [
    { kind: 'type', metric: 'h', type: 'histogram' },
    ...series.map((entry, i) => ({ ...entry, series: spelt[i] })),
  ]
  assert.equal(runExpositionCases({ parse: [{ name: '', format: 'text', input, entries }] })[0]!.error, null)
})
