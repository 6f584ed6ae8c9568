/** Rules and alerts. Semantics: Prometheus web/api/v1/api.go, rules and alerts. */
import type { Hono } from 'hono'
import { labelsToObject } from '../../protocol/labels/mod.ts'
import { formatJsonFloat } from '../query/mod.ts'
import type { ActiveAlert, Group, RuleStatus } from '../rules/mod.ts'
import { json, params, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'
import { invalid } from './params.ts'

export function ruleRoutes(app: Hono<Vars>, deps: ApiDeps): void {
  app.get('/api/v1/rules', async (c) => {
    const p = await params(c)
    const type = p.get('type').toLowerCase()
    if (type !== '' && type !== 'alert' && type !== 'record')
      invalid('type', `not supported value ${JSON.stringify(type)}`)
    const names = new Set(p.all('rule_name[]'))
    const groups = new Set(p.all('rule_group[]'))
    const files = new Set(p.all('file[]'))
    const withAlerts = !p.flag('exclude_alerts')
    const shown = deps
      .groups()
      .filter(
        ({ definition }) =>
          (groups.size === 0 || groups.has(definition.name)) && (files.size === 0 || files.has(definition.file)),
      )
      .map((group) =>
        describeGroup(
          group,
          ({ rule }) => (type === '' || rule.kind === type) && (names.size === 0 || names.has(rule.name)),
          withAlerts,
        ),
      )
      .filter(({ rules }) => (type === '' && names.size === 0) || rules.length > 0)
    return json({ groups: shown })
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
  if (!alerting)
    return { ...common, ...(Object.keys(rule.labels).length > 0 && { labels: rule.labels }), type: 'recording' }
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
