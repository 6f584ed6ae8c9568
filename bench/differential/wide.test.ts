/**
 * As prometheus.test.ts, over native histograms, quoted names and info metrics too: what wide-grammar.ts makes of them, and
 * the stats of each step.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { lacks, type Server, World } from '../e2e/world.ts'
import { createRandom } from '../pipeline/seeded-random.ts'
import { compareAll, type Question, report } from './compare-servers.ts'
import { dataset, END_MS, SAMPLES, START_MS, STEP_MS, write, writeRequests } from './dataset.ts'
import { histogramDataset, histogramRequests } from './histogram-dataset.ts'
import { wideQuery } from './wide-grammar.ts'

const SEED = Number(process.env['HELIO_SEED'] ?? 20261)
const GENERATED = process.env['HELIO_LONG'] === '1' ? 20_000 : 1500
const FLAGS = [
  '--web.enable-remote-write-receiver',
  '--enable-feature=promql-experimental-functions,native-histograms,promql-per-step-stats',
  '--storage.tsdb.retention.time=100y',
  '--storage.tsdb.min-block-duration=100y',
]

const skip = lacks('prometheus')
const world = new World()
let hub: Server
let prometheus: Server

before(async () => {
  if (skip !== false) return
  ;[hub, prometheus] = await Promise.all([
    world.startHub({ flags: FLAGS, config: 'global: {}' }),
    world.startPrometheus({ flags: FLAGS, config: 'global: {}' }),
  ])
  const bodies = [...writeRequests(dataset(SEED)), ...histogramRequests(histogramDataset(SEED))]
  await Promise.all([write(hub.url, bodies), write(prometheus.url, bodies)])
})
after(() => world.close())

const seconds = (ms: number): string => String(ms / 1000)

test(`${GENERATED} queries of histograms and odd names are answered as Prometheus answers them`, {
  skip,
}, async (t) => {
  const random = createRandom(SEED)
  const questions = Array.from({ length: GENERATED }, (): Question => {
    const query = wideQuery(random, 1 + random.below(4))
    const at = START_MS + random.below(SAMPLES * STEP_MS)
    if (random.next() < 0.6) return { path: '/api/v1/query', params: { query, time: seconds(at) } }
    const end = Math.max(at, Math.min(END_MS + 600_000, at + random.below(3_600_000)))
    const step = [15, 30, 60, 7.5, 300][random.below(5)]!
    return { path: '/api/v1/query_range', params: { query, start: seconds(at), end: seconds(end), step: String(step) } }
  })
  const tally = await compareAll({ hub, prometheus }, questions, SEED)
  report(t, tally)
  assert.ok(tally.empty < tally.asked / 2, 'most questions have an answer')
})

const COUNTED = [
  ...['up', 'sum(up)', 'up[5m]', 'sum(up)[10m:1m]', 'up @ start()', 'up offset 5m', '1', 'time()', 'absent(up)'],
  ...['rate(http_requests_total{code="200"}[5m])', 'sum(up) / count(up)', 'sum_over_time(up[5m] @ start())'],
  ...['rate(up[5m]) / rate(up[5m])', 'predict_linear(memory_bytes[5m] @ start(), 60)', 'sum(up @ end() + 1)'],
  ...['max_over_time(sum(up)[10m:1m])', 'max_over_time(max_over_time(up[5m:1m])[5m:1m])', 'timestamp(up)'],
  ...['max_over_time(rate(http_requests_total[2m])[5m:1m] offset 2m)', 'nh_seconds', 'rate(nh_seconds[5m])'],
  ...['topk(2, queue_length)', 'count_values("x", up)', 'label_replace(up, "a", "b", "job", "c")', 'nh_mixed'],
] as const

type Samples = Record<'totalQueryableSamples' | 'totalQueryableSamplesPerStep', unknown>

for (const query of COUNTED)
  test(`the samples of each step of ${query} are counted as Prometheus counts them`, { skip }, async () => {
    const samplesOf = async (server: Server, path: string, times: Record<string, string>): Promise<unknown> => {
      const form = new URLSearchParams({ query, stats: 'all', ...times })
      const response = await fetch(`${server.url}/api/v1/${path}`, { method: 'POST', body: form })
      const { data } = (await response.json()) as { data?: { stats: { samples: Samples } } }
      if (data === undefined) return response.status
      const { totalQueryableSamples, totalQueryableSamplesPerStep } = data.stats.samples
      return { totalQueryableSamples, totalQueryableSamplesPerStep }
    }
    const start = seconds(START_MS + 200 * STEP_MS)
    const asked: readonly (readonly [string, Record<string, string>])[] = [
      ['query', { time: start }],
      ['query_range', { start, end: seconds(START_MS + 220 * STEP_MS), step: '50' }],
    ]
    for (const [path, times] of asked)
      assert.deepEqual(await samplesOf(hub, path, times), await samplesOf(prometheus, path, times))
  })
