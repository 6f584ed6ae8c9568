/** Rocket.Chat, its postMessage. Semantics: Alertmanager notify/rocketchat/rocketchat.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender, SendResult, Telling } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { filled, shortened, text } from './values.ts'

const TITLE_MAX = 1024

type Field = { readonly title?: string; readonly value?: string; readonly short?: boolean }
type Action = { readonly text?: string; readonly url?: string; readonly msg?: string }

export function rocketchat({ values, http }: Integration, env: SendEnv): Sender {
  return {
    send: async ({ expand }, signal) => {
      const headers = {
        'x-auth-token': secretOf(env, values['token'], values['token_file']),
        'x-user-id': secretOf(env, values['token_id'], values['token_id_file']),
      }
      const url = `${text(values, 'api_url').replace(/\/*$/, '')}/api/v1/chat.postMessage`
      const body = JSON.stringify(messageOf(values, expand))
      return sendHttp(env, http, { url, headers, body, timeoutMs: DEFAULT_TIMEOUT_MS, judge }, signal)
    },
  }
}

function messageOf(values: Integration['values'], expand: Telling['expand']): object {
  const of = (name: string): string => expand(text(values, name))
  const fields = ((values['fields'] ?? []) as readonly Field[]).map(({ title = '', value = '', short }) => ({
    short: short ?? values['short_fields'] === true,
    ...filled({ title: expand(title), value: expand(value) }),
  }))
  const actions = ((values['actions'] ?? []) as readonly Action[]).map((action) => ({
    // There is no other kind.
    type: 'button',
    ...filled({ text: expand(action.text ?? ''), url: expand(action.url ?? ''), msg: expand(action.msg ?? '') }),
    is_webview: false,
    msg_in_chat_window: false,
  }))
  const attachment = {
    ...filled({
      title: shortened(of('title'), TITLE_MAX),
      title_link: of('title_link'),
      text: of('text'),
      image_url: of('image_url'),
      thumb_url: of('thumb_url'),
      color: of('color'),
    }),
    ...(fields.length > 0 && { fields }),
    ...(actions.length > 0 && { actions }),
  }
  return {
    ...filled({ channel: of('channel'), emoji: of('emoji'), avatar: of('icon_url') }),
    attachments: [attachment],
  }
}

/** It may answer 200 and have refused. */
function judge(body: string): string | SendResult {
  try {
    const { success, error = '' } = JSON.parse(body) as { success?: boolean; error?: string }
    return success === true ? '' : `error response from Rocketchat: ${error}`
  } catch {
    return { ok: false, retry: true, problem: `could not read the answer ${JSON.stringify(body.slice(0, 200))}` }
  }
}
