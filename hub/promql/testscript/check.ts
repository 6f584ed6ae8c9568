/** Results and annotations against what a script expects. Every check gives what is wrong, or null. */
import { compareLabels, formatLabels, labelsKey } from '../../../protocol/labels/mod.ts'
import type { Annotation, QueryResult, ResultSeries } from '../contract.ts'
import { lineColumn, toByteString } from '../parser/mod.ts'
import { almostEqual, comparePoint, pointAt } from './compare.ts'
import type { EvalTimes, Expectation, ExpectedResult, ExpectedSeries, Expects } from './types.ts'

export type Problem = string | null

/** The result of the command's own evaluation. */
export function checkResult(want: ExpectedResult, times: EvalTimes, ordered: boolean, got: QueryResult): Problem {
  if (times.kind === 'range') return checkMatrix(want, times, got)
  switch (want.kind) {
    case 'string':
      if (got.type !== 'string') return `expected a string but got ${describe(got)}`
      return got.value === want.value ? null : `expected string "${want.value}" but got "${got.value}"`
    case 'scalar': {
      if (got.type !== 'scalar') return `expected a scalar but got ${describe(got)}`
      const value = got.values[0] ?? NaN
      return almostEqual(want.value, value) ? null : `expected scalar ${want.value} but got ${value}`
    }
    case 'range-vector':
      return checkRawMatrix(want, got)
    case 'series':
      if (got.type === 'vector' || got.type === 'matrix') return checkVector(want.series, got.series, 0, ordered)
      if (got.type === 'raw-matrix' && want.series.length === 0 && got.series.length === 0) return null
      return `expected a vector but got ${describe(got)}`
  }
}

/**
 * The same query run over a range, at step `at`. The matrix as a whole must be sorted, the points at the step must be
 * those expected of the instant query.
 */
export function checkRangeRun(want: ExpectedResult, ordered: boolean, got: QueryResult, at: number): Problem {
  if (want.kind === 'scalar') {
    const value = got.type === 'scalar' ? got.values[at] : got.type === 'matrix' ? got.series[0]?.values[at] : undefined
    if (value === undefined) return `expected a scalar in the range query but got ${describe(got)}`
    return almostEqual(want.value, value) ? null : `expected scalar ${want.value} but got ${value}`
  }
  if (want.kind !== 'series') throw new Error('BUG: only vectors and scalars are run as range queries')
  if (got.type === 'scalar') return 'expected a matrix but got a scalar'
  if (got.type !== 'matrix' && got.type !== 'vector') return `expected a matrix but got ${describe(got)}`
  const unsorted = checkSorted(got.series)
  if (unsorted !== null) return unsorted
  return ordered ? null : checkVector(want.series, got.series, at, false)
}

/** The points at step `at`. */
function checkVector(
  want: readonly ExpectedSeries[],
  got: readonly ResultSeries[],
  at: number,
  ordered: boolean,
): Problem {
  const expected = new Map(want.map((series, i) => [labelsKey(series.labels), { series, position: i }]))
  const seen = new Set<string>()
  let position = 0
  for (const { labels, values, present, histograms } of got) {
    if (!present[at]) continue
    const name = formatLabels(labels)
    const key = labelsKey(labels)
    const match = expected.get(key)
    if (!match) return `unexpected series ${name} with value ${JSON.stringify(pointAt(values, histograms, at))}`
    if (seen.has(key)) return `series ${name} occurs twice in the result`
    seen.add(key)
    if (ordered && match.position !== position) {
      return `expected series ${name} at position ${match.position + 1} but it was at ${position + 1}`
    }
    position++
    const problem = comparePoint(match.series.values[0]!, pointAt(values, histograms, at))
    if (problem !== null) return `series ${name}: ${problem}`
  }
  return missing(want, seen)
}

/** The result of a range query: value i belongs to step i. */
function checkMatrix(want: ExpectedResult, times: EvalTimes & { kind: 'range' }, got: QueryResult): Problem {
  if (want.kind !== 'series') return 'a range query has a matrix as its result, so the script must list series'
  const series = asMatrix(got, times)
  if (series === null) return `expected a matrix but got ${describe(got)}`
  const unsorted = checkSorted(series)
  if (unsorted !== null) return unsorted
  const expected = new Map(want.series.map((one) => [labelsKey(one.labels), one]))
  const seen = new Set<string>()
  for (const { labels, values, present, histograms } of series) {
    if (!present.some((kind) => kind !== 0)) continue
    const name = formatLabels(labels)
    const key = labelsKey(labels)
    const match = expected.get(key)
    if (!match) return `unexpected series ${name} in the result`
    if (seen.has(key)) return `series ${name} occurs twice in the result`
    seen.add(key)
    for (let i = 0; i < present.length; i++) {
      const wanted = match.values[i] ?? { kind: 'omitted' }
      const at = `series ${name} at step ${i} (${times.startMs + i * times.stepMs} ms)`
      if (wanted.kind === 'omitted') {
        if (present[i]) return `${at}: expected no point but got ${JSON.stringify(pointAt(values, histograms, i))}`
        continue
      }
      if (!present[i]) return `${at}: expected a point but there is none`
      const problem = comparePoint(wanted, pointAt(values, histograms, i))
      if (problem !== null) return `${at}: ${problem}`
    }
  }
  return missing(
    want.series.filter(({ values }) => values.some((value) => value.kind !== 'omitted')),
    seen,
  )
}

function asMatrix(got: QueryResult, times: { startMs: number; endMs: number; stepMs: number }) {
  if (got.type === 'matrix' || got.type === 'vector') return got.series
  if (got.type !== 'scalar') return null
  const steps = Math.floor((times.endMs - times.startMs) / times.stepMs) + 1
  const values = got.values.subarray(0, steps)
  return [{ labels: NO_LABELS, values, present: new Uint8Array(values.length).fill(1), histograms: null }]
}
const NO_LABELS = [] as unknown as ResultSeries['labels']

/** An instant query that gives a range vector. */
function checkRawMatrix(want: ExpectedResult & { kind: 'range-vector' }, got: QueryResult): Problem {
  if (got.type !== 'raw-matrix') return `expected a range vector but got ${describe(got)}`
  const expected = new Map(want.series.map((one) => [labelsKey(one.labels), one]))
  const seen = new Set<string>()
  for (const { labels, times, values, histograms } of got.series) {
    const name = formatLabels(labels)
    const key = labelsKey(labels)
    const match = expected.get(key)
    if (!match) return `unexpected series ${name} in the result`
    if (seen.has(key)) return `series ${name} occurs twice in the result`
    seen.add(key)
    const points = match.values
      .map((value, i) => ({ value, time: want.startMs + i * want.stepMs }))
      .filter(({ value }) => value.kind !== 'omitted')
    if (points.length !== times.length) {
      return `series ${name}: expected ${points.length} points but got ${times.length} (at ${Array.from(times).join(' ')})`
    }
    for (const [i, { value, time }] of points.entries()) {
      if (times[i] !== time) return `series ${name}: expected point ${i} at ${time} ms but it is at ${times[i]} ms`
      const problem = comparePoint(value, pointAt(values, histograms, i))
      if (problem !== null) return `series ${name} at ${time} ms: ${problem}`
    }
  }
  return missing(want.series, seen)
}

function checkSorted(series: readonly ResultSeries[]): Problem {
  for (let i = 1; i < series.length; i++) {
    const [before, after] = [series[i - 1]!.labels, series[i]!.labels]
    if (compareLabels(before, after) > 0) {
      return `the matrix is not sorted: ${formatLabels(before)} comes before ${formatLabels(after)}`
    }
  }
  return null
}

function missing(want: readonly ExpectedSeries[], seen: ReadonlySet<string>): Problem {
  const absent = want.find(({ labels }) => !seen.has(labelsKey(labels)))
  return absent ? `expected series ${formatLabels(absent.labels)} is not in the result` : null
}

function describe(got: QueryResult): string {
  if (got.type === 'scalar') return `the scalar ${got.values[0]}`
  if (got.type === 'string') return `the string "${got.value}"`
  return `a ${got.type} of ${got.series.length} series`
}

export function checkAnnotations(expects: Expects, query: string, annotations: readonly Annotation[]): Problem {
  const source = toByteString(query)
  const texts = (level: Annotation['level']) =>
    annotations
      .filter((annotation) => annotation.level === level)
      .map((annotation) => annotationText(annotation, source))
  return (
    checkLevel('warn', expects.warn, expects.noWarn, texts('warning')) ??
    checkLevel('info', expects.info, expects.noInfo, texts('info'))
  )
}

/** As the HTTP API returns it. @param source the query as a byte string */
function annotationText({ level, message, pos }: Annotation, source: string): string {
  const text = message.startsWith('PromQL ') ? message : `PromQL ${level}: ${message}`
  return pos === null ? text : `${text} (${lineColumn(source, pos.start)})`
}

function checkLevel(level: string, want: readonly Expectation[], none: boolean, got: readonly string[]): Problem {
  if (none && got.length > 0) return `expected no ${level} annotations but got ${quoteAll(got)}`
  if (want.length === 0) return null
  if (got.length === 0) return `expected ${level} annotations but got none`
  for (const one of want) {
    if (!got.some((text) => meets(one, text))) return `no ${level} annotation is ${show(one)}; got ${quoteAll(got)}`
  }
  const extra = got.find((text) => !want.some((one) => meets(one, text)))
  return extra === undefined ? null : `unexpected ${level} annotation ${JSON.stringify(extra)}`
}

export function checkFailure(want: Expectation, message: string): Problem {
  return meets(want, message) ? null : `expected failure ${show(want)} but got ${JSON.stringify(message)}`
}

function meets(want: Expectation, text: string): boolean {
  if (want.kind === 'any') return true
  return want.kind === 'msg' ? want.text === text : new RegExp(want.text).test(text)
}

const show = (want: Expectation): string => (want.kind === 'any' ? 'of any text' : `${want.kind} ${want.text}`)
const quoteAll = (texts: readonly string[]): string => texts.map((text) => JSON.stringify(text)).join(', ')
