/** Pushed pages with a small harm, before our gateway and the packaged one: both must answer and show the same. Seeded. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startUpstream } from '../exporters-kit.ts'
import { damage, randomOf, WORDS } from '../node/damage.ts'
import { freePort, lacks, withWorld } from '../world.ts'

const CASES = Number(process.env['HELIO_CASES'] ?? 300)
const SEED = Number(process.env['HELIO_SEED'] ?? 1)

const PAGES = [
  '# HELP g One.\n# TYPE g gauge\ng 1\ng{x="é",y="a\\"b"} NaN\ng{x="2"} 1e+21\n',
  '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n',
  '# HELP s A \\\\ b\\nc.\n# TYPE s summary\ns{quantile="0.5",l="1"} 1\ns_sum{l="1"} 3\ns_count{l="1"} 2\n',
  '# A remark.\nu_total{a="1",b="2"} -3.5\n# TYPE c counter\nc{a="1",} 7\n\nc{} 8\n',
  '# TYPE t untyped\nt 0x1p3\n{"t.u",a="1"} 2\n# TYPE "q.r" gauge\n{"q.r"} 3\n',
]
/** Which of the metrics that contradict each other upstream names, and how many, is a matter of chance. */
const shown = ({ status, text, lines }: { status: number; text: string; lines: string[] }): unknown => [
  status,
  text.replace(/(?<=^pushed metrics are invalid or inconsistent with existing metrics: ).*/s, ''),
  lines,
]
/** What upstream shows though no scraper takes it, and a nameless line, which it takes for the family before. */
const MEANT = /^a bucket or quantile is there twice|: invalid metric name\n$/
/** Of what upstream ends without an answer. */
const PANIC = 0
const words = [
  ...WORDS,
  '"',
  '\\',
  '{',
  '}',
  'NaN',
  '+Inf',
  'Inf',
  '1_0',
  '_',
  '# TYPE h',
  'histogram',
  '\r',
  '\\x',
  'é',
]

test(
  `${CASES} damaged pushes are answered as by the real Pushgateway (seed ${SEED})`,
  {
    skip: lacks('pushgateway'),
  },
  () =>
    withWorld(async (world) => {
      const assets = world.file('assets/template.html', 'ready').replace(/\/[^/]*$/, '')
      const flags = ['--web.enable-admin-api', '--persistence.file=', `--web.local-assets=${assets}`]
      const upstream = await startUpstream(world, 'pushgateway', flags)
      const own = await freePort()
      const exporters = JSON.stringify({ push: { listen: `127.0.0.1:${own}`, 'web.enable-admin-api': 'true' } })
      await world.startAgent({ exporters })
      const gateways = [`http://127.0.0.1:${own}`, upstream.url]
      const random = randomOf(SEED)
      const wrong: unknown[] = []
      for (let i = 0; i < CASES; i++) {
        const body = damage(PAGES[random(PAGES.length)]!, random, words)
        const answers = await Promise.all(
          gateways.map(async (url) => {
            const answer = await fetch(`${url}/metrics/job/a`, { method: 'PUT', body }).catch(() => null)
            const text = (await answer?.text()) ?? ''
            const page = await (await fetch(`${url}/metrics`)).text()
            await (await fetch(`${url}/api/v1/admin/wipe`, { method: 'PUT' })).text()
            const lines = page
              .split('\n')
              .filter((line) => !/(?:^| )(?:pushgateway|heliograph|go|process|promhttp|push)_/.test(line))
            return { status: answer?.status ?? PANIC, text, lines: lines.sort() }
          }),
        )
        const [ours, theirs] = answers
        if (MEANT.test(ours!.text) || theirs!.status === PANIC) continue
        try {
          assert.deepEqual(shown(ours!), shown(theirs!))
        } catch {
          wrong.push({ body, ours, theirs })
        }
      }
      assert.deepEqual(wrong, [])
    }),
)
