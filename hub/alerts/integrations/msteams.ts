/** Microsoft Teams, by a connector's webhook. Semantics: Alertmanager notify/msteams/msteams.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { text } from './values.ts'

export function msteams({ values, http }: Integration, env: SendEnv): Sender {
  return {
    send: async ({ data, expand }, signal) => {
      const of = (name: string): string => expand(text(values, name))
      const body = {
        '@context': 'http://schema.org/extensions',
        type: 'MessageCard',
        title: of('title'),
        summary: of('summary'),
        text: of('text'),
        themeColor: data.status === 'firing' ? '8C1A1A' : '2DC72D',
      }
      const url = secretOf(env, values['webhook_url'], values['webhook_url_file'])
      return sendHttp(env, http, { url, body: JSON.stringify(body), timeoutMs: DEFAULT_TIMEOUT_MS }, signal)
    },
  }
}
