/** Telegram, as a bot. Semantics: Alertmanager notify/telegram/telegram.go (v0.34), Bot API sendMessage. */
import type { Integration } from '../config/mod.ts'
import type { Sender } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { shortened, text } from './values.ts'

/** Of what is shown, once the markup is taken out. */
const SHOWN_MAX = 4096
const MARKUP_BYTES_MAX = 1 << 15
const TOO_LONG =
  'Alertmanager notification could not be sent: message length exceeds Telegram limits. Please check the template used for producing the message content.'

export function telegram({ values, http }: Integration, env: SendEnv): Sender {
  const timeoutMs = (values['timeout'] as number | undefined) || DEFAULT_TIMEOUT_MS
  const mode = text(values, 'parse_mode')
  return {
    send: async ({ expand }, signal) => {
      const file = text(values, 'chat_id_file')
      const chatId = file === '' ? String(values['chat_id']) : env.disk.readText(file).trim()
      if (!/^-?\d+$/.test(chatId)) {
        return { ok: false, retry: true, problem: `could not parse chat_id from ${file}` }
      }
      const message = expand(text(values, 'message'), { html: mode === 'HTML' })
      const threadId = (values['message_thread_id'] as number | undefined) ?? 0
      const body = {
        chat_id: chatId,
        text: mode === 'HTML' ? fitting(message) : shortened(message, SHOWN_MAX),
        disable_web_page_preview: true,
        ...(values['disable_notifications'] === true && { disable_notification: true }),
        ...(mode !== '' && { parse_mode: mode }),
        ...(threadId !== 0 && { message_thread_id: threadId }),
      }
      const token = secretOf(env, values['bot_token'], values['bot_token_file'])
      const url = `${text(values, 'api_url').replace(/\/+$/, '')}/bot${token}/sendMessage`
      const result = await sendHttp(env, http, { url, body: JSON.stringify(body), timeoutMs, judge }, signal)
      // Whatever is wrong with a bot can be put right while the alert lasts, so that upstream gives up on nothing.
      return result.ok ? result : { ...result, retry: true }
    },
  }
}

/** Cut markup is no markup: what is too long is said instead. */
function fitting(html: string): string {
  const shown = html.replace(/<[^>]*>/g, '').replace(/&(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9a-fA-F]{1,6});?/g, '.')
  return Buffer.byteLength(html) > MARKUP_BYTES_MAX || [...shown].length > SHOWN_MAX ? TOO_LONG : html
}

function judge(body: string): string {
  try {
    const { ok, description = '' } = JSON.parse(body) as { ok?: boolean; description?: string }
    return ok === false ? `telegram: ${description}` : ''
  } catch {
    return ''
  }
}
