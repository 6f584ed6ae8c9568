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
const FROM_MAPS = /histogram_quantile|count_values|\binfo\(/
const SUBQUERY = /\[[^\]"]*:[^\]"]*\]/

/** The same but for the order of the series of a vector. */
function sameUnordered(ours: Answer, theirs: Answer): boolean {
  const [a, b] = [ordered(ours), ordered(theirs)]
  return a !== null && b !== null && difference(a, b) === null
}

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
      'sort_by_label() compares an absent label with natsort, which calls neither the smaller: any order is right',
    covers: ({ query, isRange }, ours, theirs) =>
      !isRange && /sort_by_label/.test(query) && sameUnordered(ours, theirs),
  },
  {
    reason: '3.14 counts a comparison that keeps nothing as a match, when it checks that matching is one-to-one',
    covers: ({ query }, ours) =>
      /[<>=!]=?/.test(query) &&
      ours.error === 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
  },
  {
    reason:
      'which duplicates an error names, where they come out of a Go map, as all results of operators over steps do',
    covers: ({ query, isRange }, ours, theirs) =>
      (isRange || SUBQUERY.test(query) || FROM_MAPS.test(query)) &&
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
      const warnings = (ours.warnings ?? []).filter((warning) => !warning.includes('sort is ineffective'))
      const rest = { ...ours, warnings }
      const isSame = difference(rest, theirs) === null || (!isRange && sameUnordered(rest, theirs))
      return /\bsort/.test(query) && (isRange || SUBQUERY.test(query)) && isSame
    },
  },
  {
    reason: '3.14 has no median distance of what is not a number',
    covers: ({ query }) => /\bmad_over_time\(/.test(query) && /\bodd\b/.test(query),
  },
  {
    reason: '3.14 asks for the parameter of an aggregation at each step, 3.5 at the first',
    covers: ({ query, isRange }) => isRange && /\b(topk|bottomk|limitk|quantile)\s*\(\s*scalar\(/.test(query),
  },
  {
    reason: '3.14 gives an error a position at the start of an empty query',
    covers: (_, ours, theirs) => reworded(ours, theirs, '1:1: parse', 'unknown position: parse'),
  },
  {
    reason: '3.14 takes duration expressions everywhere, and says so when it expected one',
    covers: (_, ours, theirs) =>
      reworded(ours, theirs, 'expected number, duration, step(), or range()', 'expected number or duration'),
  },
  {
    reason: 'trees of 3.14 have fields for what 3.5 cannot express',
    covers: ({ path }, ours, theirs) =>
      path === '/api/v1/parse_query' &&
      difference({ ...ours, data: withoutNulls(ours.data, theirs.data) }, theirs) === null,
  },
  {
    reason: '3.14 names no metric that it does not know where a bucket label is missing',
    covers: ({ query, isRange }, ours, theirs) =>
      /histogram_(quantile|fraction)/.test(query) &&
      sameBut(isRange, ours, theirs, (text) => text.replace(' for metric name ""', '')),
  },
  {
    reason: '3.14 reconciles custom buckets that differ, with an info, where 3.5 warned and gave nothing',
    covers: (_, ours, theirs) =>
      theirs.warnings?.some((text) => text.includes('incompatible custom buckets')) === true ||
      ours.infos?.some((text) => text.includes('mismatched custom buckets')) === true,
  },
  {
    reason: '3.14 has words of its own for a parameter that is NaN, and looks at it before there are series',
    covers: (_, ours) => ours.error === 'Parameter value is NaN' || ours.error === 'Ratio value is NaN',
  },
  {
    reason:
      'info() of 3.5 takes one info series for another when one ends, and drops series without identifying labels',
    covers: ({ query }) => /\binfo\(/.test(query),
  },
  {
    reason: '3.14 extrapolates histograms no further than to where their count would be zero',
    covers: ({ query }, ours, theirs) =>
      /\b(rate|increase)\(/.test(query) && /nh_/.test(query) && sameShape(ours, theirs),
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
    reason:
      '3.5 reads the buckets of what histogram_count(), histogram_sum() and histogram_avg() stand around as a whole',
    covers: ({ query, isRange }, ours, theirs) =>
      /histogram_(count|sum|avg)\(/.test(query) &&
      sameBut(isRange, withoutCollisions(ours), withoutCollisions(theirs), String),
  },
  {
    reason: 'a zero bucket that grows into a bucket which a coarser schema widens: 3.5 counts what is in between twice',
    covers: ({ query }, ours, theirs) => query.includes('nh_changing') && sameShape(ours, theirs),
  },
  {
    reason: 'empty buckets times infinity are NaN, if they were kept at all',
    covers: ({ query }, ours, theirs) => /nh_/.test(query) && /Inf|NaN|0/.test(query) && sameShape(ours, theirs),
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
      /count_values/.test(query) &&
      /\b(exp|ln|log2|log10|sinh|cosh|tanh|asinh|atan|sin|cos|tan|\^)/.test(query) &&
      ours.status === theirs.status,
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
      /quantile/.test(query) && difference(unsigned(ours), unsigned(theirs)) === null,
  },
]

const withoutPosition = ({ error = '' }: Answer): string => error.replace(/\d+:\d+: /, '')

const silent = (answer: Answer): Answer => ({ ...answer, warnings: [], infos: [] })

function withoutCollisions(answer: Answer): Answer {
  return { ...answer, warnings: (answer.warnings ?? []).filter((text) => !text.includes('conflicting counter resets')) }
}

/** The same but for numbers: labels, times and notes. */
function sameShape(ours: Answer, theirs: Answer): boolean {
  const bare = (answer: Answer): string =>
    JSON.stringify({ ...answer, infos: [], warnings: [], data: withoutValues(answer.data) })
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
    warnings: (answer.warnings ?? []).filter((text) => !text.includes('sort is ineffective')).map(rewrite),
  })
  const [a, b] = [rewritten(ours), rewritten(theirs)]
  return difference(a, b) === null || (!isRange && sameUnordered(a, b))
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
  return EXPLANATIONS.find(({ covers }) => covers(asked, ours, theirs))?.reason ?? null
}
