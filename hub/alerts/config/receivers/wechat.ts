/** `wechat_configs`. Semantics: Alertmanager notify/wechat/config.go (v0.34). */
import { secret } from '../../../../protocol/config/mod.ts'
import { has, url } from '../fields.ts'
import { defaultTemplates, inherit, inheritSecret, oneOfTwo, type Spec, strings } from './spec.ts'

const TYPES = '^(text|markdown)$'

export const wechat: Spec = {
  fields: {
    api_secret: secret,
    ...strings('api_secret_file', 'corp_id', 'message', 'to_user', 'to_party', 'to_tag', 'agent_id', 'message_type'),
    api_url: url,
  },
  defaults: defaultTemplates('wechat', 'message', 'to_user', 'to_party', 'to_tag', 'agent_id'),
  sendsResolved: false,
  emptyIsDefault: true,
  check: (values) => {
    const type = (values['message_type'] as string | undefined) || 'text'
    return new RegExp(TYPES).test(type)
      ? oneOfTwo(values, 'api_secret')
      : `weChat message type ${JSON.stringify(type)} does not match valid options ${TYPES}`
  },
  complete: (values, global) => {
    const withUrl = inherit(values, global, [['api_url', 'wechat_api_url']])
    const withSecret = inheritSecret(withUrl, global, 'api_secret', 'wechat_api_secret')
    if (!has(withSecret['api_secret']) && !has(withSecret['api_secret_file']))
      return 'no global Wechat Api Secret set either inline or in a file'
    const out = inherit(withSecret, global, [['corp_id', 'wechat_api_corp_id']])
    return has(out['corp_id']) ? out : 'no global Wechat CorpID set'
  },
}
