import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ParserFeatures } from '../ast.ts'
import { FUNCTIONS } from '../functions.ts'
import {
  ALL_FEATURES,
  DEFAULT_FEATURES,
  exprToApi,
  extractSelectors,
  MAX_DEPTH,
  ParseError,
  parseExpr,
  parseMetricSelector,
  typeOf,
} from './mod.ts'

const NO_FEATURES: ParserFeatures = { ...DEFAULT_FEATURES, durationExpressions: false }

function errorsOf(query: string, features: ParserFeatures = ALL_FEATURES): string[] {
  try {
    parseExpr(query, features)
  } catch (error) {
    assert.ok(error instanceof ParseError, String(error))
    return error.errors.map(({ message, position }) => `${position.start}-${position.end} ${message}`)
  }
  return []
}

/** Checked against Prometheus 3.5.3 (first messages) where the text is the same in both. */
const errorLists: readonly (readonly [query: string, errors: readonly string[]])[] = [
  ['foo bar )', ['4-7 unexpected identifier "bar"', "9-9 unexpected right parenthesis ')'"]],
  ['sum(1 2)', ['6-7 unexpected number "2" in aggregation', '0-7 no arguments for aggregate expression provided']],
  [
    'sum(foo{a}) + topk(',
    [
      '9-10 unexpected "}" in label matching, expected label matching operator',
      '19-19 unclosed left parenthesis',
      '14-11 no arguments for aggregate expression provided',
    ],
  ],
  ['foo{a=1, b}', ["6-11 unexpected character inside braces: '1'"]],
  [
    'foo{a b, c}',
    [
      '6-7 unexpected identifier "b" in label matching, expected label matching operator',
      '10-11 unexpected "}" in label matching, expected label matching operator',
    ],
  ],
  ['sum by (a b, c) (x)', ['10-11 unexpected identifier "b" in grouping opts, expected "," or ")"']],
  ['a + on b', ['7-8 unexpected identifier "b" in grouping opts, expected "("']],
  ['a - on(b) group_left', ['20-20 unexpected end of input in grouping opts, expected "("']],
  ['foo[5m:1m 3]', ['10-11 unexpected number "3" in subquery selector, expected "]"']],
  ['foo[5m 3]', ['7-8 unexpected number "3" in subquery or range, expected ":" or "]"']],
  ['rate(foo[5m]', ['12-12 unclosed left parenthesis']],
  ['foo @ bar', ['6-9 unexpected identifier "bar" in @, expected timestamp']],
  ['foo @ 1 @ 2', ['0-7 @ <timestamp> may not be set multiple times']],
  ['foo[5m] anchored smoothed', ['0-7 anchored and smoothed modifiers cannot be used together']],
  ['foo[5m:] anchored', ['0-8 anchored modifier is not supported for subqueries']],
  ['1 smoothed', ['0-1 smoothed modifier not implemented']],
  ['up{job=~"("}', ['3-11 error parsing regexp: missing closing ): `(`']],
  ['foo + fill(1) 2', ['0-15 filling in missing series only allowed between instant vectors']],
  ['foo and fill(1) bar', ['0-19 filling in missing series not allowed for set operators']],
]
for (const [query, errors] of errorLists) {
  test(`parseExpr() lists the errors of ${query}`, () => {
    const got = errorsOf(query)
    if (query.includes('=~')) assert.match(got.join(), /^3-11 error parsing regexp: /)
    else assert.deepEqual(got, errors)
  })
}

const gated: readonly (readonly [query: string, message: RegExp])[] = [
  [
    'limitk(1, foo)',
    /limitk\(\) is experimental and must be enabled with --enable-feature=promql-experimental-functions/,
  ],
  ['info(foo)', /function "info" is not enabled/],
  ['foo[1m+1m]', /experimental duration expression is not enabled/],
  ['foo[5m] anchored', /anchored modifier is experimental and not enabled/],
  ['foo + fill(1) bar', /binop fill modifiers are experimental and not enabled/],
]
for (const [query, message] of gated) {
  test(`parseExpr() takes ${query} only with its feature`, () => {
    assert.throws(() => parseExpr(query, NO_FEATURES), message)
    assert.deepEqual(errorsOf(query), [])
  })
}

test('parseExpr() counts positions in bytes', () => {
  assert.throws(() => parseExpr('{"ü"="é"} +\n  é'), /^ParseError: 2:3: parse error: unexpected character: 'é'$/)
  const expr = parseExpr('{"ü"="é"} + foo')
  assert.equal(expr.kind === 'binary' && expr.rhs.pos.start, 14)
  assert.deepEqual(extractSelectors(expr)[0], [{ name: 'ü', op: '=', value: 'é' }])
})

test('parseExpr() refuses what is too deep or too long, with a typed error', () => {
  const deep = 10_000
  for (const query of [
    `${'('.repeat(deep)}1${')'.repeat(deep)}`,
    `${'abs('.repeat(deep)}a${')'.repeat(deep)}`,
    `${'-'.repeat(deep)}a`,
    `1${'^1'.repeat(deep)}`,
    `a[${'('.repeat(deep)}1${')'.repeat(deep)}]`,
    `a[${'-'.repeat(deep)}1]`,
    `1${'+1'.repeat(MAX_DEPTH + 1)}`,
    `a${'[1m:]'.repeat(MAX_DEPTH + 1)}`,
    ' '.repeat(2 ** 20 + 1),
  ]) {
    assert.throws(
      () => parseExpr(query),
      (error) => error instanceof ParseError && /too (deep|long)/.test(error.message),
    )
  }
  assert.equal(parseExpr(`1${'+1'.repeat(1500)}`).kind, 'binary')
  assert.equal(parseExpr(`${'('.repeat(400)}1${')'.repeat(400)}`).kind, 'paren')
})

test('parseExpr() gives a tree or a ParseError for any tokens', () => {
  const word = fc.constantFrom(
    ...'( ) { } [ ] , = =~ != !~ == > >/ </ + - * ^ and or on ignoring group_left by without offset @ sum topk'.split(
      ' ',
    ),
    ...'rate foo 5 5m "x" `z` : start() step() max_of NaN Inf 0x1f 1e3 a:b # ü info fill ( bool anchored \\ \ufffd \ud800'.split(
      ' ',
    ),
  )
  const text = fc.array(word, { maxLength: 14 }).map((words) => words.join(' '))
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), (query) => {
      const errors = errorsOf(query)
      const end = new TextEncoder().encode(query).length
      for (const error of errors) assert.ok(Number(/^(\d+)-/.exec(error)![1]) <= end, error)
    }),
    { numRuns: 3000 },
  )
})

const types: readonly (readonly [query: string, type: string])[] = [
  ['1 + 2', 'scalar'],
  ['-(foo)', 'vector'],
  ['1 + foo', 'vector'],
  ['"x"', 'string'],
  ['foo[5m]', 'matrix'],
  ['foo[5m:]', 'matrix'],
  ['time()', 'scalar'],
  ['sum(foo)', 'vector'],
  ['rate(foo[5m])', 'vector'],
]
for (const [query, type] of types) test(`typeOf(${query})`, () => assert.equal(typeOf(parseExpr(query)), type))

const values: readonly (readonly [query: string, value: number])[] = [
  ['0x1F', 31],
  ['0755', 493],
  ['08', 8],
  ['1_000', 1000],
  ['-Inf', -Infinity],
  ['9223372036854775808', 2 ** 63],
  ['1h30m5ms', 5400.005],
  ['-1d', -86_400],
]
for (const [query, value] of values) {
  test(`the number ${query}`, () => {
    const expr = parseExpr(query)
    assert.equal(expr.kind === 'number' && expr.value, value)
  })
}

test('parseMetricSelector() takes a selector and nothing else', () => {
  assert.deepEqual(parseMetricSelector('up{job="node"}'), [
    { name: 'job', op: '=', value: 'node' },
    { name: '__name__', op: '=', value: 'up' },
  ])
  assert.deepEqual(parseMetricSelector('{}'), [])
  assert.throws(() => parseMetricSelector('up[5m]'), /1:3: parse error: unexpected "\["/)
  assert.throws(() => parseMetricSelector('1'), /1:1: parse error: unexpected number "1"/)
  assert.throws(() => parseMetricSelector(''), /1:1: parse error: unexpected end of input/)
})

test('exprToApi() gives the signature of functions, as the HTTP API', () => {
  assert.deepEqual(exprToApi(parseExpr('hour()')), {
    type: 'call',
    func: { name: 'hour', argTypes: ['vector'], variadic: 1, returnType: 'vector' },
    args: [],
  })
  assert.deepEqual(exprToApi(parseExpr('foo[step()]')), {
    type: 'matrixSelector',
    name: 'foo',
    offset: 0,
    offsetExpr: null,
    matchers: [{ type: '=', name: '__name__', value: 'foo' }],
    timestamp: null,
    startOrEnd: null,
    anchored: false,
    smoothed: false,
    range: 0,
    rangeExpr: { type: 'durationExpr', op: 'step', lhs: null, rhs: null, wrapped: false },
  })
})

test('every function can be called with as few and as many arguments as its signature says', () => {
  const sample = { vector: '{foo="bar"}', matrix: 'foo[5m]', scalar: '1', string: '"s"', none: '' }
  for (const { name, argTypes, variadic } of FUNCTIONS.values()) {
    const least = variadic === 0 ? argTypes.length : argTypes.length - 1
    const most = variadic < 0 ? argTypes.length + 3 : variadic === 0 ? argTypes.length : least + variadic
    const call = (count: number) =>
      `${name}(${Array.from({ length: count }, (_, i) => sample[argTypes[Math.min(i, argTypes.length - 1)]!]).join()})`
    assert.deepEqual(errorsOf(call(least)), [], name)
    assert.deepEqual(errorsOf(call(most)), [], name)
    if (least > 0) assert.match(errorsOf(call(least - 1)).join(), /argument\(s\) in call to/, name)
  }
})
