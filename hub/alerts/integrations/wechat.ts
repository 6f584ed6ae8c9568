/** WeChat Work, with an access token that is asked for first. Semantics: Alertmanager notify/wechat/wechat.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender, SendResult, Telling } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, exchange, type SendEnv, secretOf } from './http.ts'
import { filled, text } from './values.ts'

const TOKEN_AGE_MS_MAX = 2 * 3_600_000
const TOKEN_EXPIRED = 42_001

type Answer = { readonly access_token?: string; readonly errcode?: number; readonly errmsg?: string }

export function wechat({ values, http }: Integration, env: SendEnv): Sender {
  const base = text(values, 'api_url').replace(/\/*$/, '/')
  const timeoutMs = DEFAULT_TIMEOUT_MS
  let token = { value: '', sinceMs: 0 }

  /** A problem, or null once there is a token. */
  async function renew({ expand, notification }: Telling, signal: AbortSignal): Promise<SendResult | null> {
    if (token.value !== '' && notification.nowMs - token.sinceMs <= TOKEN_AGE_MS_MAX) return null
    const corpsecret = expand(secretOf(env, values['api_secret'], values['api_secret_file']))
    const corpid = expand(text(values, 'corp_id'))
    const url = `${base}gettoken?${new URLSearchParams({ corpid, corpsecret })}`
    const { result, body } = await exchange(env, http, { method: 'GET', url, body: '', timeoutMs }, signal)
    if (!result.ok) return result
    const value = parsed(body).access_token ?? ''
    if (value === '') return { ok: false, retry: false, problem: `invalid APISecret for CorpID: ${corpid}` }
    token = { value, sinceMs: notification.nowMs }
    return null
  }

  return {
    send: async (telling, signal) => {
      const problem = await renew(telling, signal)
      if (problem) return problem
      const url = `${base}message/send?${new URLSearchParams({ access_token: token.value })}`
      const body = JSON.stringify(messageOf(values, telling))
      const { result, body: answer } = await exchange(env, http, { url, body, timeoutMs }, signal)
      if (!result.ok) return { ...result, retry: true }
      const { errcode = 0, errmsg = '' } = parsed(answer)
      if (errcode === 0) return result
      if (errcode === TOKEN_EXPIRED) token = { value: '', sinceMs: 0 }
      return { ok: false, retry: errcode === TOKEN_EXPIRED, problem: errmsg }
    },
  }
}

function messageOf(values: Integration['values'], { expand }: Telling): object {
  const of = (name: string): string => expand(text(values, name))
  const type = text(values, 'message_type', 'text')
  const content = of('message')
  return {
    text: { content: type === 'markdown' ? '' : content },
    ...filled({ touser: of('to_user'), toparty: of('to_party'), totag: of('to_tag'), agentid: of('agent_id') }),
    safe: '0',
    msgtype: type,
    markdown: { content: type === 'markdown' ? content : '' },
  }
}

function parsed(body: string): Answer {
  try {
    return JSON.parse(body) as Answer
  } catch {
    return { errcode: -1, errmsg: `could not read the answer ${JSON.stringify(body.slice(0, 200))}` }
  }
}
