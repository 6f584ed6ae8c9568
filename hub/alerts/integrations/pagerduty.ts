/** PagerDuty, Events API v2, and v1 for service keys. Semantics: Alertmanager notify/pagerduty/pagerduty.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender, Telling } from './contract.ts'
import { DEFAULT_TIMEOUT_MS, type SendEnv, secretOf, sendHttp } from './http.ts'
import { expandedTree, filled, groupDigest, shortened, text } from './values.ts'

const EVENT_BYTES_MAX = 512_000
const TOO_LONG = 'Custom details have been removed because the original event exceeds the maximum size of 512KB'
const SUMMARY_MAX = 1024
const V1_URL = 'https://events.pagerduty.com/generic/2010-04-15/create_event.json'

const DETAILS: Readonly<Record<string, string>> = {
  firing: '{{ .Alerts.Firing | toJson }}',
  resolved: '{{ .Alerts.Resolved | toJson }}',
  num_firing: '{{ .Alerts.Firing | len }}',
  num_resolved: '{{ .Alerts.Resolved | len }}',
}

export function pagerduty({ values, http }: Integration, env: SendEnv): Sender {
  const timeoutMs = (values['timeout'] as number | undefined) || DEFAULT_TIMEOUT_MS
  return {
    send: async (telling, signal) => {
      const serviceKey = secretOf(env, values['service_key'], values['service_key_file'])
      const url = serviceKey === '' ? text(values, 'url') : V1_URL
      const key = telling.expand(serviceKey || secretOf(env, values['routing_key'], values['routing_key_file']))
      if (key === '') {
        const which = serviceKey === '' ? 'routing' : 'service'
        return { ok: false, retry: false, problem: `${which} key cannot be empty` }
      }
      const event = (details: Details): string =>
        JSON.stringify(
          serviceKey === '' ? eventV2(values, telling, key, details) : eventV1(values, telling, key, details),
        )
      let body = event(detailsOf(values, telling))
      if (Buffer.byteLength(body) > EVENT_BYTES_MAX) body = event({ error: TOO_LONG })
      // The first version says 403 to too many.
      const retryStatuses = [serviceKey === '' ? 429 : 403]
      return sendHttp(env, http, { url, body, timeoutMs, retryStatuses }, signal)
    },
  }
}

type Values = Integration['values']
type Details = Readonly<Record<string, unknown>>

/** Values may be any YAML, each string in it a template. */
function detailsOf(values: Values, { expand }: Telling): Details {
  const own = (values['details'] ?? {}) as Details
  return expandedTree({ ...DETAILS, ...own }, (each) => expand(each)) as Details
}

const eventType = ({ data }: Telling): string => (data.status === 'resolved' ? 'resolve' : 'trigger')

function eventV2(values: Values, telling: Telling, key: string, details: Details): object {
  const { expand, notification } = telling
  const of = (name: string, fallback = ''): string => expand(text(values, name, fallback))
  const client = of('client')
  const source = text(values, 'source')
  const list = (name: string): readonly Readonly<Record<string, string>>[] =>
    ((values[name] ?? []) as readonly Readonly<Record<string, string>>[]).map((item) =>
      Object.fromEntries(Object.entries(item).map(([field, value]) => [field, expand(value)])),
    )
  const images = list('images').filter(({ src }) => src)
  const links = list('links').filter(({ href }) => href)
  return {
    ...filled({ client, client_url: of('client_url') }),
    routing_key: key,
    event_action: eventType(telling),
    dedup_key: groupDigest(notification.groupKey),
    ...(images.length > 0 && { images }),
    ...(links.length > 0 && { links }),
    payload: {
      summary: shortened(of('description'), SUMMARY_MAX),
      source: source === '' ? client : expand(source),
      severity: of('severity', 'error'),
      ...filled({ class: of('class'), component: of('component'), group: of('group') }),
      custom_details: details,
    },
  }
}

function eventV1(values: Values, telling: Telling, key: string, details: Details): object {
  const { expand, notification } = telling
  const of = (name: string): string => expand(text(values, name))
  return {
    service_key: key,
    event_type: eventType(telling),
    incident_key: groupDigest(notification.groupKey),
    ...filled({ description: shortened(of('description'), SUMMARY_MAX) }),
    details,
    ...(telling.data.status !== 'resolved' && filled({ client: of('client'), client_url: of('client_url') })),
  }
}
