/** VictorOps (Splunk On-Call). Semantics: Alertmanager notify/victorops/victorops.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender, Telling } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { groupDigest, shortened, text } from './values.ts'

const MESSAGE_MAX = 20_480

export function victorops({ values, http }: Integration, env: SendEnv): Sender {
  return {
    send: async (telling, signal) => {
      const { expand } = telling
      const key = secretOf(env, values['api_key'], values['api_key_file'])
      const path = `${encodeURIComponent(key)}/${encodeURIComponent(expand(text(values, 'routing_key')))}`
      const url = `${text(values, 'api_url').replace(/\/*$/, '/')}${path}`
      const body = JSON.stringify(messageOf(values, telling))
      return sendHttp(env, http, { url, body, timeoutMs: DEFAULT_TIMEOUT_MS }, signal)
    },
  }
}

function messageOf(values: Integration['values'], { data, expand, notification }: Telling): Record<string, string> {
  const of = (name: string): string => expand(text(values, name))
  const type = of('message_type')
  const own = Object.entries((values['custom_fields'] ?? {}) as Readonly<Record<string, string>>)
  return {
    message_type:
      data.status === 'resolved' ? 'RECOVERY' : ['INFO', 'WARNING', 'CRITICAL'].includes(type) ? type : 'CRITICAL',
    entity_id: groupDigest(notification.groupKey),
    entity_display_name: of('entity_display_name'),
    state_message: shortened(of('state_message'), MESSAGE_MAX),
    monitoring_tool: of('monitoring_tool'),
    ...Object.fromEntries(own.map(([name, value]) => [name, expand(value)])),
  }
}
