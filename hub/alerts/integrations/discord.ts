/** Discord, by webhook. Semantics: Alertmanager notify/discord/discord.go (v0.34). */
import { parseGoUrl } from '../../../protocol/config/mod.ts'
import type { Integration } from '../config/mod.ts'
import type { Sender } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { shortened, text } from './values.ts'

const TITLE_MAX = 256
const DESCRIPTION_MAX = 4096
const CONTENT_MAX = 2000
const COLORS = { firing: 0x992d22, resolved: 0x2ecc71 }

export function discord({ values, http }: Integration, env: SendEnv): Sender {
  return {
    send: async ({ data, expand }, signal) => {
      const of = (name: string, max: number): string => shortened(expand(text(values, name)), max)
      const username = text(values, 'username')
      const avatar = text(values, 'avatar_url')
      const body = {
        content: of('content', CONTENT_MAX),
        embeds: [
          {
            title: of('title', TITLE_MAX),
            description: of('message', DESCRIPTION_MAX),
            color: data.status === 'firing' ? COLORS.firing : COLORS.resolved,
          },
        ],
        ...(username && { username }),
        ...(isUrl(avatar) && { avatar_url: avatar }),
      }
      const url = secretOf(env, values['webhook_url'], values['webhook_url_file'])
      return sendHttp(env, http, { url, body: JSON.stringify(body), timeoutMs: DEFAULT_TIMEOUT_MS }, signal)
    },
  }
}

function isUrl(text: string): boolean {
  if (text === '') return false
  try {
    parseGoUrl(text)
    return true
  } catch {
    return false
  }
}
