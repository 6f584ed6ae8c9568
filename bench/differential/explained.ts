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
    reason: 'quantiles of zeros of both signs: which zero comes first in a sort that calls them equal',
    covers: ({ query }, ours, theirs) =>
      /quantile/.test(query) && difference(unsigned(ours), unsigned(theirs)) === null,
  },
]

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
