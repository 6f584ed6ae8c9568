/** `incidentio_configs`. Semantics: Alertmanager notify/incidentio/config.go (v0.34). */
import { natural, record, secret, string } from '../../../../protocol/config/mod.ts'
import { goDuration, has, url } from '../fields.ts'
import { needsOne, oneOfTwo, type Spec, strings } from './spec.ts'

export const incidentio: Spec = {
  fields: {
    url,
    ...strings('url_file', 'alert_source_token_file'),
    alert_source_token: secret,
    max_alerts: natural,
    timeout: goDuration,
    metadata: record(string),
  },
  sendsResolved: true,
  check: (values, http) => {
    const problem = needsOne(values, 'url') ?? oneOfTwo(values, 'alert_source_token')
    if (problem !== null) return problem
    const hasToken = has(values['alert_source_token']) || has(values['alert_source_token_file'])
    if (http?.authorization && hasToken)
      return 'cannot specify alert_source_token or alert_source_token_file when using http_config.authorization'
    return http && !http.authorization && !hasToken
      ? 'at least one of alert_source_token, alert_source_token_file or http_config.authorization must be configured'
      : null
  },
}
