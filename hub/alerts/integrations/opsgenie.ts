/** OpsGenie, Alert API v2. Semantics: Alertmanager notify/opsgenie/opsgenie.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import { DELIVERED, type Sender, type SendResult, type Telling } from './contract.ts'
import { type SendEnv, secretOf, sendHttp } from './http.ts'
import { groupDigest, shortened, text } from './values.ts'

const MESSAGE_MAX = 130
const TIMEOUT_MS = 10_000

export function opsgenie({ values, http }: Integration, env: SendEnv): Sender {
  return {
    send: async (telling, signal) => {
      const { expand } = telling
      const key = expand(secretOf(env, values['api_key'], values['api_key_file']))
      const headers = { authorization: `GenieKey ${key}` }
      for (const { method, url, body } of requests(values, telling)) {
        const message = { method, url, headers, body: JSON.stringify(body), timeoutMs: TIMEOUT_MS }
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
  const of = (name: string, fallback = ''): string => expand(text(values, name, fallback))
  const alias = groupDigest(notification.groupKey)
  const base = `${text(values, 'api_url').replace(/\/*$/, '')}/v2/alerts`
  const source = of('source', '{{ template "opsgenie.default.source" . }}')
  const identified = (path: string): string => `${base}/${alias}/${path}?identifierType=alias`
  if (data.status === 'resolved') return [{ method: 'POST', url: identified('close'), body: { source } }]
  const message = shortened(of('message', '{{ template "opsgenie.default.message" . }}'), MESSAGE_MAX)
  const description = of('description', '{{ template "opsgenie.default.description" . }}')
  const own = (values['details'] ?? {}) as Readonly<Record<string, string>>
  const details = Object.fromEntries(
    Object.entries({ ...data.commonLabels, ...own }).map(([name, value]) => [name, expand(value)]),
  )
  const create = {
    alias,
    message,
    description,
    details,
    source,
    responders: respondersOf(values, telling),
    tags: split(of('tags')),
    note: of('note'),
    priority: of('priority'),
    entity: of('entity'),
    actions: split(of('actions')),
  }
  const out: Request[] = [{ method: 'POST', url: base, body: create }]
  if (values['update_alerts']) {
    out.push({ method: 'PUT', url: identified('message'), body: { message } })
    out.push({ method: 'PUT', url: identified('description'), body: { description } })
  }
  return out
}

function respondersOf(values: Values, { expand }: Telling): object[] {
  const responders = (values['responders'] ?? []) as readonly Readonly<Record<string, string>>[]
  return responders.flatMap((each) => {
    const filled = Object.fromEntries(Object.entries(each).map(([name, value]) => [name, expand(value)]))
    const type = (filled['type'] ?? '').toLowerCase()
    // `teams` is several names in one.
    if (type === 'teams') return split(filled['name'] ?? '').map((name) => ({ name, type: 'team' }))
    return filled['id'] || filled['name'] || filled['username'] ? [{ ...filled, type }] : []
  })
}

const split = (list: string): string[] =>
  list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
