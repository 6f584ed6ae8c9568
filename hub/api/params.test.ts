/** Times and spans at the ends of what can be told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Params, parseSpan, parseTime } from './params.ts'

const TIMES: readonly (readonly [text: string, ms: number | null])[] = [
  ['1.5', 1500],
  ['-1e-3', -1],
  ['2024-02-29T00:00:00Z', 1_709_164_800_000],
  ['2023-02-29T00:00:00Z', null],
  ['2023-02-28T23:30:00-01:00', 1_677_630_600_000],
  ['1970-01-01T00:00:00,25Z', 250],
  ['1970-13-01T00:00:00Z', null],
  ['1970-01-01T24:00:00Z', null],
  ['2023-11-14T22:13:20+24:00', 1_699_913_600_000],
  ['2023-11-14T22:13:20-00:60', 1_700_003_600_000],
  ['2023-11-14T22:13:20+25:00', null],
  ['2023-11-14T22:13:20+00:61', null],
  ['1e400', null],
  ['1_000.2_5', 1_000_250],
  ['1__0', null],
  ['_1', null],
  ['0x1p4', 16_000],
  ['0x_1.8p1', 3000],
  // Upstream converts them to integers as x86 does, and wraps around.
  ['NaN', -9_223_372_036_854],
  ['-Inf', -9_223_372_036_854],
  ['+infinity', -9_223_372_036_854],
  ['+NaN', null],
  // No time that is let through is more than what answers can write: they are JSON numbers of whole milliseconds.
  ['1e30', 9e15],
  ['-1e308', -9e15],
  ['-292273086-05-16T16:47:06Z', -9e15],
  ['292277025-08-18T07:12:54.999999999Z', 9e15],
]

for (const [text, ms] of TIMES)
  test(`the time ${text} is ${ms === null ? 'refused' : `${ms} ms`}`, () => assert.equal(parseTime(text), ms))

const SPANS: readonly (readonly [text: string, ms: number | null])[] = [
  ['15', 15_000],
  ['0.0019', 1.9],
  ['-1', -1000],
  ['1m30s', 90_000],
  ['1e30', null],
  ['1_0', 10_000],
  ['1_0s', null],
  ['NaN', -(2 ** 63) / 1e6],
  ['Inf', null],
  ['x', null],
]

for (const [text, ms] of SPANS)
  test(`the span ${text} is ${ms === null ? 'refused' : `${ms} ms`}`, () => assert.equal(parseSpan(text), ms))

test('a flag is what Go takes for one', () => {
  const params = new Params([new URLSearchParams({ yes: '1', also: 'T', no: 'False', odd: 'Yes' })])
  assert.deepEqual(
    ['yes', 'also', 'no', 'absent'].map((name) => params.flag(name)),
    [true, true, false, false],
  )
  assert.throws(() => params.flag('odd'), /error converting odd: strconv\.ParseBool: parsing "yes": invalid syntax/)
})

test('spans too long and limits too large are refused with words of their own', () => {
  const params = new Params([new URLSearchParams({ step: '1e30', timeout: '-Inf', limit: '9223372036854775808' })])
  assert.throws(() => params.duration('step', 0), /cannot parse "1e30" to a valid duration\. It overflows int64/)
  assert.throws(() => params.duration('timeout', 0), /cannot parse "-Inf" to a valid duration\. It overflows int64/)
  const older = { least: 0, problem: 'limit must be a number' }
  assert.throws(() => params.count('limit', older), /^ApiError: limit must be a number$/)
  assert.throws(() => params.limit(), /strconv\.Atoi: parsing "9223372036854775808": value out of range/)
})
