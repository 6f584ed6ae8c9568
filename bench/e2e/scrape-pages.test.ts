/**
 * The same pages under the same settings, scraped by a hub and by the real Prometheus: what is stored, and what the
 * scrape says of itself. Pages and settings are those of upstream's own tests of scraping, and what they leave out.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { api, lacks, type Server, until, untilHolds, type VectorRow, type World, withWorld } from './world.ts'

type Row = {
  /** Settings of the job, one a line. */
  readonly job?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly type?: string
  /** One page a scrape; the last again and again. */
  readonly pages: readonly (string | Uint8Array)[]
  /**
   * How many series the first scrape added is not compared: a page over its limit is refused before its lines are
   * looked at, and whether a time is too old or too new for the store is not known where lines are read.
   */
  readonly isCountedLate?: boolean
}

const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const limit = (samples: number): string => `sample_limit: ${samples}`
const rules = (...texts: readonly string[]): string =>
  `metric_relabel_configs: [${texts.map((text) => `{${text}}`).join(', ')}]`
const DROP = rules('source_labels: [__name__], regex: d.*, action: drop')
const HISTOGRAM = [
  '# TYPE h histogram',
  'h_bucket{le="0.5"} 1',
  'h_bucket{le="1.0"} 2',
  'h_bucket{le="+Inf"} 3',
  'h_sum 4',
  'h_count 3',
  '',
].join('\n')

const ROWS: Readonly<Record<string, Row>> = {
  'lines again under a limit': { job: limit(2), pages: ['a 1\na 2\na 3\nb 1\n'] },
  'lines again and one too many': { isCountedLate: true, job: limit(2), pages: ['a 1\na 2\nb 1\nc 1\n'] },
  'lines again, dropped': { job: `${limit(2)}\n${DROP}`, pages: ['d 1\nd 2\na 1\na 1\nb 1\n'] },
  'lines again, other times': { isCountedLate: true, job: limit(2), pages: ['a 1 1\na 2 2\na 3 3\n'] },
  'lines again, times ignored': { job: `${limit(2)}\nhonor_timestamps: false`, pages: ['a 1 1\na 2 2\nb 3 3\nb 3\n'] },
  'one series in two spellings': {
    isCountedLate: true,
    job: limit(2),
    pages: ['a{x="1",y="2"} 1\na{y="2",x="1"} 1\nb 1\n'],
  },
  'the limit reached exactly': { job: limit(3), pages: ['a 1\nb 1\nc 1\n'] },
  'the limit passed by what is dropped': { job: `${limit(2)}\n${DROP}`, pages: ['d1 1\nd2 1\na 1\nb 1\n'] },
  'the limit passed after relabelling': { job: `${limit(1)}\n${DROP}`, pages: ['a 1\nb 1\nd 1\nc 1\nd2 1\ne 1\n'] },
  'twins without a limit': { pages: ['a 1\na 1\nb{x="1"} 1\n', 'a 1\na 2\n'] },
  'twins by relabelling': {
    job: rules('regex: k, action: labeldrop'),
    pages: ['y{k="1"} 3\ny{k="2"} 4\nz{k="1"} 1\nz{k="2"} 1\n'],
  },
  'target label collides': { labels: { n: '2' }, pages: ['metric{n="1"} 0\n'] },
  'target label is there already as exported': { labels: { n: '2', exported_n: '2' }, pages: ['metric 0\n'] },
  'target labels collide twice': {
    labels: { foo: '3', exported_foo: '4' },
    pages: ['metric{foo="1", exported_foo="2"} 0\n'],
  },
  'collisions upon collisions': {
    labels: { foo: '0', exported_exported_foo: '1', exported_exported_exported_foo: '2' },
    pages: ['metric{foo="3", exported_foo="4", exported_exported_exported_foo="5"} 0\n'],
  },
  'honoured labels': { job: 'honor_labels: true', labels: { n1: '0' }, pages: ['metric{n1="1", n2="2", job=""} 0\n'] },
  'empty labels': { pages: ['metric{n=""} 0\nother{n="",m="1"} NaN\n'] },
  'too many labels': { job: 'label_limit: 5', pages: ['metric{l1="1", l2="2", l3="3"} 0\n'] },
  'just as many labels': { job: 'label_limit: 5', pages: ['metric{l1="1"} 0\n'] },
  'a name too long': { job: 'label_name_length_limit: 10', pages: ['metric{label_name_too_long="0"} 0\n'] },
  'a value too long': { job: 'label_value_length_limit: 30', pages: [`metric{l1="${'x'.repeat(31)}"} 0\n`] },
  'a metric name too long': { job: 'label_value_length_limit: 30', pages: [`a 1\n${'x'.repeat(31)} 0\n`] },
  'a label twice': { pages: ['m{le="500"} 1\nm{le="600",le="700"} 1\n'] },
  'the name relabelled away': { job: rules('regex: __name__, action: labeldrop'), pages: ['nok 1\n'] },
  'bad UTF-8 in a value': { pages: [latin1('a{l="\xff"} 1\n')] },
  'bad UTF-8 in a comment': { pages: [latin1('# HELP a \xff\na 1\n')] },
  'a name of UTF-8': { pages: ['{"with.dots", "l.x"="1"} 42\n{"wäre"} 1\n'] },
  'a name of UTF-8 where only old ones may be': {
    job: 'metric_name_validation_scheme: legacy\nmetric_name_escaping_scheme: underscores',
    pages: ['a 1\n{"with.dots"} 42\n'],
  },
  'no content type': { type: '', pages: ['a 1\n'] },
  'no content type, with a fallback': {
    job: 'fallback_scrape_protocol: PrometheusText0.0.4',
    type: '',
    pages: ['a 1\n'],
  },
  'an unknown content type': { type: 'text/html', pages: ['a 1\n'] },
  'an unknown content type, with a fallback': {
    job: 'fallback_scrape_protocol: OpenMetricsText1.0.0',
    type: 'application/x',
    pages: ['a 1\n# EOF\n'],
  },
  'an empty page of no type': { type: '', pages: ['a 1\n', ''] },
  'OpenMetrics without its end': { type: OPENMETRICS, pages: ['a 1\n'] },
  'OpenMetrics after its end': { type: OPENMETRICS, pages: ['a 1\n# EOF\nb 1\n'] },
  'OpenMetrics with a time': { type: OPENMETRICS, pages: ['a 1\nb{x="1"} 2\n# EOF'] },
  'a bad line in the middle': { pages: ['a 1\nb{ 2\nc 3\n'] },
  'no newline at the end': { pages: ['a 1\nb 2'] },
  'spaces and tabs': { pages: ['  a\t 1  \n\tb{ x = "1" , } 2\n\n'] },
  'carriage returns': { pages: ['a 1\r\nb 2\r\n'] },
  'numbers of all kinds': {
    pages: ['a 0x1p-2\nb +Inf\nc -inf\nd 1e400\n', 'a 1_0\n', 'a Infinity\n', 'a 0x10\nb 1e-400\nc .5\n'],
  },
  'a time of its own, in the past': { isCountedLate: true, pages: ['a 1 1000\nb 2\n'] },
  'a time far ahead': { isCountedLate: true, pages: [`a 1 ${Date.now() + 3_600_000}\nb 2\n`] },
  'le and quantile shortened': {
    job: rules(
      'source_labels: [le, __name__], regex: "(\\\\d+)\\\\.0+;.*_bucket", target_label: le',
      'source_labels: [quantile], regex: "(\\\\d+)\\\\.0+", target_label: quantile',
    ),
    pages: [`${HISTOGRAM}# TYPE s summary\ns{quantile="1.0"} 1\ns{quantile="0.50"} 1\ns_sum 1\ns_count 2\n`],
  },
  'types and units relabelled in': {
    job: rules('source_labels: [__name__], regex: ".*_total$", replacement: counter, target_label: __type__'),
    pages: ['# TYPE x_total counter\nx_total 1\n'],
  },
  'a histogram made native': { job: 'convert_classic_histograms_to_nhcb: true', pages: [HISTOGRAM] },
  'a histogram made native and kept': {
    job: 'convert_classic_histograms_to_nhcb: true\nalways_scrape_classic_histograms: true',
    pages: [HISTOGRAM],
  },
  'a histogram of OpenMetrics': {
    type: OPENMETRICS,
    pages: [`${HISTOGRAM}# TYPE c counter\nc_total 1 # {id="x"} 0.5\nc_created 1\n# EOF\n`],
  },
  'a body just too large': { job: 'body_size_limit: 8B', pages: ['aaaa 11\n'] },
  'a body just small enough': { job: 'body_size_limit: 9B', pages: ['aaaa 11\n'] },
  'a limit of targets': { job: 'target_limit: 0', pages: ['a 1\n'] },
  'a page that fails later': { pages: ['a 1\nb 1\n', 'a{\n'] },
  'a page that recovers': { pages: ['a{\n', 'a 1\nb 1\n'] },
}
const names = Object.keys(ROWS)

test('what pages become under all settings is what they become at Prometheus', {
  skip: lacks('prometheus'),
}, async (t) => {
  await withWorld(async (world) => {
    const config = await serve(world)
    const [hub, prometheus] = await Promise.all([
      world.startHub({ config }),
      world.startPrometheus({ config, flags: ['--enable-feature=native-histograms'] }),
    ])
    for (const server of [hub, prometheus])
      await until('every page has been scraped', async () => {
        const scraped = await vector(server, 'count_over_time(up{page!=""}[10m]) >= 5')
        return scraped.length === names.length
      })
    for (const [i, name] of names.entries())
      await t.test(name, () =>
        untilHolds(name, async () => assert.deepEqual(await stored(hub, i), await stored(prometheus, i))),
      )
  })
})

/** Series with their values; those of the present scrape, and the sum of what scrapes said of themselves at first. */
async function stored(server: Server, page: number): Promise<string[]> {
  const one = `page="${page}"`
  const now = await vector(server, `{__name__!~"scrape_duration_seconds|scrape_series_added",${one}}`)
  const added = await vector(server, `last_over_time(scrape_series_added{${one}}[10m])`)
  const isCountedLate = ROWS[names[page]!]!.isCountedLate === true
  const first = isCountedLate ? [] : await vector(server, `sum_over_time(scrape_series_added{${one}}[10m])`)
  const past = await vector(server, `last_over_time({__name__=~"[a-d]",${one}}[10m])`)
  return [...now, ...added, ...first, ...past]
    .map(({ metric, value, histogram }) => {
      const { instance: _, ...labels } = metric
      return `${JSON.stringify(Object.entries(labels).sort())} ${JSON.stringify(histogram?.[1] ?? value[1])}`
    })
    .sort()
}

type AnyRow = VectorRow & { readonly histogram?: readonly [number, unknown] }

async function vector(server: Server, query: string): Promise<AnyRow[]> {
  const answer = await api(server, '/api/v1/query', { query })
  assert.equal(answer.status, 'success', `${query}: ${answer.error}`)
  return (answer.data as { result: AnyRow[] }).result
}

/**
 * @returns the configuration of jobs that scrape the pages, all of them within seconds: a page is served once, and one that
 * came too late for a busy scraper would be missing from its row
 */
async function serve(world: World): Promise<string> {
  // Each scraper has its own place in the row of pages.
  const seen = new Map<string, number>()
  const server = createServer((request, response) => {
    const page = Number(request.url!.slice(1))
    const { type = 'text/plain; version=0.0.4', pages } = ROWS[names[page]!]!
    const key = `${page} ${request.headers['user-agent']}`
    const count = seen.get(key) ?? 0
    seen.set(key, count + 1)
    if (type !== '') response.setHeader('content-type', type)
    response.end(pages[Math.min(count, pages.length - 1)])
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  world.onClose(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const jobs = names.map((name, i) => {
    const { job = '', labels = {} } = ROWS[name]!
    const lines = job.split('\n').filter((line) => line !== '')
    return [
      `  - job_name: job${i}`,
      `    metrics_path: /${i}`,
      `    static_configs: [{targets: ['127.0.0.1:${port}'], labels: ${JSON.stringify({ ...labels, page: String(i) })}}]`,
      ...lines.map((line) => `    ${line}`),
    ].join('\n')
  })
  return `global: { scrape_interval: 5s, scrape_timeout: 5s }\nscrape_configs:\n${jobs.join('\n')}\n`
}
