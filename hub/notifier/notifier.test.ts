import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { createEnv } from '../../agent/env/mod.ts'
import { loadPrometheusConfig } from '../../protocol/config/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import type { Alert } from '../alerts/mod.ts'
import { Notifier } from './mod.ts'

type Post = {
  readonly url: string
  readonly authorization: string | undefined
  readonly alerts: readonly { labels: Record<string, string>; startsAt: string }[]
}

let folder: string
let server: Server
let posts: Post[]
let status: number
let address: string

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'heliograph-notifier-'))
  posts = []
  status = 200
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    posts.push({
      url: request.url!,
      authorization: request.headers.authorization,
      alerts: JSON.parse(Buffer.concat(chunks).toString()),
    })
    response.writeHead(status).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  rmSync(folder, { recursive: true })
  await new Promise((resolve) => server.close(resolve))
})

const alert = (name: string): Alert => ({
  labels: labelsFrom({ alertname: name, secret: 'x' }),
  annotations: {},
  startsAtMs: 1_700_000_000_000,
  endsAtMs: 1_700_000_300_000,
  generatorUrl: 'http://hub/graph',
})

async function notifier(alertmanagers: string, options: { queueCapacity?: number; batchSize?: number } = {}) {
  const created = new Notifier(createEnv({ logLevel: 'error', logFormat: 'json' }), {
    queueCapacity: 100,
    batchSize: 10,
    directory: folder,
    userAgent: 'Heliograph/test',
    environment: {},
    ...options,
  })
  const text = `alerting:\n  alertmanagers:\n${alertmanagers.replace(/^/gm, '    ')}\n`
  const config = loadPrometheusConfig(text, { file: join(folder, 'prometheus.yml'), files: null, environment: {} })
  await created.apply(config.alerting.alertmanagers)
  return created
}

const value = (from: Notifier, name: string): number =>
  from
    .families()
    .find((family) => family.name === name)!
    .metrics.reduce((sum, metric) => sum + metric.value, 0)

test('alerts go to the path under the prefix, with credentials of a file beside the configuration, relabelled for it', async () => {
  writeFileSync(join(folder, 'password'), 'pw\n')
  const sender = await notifier(`
- path_prefix: /am/
  basic_auth: {username: u, password_file: password}
  static_configs: [{targets: ['${address}', 'dropped:1']}]
  relabel_configs: [{source_labels: [__address__], regex: 'dropped.*', action: drop}]
  alert_relabel_configs:
    - {regex: secret, action: labeldrop}
    - {source_labels: [alertname], regex: Quiet, action: drop}`)
  assert.deepEqual(sender.urls, [`http://${address}/am/api/v2/alerts`])
  assert.deepEqual(sender.dropped, ['http://dropped:1/am/api/v2/alerts'])
  sender.send([alert('Loud'), alert('Quiet')])
  await sender.stop()
  assert.deepEqual(
    posts.map(({ url, authorization, alerts }) => [url, authorization, alerts.map(({ labels }) => labels)]),
    [['/am/api/v2/alerts', `Basic ${btoa('u:pw')}`, [{ alertname: 'Loud' }]]],
  )
  assert.equal(posts[0]!.alerts[0]!.startsAt, '2023-11-14T22:13:20.000Z')
  assert.equal(value(sender, 'prometheus_notifications_sent_total'), 1)
})

test('Alertmanagers are discovered, and their path is a label', async () => {
  writeFileSync(join(folder, 'ams.json'), JSON.stringify([{ targets: [address], labels: { team: 'a' } }]))
  const sender = await notifier(`
- file_sd_configs: [{files: [ams.json]}]
  relabel_configs: [{source_labels: [team], target_label: __alerts_path__, replacement: '/$1/alerts'}]`)
  for (let tries = 0; sender.urls.length === 0 && tries < 1200; tries++)
    await new Promise((done) => setTimeout(done, 50))
  assert.deepEqual(sender.urls, [`http://${address}/a/alerts`])
  sender.send([alert('A')])
  await sender.stop()
  assert.equal(posts.length, 1)
})

test('a full queue drops its oldest; batches are as large as they may be; what fails is counted', async () => {
  const sender = await notifier(`- static_configs: [{targets: ['${address}']}]`, { queueCapacity: 5, batchSize: 2 })
  sender.send(Array.from({ length: 8 }, (_, i) => alert(`A${i}`)))
  status = 500
  await sender.stop()
  assert.deepEqual(
    posts.map(({ alerts }) => alerts.map(({ labels }) => labels['alertname'])),
    [['A3', 'A4'], ['A5', 'A6'], ['A7']],
  )
  assert.equal(value(sender, 'prometheus_notifications_errors_total'), 5)
  assert.equal(value(sender, 'prometheus_notifications_dropped_total'), 8)
})

test('what was dropped stays counted when its Alertmanager goes', async () => {
  const sender = await notifier(`- static_configs: [{targets: ['${address}']}]`, { queueCapacity: 5 })
  sender.send(Array.from({ length: 8 }, (_, i) => alert(`A${i}`)))
  await sender.apply([])
  assert.deepEqual(sender.urls, [])
  assert.equal(value(sender, 'prometheus_notifications_dropped_total'), 3)
  await sender.stop()
})
