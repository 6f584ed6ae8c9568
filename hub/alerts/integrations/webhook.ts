/** A notification as JSON, version 4, or as the payload that is configured. Semantics: Alertmanager notify/webhook/webhook.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender, Telling } from './contract.ts'
import { limited } from './data.ts'
import { dataJson } from './data-json.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { expandedTree } from './values.ts'

export function webhook({ values, http }: Integration, env: SendEnv): Sender {
  const maxAlerts = (values['max_alerts'] as number | undefined) ?? 0
  const timeoutMs = (values['timeout'] as number | undefined) || DEFAULT_TIMEOUT_MS
  const payload = values['payload'] ?? null
  return {
    send: async (telling, signal) => {
      const shown = limited(telling, maxAlerts)
      const url = shown.expand(secretOf(env, values['url'], values['url_file']))
      const body =
        payload === null ? webhookBody(shown) : JSON.stringify(expandedTree(payload, (text) => shown.expand(text)))
      return sendHttp(env, http, { url, body, timeoutMs }, signal)
    },
  }
}

function webhookBody({ notification, data }: Pick<Telling, 'notification' | 'data'>): string {
  return JSON.stringify({
    ...dataJson(data, data.alerts),
    version: '4',
    groupKey: notification.groupKey,
    truncatedAlerts: notification.alerts.length - data.alerts.length,
  })
}
