/** Webex, to a room. Semantics: Alertmanager notify/webex/webex.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, sendHttp } from './http.ts'
import { shortenedBytes, text } from './values.ts'

const MESSAGE_BYTES_MAX = 7439

export function webex({ values, http }: Integration, env: SendEnv): Sender {
  return {
    send: async ({ expand }, signal) => {
      const roomId = expand(text(values, 'room_id'))
      const markdown = shortenedBytes(expand(text(values, 'message')), MESSAGE_BYTES_MAX)
      const body = JSON.stringify({ markdown, ...(roomId && { roomId }) })
      return sendHttp(env, http, { url: text(values, 'api_url'), body, timeoutMs: DEFAULT_TIMEOUT_MS }, signal)
    },
  }
}
