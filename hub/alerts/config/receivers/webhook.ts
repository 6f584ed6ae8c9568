/** `webhook_configs`. Semantics: Alertmanager notify/webhook/config.go (v0.34). */
import { natural, string } from '../../../../protocol/config/mod.ts'
import { anything, goDuration, secretTemplateUrl } from '../fields.ts'
import { needsOne, type Spec } from './spec.ts'

export const webhook: Spec = {
  fields: { url: secretTemplateUrl, url_file: string, max_alerts: natural, timeout: goDuration, payload: anything },
  sendsResolved: true,
  check: (values) => needsOne(values, 'url'),
}
