/** Queries from a seed: the language of Prometheus 3.5 over the metrics of dataset.ts, well typed for the most part. */
import type { SeededRandom } from '../pipeline/seeded-random.ts'

const COUNTERS = ['http_requests_total', 'cpu_seconds_total', 'request_duration_seconds_count'] as const
const GAUGES = ['memory_bytes', 'queue_length', 'sparse', 'late', 'early', 'odd', 'build_info', 'up'] as const
const MATCHERS = [
  'job="api"',
  'job!="db"',
  'job=~"api|web"',
  'job!~"d.*"',
  'instance="a:80"',
  'instance=~".*:80"',
  'code=~"4..|5.."',
  'code=""',
  'n=~"[1-3]"',
  'kind!="nan"',
  'kind=~".*i.*"',
  'missing=""',
  'missing!=""',
] as const
const RANGES = ['1m', '90s', '5m', '17m', '1h'] as const
const OVER_TIME = [
  'avg_over_time',
  'min_over_time',
  'max_over_time',
  'sum_over_time',
  'count_over_time',
  'stddev_over_time',
  'stdvar_over_time',
  'last_over_time',
  'present_over_time',
  'absent_over_time',
  'mad_over_time',
  'ts_of_max_over_time',
  'ts_of_min_over_time',
  'ts_of_last_over_time',
] as const
const RANGE_FUNCTIONS = ['changes', 'resets', 'delta', 'idelta', 'deriv', 'rate', 'irate', 'increase'] as const
const MATH = [
  'abs',
  'ceil',
  'floor',
  'exp',
  'ln',
  'log2',
  'log10',
  'sqrt',
  'sgn',
  'sin',
  'cos',
  'tan',
  'asinh',
  'atan',
  'tanh',
  'deg',
  'rad',
  'timestamp',
  'absent',
  'sort',
  'sort_desc',
  'hour',
  'minute',
  'month',
  'day_of_week',
  'day_of_year',
  'days_in_month',
  'year',
] as const
const AGGREGATIONS = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'] as const
const LABELS = ['job', 'instance', 'code', 'method', 'n', 'kind', 'absent'] as const
const ARITHMETIC = ['+', '-', '*', '/', '%', '^', 'atan2'] as const
const COMPARISONS = ['==', '!=', '<', '>', '<=', '>='] as const
const NUMBERS = ['0', '1', '2', '-3', '0.5', '1e3', '0x1F', 'Inf', '-Inf', 'NaN', '7.25'] as const

/** `depth` bounds the nesting. */
export function randomQuery(random: SeededRandom, depth: number): string {
  return random.next() < 0.06 ? scalar(random, depth) : vector(random, depth)
}

const pick = <T>(random: SeededRandom, from: readonly T[]): T => from[random.below(from.length)]!

function selector(random: SeededRandom, metrics: readonly string[]): string {
  const matchers = random.next() < 0.4 ? [pick(random, MATCHERS)] : []
  if (random.next() < 0.1) matchers.push(pick(random, MATCHERS))
  return `${pick(random, metrics)}${matchers.length > 0 ? `{${matchers.join(',')}}` : ''}`
}

function modifiers(random: SeededRandom): string {
  const offset = random.next() < 0.1 ? ` offset ${pick(random, ['1m', '10m', '-3m', '1h'])}` : ''
  const at = random.next() < 0.05 ? ` @ ${pick(random, ['start()', 'end()', '1700003600', '1700000000.5'])}` : ''
  return offset + at
}

const ALL = [...COUNTERS, ...GAUGES]

function rangeVector(random: SeededRandom, depth: number, metrics: readonly string[]): string {
  if (depth > 1 && random.next() < 0.2) {
    const step = pick(random, ['', '30s', '1m', '47s'])
    return `(${vector(random, depth - 2)})[${pick(random, ['5m', '10m'])}:${step}]${modifiers(random)}`
  }
  return `${selector(random, metrics)}[${pick(random, RANGES)}]${modifiers(random)}`
}

function scalar(random: SeededRandom, depth: number): string {
  const roll = random.next()
  if (depth <= 0 || roll < 0.4) return pick(random, NUMBERS)
  if (roll < 0.55) return `scalar(${vector(random, depth - 1)})`
  if (roll < 0.65) return pick(random, ['time()', 'pi()'])
  if (roll < 0.8) return `(${scalar(random, depth - 1)} ${pick(random, ARITHMETIC)} ${scalar(random, depth - 1)})`
  if (roll < 0.9) return `(${scalar(random, depth - 1)} ${pick(random, COMPARISONS)} bool ${scalar(random, depth - 1)})`
  return `-${pick(random, NUMBERS)}`
}

function grouping(random: SeededRandom): string {
  const names: string[] = []
  for (let n = random.below(3); n > 0; n--) names.push(pick(random, LABELS))
  return `${pick(random, ['by', 'without'])} (${names.join(', ')})`
}

function vector(random: SeededRandom, depth: number): string {
  if (depth <= 0) return `${selector(random, ALL)}${modifiers(random)}`
  const inner = (): string => vector(random, depth - 1)
  const roll = random.next()
  if (roll < 0.1) return `${selector(random, ALL)}${modifiers(random)}`
  if (roll < 0.22) return `${pick(random, RANGE_FUNCTIONS)}(${rangeVector(random, depth, roll < 0.2 ? COUNTERS : ALL)})`
  if (roll < 0.32) return `${pick(random, OVER_TIME)}(${rangeVector(random, depth, ALL)})`
  if (roll < 0.35)
    return pick(random, [
      () =>
        `quantile_over_time(${pick(random, ['0', '0.3', '0.9', '1', '1.5'])}, ${rangeVector(random, depth, GAUGES)})`,
      () => `predict_linear(${rangeVector(random, depth, GAUGES)}, ${pick(random, ['0', '3600', '-60'])})`,
      () => `double_exponential_smoothing(${rangeVector(random, depth, GAUGES)}, 0.4, 0.3)`,
    ])()
  if (roll < 0.43) return `${pick(random, MATH)}(${inner()})`
  if (roll < 0.46)
    return pick(random, [
      () => `round(${inner()}, ${pick(random, ['0.1', '5', '0'])})`,
      () => `clamp(${inner()}, -5, ${pick(random, ['1', '100', '-10'])})`,
      () => `clamp_max(${inner()}, ${scalar(random, 1)})`,
      () => `clamp_min(${inner()}, ${scalar(random, 1)})`,
      () => `vector(${scalar(random, depth - 1)})`,
    ])()
  if (roll < 0.49)
    return pick(random, [
      () => `label_replace(${inner()}, "to", "$1-x", "${pick(random, LABELS)}", "(.*?):?8?0?")`,
      () => `label_replace(${inner()}, "job", "", "job", "web")`,
      () => `label_join(${inner()}, "all", "-", "job", "instance")`,
      () => `sort_by_label(${inner()}, "instance", "job")`,
      () => `sort_by_label_desc(${inner()}, "code")`,
    ])()
  if (roll < 0.53)
    return `histogram_quantile(${pick(random, ['0.5', '0.9', '0.99', '-1', '2', 'NaN'])}, ${pick(random, [
      'rate(request_duration_seconds_bucket[5m])',
      'sum by (le, job) (rate(request_duration_seconds_bucket[5m]))',
      'sum by (le) (increase(request_duration_seconds_bucket[30m]))',
      'request_duration_seconds_bucket',
      'broken_bucket{kind!="uneven"}',
    ])})`
  if (roll < 0.7) return `${pick(random, AGGREGATIONS)} ${grouping(random)} (${inner()})`
  if (roll < 0.75)
    return pick(random, [
      () => `quantile ${grouping(random)} (${pick(random, ['0', '0.25', '0.95', '1', '-2'])}, ${inner()})`,
      () => `topk ${grouping(random)} (${pick(random, ['1', '3', '0'])}, memory_bytes${modifiers(random)})`,
      () => `bottomk ${grouping(random)} (2, rate(memory_bytes[5m]))`,
      () => `count_values ${grouping(random)} ("value", ${inner()})`,
      () => `limitk ${grouping(random)} (2, ${selector(random, ALL)})`,
    ])()
  if (roll < 0.82) {
    const operator = pick(random, [...ARITHMETIC, ...COMPARISONS])
    return random.next() < 0.5
      ? `(${inner()} ${operator} ${scalar(random, depth - 1)})`
      : `(${scalar(random, depth - 1)} ${operator} ${inner()})`
  }
  if (roll < 0.86) return `(${inner()} ${pick(random, COMPARISONS)} bool ${scalar(random, depth - 1)})`
  if (roll < 0.9) return `-(${inner()})`
  if (roll < 0.95) return joined(random, depth)
  return `(${inner()} ${pick(random, ['and', 'or', 'unless'])} ${pick(random, ['', 'on (job)', 'ignoring (code, method)', 'on ()'])} ${inner()})`
}

function joined(random: SeededRandom, depth: number): string {
  const operator = pick(random, [...ARITHMETIC, ...COMPARISONS])
  const inner = (): string => vector(random, depth - 1)
  return pick(random, [
    () => `(${inner()} ${operator} ${inner()})`,
    () => `(sum by (job) (${inner()}) ${operator} avg by (job) (${inner()}))`,
    () => `(sum by (job, instance) (${inner()}) ${operator} on (job) group_left (tier) limit_requests)`,
    () => `(limit_requests ${operator} ignoring (instance, tier) group_right () max by (job, instance) (${inner()}))`,
    () => `(memory_bytes ${operator} on (instance) group_left (version) build_info)`,
    () => `(rate(http_requests_total[5m]) ${operator} ignoring (code) http_requests_total{code="500"})`,
    () => `(${inner()} ${operator} on (job, instance) ${inner()})`,
  ])()
}
