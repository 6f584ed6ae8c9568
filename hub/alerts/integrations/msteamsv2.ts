/** Microsoft Teams, by a flow of Power Automate: an adaptive card. Semantics: Alertmanager notify/msteamsv2 (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { text } from './values.ts'

export function msteamsv2({ values, http }: Integration, env: SendEnv): Sender {
  return {
    send: async ({ data, expand }, signal) => {
      const title = {
        type: 'TextBlock',
        text: expand(text(values, 'title')),
        weight: 'Bolder',
        size: 'Medium',
        wrap: true,
        style: 'heading',
        color: data.status === 'firing' ? 'Attention' : 'Good',
      }
      const content = {
        $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
        type: 'AdaptiveCard',
        version: '1.2',
        body: [title, { type: 'TextBlock', text: expand(text(values, 'text')), wrap: true }],
        msteams: { width: 'full' },
      }
      const attachment = { contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content }
      const body = JSON.stringify({ type: 'message', attachments: [attachment] })
      const url = secretOf(env, values['webhook_url'], values['webhook_url_file'])
      return sendHttp(env, http, { url, body, timeoutMs: DEFAULT_TIMEOUT_MS }, signal)
    },
  }
}
