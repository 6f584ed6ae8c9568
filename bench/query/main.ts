/**
 * How long does a question take, and how much CPU, beside Prometheus and VictoriaMetrics on the same data?
 *
 *     npm run bench -- query [--hours 24] [--quick] [--json FILE]
 *
 * Real processes get the same samples by remote write (data.ts) and are asked the same 22 questions (queries.ts), one
 * system at a time, by one client and by eight. An answer is timed only once it is right: the hub's must equal
 * Prometheus's to 1e-9; VictoriaMetrics's may differ, as it extrapolates otherwise, and is marked ≠. Its cache of results
 * is off: the others have none. A second hub with one query thread shows what the second thread gains.
 */
import fs from 'node:fs'
import os from 'node:os'
import { parseArgs } from 'node:util'
import { type Answer, difference } from '../differential/compare.ts'
import { until } from '../e2e/client.ts'
import { freePort, World } from '../e2e/world.ts'
import { peer } from '../peers/peers.ts'
import { bodies, INTERVAL_MS } from './data.ts'
import { askOnce, cpuMs, type Effort, type Figures, measure, rssMb, type System, warmUp } from './measure.ts'
import { type BenchQuery, benchQueries } from './queries.ts'

const HELP = `usage: npm run bench -- query [flags]

  --hours N       of data of the hosts (24)
  --seed N        of the data (1)
  --budget MS     at least so long for each question, system and number of clients (500)
  --runs N        at least so many a client (2)
  --quick         2 hours of data, 150 ms a question: to see a change, not to quote
  --only TEXT     questions whose name contains it
  --no-peers      the hubs alone
  --json FILE     write all figures there
`
const CLIENTS = [1, 8] as const
/** After loading, systems write blocks and merge: measuring waits until they are done with that, but not for ever. */
const QUIET_CPU_MS = 60
const QUIET_EVERY_MS = 2000
const SETTLE_MS_MAX = 90_000
const ONE_THREAD = 'hub, 1 thread'
const FIGURES = [
  ['p50', 'p50Ms'],
  ['p95', 'p95Ms'],
  ['CPU', 'cpuMs'],
] as const

type Row = {
  readonly query: string
  readonly clients: number
  readonly isHeavy: boolean
  /** By system. */
  readonly figures: Readonly<Record<string, Figures>>
  /** Systems whose answer is not Prometheus's. */
  readonly different: readonly string[]
}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      hours: { type: 'string', default: '24' },
      seed: { type: 'string', default: '1' },
      budget: { type: 'string', default: '500' },
      runs: { type: 'string', default: '2' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      'no-peers': { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  })
  if (flags.help) return console.log(HELP)
  const hours = flags.quick ? 2 : Number(flags.hours)
  const effort = { minRuns: Number(flags.runs), budgetMs: flags.quick ? 150 : Number(flags.budget) }
  const world = new World()
  try {
    const endMs = Math.floor(Date.now() / 300_000) * 300_000 - 600_000
    const systems = await start(world, !flags['no-peers'])
    await load(systems, { seed: Number(flags.seed), startMs: endMs - hours * 3_600_000, endMs })
    const queries = benchQueries(endMs / 1000, hours).filter(({ name }) => name.includes(flags.only))
    await warmUp(systems, queries)
    const rows: Row[] = []
    for (const query of queries) {
      const different = await check(systems, query)
      for (const clients of CLIENTS) rows.push(await row(systems, query, { clients, different, ...effort }))
      print(rows.slice(-CLIENTS.length), systems)
    }
    summary(rows, systems)
    if (flags.json) fs.writeFileSync(flags.json, `${JSON.stringify({ ...machine(), hours, rows }, null, 2)}\n`)
  } finally {
    await world.close()
  }
}

async function start(world: World, withPeers: boolean): Promise<System[]> {
  const flags = ['--web.enable-remote-write-receiver']
  const hub = await world.startHub({ config: 'global: {}', flags })
  const one = await world.startHub({ config: 'global: {}', flags: [...flags, '--query.threads=1'] })
  const systems: System[] = [
    { name: 'hub', url: hub.url, pid: hub.pid },
    { name: ONE_THREAD, url: one.url, pid: one.pid },
  ]
  if (!withPeers) return systems
  const prometheus = await world.startPrometheus({ config: 'global: {}', flags })
  systems.push({ name: 'Prometheus', url: prometheus.url, pid: prometheus.pid })
  const victoria = peer('victoria-metrics')
  if (victoria.path === null) {
    console.log(`without VictoriaMetrics: ${victoria.reason}`)
    return systems
  }
  const port = await freePort()
  const program = world.program({
    name: 'victoria-metrics',
    file: victoria.path,
    args: [
      `-storageDataPath=${world.file('victoria-metrics')}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      '-search.disableCache',
      '-search.latencyOffset=0s',
    ],
  })
  program.spawn()
  const url = `http://127.0.0.1:${port}`
  await until('VictoriaMetrics is ready', async () => (await fetch(`${url}/health`)).ok, {
    explain: () => program.tail(),
  })
  systems.push({ name: 'VictoriaMetrics', url, pid: program.pid })
  return systems
}

async function load(
  systems: readonly System[],
  { seed, startMs, endMs }: { readonly seed: number; readonly startMs: number; readonly endMs: number },
): Promise<void> {
  const begin = performance.now()
  const headers = {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
    'x-prometheus-remote-write-version': '0.1.0',
  }
  const generator = bodies(seed, startMs, endMs)
  let next = generator.next()
  while (!next.done) {
    const body = next.value as Uint8Array<ArrayBuffer>
    const sent = systems.map(async ({ name, url }) => {
      const response = await fetch(`${url}/api/v1/write`, { method: 'POST', headers, body })
      const text = await response.text()
      if (!response.ok) throw new Error(`${name} refused samples with ${response.status}: ${text}`)
    })
    await Promise.all(sent)
    next = generator.next()
  }
  console.log(
    `${(next.value / 1e6).toFixed(1)} M samples, every ${INTERVAL_MS / 1000} s, loaded in ${((performance.now() - begin) / 1000).toFixed(0)} s`,
  )
  await settled(systems)
  for (const { name, pid } of systems) console.log(`  ${name.padEnd(16)} ${rssMb(pid).toFixed(0)} MB resident`)
}

async function settled(systems: readonly System[]): Promise<void> {
  const begin = performance.now()
  let quiet = 0
  while (quiet < 2 && performance.now() - begin < SETTLE_MS_MAX) {
    const before = systems.map(({ pid }) => cpuMs(pid))
    await new Promise((resolve) => setTimeout(resolve, QUIET_EVERY_MS))
    quiet = systems.every(({ pid }, i) => cpuMs(pid) - before[i]! <= QUIET_CPU_MS) ? quiet + 1 : 0
  }
  console.log(`quiet after ${((performance.now() - begin) / 1000).toFixed(0)} s`)
}

/** Names of the systems that answer otherwise than Prometheus does. @throws when a hub is among them */
async function check(systems: readonly System[], query: BenchQuery): Promise<string[]> {
  const answers = await Promise.all(
    systems.map(async (system) => ({
      httpStatus: 200,
      ...(JSON.parse((await askOnce(system, query)).toString()) as object),
    })),
  )
  const reference = systems.findIndex(({ name }) => name === 'Prometheus')
  const wanted = comparable(answers[Math.max(0, reference)]!)
  const different: string[] = []
  for (const [i, system] of systems.entries()) {
    const found = difference(comparable(answers[i]!), wanted)
    if (found === null) continue
    if (system.name.startsWith('hub')) throw new Error(`${query.name}: ${system.name} is wrong: ${found}`)
    different.push(system.name)
  }
  return different
}

/** In one order, and without what only some servers add. */
function comparable(answer: Answer): Answer {
  const { httpStatus, data, status } = answer as Answer & { status: string }
  const base = { httpStatus, status }
  const key = (item: unknown): string => {
    const metric = (item as { metric?: object } | null)?.metric ?? item
    return typeof metric === 'string' ? metric : JSON.stringify(Object.entries(metric as object).sort())
  }
  const sorted = (items: readonly unknown[]): unknown[] => [...items].sort((a, b) => (key(a) < key(b) ? -1 : 1))
  if (Array.isArray(data)) return { ...base, data: sorted(data) }
  const { resultType, result } = data as { resultType: string; result: readonly unknown[] }
  return { ...base, data: { resultType, result: resultType === 'scalar' ? result : sorted(result) } }
}

async function row(
  systems: readonly System[],
  query: BenchQuery,
  { clients, different, ...effort }: Effort & { readonly clients: number; readonly different: readonly string[] },
): Promise<Row> {
  const figures: Record<string, Figures> = {}
  for (const system of systems) {
    // It only tells what the second thread gains.
    if (system.name === ONE_THREAD && !(query.isHeavy && clients === 1)) continue
    figures[system.name] = await measure(system, query, { clients, ...effort })
  }
  return { query: query.name, clients, isHeavy: query.isHeavy, figures, different }
}

function print(rows: readonly Row[], systems: readonly System[]): void {
  for (const { query, clients, figures, different } of rows) {
    const hub = figures['hub']!
    const cells = systems.flatMap(({ name }) => {
      const its = figures[name]
      if (its === undefined) return []
      const mark = different.includes(name) ? ' ≠' : ''
      const ratio = `hub ${(hub.p50Ms / its.p50Ms).toFixed(2)} ×, CPU ${(hub.cpuMs / its.cpuMs).toFixed(2)} ×`
      const cell = `${name} ${ms(its.p50Ms)} p50, ${ms(its.p95Ms)} p95, ${ms(its.cpuMs)} CPU${mark}`
      return [name === 'hub' ? cell : `${cell} (${ratio})`]
    })
    console.log(`${query.padEnd(26)} ${clients} × | ${cells.join(' | ')}`)
  }
}

const ms = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)

function summary(rows: readonly Row[], systems: readonly System[]): void {
  const names = systems.map(({ name }) => name)
  const told = (what: string, ratios: readonly number[], other: string): void => {
    if (ratios.length === 0) return
    const sorted = [...ratios].sort((a, b) => a - b)
    console.log(
      `  ${what.padEnd(28)} ${geometricMean(ratios).toFixed(3)} of ${other} (${sorted[0]!.toFixed(2)} to ${sorted.at(-1)!.toFixed(2)})`,
    )
  }
  console.log('\nThe hub, geometric means of ratios:')
  for (const other of ['Prometheus', 'VictoriaMetrics'].filter((name) => names.includes(name))) {
    const all: number[] = []
    for (const clients of CLIENTS) {
      const of = rows.filter((each) => each.clients === clients)
      for (const [what, figure] of FIGURES) {
        const ratios = of.map(
          ({ figures }) => Math.max(figures['hub']![figure], 0.01) / Math.max(figures[other]![figure], 0.01),
        )
        told(`${what}, ${clients} client(s)`, ratios, other)
        all.push(...ratios)
      }
    }
    told('all of these', all, other)
  }
  console.log('The second thread, one client, heavy questions:')
  const heavy = rows.filter(({ isHeavy, clients }) => isHeavy && clients === 1)
  for (const { query, figures } of heavy)
    console.log(`  ${query.padEnd(28)} ${(figures[ONE_THREAD]!.p50Ms / figures['hub']!.p50Ms).toFixed(2)} ×`)
}

const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)

function machine(): Record<string, unknown> {
  const [cpu] = os.cpus()
  return { date: new Date().toISOString(), cpu: cpu?.model, cores: os.cpus().length, node: process.version }
}

await main()
