/** `msteams_configs` and `msteamsv2_configs`. Semantics: Alertmanager notify/msteams/config.go, msteamsv2 (v0.34). */
import { secretUrl } from '../fields.ts'
import { defaultTemplates, needsOne, type Spec, strings } from './spec.ts'

export const msteams: Spec = {
  fields: { webhook_url: secretUrl, ...strings('webhook_url_file', 'title', 'summary', 'text') },
  defaults: defaultTemplates('msteams', 'title', 'summary', 'text'),
  sendsResolved: true,
  check: (values) => needsOne(values, 'webhook_url'),
}

export const msteamsv2: Spec = {
  fields: { webhook_url: secretUrl, ...strings('webhook_url_file', 'title', 'text') },
  defaults: defaultTemplates('msteamsv2', 'title', 'text'),
  sendsResolved: true,
  check: (values) => needsOne(values, 'webhook_url'),
}
