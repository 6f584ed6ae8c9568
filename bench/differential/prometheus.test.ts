/**
 * The hub and a real Prometheus 3.5 get the same samples by remote write and the same questions: their answers must be
 * equal — values to 1e-9, labels, order, warnings, error types and texts exactly — or explained (explained.ts).
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { lacks, type Server, World } from '../e2e/world.ts'
import { createRandom } from '../pipeline/seeded-random.ts'
import { compareAll, type Question, report } from './compare-servers.ts'
import { CORPUS } from './corpus.ts'
import { dataset, END_MS, SAMPLES, START_MS, STEP_MS, write, writeRequests } from './dataset.ts'
import { randomQuery } from './grammar.ts'

const SEED = Number(process.env['HELIO_SEED'] ?? 20260)
const GENERATED = process.env['HELIO_LONG'] === '1' ? 20_000 : 1500
const FLAGS = [
  '--web.enable-remote-write-receiver',
  '--enable-feature=promql-experimental-functions',
  // The samples are of 2023.
  '--storage.tsdb.retention.time=100y',
  // A head's series come in the order of their making, a block's by their labels: what is asked late would differ by order.
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
  const bodies = [...writeRequests(dataset(SEED))]
  await Promise.all([write(hub.url, bodies), write(prometheus.url, bodies)])
})
after(() => world.close())

const seconds = (ms: number): string => String(ms / 1000)

test('the corpus is answered as Prometheus answers it', { skip }, async (t) => {
  const times = [START_MS + 10_000, START_MS + 200 * STEP_MS, START_MS + 300 * STEP_MS + 7_123, END_MS + 200_000]
  const questions = CORPUS.flatMap((query): Question[] => [
    ...times.map((time) => ({ path: '/api/v1/query', params: { query, time: seconds(time) } })),
    {
      path: '/api/v1/query_range',
      params: { query, start: seconds(START_MS - 60_000), end: seconds(END_MS + 600_000), step: '61' },
    },
    {
      path: '/api/v1/query_range',
      params: { query, start: seconds(START_MS + 3_600_001), end: seconds(START_MS + 4_200_000), step: '15' },
    },
  ])
  report(t, await compareAll({ hub, prometheus }, questions, SEED))
})

test(`${GENERATED} generated queries are answered as Prometheus answers them`, { skip }, async (t) => {
  const random = createRandom(SEED)
  const questions = Array.from({ length: GENERATED }, (): Question => {
    const query = randomQuery(random, 2 + random.below(3))
    const at = START_MS + random.below(SAMPLES * STEP_MS)
    if (random.next() < 0.5) return { path: '/api/v1/query', params: { query, time: seconds(at) } }
    const end = Math.min(END_MS + 600_000, at + random.below(3_600_000))
    const step = [15, 30, 60, 7.5, 300, 0.25][random.below(6)]!
    // Small steps over short ranges: answers of thousands of points prove no more.
    const shortEnd = step < 1 ? Math.min(end, at + 60_000) : end
    return {
      path: '/api/v1/query_range',
      params: { query, start: seconds(at), end: seconds(shortEnd), step: String(step) },
    }
  })
  const tally = await compareAll({ hub, prometheus }, questions, SEED)
  report(t, tally)
  assert.ok(tally.asked >= 1000)
  assert.ok(tally.empty < tally.asked / 2, 'most questions have an answer')
})

const DISCOVERY: readonly Question[] = [
  { path: '/api/v1/labels', params: {} },
  { path: '/api/v1/labels', params: { 'match[]': ['up', '{code="200"}'] } },
  { path: '/api/v1/labels', params: { 'match[]': 'nothing_here' } },
  { path: '/api/v1/labels', params: { limit: '2' } },
  { path: '/api/v1/label/job/values', params: {} },
  { path: '/api/v1/label/kind/values', params: { 'match[]': 'odd{kind=~"n.*"}' } },
  // What a limit leaves is anybody's choice: these are for the warning, and for limits that cut nothing.
  { path: '/api/v1/label/tier/values', params: { limit: '1' } },
  { path: '/api/v1/label/nothing/values', params: {} },
  { path: '/api/v1/series', params: { 'match[]': ['limit_requests', 'build_info'] } },
  { path: '/api/v1/series', params: { 'match[]': 'odd{kind!~"s.*"}' } },
  { path: '/api/v1/series', params: { 'match[]': 'odd{kind!~"s.*"}', limit: '2' } },
  { path: '/api/v1/series', params: {} },
  { path: '/api/v1/series', params: { 'match[]': '{' } },
  { path: '/api/v1/series', params: { 'match[]': '{}' } },
  { path: '/api/v1/series', params: { 'match[]': 'up', start: 'x' } },
  { path: '/api/v1/labels', params: { start: '2', end: '1' } },
  { path: '/api/v1/query', params: { query: 'up', limit: '2', time: seconds(END_MS) } },
  { path: '/api/v1/query', params: { query: 'up', limit: '-2', time: seconds(END_MS) } },
  { path: '/api/v1/query', params: { query: 'up', time: 'never' } },
  { path: '/api/v1/query', params: { query: 'up', time: '2023-11-14T23:13:20.5Z' } },
  { path: '/api/v1/query', params: { query: 'up', timeout: 'x' } },
  { path: '/api/v1/query', params: { query: 'up', time: seconds(END_MS + 900_000), lookback_delta: '20m' } },
  { path: '/api/v1/query', params: { query: 'up', lookback_delta: 'x' } },
  { path: '/api/v1/query_range', params: { query: 'up', start: '1', end: '2' } },
  { path: '/api/v1/query_range', params: { query: 'up', start: '1', end: '2', step: '0' } },
  { path: '/api/v1/query_range', params: { query: 'up', start: '2', end: '1', step: '1' } },
  { path: '/api/v1/query_range', params: { query: 'up', start: '1', end: '20000', step: '1' } },
  { path: '/api/v1/query_range', params: { query: 'up', start: '', end: '20000', step: '1' } },
  { path: '/api/v1/query_range', params: { query: 'up[5m]', start: '1', end: '20', step: '1' } },
  { path: '/api/v1/query_range', params: { query: '"text"', start: '1', end: '20', step: '1' } },
  {
    path: '/api/v1/query_range',
    params: { query: 'up', start: seconds(START_MS), end: seconds(END_MS), step: '1m', limit: '1' },
  },
  { path: '/api/v1/format_query', params: { query: 'sum by(job)(rate(up[5m]))/ignoring(a)group_left(b)foo' } },
  { path: '/api/v1/format_query', params: { query: 'sum(' } },
  { path: '/api/v1/parse_query', params: { query: 'sum(rate(up{job="a"}[5m] offset 1m)) > bool 3' } },
  { path: '/api/v1/query_exemplars', params: { query: 'up', start: '1', end: '2' } },
  { path: '/api/v1/query_exemplars', params: { query: 'up{', start: '1', end: '2' } },
  { path: '/api/v1/query_exemplars', params: { query: 'up', start: '2', end: '1' } },
]

test('discovery, limits and bad parameters are answered as Prometheus answers them', { skip }, async (t) => {
  report(t, await compareAll({ hub, prometheus }, DISCOVERY, SEED))
})
