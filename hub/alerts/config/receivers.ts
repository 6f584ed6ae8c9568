/**
 * Receivers: the keys of each kind, what they must have, and what they take from `global`. One table, a row a kind.
 * Semantics: Alertmanager config/notifiers.go, config/config.go (v0.34), with its messages.
 */
import {
  boolean,
  type Cursor,
  type Decoder,
  duration,
  type HttpClientConfig,
  integer,
  list,
  natural,
  object,
  record,
  secret,
  string,
  tlsConfig,
} from '../../../protocol/config/mod.ts'
import { anything, has, hostPort, httpConfig, secretUrl, url } from './fields.ts'
import type { GlobalConfig } from './global.ts'

export const RECEIVER_KINDS = [
  'discord',
  'email',
  'incidentio',
  'jira',
  'mattermost',
  'msteams',
  'msteamsv2',
  'opsgenie',
  'pagerduty',
  'pushover',
  'rocketchat',
  'slack',
  'sns',
  'telegram',
  'victorops',
  'webex',
  'webhook',
  'wechat',
] as const
export type ReceiverKind = (typeof RECEIVER_KINDS)[number]

export type Values = Readonly<Record<string, unknown>>

/** One integration of a receiver: its keys as written, with what it takes from `global`. */
export type Integration = {
  readonly kind: ReceiverKind
  readonly sendResolved: boolean
  readonly http: HttpClientConfig | null
  readonly values: Values
}

export type Receiver = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly integrations: readonly Integration[]
}

export type PendingReceiver = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly integrations: readonly (Omit<Integration, 'values'> & { readonly values: Values; readonly at: Cursor })[]
}

type Spec = {
  readonly fields: Readonly<Record<string, Decoder<unknown>>>
  readonly sendsResolved: boolean
  /** The first problem, or null. */
  readonly check?: (values: Values) => string | null
  /** After the globals are known: what is missing, or the values with them. */
  readonly complete?: (values: Values, global: GlobalConfig, http: HttpClientConfig | null) => Values | string
}

const oneOfTwo = (values: Values, name: string, file = `${name}_file`): string | null =>
  has(values[name]) && has(values[file]) ? `at most one of ${name} & ${file} must be configured` : null

const needsOne = (values: Values, name: string, file = `${name}_file`): string | null =>
  has(values[name]) || has(values[file]) ? oneOfTwo(values, name, file) : `one of ${name} or ${file} must be configured`

const webhookUrl = (values: Values): string | null => needsOne(values, 'webhook_url')

/** The value, else the global one; `problem` when there is neither. */
function inherit(
  values: Values,
  global: GlobalConfig,
  pairs: readonly (readonly [own: string, from: string])[],
): Values {
  if (pairs.some(([own]) => has(values[own]))) return values
  return { ...values, ...Object.fromEntries(pairs.map(([own, from]) => [own, global.values[from]])) }
}

const strings = (...names: readonly string[]): Record<string, Decoder<unknown>> =>
  Object.fromEntries(names.map((name) => [name, string]))

const slackField = object('slack.plain', { title: string, value: string, short: boolean }, (raw, at) => {
  if (!raw.title) at.fail('missing title in Slack field configuration')
  if (!raw.value) at.fail('missing value in Slack field configuration')
  return raw
})
const slackConfirmation = object(
  'slack.plain',
  { text: string, title: string, ok_text: string, dismiss_text: string },
  (raw, at) => {
    if (!raw.text) at.fail('missing text in Slack confirmation configuration')
    return raw
  },
)
const slackAction = object(
  'slack.plain',
  { type: string, text: string, url: string, style: string, name: string, value: string, confirm: slackConfirmation },
  (raw, at) => {
    if (!raw.type) at.fail('missing type in Slack action configuration')
    if (!raw.text) at.fail('missing text in Slack action configuration')
    if (!raw.url && !raw.name) at.fail('missing name or url in Slack action configuration')
    return raw
  },
)
const responder = object('opsgenie.plain', { id: string, name: string, username: string, type: string }, (raw, at) => {
  const shown = `{${[raw.id ?? '', raw.name ?? '', raw.username ?? '', raw.type ?? ''].join(' ')}}`
  if (!raw.id && !raw.name && !raw.username)
    at.fail(`opsGenieConfig responder ${shown} has to have at least one of id, username or name specified`)
  const types = '^(team|teams|user|escalation|schedule)$'
  if (!raw.type?.includes('{{') && !new RegExp(types).test((raw.type ?? '').toLowerCase()))
    at.fail(`opsGenieConfig responder ${shown} type does not match valid options ${types}`)
  return raw
})
const SLACK_API = 'https://slack.com/api/chat.postMessage'
const VICTOROPS_FIXED = [
  'routing_key',
  'message_type',
  'state_message',
  'entity_display_name',
  'monitoring_tool',
  'entity_id',
  'entity_state',
]

const SPECS: Readonly<Record<ReceiverKind, Spec>> = {
  discord: {
    fields: {
      webhook_url: secretUrl,
      ...strings('webhook_url_file', 'content', 'title', 'message', 'username', 'avatar_url'),
    },
    sendsResolved: true,
    check: webhookUrl,
  },
  email: {
    fields: {
      ...strings('to', 'from', 'hello', 'auth_username', 'auth_password_file', 'auth_secret_file', 'auth_identity'),
      ...strings('html', 'text'),
      smarthost: hostPort,
      auth_password: secret,
      auth_secret: secret,
      headers: record(string),
      require_tls: boolean,
      force_implicit_tls: boolean,
      tls_config: tlsConfig,
      threading: anything,
    },
    sendsResolved: false,
    check: (values) => {
      if (!has(values['to'])) return 'missing to address in email config'
      const seen = new Set<string>()
      for (const name of Object.keys((values['headers'] as object | undefined) ?? {})) {
        const canonical = name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
        if (seen.has(canonical)) return `duplicate header ${JSON.stringify(canonical)} in email config`
        seen.add(canonical)
      }
      return oneOfTwo(values, 'auth_password') ?? oneOfTwo(values, 'auth_secret')
    },
    complete: (values, global) => {
      if (!has(values['smarthost']) && !has(global.values['smtp_smarthost'])) return 'no global SMTP smarthost set'
      if (!has(values['from']) && !has(global.values['smtp_from'])) return 'no global SMTP from set'
      let out = values
      for (const name of ['smarthost', 'from', 'hello', 'auth_username', 'auth_identity', 'require_tls', 'tls_config'])
        out = inherit(out, global, [[name, `smtp_${name}`]])
      out = inherit(out, global, [
        ['auth_password', 'smtp_auth_password'],
        ['auth_password_file', 'smtp_auth_password_file'],
      ])
      return inherit(out, global, [
        ['auth_secret', 'smtp_auth_secret'],
        ['auth_secret_file', 'smtp_auth_secret_file'],
      ])
    },
  },
  incidentio: {
    fields: {
      url: url,
      ...strings('url_file', 'alert_source_token_file'),
      alert_source_token: secret,
      max_alerts: natural,
      timeout: duration,
      metadata: record(string),
    },
    sendsResolved: true,
    check: (values) =>
      needsOne(values, 'url') ??
      (has(values['alert_source_token']) && has(values['alert_source_token_file'])
        ? 'at most one of alert_source_token & alert_source_token_file must be configured'
        : null),
    complete: (values, _, http) =>
      has(values['alert_source_token']) || has(values['alert_source_token_file']) || http?.authorization
        ? values
        : 'at least one of alert_source_token, alert_source_token_file or http_config.authorization must be configured',
  },
  jira: {
    fields: {
      api_url: url,
      ...strings('api_type', 'project', 'priority', 'issue_type', 'reopen_transition', 'resolve_transition'),
      ...strings('wont_fix_resolution'),
      summary: anything,
      description: anything,
      labels: list(string),
      reopen_duration: duration,
      fields: anything,
      custom_fields: anything,
    },
    sendsResolved: true,
    check: (values) =>
      !has(values['project'])
        ? 'missing project in jira_config'
        : !has(values['issue_type'])
          ? 'missing issue_type in jira_config'
          : null,
    complete: (values, global) =>
      has(values['api_url']) || has(global.values['jira_api_url'])
        ? inherit(values, global, [['api_url', 'jira_api_url']])
        : 'no global Jira Cloud URL set',
  },
  mattermost: {
    fields: {
      webhook_url: secretUrl,
      ...strings('webhook_url_file', 'channel', 'username', 'text', 'fallback', 'color', 'pretext', 'author_name'),
      ...strings(
        'author_link',
        'author_icon',
        'title',
        'title_link',
        'thumb_url',
        'footer',
        'footer_icon',
        'image_url',
      ),
      ...strings('icon_url', 'icon_emoji', 'type'),
      fields: list(anything),
      attachments: list(anything),
      props: anything,
      priority: anything,
    },
    sendsResolved: true,
    check: (values) => oneOfTwo(values, 'webhook_url'),
    complete: (values, global) => {
      const out = inherit(values, global, [
        ['webhook_url', 'mattermost_webhook_url'],
        ['webhook_url_file', 'mattermost_webhook_url_file'],
      ])
      return has(out['webhook_url']) || has(out['webhook_url_file'])
        ? out
        : 'missing webhook_url or webhook_url_file on mattermost_config'
    },
  },
  msteams: {
    fields: { webhook_url: secretUrl, ...strings('webhook_url_file', 'title', 'summary', 'text') },
    sendsResolved: true,
    check: webhookUrl,
  },
  msteamsv2: {
    fields: { webhook_url: secretUrl, ...strings('webhook_url_file', 'title', 'text') },
    sendsResolved: true,
    check: webhookUrl,
  },
  opsgenie: {
    fields: {
      api_key: secret,
      ...strings('api_key_file', 'message', 'description', 'source', 'entity', 'actions', 'tags', 'note', 'priority'),
      api_url: url,
      details: record(string),
      responders: list(responder),
      update_alerts: boolean,
    },
    sendsResolved: true,
    check: (values) => oneOfTwo(values, 'api_key'),
    complete: (values, global) => {
      const out = inherit(inherit(values, global, [['api_url', 'opsgenie_api_url']]), global, [
        ['api_key', 'opsgenie_api_key'],
        ['api_key_file', 'opsgenie_api_key_file'],
      ])
      return has(out['api_key']) || has(out['api_key_file'])
        ? out
        : 'no global OpsGenie API Key set either inline or in a file'
    },
  },
  pagerduty: {
    fields: {
      service_key: secret,
      routing_key: secret,
      ...strings('service_key_file', 'routing_key_file', 'client', 'client_url', 'description', 'source', 'severity'),
      ...strings('class', 'component', 'group'),
      url: url,
      details: anything,
      images: list(object('pagerduty.plain', { src: string, alt: string, href: string }, (raw) => raw)),
      links: list(object('pagerduty.plain', { href: string, text: string }, (raw) => raw)),
      timeout: duration,
    },
    sendsResolved: true,
    check: (values) =>
      ['routing_key', 'service_key', 'routing_key_file', 'service_key_file'].some((name) => has(values[name]))
        ? (oneOfTwo(values, 'routing_key') ?? oneOfTwo(values, 'service_key'))
        : 'missing service or routing key in PagerDuty config',
    complete: (values, global) => inherit(values, global, [['url', 'pagerduty_url']]),
  },
  pushover: {
    fields: {
      user_key: secret,
      token: secret,
      ...strings('user_key_file', 'token_file', 'title', 'message', 'url', 'url_title', 'device', 'sound', 'priority'),
      ...strings('retry', 'expire', 'ttl'),
      html: boolean,
      monospace: boolean,
    },
    sendsResolved: true,
    check: (values) =>
      needsOne(values, 'user_key') ??
      needsOne(values, 'token') ??
      (values['html'] && values['monospace'] ? 'at most one of monospace & html must be configured' : null),
  },
  rocketchat: {
    fields: {
      api_url: url,
      token: secret,
      token_id: secret,
      ...strings('token_file', 'token_id_file', 'channel', 'color', 'title', 'title_link', 'text', 'emoji', 'icon_url'),
      ...strings('image_url', 'thumb_url'),
      fields: list(anything),
      short_fields: boolean,
      link_names: boolean,
      actions: list(anything),
    },
    sendsResolved: false,
    check: (values) => oneOfTwo(values, 'token') ?? oneOfTwo(values, 'token_id'),
    complete: (values, global) => {
      let out = inherit(values, global, [['api_url', 'rocketchat_api_url']])
      for (const [name, title] of [
        ['token', 'Token'],
        ['token_id', 'TokenID'],
      ] as const) {
        out = inherit(out, global, [
          [name, `rocketchat_${name}`],
          [`${name}_file`, `rocketchat_${name}_file`],
        ])
        if (!has(out[name]) && !has(out[`${name}_file`]))
          return `no global Rocketchat ${title} set either inline or in a file`
      }
      return out
    },
  },
  slack: {
    fields: {
      api_url: secretUrl,
      app_token: secret,
      app_url: url,
      ...strings('api_url_file', 'app_token_file', 'channel', 'username', 'color', 'title', 'title_link', 'pretext'),
      ...strings('text', 'footer', 'fallback', 'callback_id', 'icon_emoji', 'icon_url', 'image_url', 'thumb_url'),
      ...strings('message_text'),
      fields: list(slackField),
      short_fields: boolean,
      link_names: boolean,
      mrkdwn_in: list(string),
      actions: list(slackAction),
      timeout: duration,
      update_message: boolean,
    },
    sendsResolved: false,
    check: (values) => oneOfTwo(values, 'api_url') ?? oneOfTwo(values, 'app_token'),
    complete: completeSlack,
  },
  sns: {
    fields: {
      ...strings('api_url', 'topic_arn', 'phone_number', 'target_arn', 'subject', 'message'),
      sigv4: object(
        'sns.plain',
        {
          region: string,
          access_key: string,
          secret_key: secret,
          profile: string,
          role_arn: string,
          external_id: string,
          use_fips_sts_endpoint: boolean,
        },
        (raw) => raw,
      ),
      attributes: record(string),
    },
    sendsResolved: true,
    check: (values) =>
      ['target_arn', 'topic_arn', 'phone_number'].filter((name) => has(values[name])).length === 1
        ? null
        : 'must provide either a Target ARN, Topic ARN, or Phone Number for SNS config',
  },
  telegram: {
    fields: {
      api_url: url,
      bot_token: secret,
      ...strings('bot_token_file', 'chat_id_file', 'message', 'parse_mode'),
      chat_id: integer,
      message_thread_id: integer,
      disable_notifications: boolean,
    },
    sendsResolved: true,
    check: (values) => {
      const mode = (values['parse_mode'] as string | undefined) ?? 'HTML'
      if (has(values['bot_token']) && has(values['bot_token_file']))
        return 'at most one of bot_token & bot_token_file must be configured'
      if (!values['chat_id'] && !has(values['chat_id_file']))
        return 'missing chat_id or chat_id_file on telegram_config'
      if (values['chat_id'] && has(values['chat_id_file']))
        return 'at most one of chat_id & chat_id_file must be configured'
      return ['', 'Markdown', 'MarkdownV2', 'HTML'].includes(mode)
        ? null
        : 'unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string'
    },
    complete: (values, global) => {
      const out = inherit(inherit(values, global, [['api_url', 'telegram_api_url']]), global, [
        ['bot_token', 'telegram_bot_token'],
        ['bot_token_file', 'telegram_bot_token_file'],
      ])
      return has(out['bot_token']) || has(out['bot_token_file'])
        ? out
        : 'missing bot_token or bot_token_file on telegram_config'
    },
  },
  victorops: {
    fields: {
      api_key: secret,
      ...strings('api_key_file', 'routing_key', 'message_type', 'state_message', 'entity_display_name'),
      ...strings('monitoring_tool'),
      api_url: url,
      custom_fields: record(string),
    },
    sendsResolved: true,
    check: (values) => {
      if (!has(values['routing_key'])) return 'missing Routing key in VictorOps config'
      const custom = (values['custom_fields'] as object | undefined) ?? {}
      const fixed = VICTOROPS_FIXED.find((name) => Object.hasOwn(custom, name))
      return fixed
        ? `victorOps config contains custom field ${fixed} which cannot be used as it conflicts with the fixed/static fields`
        : oneOfTwo(values, 'api_key')
    },
    complete: (values, global) => {
      const out = inherit(inherit(values, global, [['api_url', 'victorops_api_url']]), global, [
        ['api_key', 'victorops_api_key'],
        ['api_key_file', 'victorops_api_key_file'],
      ])
      return has(out['api_key']) || has(out['api_key_file']) ? out : 'no global VictorOps API Key set'
    },
  },
  webex: {
    fields: { api_url: url, ...strings('message', 'room_id') },
    sendsResolved: true,
    check: (values) => (has(values['room_id']) ? null : 'missing room_id on webex_config'),
    complete: (values, global, http) =>
      http?.authorization
        ? inherit(values, global, [['api_url', 'webex_api_url']])
        : 'missing webex_configs.http_config.authorization',
  },
  webhook: {
    fields: { url: secretUrl, url_file: string, max_alerts: natural, timeout: duration, payload: anything },
    sendsResolved: true,
    check: (values) => needsOne(values, 'url'),
  },
  wechat: {
    fields: {
      api_secret: secret,
      ...strings('api_secret_file', 'corp_id', 'message', 'to_user', 'to_party', 'to_tag', 'agent_id', 'message_type'),
      api_url: url,
    },
    sendsResolved: false,
    check: (values) => {
      const type = (values['message_type'] as string | undefined) || 'text'
      return /^(text|markdown)$/.test(type)
        ? oneOfTwo(values, 'api_secret')
        : `weChat message type ${JSON.stringify(type)} does not match valid options ^(text|markdown)$`
    },
    complete: (values, global) => {
      const out = inherit(
        inherit(inherit(values, global, [['api_url', 'wechat_api_url']]), global, [['corp_id', 'wechat_api_corp_id']]),
        global,
        [
          ['api_secret', 'wechat_api_secret'],
          ['api_secret_file', 'wechat_api_secret_file'],
        ],
      )
      if (!has(out['api_secret']) && !has(out['api_secret_file']))
        return 'no global Wechat Api Secret set either inline or in a file'
      return has(out['corp_id']) ? out : 'no global Wechat CorpID set'
    },
  },
}

/** Own keys first, then a bot token of `global`, then its URL. */
function completeSlack(values: Values, global: GlobalConfig, http: HttpClientConfig | null): Values | string {
  const hasToken = has(values['app_token']) || has(values['app_token_file'])
  const hasUrl = has(values['api_url']) || has(values['api_url_file'])
  if (hasToken && hasUrl) return 'at most one of app_token/app_token_file & api_url/api_url_file must be configured'
  let out = values
  const ownAuthorization = http !== null && http !== global.http && http.authorization !== null
  if (!hasUrl && !hasToken) {
    const { values: all } = global
    const globalToken = has(all['slack_app_token']) || has(all['slack_app_token_file'])
    if (globalToken && !ownAuthorization)
      out = inherit(out, global, [
        ['app_token', 'slack_app_token'],
        ['app_token_file', 'slack_app_token_file'],
      ])
    else
      out = inherit(out, global, [
        ['api_url', 'slack_api_url'],
        ['api_url_file', 'slack_api_url_file'],
      ])
    if (!['app_token', 'app_token_file', 'api_url', 'api_url_file'].some((name) => has(out[name])))
      return 'no Slack API URL nor App token set either inline or in a file'
  }
  if (has(out['app_token']) || has(out['app_token_file'])) out = inherit(out, global, [['app_url', 'slack_app_url']])
  const apiUrl = (out['api_url'] as { reveal(): string } | undefined)?.reveal() ?? ''
  if (out['update_message'] && has(out['api_url']) && apiUrl !== SLACK_API)
    return `update_message can only be used with bot tokens. api_url must be set to ${SLACK_API}`
  return out
}

const integration = (kind: ReceiverKind): Decoder<PendingReceiver['integrations'][number]> => {
  const { fields, sendsResolved, check } = SPECS[kind]
  return object(`${kind}.plain`, { send_resolved: boolean, http_config: httpConfig, ...fields }, (raw, at) => {
    const { send_resolved, http_config, ...values } = raw as Values & {
      send_resolved?: boolean
      http_config?: HttpClientConfig
    }
    const problem = check?.(values) ?? null
    if (problem !== null) at.fail(problem)
    return { kind, sendResolved: send_resolved ?? sendsResolved, http: http_config ?? null, values, at }
  })
}

export const receiver: Decoder<PendingReceiver> = object(
  'config.plain',
  {
    name: string,
    labels: record(string),
    ...Object.fromEntries(RECEIVER_KINDS.map((kind) => [`${kind}_configs`, list(integration(kind))])),
  },
  (raw, at): PendingReceiver => {
    const {
      name = '',
      labels = {},
      ...rest
    } = raw as {
      name?: string
      labels?: Readonly<Record<string, string>>
    } & Readonly<Record<string, PendingReceiver['integrations']>>
    if (name === '') at.fail('missing name in receiver')
    if (labels['name'] !== undefined && labels['name'] !== name)
      at.fail(
        `receiver label "name" must match receiver name ${JSON.stringify(name)}, got ${JSON.stringify(labels['name'])}`,
      )
    return { name, labels: { ...labels, name }, integrations: Object.values(rest).flat() }
  },
)

/** @throws ConfigError for what is set neither here nor in `global` */
export function finishReceiver({ name, labels, integrations }: PendingReceiver, global: GlobalConfig): Receiver {
  return {
    name,
    labels,
    integrations: integrations.map(({ at, kind, sendResolved, http, values }) => {
      const { complete } = SPECS[kind]
      const used = http ?? global.http
      const finished = complete ? complete(values, global, used) : values
      return {
        kind,
        sendResolved,
        http: used,
        values: typeof finished === 'string' ? at.fail(finished) : finished,
      }
    }),
  }
}
