import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Histogram, Summary } from './observations.ts'

test('a summary has quantiles of the last 512 observations, sum and count of all', () => {
  const summary = new Summary([0.5, 0.99])
  assert.deepEqual(
    summary.lines([]).map(({ value }) => value),
    [Number.NaN, Number.NaN, 0, 0],
  )
  for (let i = 0; i < 1000; i++) summary.observe(i < 488 ? 1e6 : i - 487)
  assert.deepEqual(
    summary.lines(['a', 'b']).map(({ labels, suffix, value }) => [labels.join(), suffix, value]),
    [
      ['a,b,quantile,0.5', undefined, 256],
      ['a,b,quantile,0.99', undefined, 507],
      ['a,b', '_sum', 488e6 + (512 * 513) / 2],
      ['a,b', '_count', 1000],
    ],
  )
})

test('a summary without quantiles is sum and count', () => {
  const summary = new Summary()
  summary.observe(2)
  assert.deepEqual(
    summary.lines([]).map(({ suffix, value }) => [suffix, value]),
    [
      ['_sum', 2],
      ['_count', 1],
    ],
  )
})

test('buckets of a histogram are cumulative, and bounds belong to theirs', () => {
  const histogram = new Histogram([1, 2, 4])
  for (const value of [0.5, 1, 3, 4, 9]) histogram.observe(value)
  assert.deepEqual(
    histogram.lines(['x', 'y']).map(({ labels, suffix, value }) => [labels.slice(2).join(), suffix, value]),
    [
      ['le,1', '_bucket', 2],
      ['le,2', '_bucket', 2],
      ['le,4', '_bucket', 4],
      ['le,+Inf', '_bucket', 5],
      ['', '_sum', 17.5],
      ['', '_count', 5],
    ],
  )
})
