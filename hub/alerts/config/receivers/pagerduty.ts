/** `pagerduty_configs`. Semantics: Alertmanager notify/pagerduty/config.go (v0.34). */
import { list, object, secret, string } from '../../../../protocol/config/mod.ts'
import { anyMap, goDuration, has, url } from '../fields.ts'
import { inherit, oneOfTwo, type Spec, strings } from './spec.ts'

export const pagerduty: Spec = {
  fields: {
    service_key: secret,
    routing_key: secret,
    ...strings('service_key_file', 'routing_key_file', 'client', 'client_url', 'description', 'source', 'severity'),
    ...strings('class', 'component', 'group'),
    url,
    details: anyMap,
    images: list(object('pagerduty.PagerdutyImage', { src: string, alt: string, href: string }, (raw) => raw)),
    links: list(object('pagerduty.PagerdutyLink', { href: string, text: string }, (raw) => raw)),
    timeout: goDuration,
  },
  defaults: {
    client: '{{ template "pagerduty.default.client" . }}',
    client_url: '{{ template "pagerduty.default.clientURL" . }}',
    description: '{{ template "pagerduty.default.description" .}}',
  },
  sendsResolved: true,
  check: (values) =>
    ['routing_key', 'service_key', 'routing_key_file', 'service_key_file'].some((name) => has(values[name]))
      ? (oneOfTwo(values, 'routing_key') ?? oneOfTwo(values, 'service_key'))
      : 'missing service or routing key in PagerDuty config',
  complete: (values, global) => inherit(values, global, [['url', 'pagerduty_url']]),
}
