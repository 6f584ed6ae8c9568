/** `mattermost_configs`. Semantics: Alertmanager notify/mattermost/config.go (v0.34). */
import { boolean, list, object, string } from '../../../../protocol/config/mod.ts'
import { has, secretUrl } from '../fields.ts'
import { defaultTemplates, inheritSecret, oneOfTwo, type Spec, strings } from './spec.ts'

const field = object('mattermost.plain', { title: string, value: string, short: boolean }, (raw, at) => {
  if (!raw.title) at.fail('missing title in Mattermost field configuration')
  if (!raw.value) at.fail('missing value in Mattermost field configuration')
  return raw
})

/** What an attachment says in templates, beside its fields. */
export const MATTERMOST_TEXTS = [
  'fallback',
  'color',
  'pretext',
  'text',
  'author_name',
  'author_link',
  'author_icon',
  'title',
  'title_link',
  'thumb_url',
  'footer',
  'footer_icon',
  'image_url',
]
const ATTACHMENT = {
  ...strings(...MATTERMOST_TEXTS),
  fields: list(field),
}

export const mattermost: Spec = {
  fields: {
    webhook_url: secretUrl,
    ...strings('webhook_url_file', 'channel', 'username', 'icon_url', 'icon_emoji', 'type'),
    ...ATTACHMENT,
    attachments: list(object('mattermost.MattermostAttachment', ATTACHMENT, (raw) => raw)),
    props: object('mattermost.MattermostProps', { card: string }, (raw) => raw),
    priority: object(
      'mattermost.MattermostPriority',
      { priority: string, requested_ack: boolean, persistent_notifications: boolean },
      (raw) => raw,
    ),
  },
  defaults: defaultTemplates('mattermost', 'username', 'color', 'text', 'title', 'title_link=titlelink', 'fallback'),
  sendsResolved: true,
  check: (values) => oneOfTwo(values, 'webhook_url'),
  complete: (values, global) => {
    const out = inheritSecret(values, global, 'webhook_url', 'mattermost_webhook_url')
    return has(out['webhook_url']) || has(out['webhook_url_file'])
      ? out
      : 'missing webhook_url or webhook_url_file on mattermost_config'
  },
}
