/**
 * The protobuf page of a real Prometheus, native histograms included, scraped by a hub and by a second Prometheus: the
 * same series with the same values and the same buckets, with each of the switches that concern histograms.
 *
 * The page is taken once and served to both: at their own moments they would read different figures.
 */
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { api, freePort, lacks, type Server, until, type World, withWorld } from './world.ts'

const PROTOBUF = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'
/** Names of the jobs, and what they switch on. */
const JOBS: Readonly<Record<string, readonly string[]>> = {
  native: [],
  both: ['always_scrape_classic_histograms: true'],
  custom: ['convert_classic_histograms_to_nhcb: true'],
  'custom-and-classic': ['convert_classic_histograms_to_nhcb: true', 'always_scrape_classic_histograms: true'],
  coarse: ['native_histogram_bucket_limit: 3'],
  factor: ['native_histogram_min_bucket_factor: 4'],
  text: ['convert_classic_histograms_to_nhcb: true', 'scrape_protocols: [PrometheusText0.0.4]'],
}

type Row = {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: readonly [number, string]
  readonly histogram?: readonly [number, unknown]
}

async function takePage(source: Server, accept: string): Promise<Buffer> {
  const answer = await fetch(`${source.url}/metrics`, { headers: { accept } })
  assert.match(answer.headers.get('content-type') ?? '', new RegExp(accept.slice(0, 10)))
  return Buffer.from(await answer.arrayBuffer())
}

async function servePages(world: World, pages: { readonly proto: Buffer; readonly text: Buffer }): Promise<number> {
  const server = http.createServer((request, response) => {
    const isProto = String(request.headers.accept).startsWith('application/vnd.google.protobuf')
    response.setHeader('content-type', isProto ? PROTOBUF : 'text/plain; version=0.0.4')
    response.end(isProto ? pages.proto : pages.text)
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  world.onClose(() => void server.close())
  return port
}

/** @param native the key that ours and later Prometheuses have; 3.5 has a flag in its place */
function scrapeConfig(port: number, native: string): string {
  const jobs = Object.entries(JOBS).map(([name, keys]) => {
    const isText = keys.some((key) => key.includes('scrape_protocols'))
    const lines = [
      ...keys,
      ...(isText ? [] : ['scrape_protocols: [PrometheusProto, PrometheusText0.0.4]']),
      ...(native === '' ? [] : [native]),
      `static_configs: [{ targets: ['127.0.0.1:${port}'] }]`,
    ]
    return `  - job_name: ${name}\n${lines.map((line) => `    ${line}\n`).join('')}`
  })
  return `global: { scrape_interval: 1s }\nscrape_configs:\n${jobs.join('')}`
}

async function allOf(server: Server, job: string): Promise<Map<string, unknown>> {
  const { data } = await api(server, '/api/v1/query', { query: `{job="${job}",__name__!~"up|scrape_.*"}` })
  const rows = (data as { result: Row[] }).result
  return new Map(
    rows.map(({ metric, value, histogram }) => [
      JSON.stringify(Object.entries(metric).sort()),
      value === undefined ? histogram![1] : value[1],
    ]),
  )
}

test('histograms of a real Prometheus are what a second Prometheus reads', { skip: lacks('prometheus') }, (t) =>
  withWorld(async (world) => {
    const source = await world.startPrometheus({
      config:
        'global: { scrape_interval: 1s }\nscrape_configs: [{ job_name: a, static_configs: [{ targets: [OWN_ADDRESS] }] }]',
    })
    await until('it has served some requests', async () => {
      for (const path of ['/api/v1/query?query=up', '/api/v1/labels', '/nowhere']) await fetch(source.url + path)
      const text = await (await fetch(`${source.url}/metrics`)).text()
      return /prometheus_target_interval_length_seconds_count\{.*\} [3-9]/.test(text)
    })
    const pages = { proto: await takePage(source, PROTOBUF), text: await takePage(source, 'text/plain;version=0.0.4') }
    const port = await servePages(world, pages)
    const second = await world.startPrometheus({
      config: scrapeConfig(port, ''),
      flags: ['--enable-feature=native-histograms'],
    })
    const hub = await world.startHub({ config: scrapeConfig(port, 'scrape_native_histograms: true') })
    for (const job of Object.keys(JOBS)) {
      const [theirs, ours] = await until(
        `${job} is scraped by both`,
        async () => {
          const both = [await allOf(second, job), await allOf(hub, job)] as const
          return both[0].size > 100 && both[1].size > 100 && both
        },
        { explain: () => world.tails() },
      )
      const histograms = [...theirs.values()].filter((value) => typeof value === 'object').length
      await t.test(`${job}: ${theirs.size} series, ${histograms} of them histograms`, () => {
        assert.ok(histograms > 0, 'the page has histograms')
        assert.deepEqual(new Map([...ours].sort()), new Map([...theirs].sort()))
      })
    }
  }),
)
