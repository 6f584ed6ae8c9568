/** Pushover, its parameters in the address. Semantics: Alertmanager notify/pushover/pushover.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender, Telling } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { shortened, text } from './values.ts'

const API_URL = 'https://api.pushover.net/1/messages.json'
const TITLE_MAX = 250
const MESSAGE_MAX = 1024
const URL_MAX = 512

/** @param apiUrl where a test listens. */
export function pushover({ values, http }: Integration, env: SendEnv, apiUrl = API_URL): Sender {
  return {
    send: async ({ expand }, signal) => {
      const parameters = new URLSearchParams({
        token: expand(secretOf(env, values['token'], values['token_file'])),
        user: expand(secretOf(env, values['user_key'], values['user_key_file'])),
        ...parametersOf(values, expand),
      })
      const headers = { 'content-type': 'text/plain' }
      const url = `${apiUrl}?${parameters}`
      return sendHttp(env, http, { url, headers, body: '', timeoutMs: DEFAULT_TIMEOUT_MS }, signal)
    },
  }
}

function parametersOf(values: Integration['values'], expand: Telling['expand']): Record<string, string> {
  const of = (name: string): string => expand(text(values, name))
  const seconds = (name: string): string => String(Math.trunc((values[name] as number) / 1000))
  const isHtml = values['html'] === true
  const message = shortened(expand(text(values, 'message'), { html: isHtml }), MESSAGE_MAX).trim()
  return {
    title: shortened(of('title'), TITLE_MAX),
    ...(isHtml && { html: '1' }),
    ...(values['monospace'] === true && { monospace: '1' }),
    // An empty one would be refused.
    message: message || '(no details)',
    url: shortened(of('url'), URL_MAX),
    url_title: of('url_title'),
    priority: of('priority'),
    retry: seconds('retry'),
    expire: seconds('expire'),
    device: of('device'),
    sound: of('sound'),
    ...(seconds('ttl') !== '0' && { ttl: seconds('ttl') }),
  }
}
