/** The data that templates and webhooks show, from a notification. Semantics: Alertmanager template/template.go, Data. */
import { labelsToObject } from '../../../protocol/labels/mod.ts'
import { fingerprint, isResolved } from '../alert.ts'
import type { TemplateData } from '../template-data.ts'
import type { Notification, Telling } from './contract.ts'

export function dataOf({ alerts, receiver, reason, ...notification }: Notification): TemplateData {
  const { groupLabels, routeLabels, nowMs, externalUrl } = notification
  const shown = alerts.map((alert) => ({
    status: isResolved(alert, nowMs) ? ('resolved' as const) : ('firing' as const),
    labels: { ...labelsToObject(alert.labels) },
    annotations: alert.annotations,
    startsAtMs: alert.startsAtMs,
    endsAtMs: isResolved(alert, nowMs) ? alert.endsAtMs : 0,
    generatorUrl: alert.generatorUrl,
    fingerprint: fingerprint(alert.labels),
  }))
  return {
    receiver,
    status: shown.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    alerts: shown,
    reason,
    groupLabels: { ...labelsToObject(groupLabels) },
    commonLabels: common(shown.map(({ labels }) => labels)),
    commonAnnotations: common(shown.map(({ annotations }) => annotations)),
    externalUrl,
    routeLabels,
  }
}

/** With the first alerts only, as if there were no others. @param maxAlerts 0 = all */
export function limited(telling: Telling, maxAlerts: number): Telling {
  const { notification, expand } = telling
  if (maxAlerts <= 0 || notification.alerts.length <= maxAlerts) return telling
  const data = dataOf({ ...notification, alerts: notification.alerts.slice(0, maxAlerts) })
  return { notification, data, expand: (text, options) => expand(text, { ...options, data }) }
}

function common(sets: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const out: Record<string, string> = { ...sets[0] }
  for (const set of sets) for (const name of Object.keys(out)) if (set[name] !== out[name]) delete out[name]
  return out
}
