import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeDisk } from '../../agent/env/mod.ts'
import { loadAll, noticesOf } from './load.ts'

function inFolder(files: Readonly<Record<string, string>>, work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-load-'))
  try {
    mkdirSync(join(folder, 'templates'))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const load = (folder: string, alertmanagerFile = '') =>
  loadAll(nodeDisk, { configFile: join(folder, 'prometheus.yml'), alertmanagerFile, environment: {} })

const ALERTMANAGER = `
route: {receiver: team}
receivers: [{name: team, webhook_configs: [{url_file: hook.url}]}]
`

test('alertmanager.yml beside the configuration is loaded with its templates; its folder is where its files are', () => {
  const files = {
    'prometheus.yml': 'scrape_configs: []\n',
    'alertmanager.yml': `${ALERTMANAGER}templates: ['templates/*.tmpl']\n`,
    'templates/a.tmpl': '{{ define "a" }}A{{ end }}',
    'templates/b.txt': 'no template',
  }
  inFolder(files, (folder) => {
    const { alertmanager } = load(folder)
    assert.deepEqual(alertmanager?.templateTexts, [{ name: 'a.tmpl', text: files['templates/a.tmpl'] }])
    assert.equal(alertmanager.directory, folder)
  })
})

test('an alertmanager.yml beside a configuration with Alertmanagers is left alone unless it is named; both are told', () => {
  const text = `
alerting: {alertmanagers: [{static_configs: [{targets: ['a:9093']}]}]}
remote_read: [{url: 'http://a/'}]
`
  inFolder({ 'prometheus.yml': text, 'alertmanager.yml': ALERTMANAGER }, (folder) => {
    const loaded = load(folder)
    assert.equal(loaded.alertmanager, null)
    const [section, unused, ...rest] = noticesOf(loaded)
    assert.equal(section, 'Nothing acts upon remote_read of the configuration')
    assert.match(unused ?? '', /alertmanager\.yml is not used/)
    assert.deepEqual(rest, [])
    const named = load(folder, join(folder, 'alertmanager.yml'))
    assert.notEqual(named.alertmanager, null)
    assert.equal(noticesOf(named).length, 1)
  })
  inFolder({ 'prometheus.yml': '', 'alertmanager.yml': ALERTMANAGER }, (folder) =>
    assert.deepEqual(noticesOf(load(folder)), []),
  )
})

test('no alertmanager.yml: nothing is notified from here', () => {
  inFolder({ 'prometheus.yml': '' }, (folder) => assert.equal(load(folder).alertmanager, null))
})

test('files that are named but not there are told, as upstream passes over them', () => {
  const files = {
    'prometheus.yml': 'rule_files: [rules.yml, "none/*.yml"]\n',
    'alertmanager.yml': `${ALERTMANAGER}templates: [a.tmpl]\n`,
  }
  inFolder(files, (folder) => {
    const notices = noticesOf(load(folder))
    assert.deepEqual(notices, [
      `${folder}/rules.yml, which the configuration names, is not there`,
      `${folder}/a.tmpl, which the configuration names, is not there`,
    ])
  })
})

test('a pattern of rule files that is none is refused', () => {
  inFolder({ 'prometheus.yml': 'rule_files: ["[a.yml"]\n' }, (folder) =>
    assert.throws(() => load(folder), /syntax error in pattern/),
  )
})

test('a template file with a mistake is refused with its line', () => {
  const files = {
    'prometheus.yml': '',
    'alertmanager.yml': `${ALERTMANAGER}templates: ['templates/*.tmpl']\n`,
    'templates/a.tmpl': '{{ define "a" }}\n{{ nosuch }}{{ end }}',
  }
  inFolder(files, (folder) =>
    assert.throws(() => load(folder), /alertmanager\.yml.*template: a\.tmpl:2: function "nosuch" not defined/),
  )
})

test('the rules may use what --enable-feature names', () => {
  const files = {
    'prometheus.yml': 'rule_files: [rules.yml]\n',
    'rules.yml': 'groups: [{name: g, rules: [{record: r, expr: "mad_over_time(up[5m])"}]}]\n',
  }
  inFolder(files, (folder) => {
    const paths = { configFile: join(folder, 'prometheus.yml'), alertmanagerFile: '', environment: {} }
    assert.throws(() => loadAll(nodeDisk, paths), /function "mad_over_time" is not enabled/)
    const { groups } = loadAll(nodeDisk, { ...paths, features: ['promql-experimental-functions'] })
    assert.equal(groups.length, 1)
  })
})
