/** `sns_configs`. Semantics: Alertmanager notify/sns/config.go, prometheus/sigv4 (v0.34). */
import { boolean, record, sigv4, string } from '../../../../protocol/config/mod.ts'
import { has } from '../fields.ts'
import { defaultTemplates, type Spec, strings } from './spec.ts'

export const sns: Spec = {
  fields: {
    ...strings('api_url', 'topic_arn', 'phone_number', 'target_arn', 'subject', 'message'),
    sigv4,
    attributes: record(string),
    use_aws_http_client: boolean,
  },
  defaults: defaultTemplates('sns', 'subject', 'message'),
  sendsResolved: true,
  // Upstream takes one, and by its arithmetic all three.
  check: (values) =>
    ['target_arn', 'topic_arn', 'phone_number'].filter((name) => !has(values[name])).length % 2 === 0
      ? null
      : 'must provide either a Target ARN, Topic ARN, or Phone Number for SNS config',
}
