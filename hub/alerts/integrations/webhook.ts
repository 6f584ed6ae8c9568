/** A notification as JSON, version 4. Semantics: Alertmanager notify/webhook/webhook.go, template/template.go Data. */
import type { Integration } from '../config/mod.ts'
import type { TemplateAlert, TemplateData } from '../template-data.ts'
import type { Sender, Telling } from './contract.ts'
import { type SendEnv, secretOf, sendHttp } from './http.ts'

const TIMEOUT_MS = 10_000

export function webhook({ values, http }: Integration, env: SendEnv): Sender {
  const maxAlerts = (values['max_alerts'] as number | undefined) ?? 0
  const timeoutMs = (values['timeout'] as number | undefined) || TIMEOUT_MS
  return {
    send: async ({ notification, data, expand }, signal) => {
      const url = expand(secretOf(env, values['url'], values['url_file']))
      return sendHttp(env, http, { url, body: webhookBody({ notification, data }, maxAlerts), timeoutMs }, signal)
    },
  }
}

/** @param maxAlerts 0 = all */
export function webhookBody({ notification, data }: Pick<Telling, 'notification' | 'data'>, maxAlerts: number): string {
  const shown = maxAlerts > 0 ? data.alerts.slice(0, maxAlerts) : data.alerts
  return JSON.stringify({
    receiver: data.receiver,
    status: data.status,
    alerts: shown.map(alertJson),
    groupLabels: data.groupLabels,
    commonLabels: data.commonLabels,
    commonAnnotations: data.commonAnnotations,
    externalURL: data.externalUrl,
    ...(hasAny(data.routeLabels) && { routeLabels: data.routeLabels }),
    version: '4',
    groupKey: notification.groupKey,
    truncatedAlerts: data.alerts.length - shown.length,
    notification_reason: notification.reason,
  })
}

const hasAny = (labels: TemplateData['routeLabels']): boolean => labels !== null && Object.keys(labels).length > 0

export function alertJson(alert: TemplateAlert): object {
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
