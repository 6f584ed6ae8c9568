/** `global:` of alertmanager.yml. Semantics: Alertmanager config/config.go, GlobalConfig (v0.34). */
import {
  boolean,
  type Cursor,
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

/** Of each and its file at most one. */
const SLACK_PAIRS = ['slack_app_token', 'slack_api_url']
const PAIRS = [
  'opsgenie_api_key',
  'victorops_api_key',
  'telegram_bot_token',
  'smtp_auth_password',
  'rocketchat_token',
  'rocketchat_token_id',
  'smtp_auth_secret',
  'wechat_api_secret',
  'mattermost_webhook_url',
]

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
  ...Object.fromEntries(
    [...TEXTS, ...[...SLACK_PAIRS, ...PAIRS].map((name) => `${name}_file`)].map((name) => [name, string]),
  ),
}

/** Not checked yet. */
export type PendingGlobal = { readonly given: Readonly<Record<string, unknown>>; readonly at: Cursor }

export const global: Decoder<PendingGlobal> = object('config.plain', fields, (given, at) => ({ given, at }))

/** Upstream looks at the pairs once the whole file is read. @throws ConfigError */
export function finishGlobal({ given, at }: PendingGlobal): GlobalConfig {
  const checkPairs = (names: readonly string[]): void => {
    for (const name of names)
      if (has(given[name]) && has(given[`${name}_file`]))
        at.fail(`at most one of ${name} & ${name}_file must be configured`)
  }
  checkPairs(SLACK_PAIRS)
  const hasToken = has(given['slack_app_token']) || has(given['slack_app_token_file'])
  const apiUrl = given['slack_api_url'] instanceof Secret ? given['slack_api_url'].reveal() : ''
  const appUrl = given['slack_app_url'] ?? DEFAULTS['slack_app_url']
  // Who used the address of the app as that of the webhook, with a token for each receiver, may go on.
  if (hasToken && (apiUrl !== '' || has(given['slack_api_url_file'])) && apiUrl !== appUrl)
    at.fail('at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured')
  checkPairs(PAIRS)
  const { resolve_timeout, http_config, ...values } = given
  return {
    resolveTimeoutMs: (resolve_timeout as number | undefined) ?? DEFAULT_GLOBAL.resolveTimeoutMs,
    http: (http_config as HttpClientConfig | undefined) ?? null,
    values: { ...DEFAULTS, ...values },
  }
}
