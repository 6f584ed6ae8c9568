/** incident.io, to an alert source. Semantics: Alertmanager notify/incidentio/incidentio.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender } from './contract.ts'
import { limited } from './data.ts'
import { dataJson, type JsonAlerts } from './data-json.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { filled } from './values.ts'

const BODY_BYTES_MAX = 512 * 1024

export function incidentio({ values, http }: Integration, env: SendEnv): Sender {
  const timeoutMs = (values['timeout'] as number | undefined) || DEFAULT_TIMEOUT_MS
  const maxAlerts = (values['max_alerts'] as number | undefined) ?? 0
  const metadata = (values['metadata'] ?? {}) as Readonly<Record<string, string>>
  return {
    send: async (telling, signal) => {
      const { notification, data, expand } = limited(telling, maxAlerts)
      const own = Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, expand(value)]))
      const body = (alerts: JsonAlerts): string =>
        JSON.stringify({
          ...dataJson(data, alerts),
          version: '1',
          groupKey: notification.groupKey,
          truncatedAlerts: notification.alerts.length - data.alerts.length,
          ...(Object.keys(own).length > 0 && { metadata: own }),
        })
      const whole = body(data.alerts)
      // One alert of the group is an incident already.
      const sent = Buffer.byteLength(whole) > BODY_BYTES_MAX ? body(data.alerts.slice(0, 1)) : whole
      const token = secretOf(env, values['alert_source_token'], values['alert_source_token_file'])
      const headers = filled({ authorization: token && `Bearer ${token}` })
      const url = secretOf(env, values['url'], values['url_file'])
      return sendHttp(env, http, { url, headers, body: sent, timeoutMs }, signal)
    },
  }
}
