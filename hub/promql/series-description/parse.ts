/**
 * The series notation of test scripts and rule unit tests: `http_requests{job="api"} 0+10x5 _ stale {{sum:1}}x3`.
 * Semantics: Prometheus promql/parser/generated_parser.y (v3.14), series_description.
 */
import { type Labels, labelsFrom } from '../../../protocol/labels/mod.ts'
import { ALL_FEATURES, isMetricName, TokenStream, type TokenType, toByteString, unquoteToken } from '../parser/mod.ts'
import { parseHistogram } from './histogram.ts'
import { parseSignedNumber, parseUint, startsNumber } from './numbers.ts'
import { HistogramSeriesError, histogramSeries, OMITTED, type SequenceValue, STALE } from './values.ts'

/** `1x1000000000` must not fill the memory. */
export const MAX_VALUES = 1_000_000

export type SeriesDescription = { readonly labels: Labels; readonly values: readonly SequenceValue[] }

/**
 * @throws ParseError
 * @example parseSeriesDescription('up{job="node"} 1x2').values.length // 3
 */
export function parseSeriesDescription(text: string): SeriesDescription {
  const s = new TokenStream(toByteString(text), ALL_FEATURES, { seriesDesc: true })
  const series = s.run(() => ({ labels: parseMetric(s), values: parseValues(s) }))
  s.failIfIssues()
  if (!series) throw new Error('BUG: neither a series nor an issue')
  return series
}

/**
 * A metric with its labels, without values. As parser.ParseMetric.
 * @throws ParseError
 * @example parseMetric('up{job="node"}')
 */
export function parseMetricLabels(text: string): Labels {
  const s = new TokenStream(toByteString(text), ALL_FEATURES)
  const labels = s.run(() => parseMetric(s))
  s.failIfIssues()
  if (!labels) throw new Error('BUG: neither labels nor an issue')
  return labels
}

function parseMetric(s: TokenStream): Labels {
  const pairs = new Map<string, string>()
  const name = isMetricName(s.peek()) ? s.text(s.take()) : ''
  if (s.peek() === '{') parseLabelSet(s, pairs)
  if (name !== '') pairs.set('__name__', name)
  return labelsFrom(pairs)
}

function parseLabelSet(s: TokenStream, pairs: Map<string, string>): void {
  s.take()
  for (;;) {
    if (!s.accepts((type) => type === 'identifier' || type === 'string' || type === '}')) {
      s.unexpected('label set', 'identifier or "}"')
    } else if (s.peek() === '}') break
    else parseLabel(s, pairs)
    while (!s.accepts((type) => type === ',' || type === '}')) s.unexpected('label set', '"," or "}"')
    if (s.peek() === '}') break
    s.take()
  }
  s.take()
}

function parseLabel(s: TokenStream, pairs: Map<string, string>): void {
  const token = s.take()
  const name = token.type === 'string' ? unquoteToken(s, token) : s.text(token)
  if (token.type === 'string') {
    if (s.peek() !== '=') {
      pairs.set('__name__', name)
      return
    }
  } else if (!s.accepts((type) => type === '=')) {
    s.unexpected('label set', '"="')
    return
  }
  s.take()
  if (!s.accepts((type) => type === 'string')) {
    s.unexpected('label set', 'string')
    return
  }
  pairs.set(name, unquoteToken(s, s.take()))
}

function parseValues(s: TokenStream): SequenceValue[] {
  const values: SequenceValue[] = []
  const recover = () => s.unexpected('series values', '')
  if (!s.accepts((type) => type === ' ' || type === 'eof')) recover()
  while (s.peek() === ' ') {
    s.take()
    // A space may end the line.
    if (startsItem(s.peek())) s.attempt(() => parseItem(s, values), recover)
  }
  return values
}

function startsItem(type: TokenType): boolean {
  return type === '_' || type === 'identifier' || type === '{{' || startsNumber(type)
}

function parseItem(s: TokenStream, values: SequenceValue[]): void {
  const type = s.peek()
  if (type === '{{') {
    parseHistogramItem(s, values)
    return
  }
  if (type === '_') {
    s.take()
    repeat(s, values, OMITTED, s.peek() === 'x' ? parseTimes(s) : 1)
    return
  }
  const stale = type === 'identifier'
  let value = 0
  if (stale) {
    const word = s.text(s.take())
    if (word !== 'stale') s.unexpected('series values', 'number or "stale"')
  } else value = parseSignedNumber(s)
  if (s.peek() === 'x') {
    repeat(s, values, stale ? STALE : { kind: 'float', value }, parseTimes(s) + 1)
  } else if (s.peek() === '+' || s.peek() === '-') {
    const step = parseSignedNumber(s)
    const times = limited(s, values, parseTimes(s) + 1)
    for (let i = 0; i < times; i++) {
      values.push({ kind: 'float', value: stale ? NaN : value })
      value += step
    }
  } else values.push(stale ? STALE : { kind: 'float', value })
}

function parseHistogramItem(s: TokenStream, values: SequenceValue[]): void {
  const base = parseHistogram(s)
  const first: SequenceValue = { kind: 'histogram', ...base }
  const sign = s.peek()
  if (sign === 'x') {
    repeat(s, values, first, parseTimes(s) + 1)
    return
  }
  if (sign !== '+' && sign !== '-') {
    values.push(first)
    return
  }
  s.take()
  const { histogram: step, hintSet } = parseHistogram(s)
  const times = limited(s, values, parseTimes(s))
  try {
    for (const histogram of histogramSeries(base.histogram, step, times, sign === '+' ? 1 : -1)) {
      values.push({ kind: 'histogram', histogram, hintSet })
    }
  } catch (error) {
    if (!(error instanceof HistogramSeriesError)) throw error
    s.issue(s.lastRange(), error.message)
  }
}

/** `x5` */
function parseTimes(s: TokenStream): number {
  s.expect('x')
  return parseUint(s)
}

function repeat(s: TokenStream, values: SequenceValue[], value: SequenceValue, times: number): void {
  for (let i = limited(s, values, times); i > 0; i--) values.push(value)
}

function limited(s: TokenStream, values: readonly SequenceValue[], times: number): number {
  if (values.length + times <= MAX_VALUES) return times
  s.issue(s.lastRange(), `too many values: a series may have ${MAX_VALUES} at most`)
  return 0
}
