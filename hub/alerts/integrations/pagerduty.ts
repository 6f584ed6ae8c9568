/** PagerDuty, Events API v2, and v1 for service keys. Semantics: Alertmanager notify/pagerduty/pagerduty.go (v0.34). */
import type { Integration } from '../config/mod.ts'
import type { Sender, Telling } from './contract.ts'
import { type SendEnv, secretOf, sendHttp } from './http.ts'
import { groupDigest, shortened, text } from './values.ts'

const EVENT_BYTES_MAX = 524_288
const SUMMARY_MAX = 1024
const TIMEOUT_MS = 10_000
const V1_URL = 'https://events.pagerduty.com/generic/2010-04-15/create_event.json'

const DETAILS: Readonly<Record<string, string>> = {
  firing: '{{ template "pagerduty.default.instances" .Alerts.Firing }}',
  resolved: '{{ template "pagerduty.default.instances" .Alerts.Resolved }}',
  num_firing: '{{ .Alerts.Firing | len }}',
  num_resolved: '{{ .Alerts.Resolved | len }}',
}

export function pagerduty({ values, http }: Integration, env: SendEnv): Sender {
  const timeoutMs = (values['timeout'] as number | undefined) || TIMEOUT_MS
  return {
    send: async (telling, signal) => {
      const serviceKey = secretOf(env, values['service_key'], values['service_key_file'])
      const url = serviceKey === '' ? text(values, 'url') : V1_URL
      const key = serviceKey || secretOf(env, values['routing_key'], values['routing_key_file'])
      const event = (details: Readonly<Record<string, string>>): string =>
        JSON.stringify(
          serviceKey === '' ? eventV2(values, telling, key, details) : eventV1(values, telling, key, details),
        )
      let body = event(detailsOf(values, telling))
      if (Buffer.byteLength(body) > EVENT_BYTES_MAX)
        body = event({
          error: `Custom details have been removed because the original event exceeds ${EVENT_BYTES_MAX} bytes`,
        })
      return sendHttp(env, http, { url, body, timeoutMs, retryStatuses: [403, 429] }, signal)
    },
  }
}

type Values = Integration['values']

function detailsOf(values: Values, { expand }: Telling): Readonly<Record<string, string>> {
  const given = (values['details'] ?? {}) as { items?: readonly { key: unknown; value: unknown }[] }
  const own = Object.fromEntries((given.items ?? []).map(({ key, value }) => [String(key), String(value)]))
  return Object.fromEntries(Object.entries({ ...DETAILS, ...own }).map(([name, each]) => [name, expand(each)]))
}

const eventType = ({ data }: Telling): string => (data.status === 'resolved' ? 'resolve' : 'trigger')

function eventV2(values: Values, telling: Telling, key: string, details: Readonly<Record<string, string>>): object {
  const { expand, notification } = telling
  const of = (name: string, fallback = ''): string => expand(text(values, name, fallback))
  const client = of('client', '{{ template "pagerduty.default.client" . }}')
  const list = (name: string): readonly Readonly<Record<string, string>>[] =>
    ((values[name] ?? []) as readonly Readonly<Record<string, string>>[]).map((item) =>
      Object.fromEntries(Object.entries(item).map(([field, value]) => [field, expand(value)])),
    )
  return {
    client,
    client_url: of('client_url', '{{ template "pagerduty.default.clientURL" . }}'),
    routing_key: expand(key),
    event_action: eventType(telling),
    dedup_key: groupDigest(notification.groupKey),
    images: list('images').filter(({ src }) => src),
    links: list('links').filter(({ href }) => href),
    payload: {
      summary: shortened(of('description', '{{ template "pagerduty.default.description" . }}'), SUMMARY_MAX),
      source: of('source') || client,
      severity: of('severity', 'error') || 'error',
      class: of('class'),
      component: of('component'),
      group: of('group'),
      custom_details: details,
    },
  }
}

function eventV1(values: Values, telling: Telling, key: string, details: Readonly<Record<string, string>>): object {
  const { expand, notification } = telling
  const of = (name: string, fallback: string): string => expand(text(values, name, fallback))
  return {
    service_key: expand(key),
    event_type: eventType(telling),
    incident_key: groupDigest(notification.groupKey),
    description: shortened(of('description', '{{ template "pagerduty.default.description" . }}'), SUMMARY_MAX),
    details,
    ...(telling.data.status !== 'resolved' && {
      client: of('client', '{{ template "pagerduty.default.client" . }}'),
      client_url: of('client_url', '{{ template "pagerduty.default.clientURL" . }}'),
    }),
  }
}
