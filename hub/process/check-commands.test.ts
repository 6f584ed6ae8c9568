import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskError } from '../../protocol/env/mod.ts'
import { checkCommand } from './check-commands.ts'

const RULES = `
groups:
- name: g
  rules:
  - {alert: Down, expr: up == 0, for: 2m, labels: {severity: page}}
`
const TESTS = (at: string): string => `
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- name: down
  interval: 1m
  input_series: [{series: 'up{job="a"}', values: '0x10'}]
  alert_rule_test: [{eval_time: ${at}, alertname: Down, exp_alerts: [{exp_labels: {severity: page, job: a}}]}]
`
const FILES: Readonly<Record<string, string>> = {
  'prometheus.yml': 'scrape_configs: [{job_name: a}]\nrule_files: [rules.yml, more.yml]\n',
  'alertmanager.yml': `route: {receiver: r}\nreceivers: [{name: r}]\n`,
  'pair.yml': 'heliograph: {nats: {url: "nats://a:4222"}}\n',
  'lonely.yml': 'heliograph: {cluster: {name: a}}\n',
  'away.yml': 'alerting: {alertmanagers: [{static_configs: [{targets: [a]}]}, {ec2_sd_configs: [{region: r}]}]}\n',
  'cloud.yml': 'scrape_configs: [{job_name: a, ec2_sd_configs: [{region: r}, {region: s}]}]\n',
  'bad.yml': 'global: {scrape_intervall: 1s}\n',
  'rules.yml': RULES,
  'twice.yml': `${RULES}  - {alert: Down, expr: up < 1, labels: {severity: page}}\n`,
  'wrong.yml': 'groups: [{name: g, rules: [{alert: A, expr: "up ="}]}]\n',
  'new.yml': 'groups: [{name: g, rules: [{record: r, expr: "sort_by_label(up, \'job\')"}]}]\n',
  'new-tests.yml': 'rule_files: [new.yml]\ntests: [{promql_expr_test: [{expr: "limitk(0, up)"}]}]\n',
  'tests.yml': TESTS('5m'),
  'failing.yml': TESTS('1m'),
  'am-bad.yml': 'route: {receiver: x}\nreceivers: [{name: r}]\n',
}
const disk = {
  stat: (path: string) => (Object.hasOwn(FILES, path) ? ({} as never) : null),
  readDirectory: () => Object.keys(FILES),
  readText: (path: string): string => {
    if (!Object.hasOwn(FILES, path)) throw new DiskError('ENOENT', path, `no such file: ${path}`)
    return FILES[path]!
  },
}

const rows: readonly (readonly [args: string, exit: number, out: RegExp])[] = [
  [
    'check-config',
    0,
    /^prometheus.yml: note: more.yml, which.*is not there\nprometheus.yml: valid \(1 scrape job, 1 rule of 1 file, notifies 1 receiver\)$/,
  ],
  [
    'check-config cloud.yml',
    0,
    /^cloud.yml: note: job "a": ec2 discovery is not supported .*\ncloud.yml: valid \(1 scrape job/,
  ],
  ['check-config pair.yml', 0, /^pair.yml: valid \(.*, notifies 1 receiver in turn with other hubs\)$/],
  ['check-config lonely.yml', 0, /^lonely.yml: note: Nothing acts upon cluster under heliograph: .*\n.*1 receiver\)$/],
  ['check-config away.yml', 0, /\naway.yml: note: job "config-1": ec2 discovery is not supported /],
  ['check-config bad.yml', 2, /^bad.yml:1:10: global.scrape_intervall: .*field scrape_intervall not found/],
  ['check-config absent.yml', 2, /^absent.yml: no such file/],
  ['check-rules rules.yml', 0, /^rules.yml: valid \(1 rule\)$/],
  ['check-rules rules.yml wrong.yml', 2, /^rules.yml: valid.*\nwrong.yml:1:\d+: .*could not parse expression/],
  [
    'check-rules twice.yml',
    0,
    /^twice.yml: note: more than one rule gives Down \{severity="page"\}.*\ntwice.yml: valid/,
  ],
  ['check-rules new.yml', 2, /^new.yml:1:\d+: .*parse error: function "sort_by_label" is not enabled$/],
  ['check-rules --enable-feature=promql-experimental-functions new.yml', 0, /^new.yml: valid/],
  ['test-rules new-tests.yml', 2, /is not enabled/],
  ['test-rules --enable-feature=promql-experimental-functions new-tests.yml', 0, /passed/],
  ['check-rules', 2, /usage: heliograph-hub check-rules FILE…/],
  [
    'check-alertmanager',
    0,
    /^alertmanager.yml: valid \(1 receiver, 0 inhibit rules, 0 time intervals, 0 template files\)$/,
  ],
  ['check-alertmanager am-bad.yml', 2, /undefined receiver "x" used in route/],
  ['test-rules tests.yml', 0, /^tests.yml: passed \(1 group of tests\)$/],
  ['test-rules failing.yml', 1, /^failing.yml: failed:\n {4}name: down,\n {4}alertname: Down, time: 1m/],
  ['test-rules --run=other failing.yml', 0, /passed/],
  ['test-rules --run=( failing.yml', 2, /--run: Invalid regular expression/],
  ['check-rules --help', 0, /usage: heliograph-hub check-rules FILE…/],
]
for (const [args, exit, wanted] of rows)
  test(`${args} exits with ${exit}`, async () => {
    const lines: string[] = []
    const write = (line: string): void => void lines.push(line)
    const got = await checkCommand(args.split(' '), { disk, environment: {}, say: write, complain: write })
    assert.match(lines.join('\n'), wanted)
    assert.equal(got, exit)
  })
