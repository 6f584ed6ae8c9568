import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { createLogger, createNet, nodeDisk, systemClock, systemRandom } from '../../agent/env/mod.ts'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { openAlertStore } from '../env/alert-store.ts'
import { smtpMailer } from '../env/mailer.ts'
import { Dispatcher, loadAlertmanagerConfig, matchRoutes } from './mod.ts'
import { type NotificationReason, notificationReason } from './nflog.ts'

type Body = {
  status: string
  alerts: { status: string; labels: Record<string, string>; endsAt: string }[]
  groupKey: string
  version: string
  truncatedAlerts: number
  commonLabels: Record<string, string>
  notification_reason: string
}

async function receiver(answers: number[]): Promise<{ url: string; bodies: Body[]; close: () => void }> {
  const bodies: Body[] = []
  const server = http.createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const status = answers.shift() ?? 200
      if (status < 300) bodies.push(JSON.parse(text))
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, bodies, close: () => server.close() }
}

const config = (url: string): string => `
route: {receiver: hook, group_by: [alertname], group_wait: 10ms, group_interval: 200ms, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: '${url}'}]}]
`

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 6000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.ok(condition(), 'waited in vain')
}

function makeEnv(dir: string) {
  const log = createLogger({ level: 'error', format: 'logfmt', now: () => 0, write: () => {} })
  return {
    clock: systemClock,
    disk: nodeDisk,
    net: createNet(),
    log,
    externalUrl: 'http://hub',
    random: systemRandom,
    mailer: smtpMailer,
    store: openAlertStore(path.join(dir, 'alerts.db'), log),
    sha256: runtimeSha256.sha256,
  }
}

const alertOf = (name: string, endsAtMs: number) => ({
  labels: labelsFrom({ alertname: 'Down', instance: name }),
  annotations: { summary: name },
  startsAtMs: 1000,
  endsAtMs,
  generatorUrl: 'http://hub/graph',
})

test('firing and resolved alerts reach a webhook once each, through a failing receiver and a restart', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-alerts-'))
  const hook = await receiver([500, 200])
  const loaded = loadAlertmanagerConfig(config(hook.url), 'am.yml')
  let env = makeEnv(dir)
  let dispatcher = new Dispatcher(loaded, env)
  try {
    const later = Date.now() + 3600_000
    dispatcher.receive([alertOf('a', later), alertOf('b', later)])
    await until(() => hook.bodies.length === 1)
    const [first] = hook.bodies
    assert.deepEqual(
      [first!.status, first!.version, first!.alerts.length, first!.alerts[0]!.endsAt],
      ['firing', '4', 2, '0001-01-01T00:00:00Z'],
    )
    assert.deepEqual(first!.commonLabels, { alertname: 'Down' })
    assert.equal(first!.groupKey, '{}:{alertname="Down"}')
    assert.equal(dispatcher.counters.byIntegration.get('webhook')!.retries, 1)

    // The log is written once the answer is here, which is after the receiver has the message.
    await until(() => env.store.load('sent').length === 1)
    dispatcher.stop()
    env.store.close()
    env = makeEnv(dir)
    dispatcher = new Dispatcher(loaded, env)
    dispatcher.receive([alertOf('a', later), alertOf('b', later)])
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(hook.bodies.length, 1, 'the log of the first life keeps the second from repeating')

    dispatcher.receive([alertOf('a', 2000), alertOf('b', 2000)])
    await until(() => hook.bodies.length === 2)
    assert.deepEqual(
      [hook.bodies[1]!.status, hook.bodies[1]!.alerts.map(({ status }) => status)],
      ['resolved', ['resolved', 'resolved']],
    )
    await until(() => dispatcher.groups.length === 0)
  } finally {
    dispatcher.stop()
    hook.close()
    fs.rmSync(dir, { recursive: true })
  }
})

test('an alert takes the deepest matching routes, and goes on after `continue`', () => {
  const tree = loadAlertmanagerConfig(
    'route: {receiver: a, routes: [{match: {owner: team-A}, receiver: b, continue: true}, {matchers: ["owner=~\\"team-.*\\"", "env!=prod"], receiver: c}]}\nreceivers: [{name: a}, {name: b}, {name: c}]\n',
    'am.yml',
  )
  const receivers = (labels: Record<string, string>): string[] =>
    matchRoutes(tree.route, labelsFrom(labels)).map((route) => route.receiver)
  assert.deepEqual(receivers({ owner: 'team-A' }), ['b', 'c'])
  assert.deepEqual(receivers({ owner: 'team-B', env: 'prod' }), ['a'])
  assert.deepEqual(receivers({ owner: 'x' }), ['a'])
})

const needs: readonly (readonly [
  name: string,
  last: { firing: string[]; resolved: string[] } | null,
  now: { firing: string[]; resolved: string[]; afterMs?: number },
  want: NotificationReason | null,
])[] = [
  ['a first firing alert', null, { firing: ['a'], resolved: [] }, 'first notification'],
  ['only resolved and never told', null, { firing: [], resolved: ['a'] }, null],
  ['the same again', { firing: ['a'], resolved: [] }, { firing: ['a'], resolved: [] }, null],
  ['one more', { firing: ['a'], resolved: [] }, { firing: ['a', 'b'], resolved: [] }, 'new alerts added'],
  [
    'back after all were resolved',
    { firing: [], resolved: ['a'] },
    { firing: ['a'], resolved: [] },
    'first notification',
  ],
  ['all resolved', { firing: ['a'], resolved: [] }, { firing: [], resolved: ['a'] }, 'all alerts resolved'],
  ['came and went in between', { firing: [], resolved: ['a'] }, { firing: [], resolved: ['b'] }, null],
  [
    'one resolved of two',
    { firing: ['a', 'b'], resolved: [] },
    { firing: ['a'], resolved: ['b'] },
    'some alerts resolved',
  ],
  [
    'the same after the repeat interval',
    { firing: ['a'], resolved: [] },
    { firing: ['a'], resolved: [], afterMs: 2000 },
    'repeat interval elapsed',
  ],
]
for (const [name, last, { firing, resolved, afterMs = 0 }, want] of needs) {
  test(`notificationReason(): ${name}`, () => {
    const sent = last ? { ...last, atMs: 0, expiresAtMs: 1e9 } : undefined
    const need = { firing, resolved, nowMs: afterMs, repeatMs: 1000, sendResolved: true }
    assert.equal(notificationReason(sent, need), want)
  })
}

test('without send_resolved, an alert that comes back is told again', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-alerts-'))
  const hook = await receiver([])
  const text = config(hook.url).replace("'}]", "', send_resolved: false}]")
  const dispatcher = new Dispatcher(loadAlertmanagerConfig(text, 'am.yml'), makeEnv(dir))
  try {
    const later = Date.now() + 3600_000
    for (const round of [1, 2]) {
      dispatcher.receive([alertOf('a', later)])
      await until(() => hook.bodies.length === round)
      dispatcher.receive([alertOf('a', 2000)])
      await until(() => dispatcher.groups.length === 0)
    }
    assert.deepEqual(
      hook.bodies.map((body) => [body.status, body.notification_reason]),
      [
        ['firing', 'first notification'],
        ['firing', 'first notification'],
      ],
    )
  } finally {
    dispatcher.stop()
    hook.close()
    fs.rmSync(dir, { recursive: true })
  }
})

test('a bad file is refused with its place', () => {
  assert.throws(
    () => loadAlertmanagerConfig('route: {receiver: x}\n', 'am.yml'),
    /undefined receiver "x" used in route \(at am.yml:1:8, key route\)/,
  )
  assert.throws(
    () => loadAlertmanagerConfig('route: {receiver: x}\nreceivers: [{name: x, email_configs: [{to: a}]}]\n', 'am.yml'),
    /no global SMTP smarthost set \(at am.yml:2:39, key receivers\[0\].email_configs\[0\]\)/,
  )
})
