/** `telegram_configs`. Semantics: Alertmanager notify/telegram/config.go (v0.34). */
import { boolean, integer, secret } from '../../../../protocol/config/mod.ts'
import { goDuration, has, url } from '../fields.ts'
import { defaultTemplates, inherit, inheritSecret, oneOfTwo, type Spec, strings } from './spec.ts'

export const telegram: Spec = {
  fields: {
    api_url: url,
    bot_token: secret,
    ...strings('bot_token_file', 'chat_id_file', 'message', 'parse_mode'),
    chat_id: integer,
    message_thread_id: integer,
    disable_notifications: boolean,
    timeout: goDuration,
  },
  defaults: { ...defaultTemplates('telegram', 'message'), parse_mode: 'HTML' },
  sendsResolved: true,
  check: (values) => {
    const both = oneOfTwo(values, 'bot_token')
    if (both !== null) return both
    if (!values['chat_id'] && !has(values['chat_id_file'])) return 'missing chat_id or chat_id_file on telegram_config'
    if (values['chat_id'] && has(values['chat_id_file']))
      return 'at most one of chat_id & chat_id_file must be configured'
    return ['', 'Markdown', 'MarkdownV2', 'HTML'].includes(values['parse_mode'] as string)
      ? null
      : 'unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string'
  },
  complete: (values, global) => {
    const withUrl = inherit(values, global, [['api_url', 'telegram_api_url']])
    const out = inheritSecret(withUrl, global, 'bot_token', 'telegram_bot_token')
    return has(out['bot_token']) || has(out['bot_token_file'])
      ? out
      : 'missing bot_token or bot_token_file on telegram_config'
  },
}
