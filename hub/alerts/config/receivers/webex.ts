/** `webex_configs`. Semantics: Alertmanager notify/webex/config.go (v0.34). */
import { has, url } from '../fields.ts'
import { defaultTemplates, inherit, type Spec, strings } from './spec.ts'

export const webex: Spec = {
  fields: { api_url: url, ...strings('message', 'room_id') },
  defaults: defaultTemplates('webex', 'message'),
  sendsResolved: true,
  check: (values, http) => {
    if (!has(values['room_id'])) return 'missing room_id on webex_config'
    return http?.authorization ? null : 'missing webex_configs.http_config.authorization'
  },
  complete: (values, global) => inherit(values, global, [['api_url', 'webex_api_url']]),
}
