/** `rocketchat_configs`. Semantics: Alertmanager notify/rocketchat/config.go (v0.34). */
import { boolean, list, object, secret, string } from '../../../../protocol/config/mod.ts'
import { has, url } from '../fields.ts'
import { defaultTemplates, inherit, inheritSecret, oneOfTwo, type Spec, strings, type Values } from './spec.ts'

// Upstream names no keys for these two, so that they are the fields' names in small letters.
const field = object(
  'rocketchat.RocketchatAttachmentField',
  { short: boolean, title: string, value: string },
  (raw) => raw,
)
const action = object(
  'rocketchat.RocketchatAttachmentAction',
  {
    ...strings('type', 'text', 'url', 'imageurl', 'webviewheightratio', 'msg', 'msgprocessingtype'),
    iswebview: boolean,
    msginchatwindow: boolean,
  },
  (raw) => raw,
)

export const rocketchat: Spec = {
  fields: {
    api_url: url,
    token: secret,
    token_id: secret,
    ...strings('token_file', 'token_id_file', 'channel', 'color', 'title', 'title_link', 'text', 'emoji', 'icon_url'),
    ...strings('image_url', 'thumb_url'),
    fields: list(field),
    short_fields: boolean,
    link_names: boolean,
    actions: list(action),
  },
  defaults: {
    color: '{{ if eq .Status "firing" }}red{{ else }}green{{ end }}',
    ...defaultTemplates('rocketchat', 'emoji', 'icon_url=iconurl', 'text', 'title', 'title_link=titlelink'),
  },
  sendsResolved: false,
  emptyIsDefault: true,
  check: (values) => oneOfTwo(values, 'token') ?? oneOfTwo(values, 'token_id'),
  complete: (values, global) => {
    let out: Values = inherit(values, global, [['api_url', 'rocketchat_api_url']])
    for (const [name, title] of [
      ['token_id', 'TokenID'],
      ['token', 'Token'],
    ] as const) {
      out = inheritSecret(out, global, name, `rocketchat_${name}`)
      if (!has(out[name]) && !has(out[`${name}_file`]))
        return `no global Rocketchat ${title} set either inline or in a file`
    }
    return out
  },
}
