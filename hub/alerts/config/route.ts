/** The routing tree of alertmanager.yml. Semantics: Alertmanager config/config.go, dispatch/route.go (v0.34). */
import {
  boolean,
  type Cursor,
  type Decoder,
  duration,
  list,
  object,
  record,
  string,
} from '../../../protocol/config/mod.ts'
import { compareStrings, isLegacyLabelName } from '../../../protocol/labels/mod.ts'
import type { NameValidationScheme } from '../../../protocol/relabel/mod.ts'
import { type AlertMatcher, formatMatcherSet, MatcherSyntaxError, newMatcher, parseMatchers } from '../matchers/mod.ts'

export type Route = {
  readonly receiver: string
  /** `...` groups by all labels: null. Sorted. */
  readonly groupBy: readonly string[] | null
  readonly groupWaitMs: number
  readonly groupIntervalMs: number
  readonly repeatIntervalMs: number
  readonly matchers: readonly AlertMatcher[]
  readonly continue: boolean
  readonly muteTimeIntervals: readonly string[]
  readonly activeTimeIntervals: readonly string[]
  /** Of the route itself, for templates. */
  readonly labels: Readonly<Record<string, string>>
  readonly routes: readonly Route[]
  /** Names the route in group keys: `{}/{severity="page"}`. */
  readonly key: string
  /** As the key, with the place among its siblings: `{}/{severity="page"}/0`. */
  readonly id: string
}

type RawRoute = {
  readonly receiver?: string
  readonly group_by?: readonly string[]
  readonly group_wait?: number
  readonly group_interval?: number
  readonly repeat_interval?: number
  readonly match?: readonly AlertMatcher[]
  readonly match_re?: readonly AlertMatcher[]
  readonly matchers?: readonly AlertMatcher[]
  readonly mute_time_intervals?: readonly string[]
  readonly active_time_intervals?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  readonly continue?: boolean
  readonly routes?: readonly PendingRoute[]
}
export type PendingRoute = { readonly raw: RawRoute; readonly at: Cursor }

const DEFAULTS = { groupWaitMs: 30_000, groupIntervalMs: 300_000, repeatIntervalMs: 4 * 3600_000 }

const labelName = (name: string, at: Cursor): void => {
  if (!isLegacyLabelName(name)) at.fail(`invalid label name ${JSON.stringify(name)}`)
}

/** `match:`, a value for each label. */
export const equalities: Decoder<readonly AlertMatcher[]> = (at) =>
  Object.entries(record(string, labelName)(at)).map(([name, value]) => newMatcher(name, '=', value))

/** `match_re:`, an anchored expression for each label. */
export const expressions: Decoder<readonly AlertMatcher[]> = (at) =>
  Object.entries(
    record((child) => {
      if (child.isNull) return child.fail(`invalid regexp value for ${JSON.stringify(child.key.split('.').at(-1))}`)
      const text = string(child)
      guarded(child, () => newMatcher('', '=~', text))
      // The anchors show in route keys, as upstream's do.
      return newMatcher('', '=~', `^(?:${text})$`)
    }, labelName)(at),
  ).map(([name, matcher]) => ({ ...matcher, name }))

export const matcherList: Decoder<readonly AlertMatcher[]> = (at) =>
  list((child) => guarded(child, () => parseMatchers(string(child))))(at).flat()

function guarded<T>(at: Cursor, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof MatcherSyntaxError) return at.fail(error.message, error)
    throw error
  }
}

/** @param scheme which names `group_by` may have. */
export const routeOf = (scheme: NameValidationScheme): Decoder<PendingRoute> => {
  const decoder: Decoder<PendingRoute> = (at) => routeObject(scheme, (child) => decoder(child))(at)
  return decoder
}

const routeObject = (scheme: NameValidationScheme, route: Decoder<PendingRoute>): Decoder<PendingRoute> =>
  object(
    'config.plain',
    {
      receiver: string,
      group_by: list(string),
      group_wait: duration,
      group_interval: duration,
      repeat_interval: duration,
      match: equalities,
      match_re: expressions,
      matchers: matcherList,
      mute_time_intervals: list(string),
      active_time_intervals: list(string),
      labels: record(string),
      continue: boolean,
      routes: list(route),
    },
    (raw, at): PendingRoute => {
      const { group_by = [], labels = {} } = raw
      const quoted = (name: string): string => JSON.stringify(name)
      const isValid = (name: string): boolean =>
        name === '...' || (scheme === 'legacy' ? isLegacyLabelName(name) : name !== '' && name.isWellFormed())
      const invalid = group_by.find((name) => !isValid(name))
      if (invalid !== undefined) at.fail(`invalid label name ${quoted(invalid)} in group_by list`)
      if (group_by.includes('...') && group_by.length > 1)
        at.fail('cannot have wildcard group_by (`...`) and other labels at the same time')
      const twice = group_by.find((label, i) => group_by.indexOf(label) !== i)
      if (twice !== undefined) at.fail(`duplicated label ${quoted(twice)} in group_by`)
      for (const name of Object.keys(labels))
        if (!isLegacyLabelName(name)) at.fail(`invalid label name ${quoted(name)} in route labels`)
      if (raw.group_interval === 0) at.fail('group_interval cannot be zero')
      if (raw.repeat_interval === 0) at.fail('repeat_interval cannot be zero')
      return { raw: raw as RawRoute, at }
    },
  )

/** The tree with what children inherit. Receivers and time intervals are the caller's to check. */
export function finishRoute({ raw }: PendingRoute, parent: Route | null = null, index = 0): Route {
  const matchers = [...(raw.match ?? []), ...(raw.match_re ?? []), ...(raw.matchers ?? [])]
  const own = formatMatcherSet(matchers)
  const groupBy = raw.group_by
    ? raw.group_by.includes('...')
      ? null
      : raw.group_by.toSorted(compareStrings)
    : parent
      ? parent.groupBy
      : []
  const base: Route = {
    receiver: raw.receiver || (parent?.receiver ?? ''),
    groupBy,
    groupWaitMs: raw.group_wait ?? parent?.groupWaitMs ?? DEFAULTS.groupWaitMs,
    groupIntervalMs: raw.group_interval ?? parent?.groupIntervalMs ?? DEFAULTS.groupIntervalMs,
    repeatIntervalMs: raw.repeat_interval ?? parent?.repeatIntervalMs ?? DEFAULTS.repeatIntervalMs,
    matchers,
    continue: raw.continue ?? false,
    muteTimeIntervals: raw.mute_time_intervals ?? [],
    activeTimeIntervals: raw.active_time_intervals ?? [],
    labels: { ...parent?.labels, ...raw.labels },
    routes: [],
    key: parent ? `${parent.key}/${own}` : own,
    id: parent ? `${parent.id}/${own}/${index}` : own,
  }
  return { ...base, routes: (raw.routes ?? []).map((child, i) => finishRoute(child, base, i)) }
}

/** Each route of the tree with the place it was written at, children first. */
export function* walkPending(top: PendingRoute): Generator<PendingRoute> {
  for (const child of top.raw.routes ?? []) yield* walkPending(child)
  yield top
}
