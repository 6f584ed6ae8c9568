/** `discord_configs`. Semantics: Alertmanager notify/discord/config.go (v0.34). */
import { secretUrl } from '../fields.ts'
import { defaultTemplates, needsOne, type Spec, strings } from './spec.ts'

export const discord: Spec = {
  fields: {
    webhook_url: secretUrl,
    ...strings('webhook_url_file', 'content', 'title', 'message', 'username', 'avatar_url'),
  },
  defaults: defaultTemplates('discord', 'title', 'message'),
  sendsResolved: true,
  check: (values) => needsOne(values, 'webhook_url'),
}
