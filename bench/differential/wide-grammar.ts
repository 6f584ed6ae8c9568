/**
 * Queries from a seed over the metrics of histogram-dataset.ts and dataset.ts: what grammar.ts has no words for — native
 * histograms, quoted names, info(), sampling, odd label operations, modifiers in every place, and texts that are no queries.
 */
import type { SeededRandom } from '../pipeline/seeded-random.ts'
import { randomQuery } from './grammar.ts'

const HISTOGRAMS = [
  'nh_seconds',
  'nh_seconds',
  'nh_changing',
  'nh_gauge',
  'nh_custom',
  'nh_custom',
  'nh_mixed',
] as const
const FLOATS = [
  'up',
  'queue_length',
  'memory_bytes',
  'http_requests_total',
  'odd',
  'sparse',
  'build_info',
  'target_info',
  '{"http.server-time"}',
  '{"ünï:code"}',
  'limit_requests',
  '{__name__=~"up|queue_length"}',
] as const
const MATCHERS = [
  'job="api"',
  'job!~"db|"',
  'job=~"(?i)API|w.b"',
  'instance=~"[^a]:80"',
  'instance=~".+"',
  'kind=~"schema|custom|a"',
  'kind!=""',
  'nothing=""',
  'nothing=~".*"',
  'nothing!=""',
  'nothing=~""',
  'job!~""',
  '"service.name"="käse"',
  '"service.name"=~"b.*|"',
  "instance='a:80'",
  'zone=~"z[0-9]"',
] as const
const LABELS = ['job', 'instance', 'kind', 'n', 'zone', 'nothing', '"service.name"', 'le', '__name__'] as const
const ARITHMETIC = ['+', '-', '*', '/', '%', '^', 'atan2'] as const
const COMPARISONS = ['==', '!=', '<', '>', '<=', '>='] as const
const NUMBERS = ['0', '1', '2', '-3', '0.5', '1e3', 'Inf', '-Inf', 'NaN', '-0', '1h'] as const
const AGGREGATIONS = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'] as const
const RANGE_FUNCTIONS = [
  ...['rate', 'increase', 'irate', 'delta', 'idelta', 'resets', 'changes', 'deriv', 'absent_over_time'],
  ...['sum_over_time', 'avg_over_time', 'last_over_time', 'count_over_time', 'present_over_time', 'max_over_time'],
  ...['min_over_time', 'stddev_over_time', 'stdvar_over_time', 'mad_over_time', 'ts_of_last_over_time'],
  'ts_of_max_over_time',
] as const
const DATES = [
  'hour',
  'minute',
  'month',
  'year',
  'day_of_week',
  'day_of_month',
  'day_of_year',
  'days_in_month',
] as const
const OF_FLOATS = ['abs', 'ceil', 'sgn', 'ln', 'sqrt', 'exp', 'sort', 'sort_desc', 'timestamp', 'tanh', 'deg'] as const
const REGEXES = ['(.*)', '(.*):(.*)', '(?P<x>a|b).*', '', '.*', '(', 'api', '(.)(.)(.)', '[a-c]+:80'] as const
const REPLACEMENTS = ['$1', '$2-$1', '${x}', '$0', '', '$', 'ü$1', '$9', '$1x', '$$'] as const

const pick = <T>(random: SeededRandom, from: readonly T[]): T => from[random.below(from.length)]!
const quote = (label: string): string => (label.startsWith('"') ? label : `"${label}"`)

/** `depth` bounds the nesting. */
export function wideQuery(random: SeededRandom, depth: number): string {
  const roll = random.next()
  if (roll < 0.08) return broken(random, depth)
  if (roll < 0.14) return randomQuery(random, depth)
  return roll < 0.5 ? floats(random, depth) : histograms(random, depth)
}

/** Something is missing, doubled, or where it does not belong. */
function broken(random: SeededRandom, depth: number): string {
  const query = random.next() < 0.5 ? floats(random, depth) : randomQuery(random, depth)
  const tokens = query.match(/"[^"]*"|[\w.:]+|\s+|[^\w\s]/gu) ?? [query]
  const at = random.below(tokens.length)
  const word = pick(random, [
    'by',
    'on',
    'bool',
    'offset',
    '@',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    '=',
    '=~',
    '-1',
  ])
  const odd = pick(random, [
    word,
    '5m',
    '"x"',
    'sum',
    'ignoring',
    'group_left',
    'without',
    '1.5',
    '0x',
    '<',
    '!',
    'and',
  ])
  const changed = [...tokens]
  switch (random.below(4)) {
    case 0:
      changed.splice(at, 1)
      break
    case 1:
      changed.splice(at, 0, ` ${odd} `)
      break
    case 2:
      changed.splice(at, 1, odd)
      break
    default:
      changed.splice(at, 0, tokens[random.below(tokens.length)]!)
  }
  return changed.join('')
}

function selector(random: SeededRandom, metrics: readonly string[]): string {
  const name = pick(random, metrics)
  const matchers: string[] = []
  while (random.next() < 0.3) matchers.push(pick(random, MATCHERS))
  if (matchers.length === 0) return name
  return name.startsWith('{') ? `${name.slice(0, -1)},${matchers.join()}}` : `${name}{${matchers.join()}}`
}

function modifiers(random: SeededRandom): string {
  const offset = random.next() < 0.12 ? ` offset ${pick(random, ['1m', '7m', '-3m', '1h', '-1ms', '0s'])}` : ''
  const at = random.next() < 0.08 ? ` @ ${pick(random, ['start()', 'end()', '1700003600', '1700000000.5', '-1'])}` : ''
  return random.next() < 0.5 ? offset + at : at + offset
}

const instant = (random: SeededRandom, metrics: readonly string[]): string =>
  `${selector(random, metrics)}${modifiers(random)}`

function range(random: SeededRandom, depth: number, isHistogram: boolean): string {
  if (depth > 1 && random.next() < 0.25) {
    const step = pick(random, ['', '30s', '1m', '47s'])
    const inner = isHistogram ? histograms(random, depth - 2) : floats(random, depth - 2)
    return `(${inner})[${pick(random, ['5m', '10m', '61s'])}:${step}]${modifiers(random)}`
  }
  const metrics = isHistogram ? HISTOGRAMS : FLOATS
  return `${selector(random, metrics)}[${pick(random, ['1m', '90s', '5m', '17m', '15s', '16s'])}]${modifiers(random)}`
}

function grouping(random: SeededRandom): string {
  const names: string[] = []
  for (let n = random.below(3); n > 0; n--) names.push(pick(random, LABELS))
  return `${pick(random, ['by', 'without'])} (${names.join(', ')})`
}

function scalar(random: SeededRandom, depth: number): string {
  const roll = random.next()
  if (depth <= 0 || roll < 0.6) return pick(random, NUMBERS)
  if (roll < 0.8) return `scalar(${floats(random, depth - 1)})`
  return pick(random, ['time()', 'pi()', '(2 - 5)', 'scalar(nh_gauge)', '-(1)'])
}

/** A vector of histograms for the most part. */
function histograms(random: SeededRandom, depth: number): string {
  if (depth <= 0) return instant(random, HISTOGRAMS)
  const inner = (): string => histograms(random, depth - 1)
  const roll = random.next()
  if (roll < 0.12) return instant(random, HISTOGRAMS)
  if (roll < 0.34) return `${pick(random, RANGE_FUNCTIONS)}(${range(random, depth, true)})`
  if (roll < 0.52) return `${pick(random, AGGREGATIONS)} ${grouping(random)} (${inner()})`
  if (roll < 0.58)
    return pick(random, [
      () => `(${inner()} ${pick(random, ['*', '/', ...ARITHMETIC])} ${scalar(random, depth - 1)})`,
      () => `(${scalar(random, depth - 1)} ${pick(random, ARITHMETIC)} ${inner()})`,
      () => `(${inner()} ${pick(random, COMPARISONS)} ${pick(random, ['', 'bool '])}${scalar(random, depth - 1)})`,
      () => `-${inner()}`,
    ])()
  if (roll < 0.7) return joined(random, inner)
  if (roll < 0.88) return ofHistogram(random, depth)
  if (roll < 0.93)
    return pick(random, [
      () => `topk ${grouping(random)} (2, ${inner()})`,
      () => `quantile ${grouping(random)} (0.5, ${inner()})`,
      () =>
        `limitk ${grouping(random)} (${pick(random, ['1', '2', '0', '-1', 'NaN'])}, ${instant(random, HISTOGRAMS)})`,
      () => `limit_ratio(${pick(random, ['0.5', '-0.5', '0', '1', '2', '-3'])}, ${instant(random, HISTOGRAMS)})`,
      // Not of what is computed: the last bits of numbers would stand in labels.
      () => `count_values ${grouping(random)} (${quote(pick(random, LABELS))}, ${instant(random, HISTOGRAMS)})`,
    ])()
  return pick(random, [
    () => `${pick(random, OF_FLOATS)}(${inner()})`,
    () => `round(${inner()})`,
    () => `clamp(${inner()}, 0, 1)`,
    () => `absent(${inner()})`,
    () => `info(${inner()})`,
    () => `quantile_over_time(0.5, ${range(random, depth, true)})`,
    () => `predict_linear(${range(random, depth, true)}, 60)`,
    () => relabelled(random, inner()),
    () => `sort_by_label(${inner()}, "instance", "job")`,
    () => `${pick(random, DATES)}(${inner()})`,
  ])()
}

function ofHistogram(random: SeededRandom, depth: number): string {
  const inner = random.next() < 0.85 ? histograms(random, depth - 1) : floats(random, depth - 1)
  return pick(random, [
    () => `histogram_count(${inner})`,
    () => `histogram_sum(${inner})`,
    () => `histogram_avg(${inner})`,
    () => `histogram_stddev(${inner})`,
    () => `histogram_stdvar(${inner})`,
    () => `histogram_quantile(${pick(random, ['0', '0.1', '0.5', '0.99', '1', '-1', '2', 'NaN'])}, ${inner})`,
    () =>
      `histogram_fraction(${pick(random, ['0, 1', '-Inf, 0.2', '-0.5, Inf', '1, 0', 'NaN, 1', '0.1, 2.5'])}, ${inner})`,
  ])()
}

function joined(random: SeededRandom, inner: () => string): string {
  const operator = pick(random, ['+', '-', '==', '!=', '+', '-', ...ARITHMETIC, ...COMPARISONS])
  return pick(random, [
    () => `(${inner()} ${operator} ${inner()})`,
    () => `(${inner()} ${operator} on (job, instance) ${inner()})`,
    () => `(${inner()} ${operator} ignoring (kind) group_left () sum(${inner()}))`,
    () => `(${inner()} ${operator} on (job) group_right (instance) sum by (job) (${inner()}))`,
    () =>
      `(${inner()} ${pick(random, ['and', 'or', 'unless'])} ${pick(random, ['', 'on (job)', 'ignoring (kind)'])} ${inner()})`,
    () => `(${inner()} ${operator} bool ${inner()})`,
  ])()
}

function relabelled(random: SeededRandom, inner: string): string {
  const [to, from] = [pick(random, [...LABELS, 'to', '']), pick(random, [...LABELS, ''])]
  if (random.next() < 0.3)
    return `label_join(${inner}, ${quote(to)}, "${pick(random, ['-', '', '"'.replace('"', "'")])}", ${quote(from)}, "job")`
  return `label_replace(${inner}, ${quote(to)}, "${pick(random, REPLACEMENTS)}", ${quote(from)}, "${pick(random, REGEXES)}")`
}

/** A vector of floats for the most part. */
function floats(random: SeededRandom, depth: number): string {
  if (depth <= 0) return instant(random, FLOATS)
  const inner = (): string => floats(random, depth - 1)
  const roll = random.next()
  if (roll < 0.1) return instant(random, FLOATS)
  if (roll < 0.3) return `${pick(random, RANGE_FUNCTIONS)}(${range(random, depth, false)})`
  if (roll < 0.4) return relabelled(random, inner())
  if (roll < 0.48)
    return pick(random, [
      () => `info(${inner()})`,
      () => `info(${inner()}, {${pick(random, INFO_MATCHERS)}})`,
      () => `info(${instant(random, ['up', 'queue_length', 'memory_bytes'])}, {${pick(random, INFO_MATCHERS)}})`,
    ])()
  if (roll < 0.56)
    return pick(random, [
      () => `limitk ${grouping(random)} (${pick(random, ['1', '2', '100', '0', '-1', 'NaN', '1e30'])}, ${inner()})`,
      () => `limit_ratio ${grouping(random)} (${pick(random, ['0.5', '-0.5', '0', '1', '1.2', 'NaN'])}, ${inner()})`,
      () =>
        `count_values ${grouping(random)} (${quote(pick(random, [...LABELS, 'value', 'bad-name', '']))}, ${inner()})`,
      () => `quantile ${grouping(random)} (${scalar(random, 1)}, ${inner()})`,
      () =>
        `topk ${grouping(random)} (${pick(random, ['1', '3', '0', '-2', 'NaN', 'Inf'])}, queue_length${modifiers(random)})`,
    ])()
  if (roll < 0.66) return `${pick(random, AGGREGATIONS)} ${grouping(random)} (${inner()})`
  if (roll < 0.72) return `${pick(random, DATES)}(${random.next() < 0.2 ? '' : inner()})`
  if (roll < 0.78)
    return pick(random, [
      () => `absent(${instant(random, [...FLOATS, 'nothing_here', 'nothing_here'])})`,
      () => `absent(nothing_here{a="1",b=~"2",c!="3",a="4",d=""})`,
      () => `absent_over_time(nothing_here{a="1",job=~".+",instance="x"}[5m:1m])`,
      () => `absent_over_time(${range(random, depth, false)})`,
      () => `absent(sum by (job) (${inner()} > 1e9))`,
    ])()
  if (roll < 0.82) return `sort_by_label${pick(random, ['', '_desc'])}(${inner()}, "n", "kind", "instance", "job")`
  if (roll < 0.88) return joined(random, inner)
  if (roll < 0.94) return `(${inner()} ${pick(random, [...ARITHMETIC, ...COMPARISONS])} ${scalar(random, depth - 1)})`
  return `${pick(random, OF_FLOATS)}(${inner()})`
}

const INFO_MATCHERS = [
  'zone="z1"',
  'zone=~"z.*"',
  '"k8s.cluster"="api"',
  '__name__="other_info"',
  '__name__=~"target_info|other_info"',
  '__name__=~".+_info",colour="c0"',
  'nothing=~".*"',
  'nothing!=""',
  '__name__!="target_info"',
  'zone!="z1"',
] as const
