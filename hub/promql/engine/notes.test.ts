import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM, type Histogram } from '../../../protocol/samples/mod.ts'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { evaluate } from './mod.ts'
import { MemoryReader } from './testing/memory-reader.ts'
import { ENGINE_OPTIONS } from './testing/options.ts'

const STEP_MS = 60_000

const of = (count: number, buckets: readonly number[], more: Partial<Histogram> = {}): Histogram => ({
  ...EMPTY_HISTOGRAM,
  isFloat: true,
  zeroThreshold: 0.001,
  count,
  sum: count,
  positiveSpans: [{ offset: 0, length: buckets.length }],
  positiveBuckets: buckets,
  ...more,
})
const custom = (bounds: readonly number[]): Histogram =>
  of(3, [1, 1, 1], { schema: -53, zeroThreshold: 0, customValues: bounds })

/** The same sample at each of two steps, or one for each. */
function readerOf(series: readonly (readonly [labels: Record<string, string>, at: readonly (number | Histogram)[]])[]) {
  const reader = new MemoryReader()
  for (const [labels, [first, second = first]] of series) {
    const points = [first!, second!]
    reader.append([
      {
        labels: labelsFrom(labels),
        times: Float64Array.of(0, STEP_MS),
        values: Float64Array.from(points, (point) => (typeof point === 'number' ? point : 0)),
        kinds: Uint8Array.from(points, (point) => (typeof point === 'number' ? 0 : 2)),
        histograms: points.map((point) => (typeof point === 'number' ? undefined : point)),
        startTimes: null,
      },
    ])
  }
  return reader
}

const reader = readerOf([
  [{ __name__: 'odd' }, [of(10, [3, 4], { sum: Number.NaN })]],
  [{ __name__: 'many', i: '1' }, [1]],
  [{ __name__: 'many', i: '2' }, [of(2, [1, 1])]],
  [{ __name__: 'many', i: '3' }, [2]],
  [{ __name__: 'one' }, [of(2, [1, 1])]],
  [{ __name__: 'turns', i: '1' }, [1]],
  [{ __name__: 'turns', i: '2' }, [custom([1, 2]), 1]],
  [{ __name__: 'bounds' }, [custom([1, 3])]],
])

function notesOf(text: string, steps: number, delayedNameRemoval: boolean): string[] {
  const range = { startMs: 0, endMs: (steps - 1) * STEP_MS, stepMs: STEP_MS, instant: steps === 1 }
  const options = { ...ENGINE_OPTIONS, delayedNameRemoval }
  const { annotations } = evaluate({ expr: parseExpr(text, ALL_FEATURES), text, range, options, reader })
  return annotations.map(({ message }) => message.replace(/^PromQL /, ''))
}

const NAN = 'input to histogram_quantile has NaN observations, result is'
const OUTSIDE = 'info: input to histogram_fraction has NaN observations, which are excluded from all fractions'
const named: readonly (readonly [text: string, note: string])[] = [
  ['histogram_quantile(0.2, odd)', `info: ${NAN} skewed higher`],
  ['histogram_quantile(1, odd)', `info: ${NAN} NaN`],
  ['histogram_quantiles(odd, "q", 1)', `info: ${NAN} NaN`],
  ['histogram_fraction(0, 1, odd)', OUTSIDE],
]
for (const [text, note] of named)
  test(`${text} names the metric with NaN where names go late only`, () => {
    assert.deepEqual(notesOf(text, 1, false), [note])
    assert.deepEqual(notesOf(text, 1, true), [`${note} for metric name "odd"`])
  })

test('a bucket without a bound is named where names go late only', () => {
  const text = 'histogram_quantile(1, many{i="1"})'
  const note = 'warning: bucket label "le" is missing or has a malformed value of ""'
  assert.deepEqual(notesOf(text, 1, false), [note])
  assert.deepEqual(notesOf(text, 1, true), [`${note} for metric name "many"`])
})

test('sort() over a range warns, also where the range ends before its second step', () => {
  const range = { startMs: 0, endMs: STEP_MS - 1, stepMs: STEP_MS, instant: false }
  const told = (text: string): number =>
    evaluate({ expr: parseExpr(text, ALL_FEATURES), text, range, options: ENGINE_OPTIONS, reader }).annotations.length
  assert.equal(told('sort(many{i="1"})'), 1)
  assert.equal(told('sort(many{i="1"} @ 0)'), 0)
})

const types = 'info: incompatible sample types encountered for binary operator'
const matched: readonly (readonly [text: string, steps: number, notes: readonly string[]])[] = [
  ['many > on () group_left () one', 1, [`${types} ">": float > histogram`]],
  ['many{i!="3"} > on () group_left () one', 1, [`${types} ">": histogram > histogram`]],
  ['many{i!="3"} + on () group_left () one', 1, [`${types} "+": float + histogram`]],
  ['one > on () group_right () many{i!="3"}', 1, [`${types} ">": histogram > histogram`]],
  ['turns + on () group_left () bounds', 1, ['info: mismatched custom buckets were reconciled during addition']],
  [
    'turns + on () group_left () bounds',
    2,
    ['info: mismatched custom buckets were reconciled during addition', `${types} "+": float + histogram`],
  ],
]
for (const [text, steps, notes] of matched)
  test(`${text} over ${steps} tells the last note of each step`, () =>
    assert.deepEqual(notesOf(text, steps, false), notes))

const quantiles: readonly (readonly [text: string, pos: number, values: readonly string[]])[] = [
  ['quantile((2 - 5), one)', 10, ['-3']],
  ['quantile(2, one)', 9, ['2']],
  ['quantile(time() + 2, one)', 9, ['62']],
  ['quantile(1 - time(), one)', 9, ['-59']],
  ['quantile(time() * 4 - 2, one)', 9, ['238', '-2']],
  ['quantile(2 * time() / time(), one)', 9, ['NaN']],
]
for (const [text, pos, values] of quantiles)
  test(`${text} tells the greatest and the least quantile that is none, and where it stands`, () => {
    const range = { startMs: 0, endMs: STEP_MS, stepMs: STEP_MS, instant: false }
    const { annotations } = evaluate({ expr: parseExpr(text), text, range, options: ENGINE_OPTIONS, reader })
    const told = annotations.filter(({ level }) => level === 'warning')
    assert.deepEqual(
      told.map(({ message, pos: at }) => [message.split('got ')[1], at?.start]),
      values.map((value) => [value, pos]),
    )
  })

test('quantile() inside of quantile(): what both are warned of stands where the outer one is', () => {
  const text = 'quantile(2, quantile by (i) (2, many))'
  const range = { startMs: 0, endMs: 0, stepMs: 1, instant: true }
  const { annotations } = evaluate({ expr: parseExpr(text), text, range, options: ENGINE_OPTIONS, reader })
  assert.deepEqual(
    annotations.filter(({ level }) => level === 'warning').map(({ pos }) => pos?.start),
    [9],
  )
})

const behind = 'scalar(label_replace(one, "a", "b", "c", "["))'
for (const text of [`INSIDE + ${behind}`, `clamp(INSIDE, 0, ${behind})`, `round(INSIDE, ${behind})`])
  test(`${text}: what is wrong first is told first`, () => {
    const wrong = text.replace('INSIDE', 'label_replace(one, "a", "b", "c", "(")')
    const range = { startMs: 0, endMs: 0, stepMs: 1, instant: true }
    assert.throws(
      () => evaluate({ expr: parseExpr(wrong), text: wrong, range, options: ENGINE_OPTIONS, reader }),
      /invalid regular expression in label_replace\(\): \($/,
    )
  })

for (const aggregation of ['topk(1e30', 'bottomk(NaN', 'limitk(1e30', 'limit_ratio(NaN'])
  test(`${aggregation}, …): what is wrong inside is told before what is wrong with the parameter`, () => {
    const inside = 'label_replace(one, "a", "b", "c", "(")'
    const errorOf = (text: string): string => {
      const range = { startMs: 0, endMs: 0, stepMs: 1, instant: true }
      try {
        evaluate({ expr: parseExpr(text, ALL_FEATURES), text, range, options: ENGINE_OPTIONS, reader })
      } catch (error) {
        return (error as Error).message
      }
      return ''
    }
    assert.match(errorOf(`${aggregation}, ${inside})`), /^invalid regular expression in label_replace/)
    assert.match(errorOf(`${aggregation}, nothing)`), /is NaN$|overflows int64$/)
  })
