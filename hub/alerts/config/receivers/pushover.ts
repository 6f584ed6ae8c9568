/** `pushover_configs`. Semantics: Alertmanager notify/pushover/config.go (v0.34). */
import { boolean, secret } from '../../../../protocol/config/mod.ts'
import { goDurationText } from '../fields.ts'
import { defaultTemplates, needsOne, type Spec, strings } from './spec.ts'

export const pushover: Spec = {
  fields: {
    user_key: secret,
    token: secret,
    ...strings('user_key_file', 'token_file', 'title', 'message', 'url', 'url_title', 'device', 'sound', 'priority'),
    retry: goDurationText,
    expire: goDurationText,
    ttl: goDurationText,
    html: boolean,
    monospace: boolean,
  },
  defaults: {
    ...defaultTemplates('pushover', 'title', 'message', 'url'),
    // Emergency while firing, normal after.
    priority: '{{ if eq .Status "firing" }}2{{ else }}0{{ end }}',
    retry: 60_000,
    expire: 3_600_000,
    ttl: 0,
  },
  sendsResolved: true,
  check: (values) =>
    needsOne(values, 'user_key') ??
    needsOne(values, 'token') ??
    (values['html'] && values['monospace'] ? 'at most one of monospace & html must be configured' : null),
}
