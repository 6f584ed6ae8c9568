import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { type Seen, send, withService } from './testing/service.ts'

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
    const { num_firing, num_resolved, team, firing, resolved } = fired.payload.custom_details
    assert.deepEqual([num_firing, num_resolved, team, resolved], [2, 0, 'x', []])
    assert.deepEqual([firing.length, firing[0].labels.instance, firing[0].status], [2, 'a', 'firing'])
    assert.deepEqual(Object.keys(fired.payload), ['summary', 'source', 'severity', 'custom_details'])
  })
})

test('PagerDuty: too many details are none, which the event says; a key may not be empty', async () => {
  await withService([], async (url, seen) => {
    const config = (key: string): string =>
      `pagerduty_configs: [{routing_key: '${key}', url: '${url}', details: {text: '${'x'.repeat(512_000)}'}}]`
    assert.equal((await send(config('k'))).ok, true)
    assert.deepEqual(seen[0]!.body.payload.custom_details, {
      error: 'Custom details have been removed because the original event exceeds the maximum size of 512KB',
    })
    const { ok, retry, problem } = await send(config('{{ .CommonLabels.nobody }}'))
    assert.deepEqual([ok, retry, problem], [false, false, 'routing key cannot be empty'])
  })
})

/** Each with as little as there can be: as an Alertmanager 0.33.1 sends it. */
const BARE: readonly (readonly [service: string, config: (url: string) => string, body: unknown])[] = [
  [
    'PagerDuty',
    (url) =>
      `pagerduty_configs: [{routing_key: k, url: '${url}', client: '', client_url: '', description: d, source: s, images: [{src: ''}], links: [{href: ''}], details: {resolved: 'no', num_firing: '{{ "" }}', num_resolved: '1.50', '{{ .Status }}': [1, '2']}}]`,
    {
      routing_key: 'k',
      event_action: 'trigger',
      payload: {
        summary: 'd',
        source: 's',
        severity: 'error',
        custom_details: { resolved: false, num_firing: null, num_resolved: 1.5, firing: [1, 2] },
      },
    },
  ],
  [
    'OpsGenie',
    (url) => `opsgenie_configs: [{api_key: k, api_url: '${url}', message: '', description: '', source: ''}]`,
    { message: '', details: { alertname: 'Down', severity: 'page' }, source: '' },
  ],
  [
    'OpsGenie: lists',
    (url) =>
      `opsgenie_configs: [{api_key: k, api_url: '${url}', message: m, description: '', source: '', responders: [{name: n, type: team}, {name: 'a, b', type: teams}, {name: '{{ "" }}', type: user}, {name: '{{ "" }}', type: '{{ "" }}'}], tags: 'a, b ,,c', actions: 'x,y', details: {t: '{{ .Status }}'}}]`,
    {
      message: 'm',
      details: { alertname: 'Down', severity: 'page', t: 'firing' },
      source: '',
      responders: [
        { name: 'n', type: 'team' },
        { name: 'a', type: 'team' },
        { name: ' b', type: 'team' },
        { type: 'user' },
      ],
      tags: ['a', ' b ', 'c'],
      actions: ['x', 'y'],
    },
  ],
  [
    'Slack',
    (url) =>
      `slack_configs: [{api_url: '${url}', title: '', title_link: '', text: '', fallback: '', callback_id: '', footer: '', color: '', username: '', mrkdwn_in: []}]`,
    {
      attachments: [
        { text: '', fallback: '', callback_id: '', footer: '', mrkdwn_in: ['fallback', 'pretext', 'text'] },
      ],
    },
  ],
  [
    'Slack: names',
    (url) =>
      `slack_configs: [{api_url: '${url}', channel: '#c', link_names: true, title: t, title_link: '', text: x, fallback: '', callback_id: '', footer: '', color: '', username: u, message_text: m}]`,
    {
      channel: '#c',
      username: 'u',
      link_names: true,
      text: 'm',
      attachments: [
        {
          title: 't',
          text: 'x',
          fallback: '',
          callback_id: '',
          footer: '',
          mrkdwn_in: ['fallback', 'pretext', 'text'],
        },
      ],
    },
  ],
  [
    'Mattermost: text alone',
    (url) =>
      `mattermost_configs: [{webhook_url: '${url}', username: '', color: '', title: '', title_link: '', fallback: '', text: '{{ .Status }}'}]`,
    { attachments: [{ text: 'firing' }] },
  ],
  [
    'Mattermost: nothing',
    (url) =>
      `mattermost_configs: [{webhook_url: '${url}', username: '', color: '', title: '', title_link: '', fallback: '', text: ''}]`,
    { attachments: [{}] },
  ],
  [
    'Mattermost: attachments without text',
    (url) => `mattermost_configs: [{webhook_url: '${url}', username: '', text: '', attachments: [{title: t}]}]`,
    { attachments: [{ title: 't' }] },
  ],
]

for (const [service, config, body] of BARE) {
  test(`${service}: what is empty is not sent, but for what must be there`, async () => {
    await withService([], async (url, seen) => {
      assert.equal((await send(config(url))).ok, true)
      const { alias: _alias, dedup_key: _key, ...sent } = seen[0]!.body
      assert.deepEqual(sent, body)
    })
  })
}

test('a webhook of some alerts only: what these have in common, and how many there were', async () => {
  await withService([], async (url, seen) => {
    assert.equal((await send(`webhook_configs: [{url: '${url}', max_alerts: 1}]`)).ok, true)
    const own = `{url: '${url}', max_alerts: 1, payload: {n: '{{ .Alerts | len }}'}}`
    assert.equal((await send(`webhook_configs: [${own}]`)).ok, true)
    const [{ body }, { body: payload }] = seen as [Seen, Seen]
    assert.deepEqual([body.alerts.length, body.truncatedAlerts, body.commonLabels.instance], [1, 1, 'a'])
    assert.deepEqual(payload, { n: 1 })
  })
})

test('OpsGenie: an alert is made, changed where asked, and closed by its alias', async () => {
  await withService([], async (url, seen) => {
    const config = `opsgenie_configs: [{api_key: key, api_url: '${url}', update_alerts: true, tags: 'a,b', responders: [{name: 'x,y', type: teams}]}]`
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

test('OAuth 2 of http_config: a token is asked for and used', async () => {
  await withService([[200, '{"access_token":"tok","expires_in":60}']], async (url, seen) => {
    const oauth2 = `{client_id: c, client_secret: s, token_url: '${url}/token'}`
    assert.equal((await send(`webhook_configs: [{url: '${url}/hook', http_config: {oauth2: ${oauth2}}}]`)).ok, true)
    assert.deepEqual(
      seen.map(({ path: at, authorization }) => [at, authorization]),
      [
        ['/token', `Basic ${btoa('c:s')}`],
        ['/hook', 'Bearer tok'],
      ],
    )
  })
})

test('a service has its own authorization whatever http_config says', async () => {
  await withService([], async (url, seen) => {
    const config = `opsgenie_configs: [{api_key: key, api_url: '${url}', http_config: {basic_auth: {username: u}}}]`
    await send(config)
    assert.equal(seen[0]!.authorization, 'GenieKey key')
  })
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

test('mail: headers say what they like, and it goes to whom the configuration names', async () => {
  await withMailServer({ authOptional: true, disabledCommands: ['STARTTLS'] }, async (port, mails) => {
    const headers = `{From: 'Team <team@example.org>', to: 'all@example.org'}`
    const config = `email_configs: [{to: 'Ann <ann@example.org>, bob@example.org', from: 'Hub <hub@example.org>', smarthost: '127.0.0.1:${port}', require_tls: false, headers: ${headers}}]`
    assert.deepEqual(await send(config), { ok: true, retry: false, problem: '' })
    const [{ from, to, text }] = mails as [Received]
    assert.deepEqual([from, to], ['hub@example.org', ['ann@example.org', 'bob@example.org']])
    assert.match(text, /^From: Team <team@example.org>\r\nTo: all@example.org\r\n/m)
  })
})

test('mail: with a secret and no password the login is CRAM-MD5', async () => {
  const methods: string[] = []
  const onAuth: NonNullable<SMTPServerOptions['onAuth']> = (auth, _, done) => {
    methods.push(auth.method)
    done(null, { user: auth.validatePassword('s') ? 'u' : 'nobody' })
  }
  const options = { hideSTARTTLS: true, disabledCommands: ['STARTTLS'], authMethods: ['PLAIN', 'CRAM-MD5'], onAuth }
  await withMailServer({ ...options, allowInsecureAuth: true }, async (port, mails) => {
    const config = `email_configs: [{to: ops@example.org, from: hub@example.org, smarthost: '127.0.0.1:${port}', auth_username: u, auth_secret: s, require_tls: false}]`
    assert.deepEqual(await send(config), { ok: true, retry: false, problem: '' })
    assert.deepEqual([methods, mails.length], [['CRAM-MD5'], 1])
  })
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
      assert.doesNotMatch(mails[0]!.text, /^References:/m)
      const threaded = config(', require_tls: false, threading: {enabled: true, thread_by_date: daily}')
      assert.equal((await send(threaded)).ok, true)
      assert.match(mails[1]!.text, /^References: <alert-[0-9a-f]{16}-2024-01-05@alertmanager>\r$/m)
      assert.match(mails[1]!.text, /^In-Reply-To: <alert-[0-9a-f]{16}-2024-01-05@alertmanager>\r$/m)
    },
  )
})
