/** Runs parser cases (`promql-parser/cases.json` of the conformance kit, or a file of the same format). */
import { formatMatcher } from '../../../protocol/matchers/mod.ts'
import { CounterResetHint, type Histogram, type Span } from '../../../protocol/samples/mod.ts'
import type { ParserFeatures } from '../ast.ts'
import { ALL_FEATURES, exprToApi, extractSelectors, ParseError, parseExpr } from '../parser/mod.ts'
import { prettyExpr, printExpr } from '../printer/mod.ts'
import { parseSeriesDescription, printHistogram } from '../series-description/mod.ts'

export type CaseResult = { readonly name: string; readonly error: string | null }

type FeatureFlags = {
  readonly experimentalFunctions: boolean
  readonly experimentalDurationExpr: boolean
  readonly extendedRangeSelectors: boolean
  readonly binopFillModifiers: boolean
}
type ErrorRange = { readonly start: number; readonly end: number; readonly message: string }
type HistogramJson = {
  readonly [field in 'schema' | 'count' | 'sum' | 'zeroCount' | 'zeroThreshold']: number
} & {
  readonly [field in 'positiveSpans' | 'negativeSpans']: readonly (readonly [number, number])[]
} & {
  readonly [field in 'positiveBuckets' | 'negativeBuckets' | 'customValues']: readonly number[]
} & { readonly counterResetHint: keyof typeof HINTS }

export type ParserCases = {
  readonly parserOptions?: { readonly parse?: FeatureFlags; readonly print?: FeatureFlags }
  readonly parse?: readonly {
    readonly input: string
    readonly ast?: unknown
    readonly error?: string
    readonly errors?: readonly ErrorRange[]
  }[]
  readonly print?: readonly { readonly input: string; readonly printed: string }[]
  readonly pretty?: readonly {
    readonly input: string
    readonly maxCharactersPerLine?: number
    readonly pretty: string
  }[]
  readonly seriesDescription?: readonly {
    readonly input: string
    readonly labels?: Readonly<Record<string, string>>
    readonly values?: readonly (number | null)[]
    readonly error?: boolean
    readonly errorContains?: string
  }[]
  readonly histogramDescription?: readonly {
    readonly name: string
    readonly input: string
    readonly histograms?: readonly HistogramJson[]
    readonly error?: string
  }[]
  readonly histogramPrint?: readonly {
    readonly name: string
    readonly histogram: HistogramJson
    readonly printed: string
  }[]
  readonly extractSelectors?: readonly { readonly input: string; readonly selectors: readonly string[] }[]
}

export type ParserConformance = {
  readonly total: number
  readonly passed: number
  readonly failures: readonly { readonly name: string; readonly message: string }[]
}

/** The counts of `runParserCases`. */
export function runParserConformance(data: ParserCases): ParserConformance {
  const results = runParserCases(data)
  const failures = results.flatMap(({ name, error }) => (error === null ? [] : [{ name, message: error }]))
  return { total: results.length, passed: results.length - failures.length, failures }
}

export function runParserCases(data: ParserCases): CaseResult[] {
  const parseFeatures = featuresOf(data.parserOptions?.parse)
  const printFeatures = featuresOf(data.parserOptions?.print)
  return [
    ...each('parse', data.parse, ({ input, ast, error, errors }) => [
      () => parseToJson(input, parseFeatures),
      error === undefined ? { ast } : { error, errors },
    ]),
    ...each('print', data.print, ({ input, printed }) => [() => printExpr(parseExpr(input, printFeatures)), printed]),
    ...each('pretty', data.pretty, ({ input, pretty, maxCharactersPerLine = 100 }) => [
      () => prettyExpr(parseExpr(input, ALL_FEATURES), { maxCharactersPerLine }),
      pretty,
    ]),
    ...each('seriesDescription', data.seriesDescription, (c) => [() => seriesToJson(c), seriesWanted(c)]),
    ...each('histogramDescription', data.histogramDescription, ({ input, histograms, error }) => [
      () => histogramsToJson(input),
      error === undefined ? histograms : { error },
    ]),
    ...each('histogramPrint', data.histogramPrint, ({ histogram, printed }) => [
      () => printHistogram(fromJson(histogram)),
      printed,
    ]),
    ...each('extractSelectors', data.extractSelectors, ({ input, selectors }) => [
      () => extractSelectors(parseExpr(input, ALL_FEATURES)).map((all) => `{${all.map(formatMatcher).join(', ')}}`),
      selectors,
    ]),
  ]
}

function each<T extends { readonly input?: string; readonly name?: string }>(
  kind: string,
  cases: readonly T[] = [],
  run: (one: T) => readonly [got: () => unknown, want: unknown],
): CaseResult[] {
  return cases.map((one, i) => {
    const name = `${kind}[${i}] ${one.name ?? one.input ?? ''}`
    const [evaluate, want] = run(one)
    try {
      const got = canonical(evaluate())
      const wanted = canonical(want)
      return { name, error: got === wanted ? null : `want ${wanted}\ngot  ${got}` }
    } catch (error) {
      return { name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    }
  })
}

function featuresOf(flags: FeatureFlags | undefined): ParserFeatures {
  if (!flags) return ALL_FEATURES
  const { experimentalDurationExpr, ...rest } = flags
  return { ...rest, durationExpressions: experimentalDurationExpr }
}

function parseToJson(input: string, features: ParserFeatures): unknown {
  try {
    return { ast: namesOnly(exprToApi(parseExpr(input, features), { positions: true })) }
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    return { error: error.message, errors: error.errors.map(({ message, position }) => ({ message, ...position })) }
  }
}

/** The kit's function nodes carry the name only. */
function namesOnly(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(namesOnly)
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, key === 'func' ? { name: value.name } : namesOnly(value)]),
  )
}

type SeriesCase = NonNullable<ParserCases['seriesDescription']>[number]

function seriesToJson({ input, errorContains }: SeriesCase): unknown {
  try {
    const { labels, values } = parseSeriesDescription(input)
    const pairs = Object.fromEntries(labels.flatMap((name, i) => (i % 2 === 0 ? [[name, labels[i + 1]]] : [])))
    return { labels: pairs, values: values.map((value) => (value.kind === 'float' ? value.value : null)) }
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    if (errorContains === undefined) return 'an error'
    return error.message.includes(errorContains) ? `an error with ${errorContains}` : error.message
  }
}

function seriesWanted({ labels, values, error, errorContains }: SeriesCase): unknown {
  if (errorContains !== undefined) return `an error with ${errorContains}`
  return error ? 'an error' : { labels, values }
}

const HINTS = {
  unknown: CounterResetHint.unknown,
  reset: CounterResetHint.reset,
  not_reset: CounterResetHint.notReset,
  gauge: CounterResetHint.gauge,
} as const

function histogramsToJson(input: string): unknown {
  try {
    return parseSeriesDescription(input).values.map((value) =>
      value.kind === 'histogram' ? toJson(value.histogram) : value.kind,
    )
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    return { error: error.message }
  }
}

function toJson(h: Histogram): HistogramJson {
  const pairs = (spans: readonly Span[]) => spans.map(({ offset, length }) => [offset, length] as const)
  const hint = Object.entries(HINTS).find(([, value]) => value === h.counterResetHint)![0] as keyof typeof HINTS
  const { schema, count, sum, zeroCount, zeroThreshold, positiveBuckets, negativeBuckets, customValues } = h
  return {
    schema,
    count,
    sum,
    zeroCount,
    zeroThreshold,
    positiveSpans: pairs(h.positiveSpans),
    positiveBuckets,
    negativeSpans: pairs(h.negativeSpans),
    negativeBuckets,
    customValues,
    counterResetHint: hint,
  }
}

function fromJson(json: HistogramJson): Histogram {
  const spans = (pairs: readonly (readonly [number, number])[]) => pairs.map(([offset, length]) => ({ offset, length }))
  return {
    ...json,
    isFloat: true,
    isStale: false,
    counterResetHint: HINTS[json.counterResetHint],
    positiveSpans: spans(json.positiveSpans),
    negativeSpans: spans(json.negativeSpans),
  }
}

/** JSON with sorted keys: equal texts are equal values. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, node: unknown) =>
    typeof node === 'object' && node !== null && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)))
      : node,
  )
}
