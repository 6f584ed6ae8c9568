/** Slack, by incoming webhook or with a bot's token. Semantics: Alertmanager notify/slack/slack.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender, Telling } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { filled, shortened, text } from './values.ts'

const TITLE_MAX = 1024

export function slack({ values, http }: Integration, env: SendEnv): Sender {
  const timeoutMs = (values['timeout'] as number | undefined) || DEFAULT_TIMEOUT_MS
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

function message(values: Values, { expand }: Telling): object {
  const of = (name: string): string => expand(text(values, name))
  const mrkdwn = (values['mrkdwn_in'] ?? []) as readonly string[]
  const expanded = (item: Plain): Plain =>
    Object.fromEntries(
      Object.entries(item).map(([name, value]) => [
        name,
        typeof value === 'string'
          ? expand(value)
          : typeof value === 'object' && value
            ? expanded(value as Plain)
            : value,
      ]),
    )
  const shortFields = values['short_fields'] === true
  const fields = ((values['fields'] ?? []) as readonly Plain[]).map((field) => ({
    ...expanded(field),
    short: field['short'] ?? shortFields,
  }))
  const attachment = {
    text: of('text'),
    fallback: of('fallback'),
    callback_id: of('callback_id'),
    footer: of('footer'),
    ...filled({
      title: shortened(of('title'), TITLE_MAX),
      title_link: of('title_link'),
      pretext: of('pretext'),
      color: of('color'),
      image_url: of('image_url'),
      thumb_url: of('thumb_url'),
    }),
    mrkdwn_in: mrkdwn.length > 0 ? mrkdwn : ['fallback', 'pretext', 'text'],
    ...(fields.length > 0 && { fields }),
    ...(Array.isArray(values['actions']) && { actions: (values['actions'] as readonly Plain[]).map(expanded) }),
  }
  return {
    ...filled({
      channel: of('channel'),
      username: of('username'),
      icon_emoji: of('icon_emoji'),
      icon_url: of('icon_url'),
      text: of('message_text'),
    }),
    ...(values['link_names'] === true && { link_names: true }),
    attachments: [attachment],
  }
}
