/** Every function of a range vector, by name; `keepsName` where the result is still the metric itself. */
import { changes, resets } from './changes.ts'
import { idelta, irate } from './instant-rate.ts'
import { madOverTime, quantileOverTime } from './order-statistics.ts'
import {
  avgOverTime,
  countOverTime,
  firstOverTime,
  lastOverTime,
  maxOverTime,
  minOverTime,
  presentOverTime,
  stddevOverTime,
  stdvarOverTime,
  sumOverTime,
  tsOfFirstOverTime,
  tsOfLastOverTime,
  tsOfMaxOverTime,
  tsOfMinOverTime,
} from './over-time.ts'
import type { RangeFunction } from './range-call.ts'
import { delta, increase, rate } from './rate.ts'
import { deriv, doubleExponentialSmoothing, predictLinear } from './regression.ts'

export const RANGE_FUNCTIONS: Readonly<Record<string, RangeFunction>> = {
  absent_over_time: presentOverTime,
  avg_over_time: avgOverTime,
  changes,
  count_over_time: countOverTime,
  delta,
  deriv,
  double_exponential_smoothing: doubleExponentialSmoothing,
  first_over_time: firstOverTime,
  idelta,
  increase,
  irate,
  last_over_time: lastOverTime,
  mad_over_time: madOverTime,
  max_over_time: maxOverTime,
  min_over_time: minOverTime,
  predict_linear: predictLinear,
  present_over_time: presentOverTime,
  quantile_over_time: quantileOverTime,
  rate,
  resets,
  stddev_over_time: stddevOverTime,
  stdvar_over_time: stdvarOverTime,
  sum_over_time: sumOverTime,
  ts_of_first_over_time: tsOfFirstOverTime,
  ts_of_last_over_time: tsOfLastOverTime,
  ts_of_max_over_time: tsOfMaxOverTime,
  ts_of_min_over_time: tsOfMinOverTime,
}

/** Names that rate() and increase() take for counters'. */
export const COUNTER_NAME = /_(total|sum|count|bucket)$/

export const KEEPS_NAME: ReadonlySet<string> = new Set(['first_over_time', 'last_over_time'])
export const ANCHORED_FUNCTIONS = ['changes', 'delta', 'increase', 'rate', 'resets'] as const
export const SMOOTHED_FUNCTIONS = ['delta', 'increase', 'rate'] as const

/** Functions that look at each float once, however the windows overlap: their steps need no slices. */
export const SINGLE_PASS: ReadonlySet<string> = new Set([
  'changes',
  'count_over_time',
  'first_over_time',
  'idelta',
  'irate',
  'last_over_time',
  'max_over_time',
  'min_over_time',
  'present_over_time',
  'resets',
  'ts_of_first_over_time',
  'ts_of_last_over_time',
])
