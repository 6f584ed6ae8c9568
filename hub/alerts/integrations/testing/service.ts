/** What tests of senders share: a notification, a receiver's configuration, and a service that listens on loopback. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { createNet, nodeDisk, systemClock } from '../../../../agent/env/mod.ts'
import { labelsFrom } from '../../../../protocol/labels/mod.ts'
import { smtpMailer } from '../../../env/mailer.ts'
import { type Integration, loadAlertmanagerConfig } from '../../config/mod.ts'
import { DEFAULT_TEMPLATES } from '../../default-templates.ts'
import { NotificationTemplates } from '../../template.ts'
import type { SendEnv } from '../http.ts'
import { createSender, dataOf, type Expand, type Notification, type Sender, type SendResult } from '../mod.ts'

export const NOW_MS = Date.UTC(2024, 0, 5, 12)

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

type SendOptions = {
  readonly resolved?: boolean
  readonly nowMs?: number
  readonly create?: (integration: Integration, env: SendEnv) => Sender
}

export async function send(config: string, options: SendOptions = {}): Promise<SendResult> {
  const { resolved = false, nowMs = NOW_MS, create = createSender } = options
  const loaded = loadAlertmanagerConfig(`route: {receiver: r}\nreceivers: [{name: r, ${config}}]\n`, 'am.yml')
  const [integration] = loaded.receivers.get('r')!.integrations
  const net = createNet()
  const sender = create(integration!, {
    net,
    clock: systemClock,
    disk: nodeDisk,
    mailer: smtpMailer,
    tokens: new WeakMap(),
  })
  const notification = { ...notificationOf(resolved), nowMs }
  const data = dataOf(notification)
  const templates = new NotificationTemplates(DEFAULT_TEMPLATES, () => NOW_MS)
  try {
    const expand: Expand = (text, options = {}) => templates.expand(text, options.data ?? data, options)
    return await sender.send({ notification, data, expand }, new AbortController().signal)
  } finally {
    net.close()
  }
}

export type Seen = {
  readonly method: string
  readonly path: string
  readonly authorization: string
  readonly headers: http.IncomingHttpHeaders
  /** '' for one without a body; text that is no JSON as it is. */
  readonly body: Json
}
// biome-ignore lint/suspicious/noExplicitAny: answers of services, looked at field by field
export type Json = any

/** A server that answers with the given statuses, then 200, and remembers what it was asked. */
export async function withService(
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
      const isJson = /^[[{]/.test(text)
      const body = isJson ? JSON.parse(text) : text
      seen.push({ method: request.method!, path: request.url!, authorization, headers: request.headers, body })
      const [status, answer] = rest.shift() ?? [200, 'ok']
      response.writeHead(status).end(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen)
  } finally {
    server.close()
  }
}
