import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { pushover } from './pushover.ts'
import { type Json, send, withService } from './testing/service.ts'

const SUBJECT = '[FIRING:2] Down (page)'

/** Sends while firing and when resolved, and gives what arrived. */
async function bodies(config: (url: string) => string): Promise<{ readonly fired: Json; readonly ended: Json }> {
  let out: { readonly fired: Json; readonly ended: Json } | null = null
  await withService([], async (url, seen) => {
    assert.deepEqual(await send(config(url)), { ok: true, retry: false, problem: '' })
    assert.equal((await send(config(url), { resolved: true })).ok, true)
    out = { fired: seen[0]!.body, ended: seen[1]!.body }
  })
  return out!
}

test('Discord: an embed with the colour of the state; its address may be in a file', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-discord-'))
  try {
    const { fired, ended } = await bodies((url) => {
      fs.writeFileSync(path.join(folder, 'url'), `${url}/hook\n`)
      return `discord_configs: [{webhook_url_file: '${folder}/url', content: '{{ .Status }}', username: u, avatar_url: 'http://a/b'}]`
    })
    assert.deepEqual([fired.content, fired.username, fired.avatar_url], ['firing', 'u', 'http://a/b'])
    assert.deepEqual([fired.embeds[0].title, fired.embeds[0].color], [SUBJECT, 0x992d22])
    assert.match(fired.embeds[0].description, /Alerts Firing:\nLabels:\n - alertname = Down\n/)
    assert.equal(ended.embeds[0].color, 0x2ecc71)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

test('Discord: what is too long is cut to what it takes', async () => {
  const { fired } = await bodies(
    (url) => `discord_configs: [{webhook_url: '${url}', title: '${'é'.repeat(300)}', message: '${'x'.repeat(5000)}'}]`,
  )
  const [embed] = fired.embeds
  assert.deepEqual([[...embed.title].length, embed.title.at(-1), embed.description.length], [256, '…', 4096])
})

test('Microsoft Teams: a message card', async () => {
  const { fired, ended } = await bodies((url) => `msteams_configs: [{webhook_url: '${url}', text: '{{ .Receiver }}'}]`)
  assert.deepEqual(fired, {
    '@context': 'http://schema.org/extensions',
    type: 'MessageCard',
    title: SUBJECT,
    summary: SUBJECT,
    text: 'r',
    themeColor: '8C1A1A',
  })
  assert.equal(ended.themeColor, '2DC72D')
})

test('Microsoft Teams, by a flow: an adaptive card', async () => {
  const { fired, ended } = await bodies((url) => `msteamsv2_configs: [{webhook_url: '${url}', text: t}]`)
  const [attachment] = fired.attachments
  assert.deepEqual(
    [fired.type, attachment.contentType, attachment.contentUrl],
    ['message', 'application/vnd.microsoft.card.adaptive', null],
  )
  const [title, text] = attachment.content.body
  assert.deepEqual([title.text, title.color, title.wrap], [SUBJECT, 'Attention', true])
  assert.deepEqual(text, { type: 'TextBlock', text: 't', wrap: true })
  assert.equal(ended.attachments[0].content.body[0].color, 'Good')
})

test('Telegram: a message of a bot, its values escaped in HTML, tried again whatever went wrong', async () => {
  await withService(
    [
      [200, '{"ok":true,"result":{}}'],
      [400, '{"ok":false,"description":"chat not found"}'],
    ],
    async (url, seen) => {
      const config = (more: string): string =>
        `telegram_configs: [{api_url: '${url}', bot_token: 'tok', chat_id: -100123, message_thread_id: 7, message: '<b>{{ (index .Alerts 0).Annotations.summary }}</b>'${more}}]`
      assert.equal((await send(config(''))).ok, true)
      const [{ path: at, body }] = seen as [(typeof seen)[number]]
      assert.equal(at, '/bottok/sendMessage')
      assert.deepEqual(
        [body.chat_id, body.text, body.parse_mode, body.message_thread_id, 'disable_notification' in body],
        ['-100123', '<b>&lt;a&gt; is down</b>', 'HTML', 7, false],
      )
      const refused = await send(config(', parse_mode: "", disable_notifications: true'))
      assert.deepEqual([refused.ok, refused.retry], [false, true])
      assert.ok(!refused.problem.includes('tok'), refused.problem)
      assert.deepEqual([seen[1]!.body.text, 'parse_mode' in seen[1]!.body], ['<b><a> is down</b>', false])
    },
  )
})

test('Telegram: HTML that is too long is not cut but replaced', async () => {
  const { fired } = await bodies(
    (url) => `telegram_configs: [{api_url: '${url}', bot_token: t, chat_id: 1, message: '<b>${'x'.repeat(4097)}</b>'}]`,
  )
  assert.match(fired.text, /message length exceeds Telegram limits/)
  const { fired: fits } = await bodies(
    (url) =>
      `telegram_configs: [{api_url: '${url}', bot_token: t, chat_id: 1, message: '<b>${'&lt;'.repeat(4096)}</b>'}]`,
  )
  assert.equal(fits.text, `<b>${'&lt;'.repeat(4096)}</b>`)
})

test('Pushover: parameters in the address, which no problem shows', async () => {
  await withService(
    [
      [200, '{}'],
      [200, '{}'],
      [400, 'no'],
    ],
    async (url, seen) => {
      const config = `pushover_configs: [{user_key: u, token: t, retry: 90s, ttl: 1h, html: true, message: ' {{ (index .Alerts 0).Annotations.summary }} '}]`
      const create: NonNullable<Parameters<typeof send>[1]>['create'] = (integration, env) =>
        pushover(integration, env, `${url}/1/messages.json`)
      assert.equal((await send(config, { create })).ok, true)
      assert.equal((await send(config, { create, resolved: true })).ok, true)
      const [fired, ended] = seen.map(({ path: at }) => new URL(at, url).searchParams)
      assert.deepEqual(
        ['token', 'user', 'title', 'message', 'html', 'priority', 'retry', 'expire', 'ttl', 'device'].map((name) =>
          fired!.get(name),
        ),
        ['t', 'u', SUBJECT, '&lt;a&gt; is down', '1', '2', '90', '3600', '3600', ''],
      )
      assert.equal(ended!.get('priority'), '0')
      const refused = await send(config, { create })
      assert.deepEqual([refused.retry, refused.problem], [false, 'unexpected status code 400: no'])
    },
  )
})

test('VictorOps: the key and the route in the path, own fields beside the fixed', async () => {
  await withService([], async (url, seen) => {
    const config = (type: string): string =>
      `victorops_configs: [{api_key: key, api_url: '${url}/alert', routing_key: '{{ .Receiver }}', message_type: ${type}, custom_fields: {team: '{{ .Status }}'}}]`
    await send(config('WARNING'))
    await send(config('odd'))
    await send(config('INFO'), { resolved: true })
    assert.equal(seen[0]!.path, '/alert/key/r')
    assert.deepEqual(
      seen.map(({ body }) => body.message_type),
      ['WARNING', 'CRITICAL', 'RECOVERY'],
    )
    const { entity_id, entity_display_name, monitoring_tool, team } = seen[0]!.body
    assert.deepEqual([entity_display_name, monitoring_tool, team], [SUBJECT, 'Alertmanager', 'firing'])
    assert.equal(entity_id, seen[2]!.body.entity_id)
  })
})

test('Webex: Markdown to a room, cut at bytes and between characters', async () => {
  await withService([], async (url, seen) => {
    const config = (message: string): string =>
      `webex_configs: [{api_url: '${url}', room_id: '{{ .Receiver }}', message: '${message}', http_config: {authorization: {credentials: c}}}]`
    await send(config('{{ .Status }}'))
    await send(config('é'.repeat(5000)))
    assert.deepEqual(seen[0]!.body, { markdown: 'firing', roomId: 'r' })
    assert.equal(seen[0]!.authorization, 'Bearer c')
    const { markdown } = seen[1]!.body
    assert.deepEqual([Buffer.byteLength(markdown), markdown.at(-1)], [7439, '…'])
  })
})

test('Rocket.Chat: an attachment, and a 200 that says no', async () => {
  await withService(
    [
      [200, '{"success":true}'],
      [200, '{"success":false,"error":"no such room"}'],
      [200, 'not JSON'],
    ],
    async (url, seen) => {
      const config = `rocketchat_configs: [{api_url: '${url}', token: t, token_id: i, channel: '#a', fields: [{title: f, value: '{{ .Status }}'}], actions: [{text: go, url: 'http://x'}]}]`
      assert.equal((await send(config)).ok, true)
      const [{ headers, path: at, body }] = seen as [(typeof seen)[number]]
      assert.deepEqual([at, headers['x-auth-token'], headers['x-user-id']], ['/api/v1/chat.postMessage', 't', 'i'])
      assert.deepEqual([body.channel, body.attachments[0].title, body.attachments[0].color], ['#a', SUBJECT, 'red'])
      assert.deepEqual(body.attachments[0].fields, [{ short: false, title: 'f', value: 'firing' }])
      assert.deepEqual([body.attachments[0].actions[0].type, body.attachments[0].actions[0].text], ['button', 'go'])
      const refused = await send(config)
      assert.deepEqual([refused.retry, refused.problem], [false, 'error response from Rocketchat: no such room'])
      assert.equal((await send(config)).retry, true)
    },
  )
})

test('Mattermost: text and attachments; a priority that the server would refuse is put right', async () => {
  const { fired } = await bodies(
    (url) =>
      `mattermost_configs: [{webhook_url: '${url}', channel: c, text: '{{ .Status }}', attachments: [{title: t, fields: [{title: f, value: '{{ .Receiver }}', short: true}]}], props: {card: '{{ .Status }}'}, priority: {priority: Important, requested_ack: true, persistent_notifications: true}}]`,
  )
  assert.deepEqual(fired, {
    text: 'firing',
    channel: 'c',
    username: 'Alertmanager',
    attachments: [{ title: 't', fields: [{ title: 'f', value: 'r', short: true }] }],
    props: { card: 'firing' },
    priority: { priority: 'important', requested_ack: true },
  })
})

test('WeChat: a token first, asked for anew once it is refused', async () => {
  await withService(
    [
      [200, '{"access_token":"tok"}'],
      [200, '{"errcode":0}'],
      [200, '{"access_token":"tok"}'],
      [200, '{"errcode":42001,"errmsg":"expired"}'],
      [200, '{"errcode":40013,"errmsg":"invalid corpid"}'],
    ],
    async (url, seen) => {
      const config = `wechat_configs: [{api_url: '${url}', api_secret: s, corp_id: c, message: m, to_user: '{{ .Receiver }}', message_type: markdown}]`
      assert.equal((await send(config)).ok, true)
      assert.deepEqual([seen[0]!.method, seen[0]!.path], ['GET', '/gettoken?corpid=c&corpsecret=s'])
      assert.equal(seen[1]!.path, '/message/send?access_token=tok')
      assert.deepEqual(seen[1]!.body, {
        text: { content: '' },
        touser: 'r',
        safe: '0',
        msgtype: 'markdown',
        markdown: { content: 'm' },
      })
      assert.deepEqual(await send(config), { ok: false, retry: true, problem: 'expired' })
      assert.match((await send(config)).problem, /invalid APISecret for CorpID: c/)
    },
  )
})
