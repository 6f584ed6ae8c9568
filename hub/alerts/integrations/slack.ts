/** Slack, by incoming webhook or with a bot's token. Semantics: Alertmanager notify/slack/slack.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender, Telling } from './contract.ts'
import { type SendEnv, secretOf, sendHttp } from './http.ts'
import { shortened, text } from './values.ts'

const TITLE_MAX = 1024
const TIMEOUT_MS = 10_000

export function slack({ values, http }: Integration, env: SendEnv): Sender {
  const timeoutMs = (values['timeout'] as number | undefined) || TIMEOUT_MS
  return {
    send: async (telling, signal) => {
      const token = secretOf(env, values['app_token'], values['app_token_file'])
      const url = token === '' ? secretOf(env, values['api_url'], values['api_url_file']) : text(values, 'app_url')
      const headers: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` }
      const body = JSON.stringify(message(values, telling))
      return sendHttp(env, http, { url: telling.expand(url), headers, body, timeoutMs, judge }, signal)
    },
  }
}

/** A bot's answer is 200 whatever happened; a webhook's is `ok`. */
function judge(body: string): string {
  if (!body.trimStart().startsWith('{')) return body.trim() === 'ok' || body === '' ? '' : body.slice(0, 200)
  try {
    const { ok, error = '' } = JSON.parse(body) as { ok?: boolean; error?: string }
    return ok === false ? `error response from Slack: ${error}` : ''
  } catch {
    return ''
  }
}

type Values = Integration['values']
type Plain = Readonly<Record<string, unknown>>

const named = (name: string): string => `{{ template "slack.default.${name}" . }}`

function message(values: Values, { expand }: Telling): object {
  const of = (name: string, fallback = ''): string => expand(text(values, name, fallback))
  const filled = (item: Plain): Plain =>
    Object.fromEntries(
      Object.entries(item).map(([name, value]) => [
        name,
        typeof value === 'string' ? expand(value) : typeof value === 'object' && value ? filled(value as Plain) : value,
      ]),
    )
  const shortFields = values['short_fields'] === true
  const fields = ((values['fields'] ?? []) as readonly Plain[]).map((field) => ({
    ...filled(field),
    short: field['short'] ?? shortFields,
  }))
  const attachment = {
    title: shortened(of('title', named('title')), TITLE_MAX),
    title_link: of('title_link', named('titlelink')),
    pretext: of('pretext', named('pretext')),
    text: of('text', named('text')),
    fallback: of('fallback', named('fallback')),
    callback_id: of('callback_id', named('callbackid')),
    color: of('color', '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}'),
    image_url: of('image_url'),
    thumb_url: of('thumb_url'),
    footer: of('footer', named('footer')),
    mrkdwn_in: (values['mrkdwn_in'] as readonly string[] | undefined) ?? ['fallback', 'pretext', 'text'],
    ...(fields.length > 0 && { fields }),
    ...(Array.isArray(values['actions']) && { actions: (values['actions'] as readonly Plain[]).map(filled) }),
  }
  return {
    ...(text(values, 'channel') !== '' && { channel: of('channel') }),
    username: of('username', named('username')),
    icon_emoji: of('icon_emoji', named('iconemoji')),
    icon_url: of('icon_url', named('iconurl')),
    link_names: values['link_names'] === true,
    ...(text(values, 'message_text') !== '' && { text: of('message_text') }),
    attachments: [attachment],
  }
}
