/** Mattermost, by incoming webhook. Semantics: Alertmanager notify/mattermost/mattermost.go (v0.34). */
import { type Integration, MATTERMOST_TEXTS } from '../config/mod.ts'
import type { Sender, Telling } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { filled, shortened, text, type Values } from './values.ts'

const TEXT_MAX = 16_383
const PRIORITIES = ['urgent', 'important', 'standard']

export function mattermost({ values, http }: Integration, env: SendEnv): Sender {
  return {
    send: async ({ expand }, signal) => {
      const url = secretOf(env, values['webhook_url'], values['webhook_url_file'])
      if (url === '') return { ok: false, retry: false, problem: 'webhook url missing' }
      const body = JSON.stringify(messageOf(values, expand))
      return sendHttp(env, http, { url, body, timeoutMs: DEFAULT_TIMEOUT_MS }, signal)
    },
  }
}

function messageOf(values: Values, expand: Telling['expand']): object {
  const of = (name: string): string => expand(text(values, name))
  const attachments = ((values['attachments'] ?? []) as readonly Values[]).map((each) => attachmentOf(each, expand))
  const card = text((values['props'] ?? {}) as Values, 'card')
  return {
    // Without attachments the message is one itself, whose text has the room that the server gives to all.
    ...(attachments.length > 0 && filled({ text: shortened(of('text'), TEXT_MAX) })),
    ...filled({
      channel: of('channel'),
      username: of('username'),
      icon_url: of('icon_url'),
      icon_emoji: of('icon_emoji'),
      type: of('type'),
    }),
    attachments: attachments.length > 0 ? attachments : [attachmentOf(values, expand)],
    ...(card !== '' && { props: { card: expand(card) } }),
    ...priorityOf((values['priority'] ?? {}) as Values, expand),
  }
}

function attachmentOf(attachment: Values, expand: Telling['expand']): object {
  const fields = ((attachment['fields'] ?? []) as readonly Values[]).map((field) => ({
    title: expand(text(field, 'title')),
    value: expand(text(field, 'value')),
    ...(field['short'] !== undefined && { short: field['short'] }),
  }))
  return {
    ...filled(Object.fromEntries(MATTERMOST_TEXTS.map((name) => [name, expand(text(attachment, name))]))),
    ...(fields.length > 0 && { fields }),
  }
}

/** The server refuses an acknowledgement of the ordinary, and repetition of what is not urgent. */
function priorityOf(given: Values, expand: Telling['expand']): object {
  const name = text(given, 'priority')
  if (name === '') return {}
  const wanted = expand(name).toLowerCase()
  const priority = PRIORITIES.includes(wanted) ? wanted : 'standard'
  const requested_ack = given['requested_ack'] === true && priority !== 'standard'
  const persistent_notifications = given['persistent_notifications'] === true && priority === 'urgent'
  return {
    priority: {
      priority,
      ...(requested_ack && { requested_ack }),
      ...(persistent_notifications && { persistent_notifications }),
    },
  }
}
