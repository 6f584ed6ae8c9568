import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsToObject } from '../../../protocol/labels/mod.ts'
import { CounterResetHint, EMPTY_HISTOGRAM, type Histogram } from '../../../protocol/samples/mod.ts'
import { ParseError } from '../parser/mod.ts'
import { parseMetricLabels, parseSeriesDescription, printHistogram } from './mod.ts'

const floats = (text: string) =>
  parseSeriesDescription(text).values.map((value) => (value.kind === 'float' ? value.value : value.kind))

const rows: readonly (readonly [text: string, values: readonly (number | string)[]])[] = [
  ['a 0+10x3', [0, 10, 20, 30]],
  ['a 0x10', Array(11).fill(0)],
  ['a 1.5-0.5x2 _x2 stale', [1.5, 1, 0.5, 'omitted', 'omitted', 'stale']],
  ['a Inf -Inf +inf NaN 1e3 010', [Infinity, -Infinity, Infinity, NaN, 1000, 8]],
  ['a stalex1', ['stale', 'stale']],
  ['a', []],
]
for (const [text, values] of rows) test(`values of ${text}`, () => assert.deepEqual(floats(text), values))

const wrong: readonly (readonly [text: string, message: RegExp])[] = [
  ['a 1x2000000', /too many values/],
  ['a 1x-1', /unexpected <op:-> in series values/],
  ['a 1x1.5', /invalid repetition in series values: strconv.ParseUint: parsing "1.5": invalid syntax/],
  ['a fresh', /unexpected identifier "fresh" in series values, expected number or "stale"/],
  ['a {{schema:1 2}}', /unexpected number "2" in histogram description, expected histogram description key/],
  ['a {{buckets:[1 2}}', /invalid character in buckets description: '}'/],
  ['a {{sum:1}', /histogram description incomplete unexpected: '}'/],
  ['a{b="c" 1', /unexpected character inside braces: '1'/],
]
for (const [text, message] of wrong) {
  test(`${text} is refused`, () => assert.throws(() => parseSeriesDescription(text), message))
}

test('parseMetricLabels() takes quoted names', () => {
  assert.deepEqual({ ...labelsToObject(parseMetricLabels('{"a.b", "c d"="e"}')) }, { __name__: 'a.b', 'c d': 'e' })
})

test('a histogram says whether its hint was written', () => {
  const [a, b] = parseSeriesDescription('a {{}} {{counter_reset_hint:unknown}}').values
  assert.equal(a?.kind === 'histogram' && a.hintSet, false)
  assert.equal(b?.kind === 'histogram' && b.hintSet, true)
})

test('printHistogram() writes what parseSeriesDescription() reads', () => {
  const number = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0))
  const side = fc.record({ offset: fc.integer({ min: -50, max: 50 }), buckets: fc.array(number, { maxLength: 6 }) })
  const histogram = fc
    .record({
      schema: fc.constantFrom(-4, 0, 3, 8, -53),
      numbers: fc.array(number, { minLength: 4, maxLength: 4 }),
      hint: fc.constantFrom(...Object.values(CounterResetHint)),
      positive: side,
      negative: side,
      custom: fc.array(number, { minLength: 1, maxLength: 3 }),
    })
    .map(({ schema, numbers, hint, positive, negative, custom }): Histogram => {
      const spans = ({ offset, buckets }: typeof positive) =>
        buckets.length > 0 ? [{ offset, length: buckets.length }] : []
      return {
        ...EMPTY_HISTOGRAM,
        schema,
        count: numbers[0]!,
        sum: numbers[1]!,
        zeroCount: numbers[2]!,
        zeroThreshold: Math.abs(numbers[3]!),
        counterResetHint: hint,
        positiveSpans: spans(positive),
        positiveBuckets: positive.buckets,
        negativeSpans: spans(negative),
        negativeBuckets: negative.buckets,
        customValues: schema === -53 ? custom : [],
      }
    })
  fc.assert(
    fc.property(histogram, (h) => {
      const [value] = parseSeriesDescription(`a ${printHistogram(h)}`).values
      assert.deepEqual(value?.kind === 'histogram' && value.histogram, h, printHistogram(h))
    }),
    { numRuns: 500 },
  )
})

test('any text gives a series or a ParseError', () => {
  const word = fc.constantFrom(
    ...'a { } "b" = , {{ }} [ ] sum: schema:1 buckets:[ 1 x2 x + - _ stale 5.5 : {{}} ü'.split(' '),
  )
  const text = fc.array(fc.oneof(word, fc.constant(' ')), { maxLength: 14 }).map((words) => words.join(''))
  fc.assert(
    fc.property(text, (input) => {
      try {
        parseSeriesDescription(input)
      } catch (error) {
        assert.ok(error instanceof ParseError, `${input}: ${error}`)
      }
    }),
    { numRuns: 3000 },
  )
})
