/** `/federate` of a hub, scraped by a real Prometheus and by a second hub: the same values at the same timestamps. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import {
  freePort,
  type Hub,
  lacks,
  type MatrixRow,
  query,
  type Server,
  samples,
  until,
  type World,
  withWorld,
} from './world.ts'

const SCRAPES_WANTED = 4

/** Values and names that get lost in careless text. */
const page = (scrapes: number): string => `# TYPE tricky_total counter
tricky_total ${scrapes * 3}
# TYPE tricky gauge
tricky{case="sum"} ${0.1 + 0.2}
tricky{case="least"} 5e-324
tricky{case="most"} 1.7976931348623157e+308
tricky{case="integer"} 9007199254740993
tricky{case="nan"} NaN
tricky{case="inf"} +Inf
tricky{case="-inf"} -Inf
tricky{case="-0"} -0
tricky{case="moving"} ${Math.sin(scrapes)}
tricky{case="text",text="a \\"quoted\\" \\\\ line\\nand another – größer"} 1
# TYPE tricky_seconds histogram
tricky_seconds_bucket{le="0.1"} ${scrapes}
tricky_seconds_bucket{le="+Inf"} ${scrapes * 2}
tricky_seconds_sum ${scrapes * 0.7}
tricky_seconds_count ${scrapes * 2}
`

async function serveTrickyPage(world: World): Promise<number> {
  let scrapes = 0
  const server = http.createServer((_, response) => {
    scrapes++
    response.setHeader('content-type', 'text/plain; version=0.0.4').end(page(scrapes))
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  world.onClose(() => void server.close())
  return port
}

const scrapeFederate = (hub: Hub): string => `global: { scrape_interval: 1s }
scrape_configs:
  - job_name: federate
    honor_labels: true
    metrics_path: /federate
    params: { 'match[]': ['{job="tricky"}', '{job="nodejs"}', '{__name__=~"job:.*"}'] }
    static_configs: [{ targets: ['${hub.address}'] }]
`

const keyOf = (labels: Readonly<Record<string, string>>): string => JSON.stringify(Object.entries(labels).sort())

/** Every sample that the reader stored is one of the source's, bit for bit as printed. */
function assertFederated(
  source: readonly MatrixRow[],
  reader: readonly MatrixRow[],
  added: Record<string, string>,
): void {
  const stored = new Map(source.map(({ metric, values }) => [keyOf({ ...added, ...metric }), new Map(values)]))
  for (const { metric, values } of reader) {
    const original = stored.get(keyOf(metric))
    assert.ok(original, `${JSON.stringify(metric)} is none of the source's series`)
    for (const [time, value] of values)
      assert.equal(original.get(time), value, `${JSON.stringify(metric)} at ${time}, of ${[...original.keys()]}`)
  }
}

/**
 * Waits until both have the same series at one instant. A live process bears series (its first major collection) and
 * loses some (a kind of active resource), and the reader hears of it at its next scrape.
 */
async function untilSameSeries(
  hub: Hub,
  reader: Server,
  selector: string,
  added: Record<string, string>,
  explain: () => string,
): Promise<void> {
  let source: string[] = []
  let read: string[] = []
  await until(
    `the same series of ${selector}`,
    async () => {
      const now = Date.now() / 1000
      source = (await query(hub, selector, now)).map(({ metric }) => keyOf({ ...added, ...metric })).sort()
      read = (await query(reader, selector, now)).map(({ metric }) => keyOf(metric)).sort()
      return source.length > 0 && source.join('\n') === read.join('\n')
    },
    { explain: () => `source:\n${source.join('\n')}\nreader:\n${read.join('\n')}\n${explain()}` },
  )
}

async function compareAll(hub: Hub, reader: Server, explain: () => string): Promise<void> {
  await until(
    'some federated scrapes',
    async () => {
      const [row] = await samples(reader, 'tricky_total[5m]')
      return (row?.values.length ?? 0) >= SCRAPES_WANTED
    },
    { explain },
  )
  // A rule's series has neither job nor instance: the reader adds its job, and no instance.
  for (const [selector, added] of [
    ['{job="tricky",__name__=~"tricky.*"}', { site: 'north' }],
    ['{job="nodejs",__name__=~"nodejs.*|process.*"}', { site: 'north' }],
    ['job:tricky:sum', { site: 'north', job: 'federate' }],
  ] as const) {
    await untilSameSeries(hub, reader, selector, added, explain)
    // The reader first: what it has by then, the source has had for longer.
    const now = Math.floor(Date.now() / 1000)
    const read = await samples(reader, `${selector}[5m]`, now)
    assert.ok(read.length > 0, selector)
    assertFederated(await samples(hub, `${selector}[5m]`, now), read, added)
  }
}

test(
  'a Prometheus and a second hub that scrape /federate end with equal values and timestamps',
  {
    skip: lacks('prometheus'),
  },
  () =>
    withWorld(async (world) => {
      const target = await serveTrickyPage(world)
      const hub = await world.startHub({
        config: `global: { scrape_interval: 1s, evaluation_interval: 1s, external_labels: { site: north } }
rule_files: [rules.yml]
scrape_configs:
  - job_name: tricky
    static_configs: [{ targets: ['127.0.0.1:${target}'] }]
`,
        files: {
          'rules.yml':
            'groups: [{ name: all, rules: [{ record: "job:tricky:sum", expr: "sum without (instance, job) (tricky_total)" }] }]',
        },
      })
      await world.startAgent({ hub })
      await until('the source has data', async () => {
        const rows = await query(hub, 'tricky_total or job:tricky:sum or process_cpu_seconds_total')
        return rows.length === 3
      })
      const prometheus = await world.startPrometheus({ config: scrapeFederate(hub) })
      const second = await world.startHub({ config: scrapeFederate(hub) })
      await compareAll(hub, prometheus, () => world.tails())
      await compareAll(hub, second, () => world.tails())
    }),
)

test('/federate refuses what Prometheus refuses, as text', () =>
  withWorld(async (world) => {
    const hub = await world.startHub()
    for (const [params, status, body] of [
      ['match[]=up{', 400, /parse error: unexpected end of input/],
      ['', 200, /^$/],
    ] as const) {
      const response = await fetch(`${hub.url}/federate?${params}`)
      assert.equal(response.status, status, params)
      assert.match(await response.text(), body)
    }
  }))
