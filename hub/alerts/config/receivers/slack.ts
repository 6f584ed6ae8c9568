/** `slack_configs`. Semantics: Alertmanager notify/slack/config.go, config/config.go (v0.34). */
import { boolean, list, object, pointer, secret, string } from '../../../../protocol/config/mod.ts'
import { goDuration, has, secretUrl, url } from '../fields.ts'
import type { GlobalConfig } from '../global.ts'
import {
  defaultTemplates,
  type Http,
  inherit,
  inheritSecret,
  oneOfTwo,
  type Spec,
  strings,
  type Values,
} from './spec.ts'

const SLACK_API = 'https://slack.com/api/chat.postMessage'

const field = object('slack.plain', { title: string, value: string, short: boolean }, (raw, at) => {
  if (!raw.title) at.fail('missing title in Slack field configuration')
  if (!raw.value) at.fail('missing value in Slack field configuration')
  return raw
})
const confirmation = object(
  'slack.plain',
  { text: string, title: string, ok_text: string, dismiss_text: string },
  (raw, at) => {
    if (!raw.text) at.fail('missing text in Slack confirmation configuration')
    return raw
  },
)
const action = object(
  'slack.plain',
  {
    type: string,
    text: string,
    url: string,
    style: string,
    name: string,
    value: string,
    confirm: pointer(confirmation),
  },
  (raw, at) => {
    if (!raw.type) at.fail('missing type in Slack action configuration')
    if (!raw.text) at.fail('missing text in Slack action configuration')
    if (!raw.url && !raw.name) at.fail('missing name or url in Slack action configuration')
    // A link has no use for the keys of a button.
    if (raw.url) return { type: raw.type, text: raw.text, url: raw.url, style: raw.style ?? '' }
    return raw
  },
)

export const slack: Spec = {
  fields: {
    api_url: secretUrl,
    app_token: secret,
    app_url: url,
    ...strings('api_url_file', 'app_token_file', 'channel', 'username', 'color', 'title', 'title_link', 'pretext'),
    ...strings('text', 'footer', 'fallback', 'callback_id', 'icon_emoji', 'icon_url', 'image_url', 'thumb_url'),
    ...strings('message_text'),
    fields: list(field),
    short_fields: boolean,
    link_names: boolean,
    mrkdwn_in: list(string),
    actions: list(action),
    timeout: goDuration,
    update_message: boolean,
  },
  defaults: {
    color: '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}',
    ...defaultTemplates('slack', 'username', 'title', 'title_link=titlelink', 'icon_emoji=iconemoji'),
    ...defaultTemplates('slack', 'icon_url=iconurl', 'pretext', 'text', 'fallback', 'callback_id=callbackid', 'footer'),
  },
  sendsResolved: false,
  emptyIsDefault: true,
  check: (values) => {
    const problem = oneOfTwo(values, 'api_url') ?? oneOfTwo(values, 'app_token')
    if (problem !== null) return problem
    const hasUrl = has(values['api_url']) || has(values['api_url_file'])
    if (hasUrl && (has(values['app_token']) || has(values['app_token_file'])))
      return 'at most one of api_url/api_url_file & app_token/app_token_file must be configured'
    const apiUrl = (values['api_url'] as { reveal(): string } | undefined)?.reveal()
    return values['update_message'] && apiUrl !== SLACK_API
      ? `update_message can only be used with bot tokens. api_url must be set to ${SLACK_API}`
      : null
  },
  complete,
}

/** Own keys first, then a bot token of `global`, then its URL. */
function complete(values: Values, global: GlobalConfig, { own, used }: Http): Values | string {
  let out = inherit(values, global, [['app_url', 'slack_app_url']])
  // Whoever says how to authorize, or where to, wants no global token.
  if (!own?.authorization && !has(out['api_url'])) out = inheritSecret(out, global, 'app_token', 'slack_app_token')
  out = inheritSecret(out, global, 'api_url', 'slack_api_url')
  const hasToken = has(out['app_token']) || has(out['app_token_file'])
  if (!hasToken && !has(out['api_url']) && !has(out['api_url_file']))
    return 'no Slack API URL nor App token set either inline or in a file'
  return hasToken && used?.authorization ? "http authorization can't be set when using Slack App tokens" : out
}
