/** Rules and alerts. Semantics: Prometheus web/api/v1/api.go, rules and alerts. */
import { createHash } from 'node:crypto'
import type { Hono } from 'hono'
import { compareStrings, labelsToObject } from '../../protocol/labels/mod.ts'
import { compileMatcher } from '../../protocol/matchers/mod.ts'
import { formatJsonFloat, narrowSelectors } from '../query/mod.ts'
import type { ActiveAlert, Group, RuleStatus } from '../rules/mod.ts'
import { json, params, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'
import { invalid, type Params } from './params.ts'

export function ruleRoutes(app: Hono<Vars>, deps: ApiDeps): void {
  app.get('/api/v1/rules', async (c) => {
    const p = (await params(c)).whole
    const matches = labelMatcher(p.all('match[]'))
    const type = p.get('type').toLowerCase()
    if (type !== '' && type !== 'alert' && type !== 'record')
      invalid('type', `not supported value ${JSON.stringify(type)}`)
    const names = new Set(p.all('rule_name[]'))
    const groups = new Set(p.all('rule_group[]'))
    const files = new Set(p.all('file[]'))
    const withAlerts = !p.flag('exclude_alerts')
    const page = pageOf(p)
    const shown = pageFrom(sortedGroups(deps.groups()), page)
      .filter(
        ({ definition }) =>
          (groups.size === 0 || groups.has(definition.name)) && (files.size === 0 || files.has(definition.file)),
      )
      .map((group) =>
        describeGroup(
          group,
          ({ rule }) =>
            (type === '' || rule.kind === type) && (names.size === 0 || names.has(rule.name)) && matches(rule.labels),
          withAlerts,
        ),
      )
      .filter(({ rules }) => rules.length > 0)
    const next = shown[page.limit]
    return json({
      groups: shown.slice(0, page.limit),
      ...(next !== undefined && { groupNextToken: tokenOf(next) }),
    })
  })
  app.get('/api/v1/alerts', () => {
    const alerts = deps
      .groups()
      .flatMap((group) =>
        group.status.flatMap(({ alerting }) => (alerting ? shownAlerts([...alerting.active.values()]) : [])),
      )
    return json({ alerts })
  })
  app.get('/api/v1/alertmanagers', () =>
    json({
      activeAlertmanagers: deps.alertmanagers().map((url) => ({ url })),
      droppedAlertmanagers: deps.droppedAlertmanagers().map((url) => ({ url })),
      // Ours: whether /api/v2 is answered here, which the page asks before it goes there.
      builtIn: deps.dispatcher() !== null,
    }),
  )
}

type Page = { readonly limit: number; readonly token: string }

/** Semantics: Prometheus web/api/v1/api.go, parseListRulesPaginationRequest (v3.5). */
function pageOf(p: Params): Page {
  const limit = p.get('group_limit')
  const token = p.get('group_next_token')
  if (limit === '') {
    if (token !== '')
      invalid('group_next_token', 'group_limit needs to be present in order to paginate over the groups')
    return { limit: Number.POSITIVE_INFINITY, token: '' }
  }
  const problem = !/^[+-]?\d+$/.test(limit)
    ? 'invalid syntax'
    : Math.abs(Number(limit)) >= 2 ** 31
      ? 'value out of range'
      : ''
  if (problem !== '') {
    const quoted = JSON.stringify(limit)
    invalid('group_limit', `group_limit needs to be a valid number: strconv.ParseInt: parsing ${quoted}: ${problem}`)
  }
  if (Number(limit) <= 0) invalid('group_limit', 'group_limit needs to be greater than 0')
  return { limit: Number(limit), token }
}

/** From the group that the token names. */
function pageFrom(groups: readonly Group[], { token }: Page): readonly Group[] {
  if (token === '') return groups
  const from = groups.findIndex(({ definition }) => tokenOf(definition) === token)
  if (from < 0) invalid('group_next_token', `invalid group_next_token '${token}'. were rule groups changed?`)
  return groups.slice(from)
}

/** As upstream's, so that pages go on when one is replaced by the other. */
function tokenOf({ file, name }: { readonly file: string; readonly name: string }): string {
  return createHash('sha256').update(`${file};${name}`).digest('hex')
}

/** By file, then by name. */
function sortedGroups(groups: readonly Group[]): Group[] {
  return [...groups].sort(
    ({ definition: a }, { definition: b }) => compareStrings(a.file, b.file) || compareStrings(a.name, b.name),
  )
}

/** Of the labels that rules add, before templates are filled in. @throws ApiError */
function labelMatcher(matches: readonly string[]): (labels: Readonly<Record<string, string>>) => boolean {
  if (matches.length === 0) return () => true
  const sets = narrowSelectors(matches, '').map((matchers) =>
    matchers.map((matcher) => ({ name: matcher.name, isMatch: compileMatcher(matcher) })),
  )
  return (labels) => sets.some((tests) => tests.every(({ name, isMatch }) => isMatch(labels[name] ?? '')))
}

function describeGroup(group: Group, wanted: (status: RuleStatus) => boolean, withAlerts: boolean) {
  return {
    name: group.definition.name,
    file: group.definition.file,
    rules: group.status.filter(wanted).map((status) => describeRule(status, withAlerts)),
    interval: group.intervalMs / 1000,
    limit: group.definition.limit,
    evaluationTime: group.lastDurationSeconds,
    lastEvaluation: instant(group.lastEvaluationMs),
  }
}

function describeRule(
  { rule, health, lastError, lastEvaluationMs, evaluationSeconds, alerting }: RuleStatus,
  withAlerts: boolean,
) {
  const common = {
    name: rule.name,
    query: rule.expr,
    health,
    ...(lastError !== '' && { lastError }),
    evaluationTime: evaluationSeconds,
    lastEvaluation: instant(lastEvaluationMs),
  }
  if (!alerting) return { ...common, labels: rule.labels, type: 'recording' }
  return {
    state: health === 'unknown' ? 'unknown' : alerting.state,
    ...common,
    duration: rule.forMs / 1000,
    keepFiringFor: rule.keepFiringForMs / 1000,
    labels: rule.labels,
    annotations: rule.annotations,
    alerts: withAlerts ? shownAlerts([...alerting.active.values()]) : null,
    type: 'alerting',
  }
}

function shownAlerts(alerts: readonly ActiveAlert[]) {
  return alerts
    .filter(({ state }) => state !== 'inactive')
    .map(({ labels, annotations, state, activeAtMs, keepFiringSinceMs, value }) => ({
      labels: labelsToObject(labels),
      annotations,
      state,
      activeAt: instant(activeAtMs),
      ...(keepFiringSinceMs > 0 && { keepFiringSince: instant(keepFiringSinceMs) }),
      value: goExponent(value),
    }))
}

/** Alert values are printed with an exponent: `1e+00`. */
function goExponent(value: number): string {
  if (!Number.isFinite(value)) return formatJsonFloat(value)
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
}

function instant(ms: number): string {
  return ms === 0 ? '0001-01-01T00:00:00Z' : new Date(ms).toISOString()
}
