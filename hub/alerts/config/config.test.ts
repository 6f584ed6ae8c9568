import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../../../protocol/config/mod.ts'
import { loadAlertmanagerConfig, RECEIVER_KINDS } from './mod.ts'

/** The problem without its place; '' for a file that loads. */
function problemOf(text: string, nameValidation: 'legacy' | 'utf8' = 'utf8'): string {
  try {
    loadAlertmanagerConfig(text, 'am.yml', { nameValidation })
    return ''
  } catch (error) {
    if (error instanceof ConfigError) return error.problem
    throw error
  }
}
const withReceiver = (receiver: string, more = ''): string =>
  `route: {receiver: r}\nreceivers:\n- {name: r, ${receiver}}\n${more}\n`

for (const kind of RECEIVER_KINDS)
  test(`an empty item of ${kind}_configs is told of`, () => {
    const problem = problemOf(`route:\n  receiver: r\nreceivers:\n- name: r\n  ${kind}_configs:\n  -\n`)
    const fromGlobal: Readonly<Record<string, string>> = {
      slack: 'no Slack API URL nor App token set either inline or in a file',
      opsgenie: 'no global OpsGenie API Key set either inline or in a file',
      wechat: 'no global Wechat Api Secret set either inline or in a file',
      rocketchat: 'no global Rocketchat TokenID set either inline or in a file',
    }
    assert.equal(problem, fromGlobal[kind] ?? `missing ${kind} config`)
  })

/** Receivers and what is wrong with them. */
const receivers: readonly (readonly [receiver: string, problem: string])[] = [
  ['discord_configs: [{webhook_url: "http://d/x", content: c, username: u, avatar_url: a}]', ''],
  [
    'pagerduty_configs: [{routing_key: k, details: [a]}]',
    'yaml: unmarshal errors: line 3: cannot unmarshal !!seq into map[string]interface {}',
  ],
  ['pagerduty_configs: [{routing_key: k, details: , timeout: 1.5}]', ''],
  ['slack_configs: [{api_url: "http://s/x", actions: [{type: b, text: t, url: u, confirm: }]}]', ''],
  ['webex_configs: [{room_id: r, http_config: {authorization: }}]', 'missing webex_configs.http_config.authorization'],
  ['discord_configs: [{webhook_url: ""}]', 'unsupported scheme "" for URL'],
  ['discord_configs: [{webhook_url: "http:x"}]', 'missing host for URL'],
  ['discord_configs: [{webhook_url: "http://a b"}]', 'parse "<secret>": invalid character " " in host name'],
  ['webhook_configs: [{url: "http://a b"}]', 'invalid URL: parse "<secret>": invalid character " " in host name'],
  ['discord_configs: [{webhook_url: "<secret>"}]', ''],
  ['email_configs: [{to: a, headers: {x-a: b, X-A: c}}]', 'duplicate header "X-A" in email config'],
  [
    'email_configs: [{to: a, from: b, smarthost: "h:1", threading: {enabled: true}}]',
    "threading.thread_by_date must be either 'none' or 'daily'",
  ],
  [
    'email_configs: [{to: a, from: b, smarthost: "h:1", threading: {enabled: true}, headers: {references: x}}]',
    'conflicting configuration: threading.enabled conflicts with custom References header',
  ],
  ['email_configs: [{to: a, from: b, smarthost: "h:1", threading: {enabled: true, thread_by_date: daily}}]', ''],
  ['email_configs: [{to: a, from: b, smarthost: "h:1", auth_password: p, auth_password_file: f}]', ''],
  ['incidentio_configs: [{url: "http://i", alert_source_token: t, timeout: 1.5s}]', ''],
  ['incidentio_configs: [{url: "http://i"}]', ''],
  [
    'incidentio_configs: [{url: "http://i", http_config: {}}]',
    'at least one of alert_source_token, alert_source_token_file or http_config.authorization must be configured',
  ],
  [
    'incidentio_configs: [{url: "http://i", alert_source_token: t, http_config: {authorization: {credentials: c}}}]',
    'cannot specify alert_source_token or alert_source_token_file when using http_config.authorization',
  ],
  ['jira_configs: [{api_url: "http://j", project: P, issue_type: Bug, labels: [a], fields: {a: {b: [1]}}}]', ''],
  [
    'jira_configs: [{api_url: "http://j", project: P, issue_type: Bug, summary: {template: t, enable_update: false}, labels: {values: [a], enable_update: false}}]',
    '',
  ],
  [
    'jira_configs: [{api_url: "http://j", project: P, issue_type: Bug, api_type: server}]',
    'unknown api_type on jira_config, must be auto, cloud or datacenter',
  ],
  ['jira_configs: [{project: P, issue_type: Bug}]', 'no global Jira Cloud URL set'],
  [
    'mattermost_configs: [{webhook_url: "http://m", fields: [{title: t}]}]',
    'missing value in Mattermost field configuration',
  ],
  [
    'mattermost_configs: [{webhook_url: "http://m", attachments: [{text: t, fields: [{title: t, value: v, short: true}]}], props: {card: c}, priority: {priority: urgent, requested_ack: true}}]',
    '',
  ],
  [
    'opsgenie_configs: [{api_key: k, responders: [{name: n, type: Wrong}]}]',
    'opsGenieConfig responder { n  wrong} type does not match valid options ^(team|teams|user|escalation|schedule)$',
  ],
  [
    'opsgenie_configs: [{api_key: k, responders: [{type: team}]}]',
    'opsGenieConfig responder {   team} has to have at least one of id, username or name specified',
  ],
  ["opsgenie_configs: [{api_key: k, responders: [{name: n, type: '{{ .Status }}'}]}]", ''],
  ['pushover_configs: [{user_key: u, token: t, retry: 60}]', 'time: missing unit in duration "60"'],
  ['pushover_configs: [{user_key: u, token: t, expire: 1d}]', 'time: unknown unit "d" in duration "1d"'],
  ['pushover_configs: [{user_key: u, token: t, ttl: 90m, html: true, monospace: false}]', ''],
  [
    'pushover_configs: [{user_key: u, token: t, html: true, monospace: true}]',
    'at most one of monospace & html must be configured',
  ],
  [
    'rocketchat_configs: [{token: t, token_id: i, fields: [{title: a, short: true}], actions: [{type: button, imageurl: x}]}]',
    '',
  ],
  [
    'slack_configs: [{api_url: "http://s", app_token: t}]',
    'at most one of api_url/api_url_file & app_token/app_token_file must be configured',
  ],
  [
    'slack_configs: [{app_token: t, http_config: {authorization: {credentials: c}}}]',
    "http authorization can't be set when using Slack App tokens",
  ],
  [
    'slack_configs: [{api_url: "http://s", actions: [{type: button, text: t}]}]',
    'missing name or url in Slack action configuration',
  ],
  [
    'slack_configs: [{api_url: "http://s", timeout: 1d}]',
    'yaml: unmarshal errors: line 3: cannot unmarshal !!str `1d` into time.Duration',
  ],
  [
    'sns_configs: [{topic_arn: a, phone_number: "1"}]',
    'must provide either a Target ARN, Topic ARN, or Phone Number for SNS config',
  ],
  ['sns_configs: [{topic_arn: a, phone_number: "1", target_arn: t}]', ''],
  [
    'sns_configs: [{topic_arn: a, sigv4: {access_key: k}}]',
    'must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config',
  ],
  ['telegram_configs: [{bot_token: t, chat_id: -5, parse_mode: "", timeout: 5s}]', ''],
  [
    'telegram_configs: [{bot_token: t, chat_id: 1, chat_id_file: f}]',
    'at most one of chat_id & chat_id_file must be configured',
  ],
  [
    'victorops_configs: [{api_key: k, routing_key: r, custom_fields: {entity_id: x}}]',
    'victorOps config contains custom field entity_id which cannot be used as it conflicts with the fixed/static fields',
  ],
  ['webex_configs: [{room_id: r}]', 'missing webex_configs.http_config.authorization'],
  ['webex_configs: [{room_id: r, http_config: {authorization: {credentials: c}}}]', ''],
  ['webhook_configs: [{url: "example.com/x"}]', 'invalid URL: unsupported scheme "" for URL'],
  ["webhook_configs: [{url: 'not-a-url-{{ .GroupLabels.alertname }}'}]", ''],
  ["webhook_configs: [{url: 'http://h/{{ .Invalid'}]", 'invalid template syntax: template: :1: unclosed action'],
  ['webhook_configs: [{url: "http://h", payload: {a: [1]}}]', ''],
  [
    'wechat_configs: [{api_secret: s, corp_id: c, message_type: voice}]',
    'weChat message type "voice" does not match valid options ^(text|markdown)$',
  ],
]
for (const [receiver, problem] of receivers)
  test(`a receiver with ${receiver} ${problem ? `has the problem: ${problem}` : 'loads'}`, () =>
    assert.equal(problemOf(withReceiver(receiver)), problem))

const files: readonly (readonly [what: string, text: string, problem: string])[] = [
  ['nothing at all', '', 'no route provided in config'],
  ['an empty mapping', '{}', 'no routes provided'],
  ['a route that is null', 'route:\nreceivers: [{name: r}]\n', 'no routes provided'],
  [
    'a bad expression',
    'route: {receiver: r, routes: [{match_re: {a: "("}}]}\nreceivers: [{name: r}]\n',
    'error parsing regexp: missing closing ): `^(?:()$`',
  ],
  [
    'an unknown key of the HTTP client',
    `global: {http_config: {foo: 1}}\n${withReceiver('')}`,
    'yaml: unmarshal errors: line 1: field foo not found in type config.plain',
  ],
  [
    'a problem of a receiver and one of global, the receiver first',
    `global: {smtp_auth_password: a, smtp_auth_password_file: b}\n${withReceiver('webex_configs: [{}]')}`,
    'missing room_id on webex_config',
  ],
  [
    'the address of the app as that of the webhook beside a token',
    `global: {slack_app_token: t, slack_api_url: "https://slack.com/api/chat.postMessage"}\n${withReceiver('slack_configs: [{channel: c}]')}`,
    '',
  ],
  [
    'names in equal',
    withReceiver('', 'inhibit_rules: [{source_matchers: ["a=b"], target_matchers: ["b=c"], equal: ["qux🙂"]}]'),
    '',
  ],
  [
    'sources beside equal',
    withReceiver('', 'inhibit_rules: [{sources: [{matchers: ["a=b"]}], target_matchers: ["b=c"], equal: [x]}]'),
    'sources cannot be combined with source_match, source_match_re, source_matchers, or equal',
  ],
  [
    'a source without matchers',
    withReceiver('', 'inhibit_rules: [{sources: [{matchers: ["a=b"]}, {equal: [x]}], target_matchers: ["b=c"]}]'),
    'source 1: matchers must not be empty',
  ],
  [
    'a source that takes whatever there is',
    withReceiver('', 'inhibit_rules: [{sources: [{matchers: ["a!=b"]}], target_matchers: ["b=c"]}]'),
    'source 0: at least one matcher must not match the empty string',
  ],
  ['tracing without an address', withReceiver('', 'tracing: {insecure: true}'), 'tracing endpoint must be set'],
  [
    'limits of batches without batches',
    withReceiver('', 'event_recorder: {webhook_outputs: [{url: "http://h", batch_max_events: 1}]}'),
    'event_recorder webhook batch settings require batch: true',
  ],
  [
    'an unknown receiver deep in the tree before one above it',
    'route: {receiver: r, routes: [{receiver: above, routes: [{receiver: below}]}]}\nreceivers: [{name: r}]\n',
    'undefined receiver "below" used in route',
  ],
]
for (const [what, text, problem] of files)
  test(`a file with ${what}: ${problem || 'loads'}`, () => assert.equal(problemOf(text), problem))

test('before UTF-8 names, equal and group_by have names of old', () => {
  const rule = 'inhibit_rules: [{source_matchers: ["a=b"], target_matchers: ["b=c"], equal: ["qux🙂", corge]}]'
  assert.equal(problemOf(withReceiver('', rule), 'legacy'), 'invalid label name "qux🙂" in equal list')
  assert.equal(
    problemOf('route: {receiver: r, routes: [{group_by: ["é"]}]}\nreceivers: [{name: r}]\n', 'legacy'),
    'invalid label name "é" in group_by list',
  )
})

test('what is written empty stays empty, what is not written has its default', () => {
  const { receivers: loaded } = loadAlertmanagerConfig(
    withReceiver('discord_configs: [{webhook_url: "http://d", title: ""}]'),
    'am.yml',
  )
  const { values } = loaded.get('r')!.integrations[0]!
  assert.deepEqual([values['title'], values['message']], ['', '{{ template "discord.default.message" . }}'])
})

test('a time of a route that is written without a value is inherited', () => {
  const { route } = loadAlertmanagerConfig(
    'route: {receiver: r, group_wait: , repeat_interval: }\nreceivers: [{name: r}]\n',
    'am.yml',
  )
  assert.deepEqual([route.groupWaitMs, route.repeatIntervalMs], [30_000, 4 * 3_600_000])
})
