/** `global:` of alertmanager.yml. Semantics: Alertmanager config/config.go, GlobalConfig (v0.34). */
import {
  boolean,
  type Decoder,
  duration,
  type HttpClientConfig,
  object,
  Secret,
  secret,
  string,
  tlsConfig,
} from '../../../protocol/config/mod.ts'
import { has, hostPort, httpConfig, secretUrl, url } from './fields.ts'

export type GlobalConfig = {
  readonly resolveTimeoutMs: number
  readonly http: HttpClientConfig | null
  /** Other keys by name, with defaults. */
  readonly values: Readonly<Record<string, unknown>>
}

const DEFAULTS: Readonly<Record<string, unknown>> = {
  smtp_hello: 'localhost',
  smtp_require_tls: true,
  pagerduty_url: 'https://events.pagerduty.com/v2/enqueue',
  opsgenie_api_url: 'https://api.opsgenie.com/',
  wechat_api_url: 'https://qyapi.weixin.qq.com/cgi-bin/',
  victorops_api_url: 'https://alert.victorops.com/integrations/generic/20131114/alert/',
  telegram_api_url: 'https://api.telegram.org',
  webex_api_url: 'https://webexapis.com/v1/messages',
  rocketchat_api_url: 'https://open.rocket.chat/',
  slack_app_url: 'https://slack.com/api/chat.postMessage',
}

export const DEFAULT_GLOBAL: GlobalConfig = { resolveTimeoutMs: 300_000, http: null, values: DEFAULTS }

/** Of each pair at most one. */
const PAIRS = [
  ['slack_api_url', 'slack_api_url_file'],
  ['slack_app_token', 'slack_app_token_file'],
  ['opsgenie_api_key', 'opsgenie_api_key_file'],
  ['victorops_api_key', 'victorops_api_key_file'],
  ['wechat_api_secret', 'wechat_api_secret_file'],
  ['smtp_auth_password', 'smtp_auth_password_file'],
  ['smtp_auth_secret', 'smtp_auth_secret_file'],
  ['rocketchat_token', 'rocketchat_token_file'],
  ['rocketchat_token_id', 'rocketchat_token_id_file'],
  ['telegram_bot_token', 'telegram_bot_token_file'],
  ['mattermost_webhook_url', 'mattermost_webhook_url_file'],
] as const

const SECRETS = [
  'smtp_auth_password',
  'smtp_auth_secret',
  'opsgenie_api_key',
  'victorops_api_key',
  'wechat_api_secret',
  'rocketchat_token',
  'rocketchat_token_id',
  'telegram_bot_token',
  'slack_app_token',
]
const URLS = [
  'jira_api_url',
  'pagerduty_url',
  'opsgenie_api_url',
  'wechat_api_url',
  'victorops_api_url',
  'telegram_api_url',
  'webex_api_url',
  'rocketchat_api_url',
  'slack_app_url',
]
const TEXTS = ['smtp_from', 'smtp_hello', 'smtp_auth_username', 'smtp_auth_identity', 'wechat_api_corp_id']

const fields: Readonly<Record<string, Decoder<unknown>>> = {
  resolve_timeout: duration,
  http_config: httpConfig,
  smtp_smarthost: hostPort,
  smtp_require_tls: boolean,
  smtp_force_implicit_tls: boolean,
  smtp_tls_config: tlsConfig,
  slack_api_url: secretUrl,
  mattermost_webhook_url: secretUrl,
  ...Object.fromEntries(SECRETS.map((name) => [name, secret])),
  ...Object.fromEntries(URLS.map((name) => [name, url])),
  ...Object.fromEntries([...TEXTS, ...PAIRS.map(([, file]) => file)].map((name) => [name, string])),
}

export const global: Decoder<GlobalConfig> = object('config.plain', fields, (raw, at): GlobalConfig => {
  const given = raw as Readonly<Record<string, unknown>>
  for (const [name, file] of PAIRS)
    if (has(given[name]) && has(given[file])) at.fail(`at most one of ${name} & ${file} must be configured`)
  const hasSlackToken = has(given['slack_app_token']) || has(given['slack_app_token_file'])
  const apiUrl = given['slack_api_url'] instanceof Secret ? given['slack_api_url'].reveal() : ''
  const hasSlackUrl = (apiUrl !== '' && apiUrl !== DEFAULTS['slack_app_url']) || has(given['slack_api_url_file'])
  if (hasSlackToken && hasSlackUrl)
    at.fail('at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured')
  const { resolve_timeout, http_config, ...values } = given
  return {
    resolveTimeoutMs: (resolve_timeout as number | undefined) ?? DEFAULT_GLOBAL.resolveTimeoutMs,
    http: (http_config as HttpClientConfig | undefined) ?? null,
    values: { ...DEFAULTS, ...values },
  }
})
