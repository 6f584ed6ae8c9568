/** The data of a notification as JSON. Semantics: Alertmanager template/template.go, Data (v0.34). */
import type { TemplateAlert, TemplateData } from '../template-data.ts'

export type JsonAlerts = readonly TemplateAlert[]

/** @param alerts those that are shown. */
export function dataJson(data: TemplateData, alerts: JsonAlerts): object {
  return {
    receiver: data.receiver,
    status: data.status,
    alerts: alerts.map(alertJson),
    notification_reason: data.reason,
    groupLabels: data.groupLabels,
    commonLabels: data.commonLabels,
    commonAnnotations: data.commonAnnotations,
    externalURL: data.externalUrl,
    ...(Object.keys(data.routeLabels ?? {}).length > 0 && { routeLabels: data.routeLabels }),
  }
}

function alertJson(alert: TemplateAlert): object {
  return {
    status: alert.status,
    labels: alert.labels,
    annotations: alert.annotations,
    startsAt: new Date(alert.startsAtMs).toISOString(),
    endsAt: alert.endsAtMs === 0 ? '0001-01-01T00:00:00Z' : new Date(alert.endsAtMs).toISOString(),
    generatorURL: alert.generatorUrl,
    fingerprint: alert.fingerprint,
  }
}
