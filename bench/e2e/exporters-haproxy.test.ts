/** The haproxy exporter in a real agent, on a real HAProxy, beside the newest packaged haproxy_exporter. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  comparePages,
  type Difference,
  exporterPage,
  HAPROXY,
  type Page,
  pageOf,
  startHaproxy,
  startUpstream,
} from './exporters-kit.ts'
import { lacks, lacksCommand, queryValue, until, untilHolds, withWorld } from './world.ts'

const skip = lacksCommand(HAPROXY) || lacks('haproxy-exporter')

/** The statistics page counts its own readings. */
const MOVING = /frontend="stats"|haproxy_exporter_scrapes_total|process_/
const KNOWN: readonly Difference[] = []

const FLAGS: readonly Readonly<Record<string, string>>[] = [
  {},
  { 'haproxy.server-metric-fields': '4,5,17,18' },
  { 'haproxy.server-metric-fields': '' },
  { 'haproxy.server-exclude-states': 'DOWN,MAINT' },
]

test(
  'over HTTP and over the administration socket: what the real haproxy exporter tells',
  { skip, timeout: 300_000 },
  () =>
    withWorld(async (world) => {
      const haproxy = await startHaproxy(world)
      for (let i = 0; i < 20; i++) await fetch(`http://127.0.0.1:${haproxy.trafficPort}/`)
      await until('a server is down', async () =>
        /^app,dead,.*,DOWN,/m.test(await (await fetch(haproxy.csvUri)).text()),
      )
      const variants = FLAGS.flatMap((flags) =>
        [haproxy.csvUri, `unix:${haproxy.socket}`].map((uri) => ({ 'haproxy.scrape-uri': uri, ...flags })),
      )
      const targets = variants.map((flags, i) => ({ ...flags, instance: `v${i}` }))
      const agent = await world.startAgent({
        exporters: JSON.stringify({ haproxy: { targets } }),
        scrapeInterval: '1h',
      })
      const page = async (variant: number): Promise<Page> =>
        onlyInstance(await exporterPage(agent, 'haproxy'), `v${variant}`)
      for (const [i, flags] of variants.entries()) {
        const words = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)
        const upstream = await startUpstream(world, 'haproxy-exporter', words)
        // Checks go on: a gauge may be otherwise for a moment, as it was neither before nor after.
        const { compared } = await untilHolds(`variant ${i}`, async () => {
          const [ours, theirs, bracket] = [await page(i), await pageOf(`${upstream.url}/metrics`), await page(i)]
          return comparePages(ours, theirs, { known: KNOWN, moving: MOVING, bracket })
        })
        assert.ok(compared > 100, `${compared} lines compared`)
        await upstream.stop()
      }
    }),
)

/** The page as it would be if there were this target alone. */
function onlyInstance(page: Page, instance: string): Page {
  const label = `instance="${instance}"`
  const out = new Map<string, string>()
  const families = new Set<string>()
  for (const [line, value] of page) {
    if (line.startsWith('#') || !line.includes(label)) continue
    families.add(line.replace(/\{.*/, ''))
    out.set(line.replace(`,${label}`, '').replace(`${label},`, '').replace(`{${label}}`, ''), value)
  }
  for (const [line, value] of page) if (line.startsWith('#') && families.has(line.split(' ')[2]!)) out.set(line, value)
  return out
}

test('both its names and the native ones arrive at a hub', { skip, timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const haproxy = await startHaproxy(world)
    const hub = await world.startHub({})
    const exporters = JSON.stringify({
      haproxy: {
        targets: [
          { target: haproxy.csvUri, instance: 'http' },
          { target: `unix:${haproxy.socket}`, instance: 'unix' },
        ],
      },
    })
    const config = `scrape_configs: [{ job_name: native, static_configs: [{ targets: ['127.0.0.1:${haproxy.nativePort}'] }] }]`
    await world.startAgent({ hub, exporters, config })
    for (const query of [
      'haproxy_up{job="haproxy",instance="http"}',
      'haproxy_up{job="haproxy",instance="unix"}',
      'haproxy_server_up{job="haproxy",instance="unix",server="alive"}',
      'up{job="native"}',
      'haproxy_server_status{job="native",server="alive",state="UP"}',
      'clamp_max(haproxy_process_nbthread{job="native"}, 1)',
    ])
      await until(query, async () => (await queryValue(hub, query)) === 1)
  }),
)
