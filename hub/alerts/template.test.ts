import assert from 'node:assert/strict'
import { test } from 'node:test'
import { houseTemplates } from './house-templates.ts'
import { NotificationTemplates } from './template.ts'
import type { TemplateData } from './template-data.ts'

const NOW_MS = Date.parse('2026-01-02T03:04:05Z')
const templates = new NotificationTemplates([], () => NOW_MS)
const render = (text: string): string => templates.expandValue(text, null, { html: false, routeLabels: {} })

const rows: readonly (readonly [text: string, want: string])[] = [
  ['{{ "hELLO it\'s foo-bar foo_bar" | title }}', "Hello It's Foo-Bar Foo_bar"],
  ['{{ "straße" | toUpper }} {{ "ΑΣ" | toLower }}', 'STRAßE ασ'],
  ['{{ "ßx 12ab" | title }}', 'Ssx 12Ab'],
  ['{{ join "-" (stringSlice "a" "b") | }}', 'a-b'],
  ['{{ printf "%[2]d %[1]d %[1]s" 1 2 }}', '2 1 %!s(int=1)'],
  ['{{ urlUnescape "a%20b+c%C3%A9%25" }}', 'a b cé%'],
  ['{{ base64decode "YWI=" }} {{ base64decode "Y\\nW\\nI=" }} {{ base64decode "8J-Ygg==" }}', 'ab ab 😂'],
  ['{{ now | date "2006-01-02" }} {{ since now }}', '2026-01-02 0s'],
  ['{{ append nil 1 2 }} {{ append (list "a") "b" }}', '[1 2] [a b]'],
]
for (const [text, want] of rows) test(`${text} gives ${want}`, () => assert.equal(render(text), want))

const failing: readonly (readonly [text: string, problem: string])[] = [
  ['{{ join "," (list "a") }}', 'expected []string; got []interface {}'],
  ['{{ dict "a" }}', 'dict requires an even number of arguments'],
  ['{{ dict 1 2 }}', 'dict keys must be strings'],
  ['{{ lt 1 "a" }}', 'incompatible types for comparison: int and string'],
  ['{{ urlUnescape "%zz" }}', 'error calling urlUnescape: invalid URL escape "%zz"'],
  ['{{ urlUnescape "a%4" }}', 'error calling urlUnescape: invalid URL escape "%4"'],
  ['{{ base64decode "YWI" }}', 'illegal base64 data at input byte 0'],
  ['{{ base64decode "YW!=" }}', 'illegal base64 data at input byte 2'],
  ['{{ base64decode "YW=" }}', 'illegal base64 data at input byte 3'],
  ['{{ base64decode "YW=x" }}', 'illegal base64 data at input byte 2'],
  ['{{ base64decode "YWI==" }}', 'illegal base64 data at input byte 4'],
  ['{{ base64decode "a=" }}', 'illegal base64 data at input byte 1'],
  ['{{ append (stringSlice "a") "b" }}', 'expected []interface {}; got []string'],
]
for (const [text, problem] of failing)
  test(`${text} fails with ${problem}`, () =>
    assert.throws(
      () => render(text),
      (error: Error) => error.message.includes(problem) || assert.fail(error.message),
    ))

const alert = (status: 'firing' | 'resolved') => ({
  status,
  labels: { a: '1' },
  annotations: {},
  startsAtMs: 0,
  endsAtMs: 0,
  generatorUrl: 'http://g',
  fingerprint: 'f',
})
const dataOf = (...alerts: ReturnType<typeof alert>[]): TemplateData => ({
  receiver: 'r',
  status: 'firing',
  alerts,
  reason: 'first notification',
  groupLabels: { alertname: 'A' },
  commonLabels: { alertname: 'A' },
  commonAnnotations: { summary: 'S' },
  externalUrl: 'http://am',
  routeLabels: null,
})
const [FIRING, RESOLVED] = [alert('firing'), alert('resolved')]
const ITEM = 'Labels:\n - a = 1\nAnnotations:\nSource: http://g\n'
const MARKDOWN = '\nLabels:\n  - a = 1\n\nAnnotations:\n\nSource: http://g\n\n'
const APART = `\n\nAlerts Firing:\n${ITEM}\n\n\nAlerts Resolved:\n${ITEM}\n\n`
const IN_MARKDOWN = `\n\n# Alerts Firing:\n${MARKDOWN}\n\n\n# Alerts Resolved:\n${MARKDOWN}\n\n`

/** What receivers say by default, to the blank line, as amtool 0.33.1 rendered Alertmanager's own templates. */
const defaults: readonly (readonly [name: string, data: TemplateData, want: string])[] = [
  ['opsgenie.default.description', dataOf(FIRING), `S\nAlerts Firing:\n${ITEM}\n`],
  ['opsgenie.default.description', dataOf(RESOLVED), `S\n\nAlerts Resolved:\n${ITEM}`],
  [
    'wechat.default.message',
    dataOf(FIRING, RESOLVED),
    `[FIRING:1] A \nS\nAlerts Firing:\n${ITEM}\nAlerts Resolved:\n${ITEM}\nAlertmanagerUrl:\nhttp://am/#/alerts?receiver=r`,
  ],
  ['telegram.default.message', dataOf(FIRING), `\n\nAlerts Firing:\n${ITEM}\n\n\n`],
  ['telegram.default.message', dataOf(RESOLVED), `\n\n\nAlerts Resolved:\n${ITEM}\n\n`],
  ['discord.default.message', dataOf(FIRING, RESOLVED), APART],
  ['discord.default.content', dataOf(FIRING), ''],
  ...['pushover', 'sns', 'webex'].map((kind): [string, TemplateData, string] => [
    `${kind}.default.message`,
    dataOf(FIRING, RESOLVED),
    `S${APART}`,
  ]),
  ...['msteams.default.text', 'msteamsv2.default.text', 'jira.default.description', 'mattermost.default.text'].map(
    (name): [string, TemplateData, string] => [name, dataOf(FIRING, RESOLVED), IN_MARKDOWN],
  ),
]
for (const [name, data, want] of defaults)
  test(`${name} for ${data.alerts.map(({ status }) => status).join(' and ')}`, () =>
    assert.equal(houseTemplates([], () => NOW_MS).expand(`{{ template "${name}" . }}`, data), want))

test('a template knows why it is told now', () => {
  const expand = (text: string): string => templates.expand(text, dataOf(FIRING))
  assert.equal(expand('{{ .NotificationReason }}'), 'first notification')
  assert.match(expand('{{ toJson . }}'), /\],"notification_reason":"first notification","groupLabels":/)
})
