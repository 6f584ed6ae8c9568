/**
 * Differences from Prometheus 3.5 that are right: where its answer depends on chance (the order of a Go map, an
 * unstable sort), or where 3.14, which we follow, answers otherwise. Each as narrow as can be told from the query and
 * the two answers.
 */
import { type Answer, difference } from './compare.ts'

export type Asked = { readonly path: string; readonly query: string; readonly isRange: boolean }

type Explanation = {
  readonly reason: string
  /** Whether the difference is this one, and nothing else. */
  readonly covers: (asked: Asked, ours: Answer, theirs: Answer) => boolean
}

const NAMED_DUPLICATES = /(?<=match group )\{.*\}( on the \w+ hand-side of the operation: )\[.*\](?=;many-to-many)/
const TRANSCENDENTAL = /\b(exp|ln|log2|log10|sinh|cosh|tanh|asinh|acosh|atanh|asin|acos|atan2?|sin|cos|tan)\b|\^/
/** By a sort that leaves equal values in any order. */
const SORTED = /\b(sort|sort_desc|topk|bottomk)\b/
const FROM_MAPS = /histogram_quantile|count_values|\binfo\(/
/** A parameter of an aggregation that may be another at each step. */
const MOVING_PARAMETER = /\b(topk|bottomk|limitk|limit_ratio|quantile)\b[^()]*(\([^()]*\))?\s*\([^,]*\b(scalar|time)\(/
const SUBQUERY = /\[[^\]"]*:[^\]"]*\]/

/** The same but for the order of the series of a vector. */
function sameUnordered(ours: Answer, theirs: Answer): boolean {
  const [a, b] = [ordered(ours), ordered(theirs)]
  return a !== null && b !== null && difference(a, b) === null
}

const rowsOf = ({ data }: Answer): number =>
  (data as { readonly result?: readonly unknown[] } | undefined)?.result?.length ?? 0

type Row = { readonly metric: object; readonly value?: unknown }

function ordered(answer: Answer): Answer | null {
  const data = answer.data as { readonly resultType: string; readonly result: readonly Row[] } | undefined
  if (data === undefined || !Array.isArray(data.result) || data.resultType === 'scalar') return null
  const key = ({ metric }: Row): string => JSON.stringify(Object.entries(metric).sort())
  const result = [...data.result].sort((x, y) => (key(x) < key(y) ? -1 : 1))
  return { ...answer, data: { ...data, result } }
}

const EXPLANATIONS: readonly Explanation[] = [
  {
    reason: 'the series of a subquery, of histogram_quantile, count_values and info come out of a Go map, in any order',
    covers: ({ query, isRange }, ours, theirs) =>
      !isRange && (SUBQUERY.test(query) || FROM_MAPS.test(query)) && sameUnordered(ours, theirs),
  },
  {
    reason: 'sort() and topk() order equal values as an unstable sort leaves them',
    covers: ({ query, isRange }, ours, theirs) =>
      !isRange && /\b(sort|sort_desc|topk|bottomk)\b/.test(query) && sameUnordered(ours, theirs),
  },
  {
    reason:
      'sort_by_label() compares an absent label with natsort, which calls neither the smaller: the order of many is chance',
    covers: ({ query, isRange }, ours, theirs) =>
      !isRange && /sort_by_label/.test(query) && rowsOf(ours) > 12 && sameUnordered(ours, theirs),
  },
  {
    reason: '3.14 counts a comparison that keeps nothing as a match, when it checks that matching is one-to-one',
    covers: ({ query }, ours) =>
      /[<>=!]=?/.test(query) &&
      ours.error === 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
  },
  {
    reason:
      'which duplicates an error names, where they come out of a Go map, as all results of operators over steps do, or of an unstable sort',
    covers: ({ query, isRange }, ours, theirs) =>
      (isRange || SUBQUERY.test(query) || FROM_MAPS.test(query) || SORTED.test(query)) &&
      ours.error !== undefined &&
      theirs.error !== undefined &&
      NAMED_DUPLICATES.test(ours.error) &&
      ours.error.replace(NAMED_DUPLICATES, '$1') === theirs.error.replace(NAMED_DUPLICATES, '$1'),
  },
  {
    reason:
      '3.14 says how far histogram_quantile had to force buckets to be monotonic, and of which metric only if it knows',
    covers: ({ query, isRange }, ours, theirs) => {
      const [a, b] = [withoutMonotonicity(ours), withoutMonotonicity(theirs)]
      const isSame = difference(a, b) === null || (!isRange && sameUnordered(a, b))
      return query.includes('histogram_quantile') && isSame
    },
  },
  {
    reason: '3.14 warns that sorting has no effect on the results of range queries',
    covers: ({ query, isRange }, ours, theirs) => {
      const rest = withoutSorting(ours)
      const isSame = difference(rest, theirs) === null || (!isRange && sameUnordered(rest, theirs))
      return /\bsort/.test(query) && (isRange || SUBQUERY.test(query)) && isSame
    },
  },
  {
    reason: '3.14 has no median distance of what is not a number',
    covers: ({ query }, ours, theirs) =>
      /\bmad_over_time\(/.test(query) &&
      /\bodd\b|NaN/.test(query + JSON.stringify(ours.data)) &&
      sameShape(ours, theirs),
  },
  {
    // Prometheus promql/value.go, newFParams: one value a step.
    reason: '3.14 asks for the parameter of an aggregation at each step, 3.5 at the first',
    covers: ({ query, isRange }) => (isRange || SUBQUERY.test(query)) && MOVING_PARAMETER.test(query),
  },
  {
    reason: '3.14 gives an error a position at the start of an empty query',
    covers: (_, ours, theirs) => reworded(ours, theirs, '1:1: parse', 'unknown position: parse'),
  },
  {
    reason: '3.14 takes duration expressions everywhere, and says so when it expected one',
    covers: (_, ours, theirs) =>
      /experimental duration expression is not enabled|in duration expression/.test(theirs.error ?? '') ||
      reworded(ours, theirs, 'expected number, duration, step(), or range()', 'expected number or duration'),
  },
  {
    reason: 'trees of 3.14 have fields for what 3.5 cannot express',
    covers: ({ path }, ours, theirs) =>
      path === '/api/v1/parse_query' &&
      difference({ ...ours, data: withoutNulls(ours.data, theirs.data) }, theirs) === null,
  },
  {
    // Prometheus promql/engine.go, resetHistograms (v3.14). What reads the same is told once, wherever it points.
    reason:
      '3.14 names no metric where a bucket label is missing, or classic and native histograms meet, unless names go late',
    covers: ({ query, isRange }, ours, theirs) =>
      /histogram_(quantile|fraction)/.test(query) &&
      sameBut(isRange, ours, theirs, (text) =>
        text.replace(
          /(?<=^PromQL warning: (bucket label|vector contains a mix of classic).*?)( for metric name ".*")? \(\d.*/,
          '',
        ),
      ),
  },
  {
    reason: '3.14 reconciles custom buckets that differ, with an info, where 3.5 warned and gave nothing',
    covers: ({ query }, ours, theirs) =>
      /nh_custom|nh_mixed|nh_/.test(query) &&
      (theirs.warnings?.some((text) => text.includes('incompatible custom buckets')) === true ||
        ours.infos?.some((text) => text.includes('mismatched custom buckets')) === true),
  },
  {
    reason: '3.14 has words of its own for a parameter that is NaN, and looks at it before there are series',
    covers: (_, ours) => ours.error === 'Parameter value is NaN' || ours.error === 'Ratio value is NaN',
  },
  {
    // Prometheus issue 17135, mended in 3.7: series were known by their place among those that have a sample.
    reason: 'info() of 3.5 takes one series for another over a range in which some have no sample',
    covers: ({ query, isRange }) => /\binfo\(/.test(query) && (isRange || SUBQUERY.test(query)),
  },
  {
    reason:
      'info() of 3.5 drops series without identifying labels, and reads all metrics but one, where it is given a name',
    covers: ({ query }) => /\binfo\(.*\{[^{}]*__name__/.test(query),
  },
  {
    reason: 'info() of 3.5 takes series to which nothing is added for series without info',
    covers: ({ query }) => /\binfo\(.*(\binfo\(|_info\b).*\{/.test(query),
  },
  {
    // Prometheus pull request 19266.
    reason: 'info() of 3.5 takes info series as of now, not as of the series that it looks at',
    covers: ({ query }) => /\binfo\(/.test(query) && /@|\boffset\b/.test(query),
  },
  {
    reason: '3.14 extrapolates histograms no further than to where their count would be zero',
    covers: ({ query }, ours, theirs) =>
      /\b(rate|increase)\(/.test(query) &&
      /nh_/.test(query) &&
      sameShape(ours, theirs) &&
      isShorter(query, ours, theirs),
  },
  {
    reason: '3.14 looks at the parameter of an aggregation before it looks at the series',
    covers: (_, { error = '' }) => /^Scalar value .* (over|under)flows int64$/.test(error),
  },
  {
    reason: '3.5 loses count of parentheses that belong to groupings and to start() and end(), and so of positions',
    covers: (_, ours, theirs) =>
      /bool modifier can only/.test(ours.error ?? '') && withoutPosition(ours) === withoutPosition(theirs),
  },
  {
    reason: 'nothing is said of series that cannot match, as they are not read (hub/promql/engine/propagate.ts)',
    covers: ({ query, isRange }, ours, theirs) => {
      const isPart = (['warnings', 'infos'] as const).every((level) =>
        (ours[level] ?? []).every((text) => theirs[level]?.includes(text)),
      )
      return (
        isPart && /[-+*/%^=<>]|atan2|and|unless/.test(query) && sameBut(isRange, silent(ours), silent(theirs), String)
      )
    },
  },
  {
    // Prometheus promql/engine.go, detectHistogramStatsDecoding (v3.14): operators between vectors do not end it any more.
    reason:
      '3.5 reads the buckets of what histogram_count(), histogram_sum() and histogram_avg() stand around as a whole',
    covers: ({ query, isRange }, ours, theirs) =>
      /histogram_(count|sum|avg)\(/.test(query) &&
      sameBut(isRange, withoutLayouts(ours), withoutLayouts(theirs), String),
  },
  {
    // Prometheus promql/engine.go, detectHistogramStatsDecoding: 3.5 does not look at the outermost expression.
    reason:
      '3.14 leaves the buckets out of what histogram_count() and the like stand around, also for histogram_stddev(), ' +
      'and where they are the whole query: resets of gauges are not seen then',
    covers: ({ query }, ours, theirs) =>
      (/histogram_(count|sum|avg)\(.*histogram_(stddev|stdvar)\(/.test(query) ||
        /^histogram_(count|sum|avg)\(.*(rate|increase)\(.*nh_gauge/.test(query)) &&
      sameShape(ours, theirs),
  },
  {
    reason: '3.14 gives + and - no result where counter resets conflict',
    covers: (_, { warnings = [] }) =>
      warnings.some((text) => /conflicting counter resets during histogram (addition|subtraction)/.test(text)),
  },
  {
    reason: 'a zero bucket that grows into a bucket which a coarser schema widens: 3.5 counts what is in between twice',
    covers: ({ query }, ours, theirs) =>
      query.includes('nh_changing') &&
      sameShape(ours, theirs) &&
      (/histogram_(quantile|fraction|stddev|stdvar)/.test(query) || sameTotals(ours, theirs)),
  },
  {
    reason: 'empty buckets times infinity are NaN, if they were kept at all',
    covers: ({ query }, ours, theirs) =>
      /nh_/.test(query) && /\b(Inf|NaN)\b|[*/] *-?0\b/.test(query) && sameShape(ours, theirs),
  },
  {
    // Prometheus promql/engine.go, mergeSeriesWithSameLabelset (v3.14).
    reason: '3.14 merges series that label_replace(), label_join() and a sign make one, where they share no step',
    covers: ({ query, isRange }, ours, theirs) =>
      /label_(replace|join)\(|(^|[(,^*/%<>=+-])\s*-\s*[a-z({]/.test(query) &&
      (isRange || SUBQUERY.test(query)) &&
      ours.status === 'success' &&
      theirs.error === 'vector cannot contain metrics with the same labelset',
  },
  {
    reason: 'topk(), bottomk() and limitk() choose among equals by an order that comes out of a Go map',
    covers: ({ query, isRange }, ours, theirs) =>
      /\b(topk|bottomk|limitk)\b/.test(query) &&
      (isRange || SUBQUERY.test(query) || FROM_MAPS.test(query)) &&
      samplesPerStep(ours) !== '' &&
      samplesPerStep(ours) === samplesPerStep(theirs),
  },
  {
    reason: 'the last bit of a power, which Go and V8 round differently, is all that is left of a remainder',
    covers: ({ query }, ours, theirs) => /\^/.test(query) && /%/.test(query) && sameShape(ours, theirs),
  },
  {
    reason: '3.14 knows start(), end(), step() and range() as functions, and has a name for "@" in errors',
    covers: ({ query }, ours, theirs) =>
      /(start|end|step|range)\s*\(/.test(query) && ours.errorType === 'bad_data' && theirs.errorType === 'bad_data'
        ? true
        : theirs.error?.replace('"<Item 57400>" ', '') === ours.error && ours.error !== undefined,
  },
  {
    reason: 'timestamp() of what has @ and an offset: 3.5 selects with the offset and looks without it',
    covers: ({ query }) => /timestamp\(/.test(query) && /@/.test(query) && /offset/.test(query),
  },
  {
    reason: 'values in labels have all their digits, of which V8 and Go compute the last one differently',
    covers: ({ query }, ours, theirs) =>
      /count_values/.test(query) && TRANSCENDENTAL.test(query) && ours.status === theirs.status,
  },
  {
    reason: 'a variance or difference of nothing but last digits, which V8 and Go compute differently',
    covers: ({ query }, ours, theirs) =>
      /\bstd(dev|var)|\bi?delta\(|\bderiv\(/.test(query) && TRANSCENDENTAL.test(query) && sameShape(ours, theirs),
  },
  {
    // Prometheus promql/quantile.go, BucketFraction (v3.14).
    reason: '3.5 does not sort the classic buckets of histogram_fraction()',
    covers: ({ query }, ours, theirs) =>
      /histogram_fraction\(/.test(query) && /_bucket/.test(query) && sameShape(ours, theirs),
  },
  {
    reason: 'which ten notes of many are told is chance',
    covers: (_, ours, theirs) => {
      const omitted = ({ warnings = [], infos = [] }: Answer): string =>
        [...warnings, ...infos].filter((text) => /^\d+ more (warning|info) annotations omitted$/.test(text)).join()
      return omitted(ours) !== '' && omitted(ours) === omitted(theirs) && sameShape(ours, theirs)
    },
  },
  {
    reason: 'errors that name histograms are cut here',
    covers: (_, ours, theirs) => /more characters\)$/.test(ours.error ?? '') && ours.errorType === theirs.errorType,
  },
  {
    reason: '3.5 cannot answer a range selector in parentheses that is the same at all times',
    covers: (_, __, theirs) => theirs.error === 'unexpected number of samples',
  },
  {
    reason: '3.14 says what else may stand in the brackets, now that expressions may',
    covers: (_, ours, theirs) =>
      reworded(
        ours,
        theirs,
        'subquery or range selector, expected number, duration, step(), or range()',
        'subquery selector, expected number or duration',
      ) ||
      (/unexpected character: .*, expected ':'/.test(ours.error ?? '') &&
        /unexpected colon/.test(theirs.error ?? '')) ||
      (/expected number, duration, step\(\)/.test(ours.error ?? '') && /subquery|duration/.test(theirs.error ?? '')),
  },
  {
    reason: 'quantiles of zeros of both signs: which zero comes first in a sort that calls them equal',
    covers: ({ query }, ours, theirs) =>
      /quantile/.test(query) &&
      (/count_values/.test(query)
        ? ours.status === theirs.status && /"-?0"/.test(JSON.stringify([ours.data, theirs.data]))
        : difference(unsigned(ours), unsigned(theirs)) === null),
  },
]

const withoutPosition = ({ error = '' }: Answer): string => error.replace(/\d+:\d+: /, '')

const silent = (answer: Answer): Answer => ({ ...answer, warnings: [], infos: [] })

/** Without what is said of buckets that do not go together, and of resets that are told of while reading. */
function withoutLayouts(answer: Answer): Answer {
  const isOther = (text: string): boolean =>
    !/conflicting counter resets|incompatible (bucket layout|custom buckets)/.test(text)
  return { ...answer, warnings: (answer.warnings ?? []).filter(isOther) }
}

type Told = { readonly count: string; readonly sum: string; readonly buckets?: readonly (readonly unknown[])[] }

/** All histograms of an answer, in order. */
function histogramsOf({ data }: Answer): Told[] {
  const { result } = (data ?? {}) as { readonly result?: unknown }
  if (!Array.isArray(result)) return []
  return (result as { histogram?: [number, Told]; histograms?: [number, Told][] }[]).flatMap(
    ({ histogram, histograms = histogram === undefined ? [] : [histogram] }) => histograms.map(([, told]) => told),
  )
}

/** Where histograms come out, each is the other times a number that is not above one. Of numbers nobody can tell. */
function isShorter(query: string, ours: Answer, theirs: Answer): boolean {
  const [a, b] = [histogramsOf(ours), histogramsOf(theirs)]
  if (a.length !== b.length) return false
  if (!/^(rate|increase)\(nh_\w+[^()]*\)$/.test(query)) return true
  const near = (x: number, y: number): boolean => Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y))
  return a.every((mine, i) => {
    const other = b[i]!
    const factor = Number(mine.count) / Number(other.count)
    if (Number.isNaN(factor)) return near(Number(mine.sum), Number(other.sum))
    return (
      factor <= 1 + 1e-9 &&
      near(Number(mine.sum), factor * Number(other.sum)) &&
      (mine.buckets ?? []).every((bucket, n) => near(Number(bucket[3]), factor * Number(other.buckets?.[n]?.[3])))
    )
  })
}

/** The same but for what is in the buckets. */
function sameTotals(ours: Answer, theirs: Answer): boolean {
  const bare = (answer: Answer): Answer => ({
    ...answer,
    data: JSON.parse(
      JSON.stringify(answer.data, (name, value: unknown) => (name === 'buckets' ? undefined : value)),
    ) as unknown,
  })
  return difference(bare(ours), bare(theirs)) === null
}

/** How many samples an answer has at each time. */
function samplesPerStep({ data }: Answer): string {
  const { result } = (data ?? {}) as { readonly result?: unknown }
  if (!Array.isArray(result)) return ''
  type Point = [number, unknown]
  type Row = { value?: Point; values?: Point[]; histogram?: Point; histograms?: Point[] }
  const counts = new Map<number, number>()
  for (const { value, values = [], histogram, histograms = [] } of result as Row[])
    for (const point of [value, histogram, ...values, ...histograms])
      if (point !== undefined) counts.set(point[0], (counts.get(point[0]) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => a - b).join()
}

/** The same but for numbers: labels, times and notes. */
function sameShape(ours: Answer, theirs: Answer): boolean {
  const bare = ({ infos: _infos, warnings: _warnings, ...rest }: Answer): string =>
    JSON.stringify({ ...rest, data: withoutValues(rest.data) })
  return bare(ours) === bare(theirs)
}

function withoutValues(data: unknown): unknown {
  const { result } = (data ?? {}) as { result?: readonly { readonly metric: unknown }[] }
  return Array.isArray(result) ? result.map(({ metric }) => JSON.stringify(metric)).sort() : result
}

/** The same when the notes of both are rewritten. */
function sameBut(isRange: boolean, ours: Answer, theirs: Answer, rewrite: (text: string) => string): boolean {
  const rewritten = (answer: Answer): Answer => ({
    ...answer,
    warnings: [...new Set((withoutSorting(answer).warnings ?? []).map(rewrite))],
  })
  const [a, b] = [rewritten(ours), rewritten(theirs)]
  return difference(a, b) === null || (!isRange && sameUnordered(a, b))
}

/** Without the warning about sorting, which only 3.14 has. */
function withoutSorting(answer: Answer): Answer {
  return { ...answer, warnings: (answer.warnings ?? []).filter((text) => !text.includes('sort is ineffective')) }
}

/** Without the fields that are null or false in one and absent from the other. */
function withoutNulls(ours: unknown, theirs: unknown): unknown {
  if (Array.isArray(ours)) return ours.map((item, i) => withoutNulls(item, (theirs as unknown[] | undefined)?.[i]))
  if (typeof ours !== 'object' || ours === null) return ours
  const other = (theirs ?? {}) as Record<string, unknown>
  return Object.fromEntries(
    Object.entries(ours)
      .filter(([name, value]) => (value !== null && value !== false) || name in other)
      .map(([name, value]) => [name, withoutNulls(value, other[name])]),
  )
}

/** An error that differs in one phrase only. */
function reworded(ours: Answer, theirs: Answer, phrase: string, other: string): boolean {
  return ours.error?.includes(phrase) === true && ours.error.replace(phrase, other) === theirs.error
}

function withoutMonotonicity(answer: Answer): Answer {
  const infos = (answer.infos ?? []).filter((info) => !info.includes('needed to be fixed for monotonicity'))
  return { ...answer, infos }
}

function unsigned(answer: Answer): Answer {
  return { ...answer, data: JSON.parse(JSON.stringify(answer.data ?? null).replaceAll('"-0"', '"0"')) as unknown }
}

/** Why the answers may differ; null when nothing explains it. */
export function explanation(asked: Asked, ours: Answer, theirs: Answer): string | null {
  const of = (answer: Answer): string | null =>
    EXPLANATIONS.find(({ covers }) => covers(asked, answer, theirs))?.reason ?? null
  return of(ours) ?? (/\bsort/.test(asked.query) ? of(withoutSorting(ours)) : null)
}
