import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { createNet, nodeDisk } from '../../../agent/env/mod.ts'
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import { smtpMailer } from '../../env/mailer.ts'
import { loadAlertmanagerConfig } from '../config/mod.ts'
import { DEFAULT_TEMPLATES } from '../default-templates.ts'
import { NotificationTemplates } from '../template.ts'
import { createSender, dataOf, type Notification, type SendResult } from './mod.ts'

const NOW_MS = Date.UTC(2024, 0, 5, 12)

const notificationOf = (resolved: boolean): Notification => ({
  receiver: 'r',
  reason: 'first notification',
  groupKey: '{}:{alertname="Down"}',
  groupLabels: labelsFrom({ alertname: 'Down' }),
  routeLabels: {},
  alerts: ['a', 'b'].map((instance) => ({
    labels: labelsFrom({ alertname: 'Down', instance, severity: 'page' }),
    annotations: { summary: `<${instance}> is down` },
    startsAtMs: NOW_MS - 60_000,
    endsAtMs: resolved ? NOW_MS - 1000 : NOW_MS + 60_000,
    generatorUrl: 'http://hub/graph',
  })),
  nowMs: NOW_MS,
  externalUrl: 'http://hub',
})

async function send(config: string, { resolved = false } = {}): Promise<SendResult> {
  const loaded = loadAlertmanagerConfig(`route: {receiver: r}\nreceivers: [{name: r, ${config}}]\n`, 'am.yml')
  const [integration] = loaded.receivers.get('r')!.integrations
  const net = createNet()
  const sender = createSender(integration!, { net, disk: nodeDisk, mailer: smtpMailer })
  const notification = notificationOf(resolved)
  const data = dataOf(notification)
  const templates = new NotificationTemplates(DEFAULT_TEMPLATES, () => NOW_MS)
  try {
    const expand = (text: string, options = {}): string => templates.expand(text, data, options)
    return await sender.send({ notification, data, expand }, new AbortController().signal)
  } finally {
    net.close()
  }
}

type Seen = { readonly method: string; readonly path: string; readonly authorization: string; readonly body: Json }
// biome-ignore lint/suspicious/noExplicitAny: answers of four services, looked at field by field
type Json = any

/** A server that answers with the given statuses, then 200, and remembers what it was asked. */
async function withService(
  answers: readonly (readonly [status: number, body: string])[],
  run: (url: string, seen: readonly Seen[]) => Promise<void>,
): Promise<void> {
  const seen: Seen[] = []
  const rest = [...answers]
  const server = http.createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const { authorization = '' } = request.headers
      seen.push({ method: request.method!, path: request.url!, authorization, body: JSON.parse(text) })
      const [status, body] = rest.shift() ?? [200, 'ok']
      response.writeHead(status).end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen)
  } finally {
    server.close()
  }
}

test('PagerDuty: an event that triggers, and one that resolves', async () => {
  await withService([[202, '{"status":"success"}']], async (url, seen) => {
    const config = `pagerduty_configs: [{routing_key: key, url: '${url}', severity: '{{ .CommonLabels.severity }}', details: {team: x}}]`
    assert.equal((await send(config)).ok, true)
    assert.equal((await send(config, { resolved: true })).ok, true)
    const [fired, ended] = seen.map(({ body }) => body)
    assert.deepEqual([fired.routing_key, fired.event_action, ended.event_action], ['key', 'trigger', 'resolve'])
    assert.equal(fired.dedup_key, ended.dedup_key)
    assert.equal(fired.payload.summary, '[FIRING:2] Down (page)')
    assert.equal(fired.payload.severity, 'page')
    assert.deepEqual([fired.payload.custom_details.num_firing, fired.payload.custom_details.team], ['2', 'x'])
    assert.match(fired.payload.custom_details.firing, /- instance = a\n/)
  })
})

test('OpsGenie: an alert is made, changed where asked, and closed by its alias', async () => {
  await withService([], async (url, seen) => {
    const config = `opsgenie_configs: [{api_key: key, api_url: '${url}', update_alerts: true, tags: 'a, b', responders: [{name: 'x,y', type: teams}]}]`
    assert.equal((await send(config)).ok, true)
    assert.equal((await send(config, { resolved: true })).ok, true)
    const alias = seen[0]!.body.alias as string
    assert.deepEqual(
      seen.map(({ method, path: at }) => [method, at]),
      [
        ['POST', '/v2/alerts'],
        ['PUT', `/v2/alerts/${alias}/message?identifierType=alias`],
        ['PUT', `/v2/alerts/${alias}/description?identifierType=alias`],
        ['POST', `/v2/alerts/${alias}/close?identifierType=alias`],
      ],
    )
    assert.ok(seen.every(({ authorization }) => authorization === 'GenieKey key'))
    const { message, tags, responders, details } = seen[0]!.body
    assert.deepEqual([message, tags], ['[FIRING:2] Down (page)', ['a', 'b']])
    assert.deepEqual(responders, [
      { name: 'x', type: 'team' },
      { name: 'y', type: 'team' },
    ])
    assert.deepEqual(details, { alertname: 'Down', severity: 'page' })
  })
})

test('Slack: an attachment, and a bot whose 200 says no', async () => {
  await withService(
    [
      [200, 'ok'],
      [200, '{"ok":false,"error":"channel_not_found"}'],
      [500, 'oops'],
    ],
    async (url, seen) => {
      const config = `slack_configs: [{api_url: '${url}', channel: '#a', fields: [{title: t, value: '{{ .Status }}'}]}]`
      assert.equal((await send(config)).ok, true)
      const [{ body }] = seen as [Seen]
      assert.deepEqual([body.channel, body.username], ['#a', 'Alertmanager'])
      assert.deepEqual([body.attachments[0].color, body.attachments[0].title], ['danger', '[FIRING:2] Down (page)'])
      assert.deepEqual(body.attachments[0].fields, [{ title: 't', value: 'firing', short: false }])
      const bot = `slack_configs: [{app_token: xoxb, app_url: '${url}', channel: '#b'}]`
      const refused = await send(bot)
      assert.deepEqual([refused.ok, refused.retry], [false, false])
      assert.match(refused.problem, /channel_not_found/)
      assert.equal(seen[1]!.authorization, 'Bearer xoxb')
      const failed = await send(config)
      assert.deepEqual([failed.ok, failed.retry], [false, true])
      assert.ok(!failed.problem.includes(url), 'the address of a webhook is a secret')
    },
  )
})

test('an answer that is final is not tried again, and nobody there is', async () => {
  await withService([[400, 'bad key']], async (url) => {
    const { ok, retry, problem } = await send(`webhook_configs: [{url: '${url}'}]`)
    assert.deepEqual([ok, retry, problem], [false, false, 'unexpected status code 400: bad key'])
  })
  const gone = await send(`webhook_configs: [{url: 'http://127.0.0.1:9/x', timeout: 1s}]`)
  assert.deepEqual([gone.ok, gone.retry], [false, true])
})

type Received = {
  readonly from: string
  readonly to: readonly string[]
  readonly text: string
  readonly isTls: boolean
}

async function withMailServer(
  options: SMTPServerOptions,
  run: (port: number, mails: readonly Received[]) => Promise<void>,
): Promise<void> {
  const mails: Received[] = []
  const server = new SMTPServer({
    ...options,
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString(),
          isTls: session.secure,
        })
        done()
      })
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await run((server.server.address() as AddressInfo).port, mails)
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
}

const hasOpenssl = fs.existsSync('/usr/bin/openssl')

test('mail: with STARTTLS and a login, as text and HTML', {
  skip: hasOpenssl ? false : 'openssl is not installed',
}, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-mail-'))
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name)) as [string, string]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-keyout', key, '-out', cert, ...subject],
    { stdio: 'ignore' },
  )
  try {
    const options: SMTPServerOptions = {
      key: fs.readFileSync(key),
      cert: fs.readFileSync(cert),
      onAuth: ({ username, password }, _, done) =>
        username === 'u' && password === 'right' ? done(null, { user: 'u' }) : done(new Error('Invalid login')),
    }
    await withMailServer(options, async (port, mails) => {
      const config = (password: string, more = ''): string =>
        `email_configs: [{to: 'ops@example.org, more@example.org', from: hub@example.org, smarthost: 'localhost:${port}', auth_username: u, auth_password: ${password}, text: '{{ .Alerts | len }} alerts', headers: {Subject: '{{ .Status }} <x>', X-Team: a}, tls_config: {ca_file: '${cert}'}${more}}]`
      assert.deepEqual(await send(config('right')), { ok: true, retry: false, problem: '' })
      const [mail] = mails as [Received]
      assert.deepEqual(
        [mail.from, mail.to, mail.isTls],
        ['hub@example.org', ['ops@example.org', 'more@example.org'], true],
      )
      assert.match(mail.text, /^Subject: firing <x>\r$/m)
      assert.match(mail.text, /^X-Team: a\r$/m)
      assert.match(mail.text, /2 alerts/)
      assert.match(mail.text, /&lt;a&gt; is down/)

      const wrong = await send(config('wrong'))
      assert.deepEqual([wrong.ok, wrong.retry], [false, false])
      assert.ok(!wrong.problem.includes('wrong'), wrong.problem)
      const untrusted = await send(config('right').replace(/, tls_config: \{[^}]*\}/, ''))
      assert.equal(untrusted.ok, false, 'a certificate that nobody vouches for is refused')
    })
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

test('mail: a server without TLS gets nothing unless that is allowed', async () => {
  await withMailServer(
    { hideSTARTTLS: true, authOptional: true, disabledCommands: ['STARTTLS', 'AUTH'] },
    async (port, mails) => {
      const config = (more: string): string =>
        `email_configs: [{to: ops@example.org, from: hub@example.org, smarthost: '127.0.0.1:${port}'${more}}]`
      assert.equal((await send(config(''))).ok, false)
      assert.equal(mails.length, 0)
      assert.deepEqual(await send(config(', require_tls: false')), { ok: true, retry: false, problem: '' })
      assert.match(mails[0]!.text, /^Subject: \[FIRING:2\] Down \(page\)\r$/m)
    },
  )
})
