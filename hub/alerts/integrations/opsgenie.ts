/** OpsGenie, Alert API v2. Semantics: Alertmanager notify/opsgenie/opsgenie.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import { DELIVERED, type Sender, type SendResult, type Telling } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { filled, groupDigest, shortened, text } from './values.ts'

const MESSAGE_MAX = 130

export function opsgenie({ values, http }: Integration, env: SendEnv): Sender {
  return {
    send: async (telling, signal) => {
      const { expand } = telling
      const key = expand(secretOf(env, values['api_key'], values['api_key_file']))
      const headers = { authorization: `GenieKey ${key}` }
      for (const { method, url, body } of requests(values, telling)) {
        const message = { method, url, headers, body: JSON.stringify(body), timeoutMs: DEFAULT_TIMEOUT_MS }
        const result: SendResult = await sendHttp(env, http, message, signal)
        if (!result.ok) return result
      }
      return DELIVERED
    },
  }
}

type Values = Integration['values']
type Request = { readonly method: 'POST' | 'PUT'; readonly url: string; readonly body: object }

function requests(values: Values, telling: Telling): Request[] {
  const { data, expand, notification } = telling
  const of = (name: string): string => expand(text(values, name))
  const alias = groupDigest(notification.groupKey)
  const base = `${text(values, 'api_url').replace(/\/*$/, '')}/v2/alerts`
  const source = of('source')
  const identified = (path: string): string => `${base}/${alias}/${path}?identifierType=alias`
  if (data.status === 'resolved') return [{ method: 'POST', url: identified('close'), body: { source } }]
  const message = shortened(of('message'), MESSAGE_MAX)
  const description = of('description')
  const own = (values['details'] ?? {}) as Readonly<Record<string, string>>
  const ownDetails = Object.fromEntries(Object.entries(own).map(([name, value]) => [name, expand(value)]))
  const responders = respondersOf(values, telling)
  const tags = split(of('tags'))
  const actions = split(of('actions'))
  const create = {
    alias,
    message,
    ...filled({ description }),
    details: { ...data.commonLabels, ...ownDetails },
    source,
    ...(responders.length > 0 && { responders }),
    ...(tags.length > 0 && { tags }),
    ...filled({ note: of('note'), priority: of('priority'), entity: of('entity') }),
    ...(actions.length > 0 && { actions }),
  }
  const out: Request[] = [{ method: 'POST', url: base, body: create }]
  if (values['update_alerts']) {
    out.push({ method: 'PUT', url: identified('message'), body: filled({ message }) })
    out.push({ method: 'PUT', url: identified('description'), body: filled({ description }) })
  }
  return out
}

/** One of which templates leave nothing is nobody. */
function respondersOf(values: Values, { expand }: Telling): object[] {
  const responders = (values['responders'] ?? []) as readonly Readonly<Record<string, string>>[]
  return responders.flatMap((each) => {
    const { type = '', ...who } = filled(
      Object.fromEntries(Object.entries(each).map(([name, value]) => [name, expand(value)])),
    )
    // `teams` is several names in one.
    if (type === 'teams') return split(who['name'] ?? '').map((name) => ({ name, type: 'team' }))
    return type !== '' || Object.keys(who).length > 0 ? [{ ...who, type }] : []
  })
}

/** Blanks within are part of an item, as upstream. */
const split = (list: string): string[] =>
  list
    .trim()
    .split(',')
    .filter((item) => item !== '')
