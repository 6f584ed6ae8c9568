/** What goes wrong before and while a receiver is told: told of without its secrets, and never more than a failure. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { send, withService } from './testing/service.ts'

const unsendable: readonly (readonly [what: string, config: string, problem: RegExp])[] = [
  [
    'a template that is not there',
    `webhook_configs: [{url: 'http://127.0.0.1:1/{{ template "nope" . }}'}]`,
    /template "nope" not defined/,
  ],
  ['a file of the address that is not there', 'webhook_configs: [{url_file: /nope}]', /ENOENT.*\/nope/],
  ['a file of the chat that is not there', 'telegram_configs: [{bot_token: t, chat_id_file: /nope}]', /ENOENT.*\/nope/],
]
for (const [what, config, problem] of unsendable)
  test(`${what} is a failure, and no rejection`, async () => {
    const result = await send(config)
    assert.deepEqual([result.ok, result.retry], [false, false])
    assert.match(result.problem, problem)
  })

const secrets: readonly string[] = [
  "slack_configs: [{api_url: 'http://127.0.0.1:1/services/S3CRET', channel: a}]",
  "slack_configs: [{api_url: 'http://LOCALHOST:1/services/S3CRET', channel: a}]",
  "discord_configs: [{webhook_url: 'http://127.0.0.1:1/webhooks/S3CRET é'}]",
  "webhook_configs: [{url: 'http://user:S3CRET@127.0.0.1:1/S3CRET'}]",
  "webhook_configs: [{url: 'S3CRET'}]",
  "telegram_configs: [{bot_token: 'S3CRET é', chat_id: 4, api_url: 'http://127.0.0.1:1'}]",
  "victorops_configs: [{api_key: 'S3CRET é', routing_key: r, api_url: 'http://127.0.0.1:1/'}]",
]
for (const config of secrets)
  test(`no secret is told of by ${config.replaceAll('S3CRET', '…')}`, async () => {
    const problem = await send(config).then(
      (result) => result.problem,
      (error: Error) => error.message,
    )
    assert.notEqual(problem, '')
    assert.doesNotMatch(problem, /S3CRET/)
  })

test('nor by a service that repeats the address, nor by a redirect that carries it along', async () => {
  await withService([[404, 'Cannot POST /services/S3CRET?key=S3CRET']], async (url) => {
    const { problem } = await send(`slack_configs: [{api_url: '${url}/services/S3CRET?key=S3CRET', channel: a}]`)
    assert.equal(problem, 'unexpected status code 404: Cannot POST <redacted>')
  })
  const server = createServer(({ url }, response) =>
    response.writeHead(307, { location: `http://127.0.0.1:1/moved${url}` }).end(),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { problem } = await send(`slack_configs: [{api_url: 'http://127.0.0.1:${port}/S3CRET', channel: a}]`)
  server.close()
  assert.equal(problem, 'Post "<redacted>": dial tcp 127.0.0.1:1: connect: connection refused')
})
