/** `victorops_configs`. Semantics: Alertmanager notify/victorops/config.go (v0.34). */
import { record, secret, string } from '../../../../protocol/config/mod.ts'
import { has, url } from '../fields.ts'
import { defaultTemplates, inherit, inheritSecret, oneOfTwo, type Spec, strings } from './spec.ts'

const FIXED = [
  'routing_key',
  'message_type',
  'state_message',
  'entity_display_name',
  'monitoring_tool',
  'entity_id',
  'entity_state',
]

export const victorops: Spec = {
  fields: {
    api_key: secret,
    ...strings('api_key_file', 'routing_key', 'message_type', 'state_message', 'entity_display_name'),
    ...strings('monitoring_tool'),
    api_url: url,
    custom_fields: record(string),
  },
  defaults: {
    message_type: 'CRITICAL',
    ...defaultTemplates('victorops', 'state_message', 'entity_display_name', 'monitoring_tool'),
  },
  sendsResolved: true,
  check: (values) => {
    if (!has(values['routing_key'])) return 'missing Routing key in VictorOps config'
    const both = oneOfTwo(values, 'api_key')
    if (both !== null) return both
    const custom = (values['custom_fields'] as object | undefined) ?? {}
    const fixed = FIXED.find((name) => Object.hasOwn(custom, name))
    return fixed
      ? `victorOps config contains custom field ${fixed} which cannot be used as it conflicts with the fixed/static fields`
      : null
  },
  complete: (values, global) => {
    const withUrl = inherit(values, global, [['api_url', 'victorops_api_url']])
    const out = inheritSecret(withUrl, global, 'api_key', 'victorops_api_key')
    return has(out['api_key']) || has(out['api_key_file']) ? out : 'no global VictorOps API Key set'
  },
}
