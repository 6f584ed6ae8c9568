/**
 * An alert's whole life: pending, firing, resolved; in the API and the ALERTS series beside a real Prometheus with the
 * same rules, and as notifications beside a real Alertmanager with the same configuration.
 */
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import {
  api,
  freePort,
  type HttpProgram,
  lacks,
  query,
  queryValue,
  type Server,
  samples,
  until,
  untilHolds,
  type World,
  withWorld,
} from './world.ts'

type Json = Record<string, unknown>
type Received = { readonly path: string; readonly type: string; readonly body: Json }

const RULES = `groups:
  - name: gates
    rules:
      - record: gate:sum
        expr: sum(gate)
        labels: { kind: sum }
      - alert: GateOpen
        expr: gate == 1
        for: 10s
        labels: { severity: page, note: '{{ $labels.gate }} is {{ $value }}' }
        annotations: { summary: 'Gate {{ $labels.gate | toUpper }} of {{ $externalLabels.site }} is open' }
      - alert: NeverFires
        expr: gate > 100
`

const FOR_MS = 10_000

const receivers = (url: string): string => `route:
  receiver: hook
  group_by: [alertname]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs: [{ url: '${url}' }]
`

/** A target with a gate that the test opens and closes, and the receiver of everybody's webhooks. */
class Gatehouse {
  readonly received: Received[] = []
  isOpen = false
  readonly #server = http.createServer((request, response) => {
    if (request.method === 'GET') {
      response.end(`gate{gate="north"} ${this.isOpen ? 1 : 0}\ngate{gate="south"} 0\n`)
      return
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Json
      this.received.push({ path: request.url!, type: request.headers['content-type'] ?? '', body })
      response.end()
    })
  })

  async listen(world: World): Promise<string> {
    const port = await freePort()
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
    world.onClose(() => void this.#server.close().closeAllConnections())
    return `127.0.0.1:${port}`
  }

  notified(path: string, status: string, timeoutMs = 60_000): Promise<Received> {
    return until(
      `${path} got a notification "${status}"`,
      () => this.received.find((each) => each.path === path && each.body['status'] === status),
      { timeoutMs, explain: () => JSON.stringify(this.received, null, 2) },
    )
  }
}

const config = (target: string, alerting: string): string => `global:
  scrape_interval: 3s
  evaluation_interval: 500ms
  external_labels: { site: harbour }
rule_files: [rules.yml]
${alerting}
scrape_configs:
  - job_name: gates
    fallback_scrape_protocol: PrometheusText0.0.4
    static_configs: [{ targets: ['${target}'] }]
`

const MOMENT = /"(activeAt|lastEvaluation|startsAt|endsAt)":"(?!0001)[^"]*"/g
const SECONDS = /"evaluationTime":[-+0-9.e]+/g

/** Times made equal, and keys in one order. */
function shape(data: unknown): unknown {
  const text = JSON.stringify(data)
    .replace(MOMENT, (whole, key: string) => {
      const value = whole.slice(key.length + 4, -1)
      assert.match(value, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, whole)
      return `"${key}":"TIME"`
    })
    .replace(SECONDS, '"evaluationTime":0')
    .replace(/"file":"[^"]*\/(\w+\.yml)"/g, '"file":"$1"')
  return JSON.parse(text)
}

async function data(server: Server, path: string, params: Record<string, string> = {}): Promise<unknown> {
  const answer = await api(server, path, params)
  assert.equal(answer.status, 'success', JSON.stringify(answer))
  return answer.data
}

/** Each evaluates at its own moments: they are asked again until both show the same at one. */
const sameRulesAndAlerts = (hub: Server, prometheus: Server, state: string): Promise<void> =>
  untilHolds(`the same rules and alerts while the alert is ${state}`, async () => {
    await compareRulesAndAlerts(hub, prometheus)
    assert.deepEqual(await Promise.all([hub, prometheus].map(alertState)), [state, state])
  })

async function compareRulesAndAlerts(hub: Server, prometheus: Server): Promise<void> {
  for (const [path, params] of [
    ['/api/v1/rules', {}],
    ['/api/v1/rules', { type: 'alert' }],
    ['/api/v1/rules', { type: 'record' }],
    ['/api/v1/rules', { 'rule_name[]': 'GateOpen' }],
    ['/api/v1/rules', { 'rule_group[]': 'nobody' }],
    ['/api/v1/rules', { exclude_alerts: 'true' }],
    ['/api/v1/alerts', {}],
  ] as const)
    assert.deepEqual(
      shape(await data(hub, path, params)),
      shape(await data(prometheus, path, params)),
      `${path} ${JSON.stringify(params)}`,
    )
  for (const expr of ['ALERTS', 'gate:sum', 'count(ALERTS_FOR_STATE)'])
    assert.deepEqual(
      (await query(hub, expr)).map(({ metric, value }) => [metric, value[1]]),
      (await query(prometheus, expr)).map(({ metric, value }) => [metric, value[1]]),
      expr,
    )
}

const alertState = async (server: Server): Promise<string | undefined> => {
  const { alerts } = (await data(server, '/api/v1/alerts')) as { alerts: { state: string }[] }
  return alerts[0]?.state ?? 'none'
}

test('an alert goes through its life as in Prometheus and Alertmanager', {
  skip: lacks('prometheus', 'alertmanager'),
}, async (t) => {
  await withWorld(async (world) => {
    const gatehouse = new Gatehouse()
    const target = await gatehouse.listen(world)
    const alertmanager = await world.startAlertmanager(receivers(`http://${target}/alertmanager`))
    const alerting = `alerting:
  alertmanagers: [{ file_sd_configs: [{ files: [alertmanagers.yml] }] }]`
    const [hub, prometheus] = await Promise.all([
      world.startHub({
        config: config(target, alerting),
        // Named, or the Alertmanagers of the configuration would be all that notify.
        flags: [`--alertmanager.config.file=${world.file('own.yml', receivers(`http://${target}/hub`))}`],
        files: {
          'rules.yml': RULES,
          'alertmanagers.yml': `- targets: ['${alertmanager.address}']\n`,
        },
      }),
      // It alerts nobody: the Alertmanager must hear of the hub's alerts only.
      world.startPrometheus({ config: config(target, ''), files: { 'rules.yml': RULES } }),
    ])
    const both = [hub, prometheus]
    await t.test('before anything happens', async () => {
      await until('the rules were evaluated', async () => {
        const values = await Promise.all(both.map((server) => queryValue(server, 'gate:sum')))
        return values.every((value) => value === 0)
      })
      await sameRulesAndAlerts(hub, prometheus, 'none')
    })
    const openedMs = Date.now()
    gatehouse.isOpen = true
    await t.test('pending', async () => {
      await sameRulesAndAlerts(hub, prometheus, 'pending')
      assert.deepEqual(gatehouse.received, [])
    })
    let firing: Received
    await t.test('firing: rules, alerts and series', async () => {
      await sameRulesAndAlerts(hub, prometheus, 'firing')
    })
    await t.test('firing: the webhook gets Alertmanager’s JSON', async () => {
      firing = await gatehouse.notified('/hub', 'firing')
      const theirs = await gatehouse.notified('/alertmanager', 'firing')
      assert.equal(firing.type, theirs.type)
      assertSameNotification(firing.body, theirs.body)
      const [alert] = firing.body['alerts'] as [Json]
      assert.deepEqual(alert['labels'], {
        alertname: 'GateOpen',
        gate: 'north',
        instance: target,
        job: 'gates',
        note: 'north is 1',
        severity: 'page',
        site: 'harbour',
      })
      assert.deepEqual(alert['annotations'], { summary: 'Gate NORTH of harbour is open' })
      const startsMs = Date.parse(String(alert['startsAt']))
      assert.ok(startsMs >= openedMs && startsMs <= Date.now(), String(alert['startsAt']))
      assert.equal(alert['endsAt'], '0001-01-01T00:00:00Z')
    })
    await t.test('the Alertmanager shows it in its API', async () => {
      const alerts = (await (await fetch(`${alertmanager.url}/api/v2/alerts`)).json()) as {
        labels: Json
        status: { state: string }
      }[]
      assert.deepEqual(
        alerts.map(({ labels, status }) => [labels['alertname'], labels['gate'], status.state]),
        [['GateOpen', 'north', 'active']],
      )
      const { activeAlertmanagers } = (await data(hub, '/api/v1/alertmanagers')) as {
        activeAlertmanagers: { url: string }[]
      }
      assert.deepEqual(activeAlertmanagers, [{ url: `${alertmanager.url}/api/v2/alerts` }])
    })
    gatehouse.isOpen = false
    await t.test('resolved', async () => {
      await sameRulesAndAlerts(hub, prometheus, 'none')
      const resolved = await gatehouse.notified('/hub', 'resolved')
      assertSameNotification(resolved.body, (await gatehouse.notified('/alertmanager', 'resolved')).body)
      const [before, after] = [firing.body['alerts'], resolved.body['alerts']] as [[Json], [Json]]
      assert.equal(after[0]['startsAt'], before[0]['startsAt'])
      assert.equal(after[0]['fingerprint'], before[0]['fingerprint'])
      assert.ok(Date.parse(String(after[0]['endsAt'])) > Date.parse(String(after[0]['startsAt'])))
      await noAlerts(alertmanager)
    })
    await t.test('the series keep the story', async () => {
      const rows = await samples(hub, 'ALERTS{alertname="GateOpen"}[10m]')
      const timesOf = (state: string): number[] =>
        rows.find(({ metric }) => metric['alertstate'] === state)!.values.map(([seconds]) => Math.round(seconds * 1000))
      const [pending, firing] = [timesOf('pending'), timesOf('firing')]
      // From the first evaluation on that is "for" after the first of all, however many the machine had time for.
      assert.ok(
        pending.every((timeMs) => timeMs - pending[0]! < FOR_MS),
        `pending at ${pending}`,
      )
      assert.ok(
        firing.every((timeMs) => timeMs - pending[0]! >= FOR_MS),
        `pending at ${pending}, firing at ${firing}`,
      )
      assert.deepEqual(await query(hub, 'ALERTS{alertname="GateOpen"}'), [], 'the series ended with the alert')
    })
    await t.test('nobody was told twice', () => {
      const told = gatehouse.received.map(({ path, body }) => `${path} ${body['status']}`).sort()
      assert.deepEqual(told, ['/alertmanager firing', '/alertmanager resolved', '/hub firing', '/hub resolved'])
    })
  })
})

/** Field by field, but for the URL of whoever sends it; times to the millisecond. */
function assertSameNotification(ours: Json, theirs: Json): void {
  const comparable = (body: Json): unknown => ({
    ...body,
    externalURL: typeof body['externalURL'],
    alerts: (body['alerts'] as Json[]).map((alert) => ({
      ...alert,
      startsAt: Date.parse(String(alert['startsAt'])),
      endsAt: Date.parse(String(alert['endsAt'])),
    })),
  })
  assert.deepEqual(comparable(ours), comparable(theirs))
}

async function noAlerts(alertmanager: HttpProgram): Promise<void> {
  await until('the Alertmanager has no active alert', async () => {
    const alerts = (await (await fetch(`${alertmanager.url}/api/v2/alerts?active=true`)).json()) as unknown[]
    return alerts.length === 0
  })
}
