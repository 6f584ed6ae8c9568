/** The push exporter in a real agent: both ports, labels of whoever pushed in a hub, and what outlives a kill. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { comparePages, type Difference, exporterPage, pageOf, startUpstream } from './exporters-kit.ts'
import { freePort, lacks, queryValue, until, withWorld } from './world.ts'

test(
  'what jobs push arrives at a hub under their own job and instance, and outlives the agent',
  { timeout: 300_000 },
  () =>
    withWorld(async (world) => {
      const hub = await world.startHub({})
      const own = await freePort()
      const file = world.file('push.db.dir/keep').replace(/keep$/, 'push.db')
      const exporters = JSON.stringify({
        push: { listen: `127.0.0.1:${own}`, 'persistence.file': file, 'persistence.interval': '100ms' },
      })
      const agent = await world.startAgent({ hub, exporters })
      const gateway = `http://127.0.0.1:${own}`
      const send = async (method: string, url: string, body?: string | Buffer, headers = {}): Promise<number> => {
        const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: body as never }) })
        await answer.text()
        return answer.status
      }
      const backup = '# HELP backup_bytes Size of the last backup.\n# TYPE backup_bytes gauge\nbackup_bytes 42\n'
      assert.equal(await send('POST', `${gateway}/metrics/job/backup/instance/db1`, backup), 200)
      const zipped = gzipSync('# TYPE runs_total counter\nruns_total{step="a"} 3\n')
      assert.equal(
        await send('PUT', `${agent.url}/metrics/job@base64/bmlnaHRseS9qb2I=`, zipped, { 'content-encoding': 'gzip' }),
        200,
      )
      // Labels of the group, with and without an instance: what the agent itself is called is not among them.
      await until(
        'the backup is there',
        async () => (await queryValue(hub, 'backup_bytes{job="backup",instance="db1"}')) === 42,
      )
      await until(
        'the other too',
        async () => (await queryValue(hub, 'runs_total{job="nightly/job",instance="",step="a"}')) === 3,
      )
      assert.equal(await queryValue(hub, 'up{job="push"}'), 1)
      // Inconsistent and unreadable pushes change nothing but the time of the failure.
      const wrong = await fetch(`${gateway}/metrics/job/other`, {
        method: 'POST',
        body: '# TYPE backup_bytes counter\nbackup_bytes 1\n',
      })
      assert.equal(wrong.status, 400)
      assert.match(
        await wrong.text(),
        /^pushed metrics are invalid or inconsistent with existing metrics: collected metric "backup_bytes" .* is not a GAUGE\n$/,
      )
      assert.equal(await send('POST', `${gateway}/metrics/job/other`, 'nonsense\n'), 400)
      assert.equal(await send('POST', `${agent.url}/metrics/job`, 'a 1\n'), 404)
      const page = await pageOf(`${gateway}/metrics`)
      assert.equal(page.get('backup_bytes{instance="db1",job="backup"}'), '42')
      assert.ok(Number(page.get('push_failure_time_seconds{instance="",job="other"}')) > 1e9)
      assert.equal(page.get('# HELP backup_bytes'), 'Size of the last backup.')
      const { data } = (await (await fetch(`${gateway}/api/v1/metrics`)).json()) as {
        data: { labels: { job: string } }[]
      }
      assert.deepEqual(data.map(({ labels }) => labels.job).sort(), ['backup', 'nightly/job', 'other'])
      // A kill: what was written at the interval is there again.
      await until(
        'it is on disk',
        async () => fs.existsSync(file) && fs.readFileSync(file, 'utf8').includes('runs_total'),
      )
      await agent.kill()
      await agent.restart()
      const again = await exporterPage(agent, 'push')
      assert.equal(again.get('runs_total{instance="",job="nightly/job",step="a"}'), '3')
      assert.equal(await send('DELETE', `${gateway}/metrics/job/backup/instance/db1`), 202)
      assert.equal((await exporterPage(agent, 'push')).has('backup_bytes{instance="db1",job="backup"}'), false)
      await until('the series ends', async () => (await queryValue(hub, 'count(backup_bytes) or vector(0)')) === 0)
    }),
)

/** After each of them the pages are the same, and so is every answer. */
const BESIDE: readonly (readonly [method: string, path: string, body?: string])[] = [
  ['POST', '/metrics/job/a', '# HELP g One.\n# TYPE g gauge\ng 1\ng{x="é"} NaN\n'],
  ['POST', '/metrics/job/a/instance/i', '# HELP g One.\n# TYPE g gauge\ng 1e+21\n'],
  ['POST', '/metrics/job/a', '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 3\nh_count 2\n'],
  ['PUT', '/metrics/job/b', '# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 3\ns_count 2\n'],
  ['PUT', '/metrics/job@base64/YS9i/dir@base64/=', 'c_total 1\n'],
  ['POST', '/metrics/job/b', '# TYPE g counter\ng 1\n'],
  ['POST', '/metrics/job/b', 'c 1\nc 2\n'],
  ['POST', '/metrics/job/b', 'h_sum 1\n'],
  ['POST', '/metrics/job/b', 'c 1 1000\n'],
  ['POST', '/metrics/job/c', 'c{__x="1"} 1\n'],
  ['POST', '/metrics/job/b', 'c 1'],
  ['POST', '/metrics/job/b', '\nc x\n'],
  ['POST', '/metrics/job/b', 'c{x="\\q"} 1\n'],
  ['POST', '/metrics/job/b', '# TYPE h histogram\nh_bucket{le="x"} 1\n'],
  ['POST', '/metrics/job/b/x', 'c 1\n'],
  ['POST', '/metrics/job/b/x-y/z', 'c 1\n'],
  ['POST', '/metrics/job@base64/!', 'c 1\n'],
  ['POST', '/metrics/job@base64/=', 'c 1\n'],
  ['PATCH', '/metrics/job/b', ''],
  ['PUT', '/metrics/job/a', ''],
  ['DELETE', '/metrics/job/a/instance/i'],
  ['DELETE', '/metrics/job/none'],
  ['PUT', '/-/quit'],
  ['PUT', '/api/v1/admin/wipe'],
]
/** Which of the metrics that contradict each other upstream names is a matter of chance. */
const CONTRADICTIONS = /is not a|was collected before|collides with|has a label with an invalid name: .*/
const TIMES = /^push_(?:failure_)?time_seconds/
const KNOWN: readonly Difference[] = [{ pattern: /\b(?:pushgateway|heliograph)_/, reason: 'what each says of itself' }]

test('pushes beside the real Pushgateway', { skip: lacks('pushgateway'), timeout: 300_000 }, () =>
  withWorld(async (world) => {
    // Its page at / is a file of the package, which is not installed.
    const assets = world.file('assets/template.html', 'ready').replace(/\/[^/]*$/, '')
    const flags = ['--web.enable-admin-api', '--persistence.file=', `--web.local-assets=${assets}`]
    const upstream = await startUpstream(world, 'pushgateway', flags)
    const own = await freePort()
    const exporters = JSON.stringify({ push: { listen: `127.0.0.1:${own}`, 'web.enable-admin-api': 'true' } })
    await world.startAgent({ exporters })
    for (const [method, path, body] of BESIDE) {
      const [ours, theirs] = await Promise.all(
        [`http://127.0.0.1:${own}`, upstream.url].map(async (url) => {
          const answer = await fetch(`${url}${path}`, { method, ...(body === undefined ? {} : { body }) })
          const text = await answer.text()
          const [kind = text] = CONTRADICTIONS.exec(text) ?? []
          return { answered: [path, answer.status, kind], page: await pageOf(`${url}/metrics`) }
        }),
      )
      assert.deepEqual(ours!.answered, theirs!.answered)
      comparePages(ours!.page, theirs!.page, { known: KNOWN, moving: TIMES })
    }
  }),
)
