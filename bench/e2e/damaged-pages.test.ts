/** Pages with a small harm, scraped by a hub and by Prometheus: the same series, or the same error. Seeded. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { damage, randomOf, WORDS } from './node/damage.ts'
import { api, lacks, until, type VectorRow, withWorld } from './world.ts'

const CASES = Number(process.env['HELIO_CASES'] ?? 200)
const SEED = Number(process.env['HELIO_SEED'] ?? 1)

const TEXT = 'text/plain; version=0.0.4'
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0'
const PAGES: readonly (readonly [type: string, text: string])[] = [
  [TEXT, '# HELP g One.\n# TYPE g gauge\ng 1\ng{x="é",y="a\\"b"} NaN\ng{x="2"} 1e+21 1000\n'],
  [TEXT, '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf",} 2\nh_sum 3\nh_count 2\n'],
  [TEXT, '# A remark.\nu_total{a="1",b="2"} -3.5\n#TYPE c counter\nc { a = "1" , } 7\n\nc{} 8\n'],
  [TEXT, '# TYPE "q.r" gauge\n{"q.r",a="b"} +Inf\n{ "s.t" , "l.m"="1" } 0x1F\n\tt \t 2'],
  [
    OPENMETRICS,
    '# TYPE a counter\n# HELP a One\\n.\na_total{x="1"} 1.5 1 # {id="7"} 0.5 1\na_created{x="1"} 1\n# EOF\n',
  ],
  [
    OPENMETRICS,
    '# TYPE h_seconds histogram\n# UNIT h_seconds seconds\nh_seconds_bucket{le="1.0"} 1 # {} 0.5\nh_seconds_bucket{le="+Inf"} 2\nh_seconds_count 2\nh_seconds_sum 3\n# EOF\n',
  ],
  [
    OPENMETRICS,
    '# TYPE i info\ni_info{v="1"} 1\n# TYPE s stateset\ns{s="a"} 1\n# TYPE "q.r" gauge\n{"q.r",a="b"} -Inf\n# EOF',
  ],
]
const words = [
  ...WORDS,
  '"',
  '\\',
  '{',
  '}',
  'NaN',
  '+Inf',
  'inf',
  '1_0',
  '_',
  '# TYPE h',
  'histogram',
  '\r',
  '\\x',
  'é',
  '\0',
]

/** Prometheus 3.5 takes a bare name without a value for the metric's; newer ones refuse it in these words. */
const NEWER = /^expected equal, got "[,}]/

type Server = Parameters<typeof api>[0]

test(`${CASES} damaged pages become what they become at Prometheus (seed ${SEED})`, { skip: lacks('prometheus') }, () =>
  withWorld(async (world) => {
    const random = randomOf(SEED)
    const cases = Array.from({ length: CASES }, () => {
      const [type, text] = PAGES[random(PAGES.length)]!
      return { type, text: damage(text, random, words) }
    })
    const server = createServer((request, response) => {
      const { type, text } = cases[Number(request.url!.slice(1))]!
      response.setHeader('content-type', type)
      response.end(text)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    world.onClose(() => {
      server.closeAllConnections()
      server.close()
    })
    const targets = [`127.0.0.1:${(server.address() as AddressInfo).port}`]
    const groups = cases.map((_, i) => ({ targets, labels: { __metrics_path__: `/${i}`, page: String(i) } }))
    const job = { job_name: 'a', honor_timestamps: false, static_configs: groups }
    const config = `global: { scrape_interval: 8s, scrape_timeout: 8s }\nscrape_configs:\n- ${JSON.stringify(job)}\n`
    const [hub, prometheus] = await Promise.all([world.startHub({ config }), world.startPrometheus({ config })])
    for (const each of [hub, prometheus])
      await until('every page has been scraped', async () => {
        const answer = await api(each, '/api/v1/query', { query: 'count(scrape_samples_scraped)' })
        return Number((answer.data as { result: VectorRow[] }).result[0]?.value[1]) === CASES
      })
    const [ours, theirs] = [await pages(hub), await pages(prometheus)]
    const wrong = cases.flatMap(({ text }, i) => {
      const [own, real] = [ours.get(String(i)), theirs.get(String(i))]
      return NEWER.test(own?.[0] ?? '') || JSON.stringify(own) === JSON.stringify(real) ? [] : [{ text, own, real }]
    })
    assert.deepEqual(wrong, [])
  }),
)

/** By page: its error, and its series with their values. */
async function pages(server: Server): Promise<Map<string, string[]>> {
  const out = new Map<string, string[]>()
  const add = (page: string, line: string): void => void out.set(page, [...(out.get(page) ?? []), line])
  const targets = await api(server, '/api/v1/targets', { state: 'active' })
  const { activeTargets } = targets.data as {
    activeTargets: { labels: Record<string, string>; lastError: string }[]
  }
  for (const { labels, lastError } of activeTargets) add(labels['page']!, lastError)
  const query = '{page!="",__name__!~"scrape_duration_seconds|scrape_series_added"}'
  const { data } = await api(server, '/api/v1/query', { query })
  const rows = (data as { result: VectorRow[] }).result.map(({ metric, value }) => {
    const { instance: _, job: __, ...labels } = metric
    return [labels['page']!, `${JSON.stringify(Object.entries(labels).sort())} ${value[1]}`] as const
  })
  for (const [page, line] of rows.sort(([, a], [, b]) => (a < b ? -1 : 1))) add(page, line)
  return out
}
