/** One host's collection, once by our one process and once by the programs it replaces: memory and CPU of each. */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { startHaproxy, startMariadb, startMemcached, startUpstream } from '../e2e/exporters-kit.ts'
import { freePort, type Hub, lacks, type Program, sleep, until, type World } from '../e2e/world.ts'
import { bunPath } from '../package/main.ts'
import { peer } from '../peers/peers.ts'
import { cpuSeconds, type Memory, memory } from '../pipeline/usage.ts'
import { type Command, commands, startOurs } from './ours.ts'

export type Footprint = {
  readonly name: string
  /** The median; the agent gives pages of its program back between scrapes, so the most stands beside it. */
  readonly rssMb: number
  readonly rssMbMax: number
  readonly pssMb: number
  /** What no file backs: the rest is the program's own pages, which the kernel may drop and share. */
  readonly anonymousMb: number
  readonly cpuMsPerMinute: number
}

export type FootprintOptions = { readonly warmUpSeconds: number; readonly seconds: number; readonly interval: string }

type Watched = { readonly name: string; readonly pid: number }

const STATSD_PER_SECOND = 100

/** What each side does in the measured minutes, so that nobody compares more than that. */
export const WORK_OF_EACH: readonly string[] = [
  'ours            one process: node, mysql, haproxy, nodejs, memcached and statsd exporter and itself, asked in process;',
  `                ${STATSD_PER_SECOND} StatsD packets a second; each round signed, on disk (fsync) before it is sent, acknowledged by the hub`,
  'ours, same work node, mysql and haproxy exporter and itself: what theirs do',
  'theirs          node, mysqld and haproxy exporter and vmagent, which scrapes them and itself by HTTP and sends remote write;',
  '                no nodejs, memcached and statsd exporter, whose cost would be added; nothing is on disk while the hub answers',
  'not the same    versions and Debian’s default collectors differ a little: node exporter of ours 1.12, theirs 1.11',
]
/** In no step with scrapes every 15 s, nor with what the agent does every 5 s. */
const LOOK_EVERY_S = 1.7

/** Rows, all of the same minutes: the floor, ours compiled, ours on Node, each of the others, and their sum. */
export async function footprint(world: World, options: FootprintOptions): Promise<readonly Footprint[]> {
  const missing = lacks('node-exporter', 'mysqld-exporter', 'haproxy-exporter', 'vmagent')
  if (missing) throw new Error(missing)
  if (bunPath() === null) throw new Error('npm ci brought no Bun for this machine')
  const [mariadb, haproxy, memcached] = await Promise.all([
    startMariadb(world),
    startHaproxy(world),
    startMemcached(world),
  ])
  const cnf = world.file(
    'my.cnf',
    `[client]\nuser=exporter\npassword=secret\nhost=127.0.0.1\nport=${mariadb.address.split(':')[1]}\n`,
  )
  const hub = await world.startHub({ config: 'global: { scrape_interval: 1h }' })
  const sources = { cnf, csvUri: haproxy.csvUri, memcached: memcached.address }
  const floor = await startFloor(world, hub)
  const agents: StartedAgent[] = []
  for (const [name, command] of commands(world))
    for (const work of ['all', 'theirs'] as const)
      agents.push(
        await startAgent(
          world,
          hub,
          { name: work === 'all' ? name : `${name}, same work`, command, work },
          sources,
          options,
        ),
      )
  const theirs = await startTheirs(world, hub, sources, options)
  // All in the same minutes: a machine that others use is another one a minute later.
  const rows = await measured([floor, ...agents, ...theirs], options)
  for (const { name, url } of agents) await complainOfBadTargets(name, url)
  return [...rows, sumOf(rows.slice(-theirs.length))]
}

async function startFloor(world: World, hub: Hub): Promise<Watched> {
  const file = path.join(world.folder, 'floor')
  execFileSync(bunPath()!, ['build', '--compile', path.join(import.meta.dirname, 'floor.ts'), '--outfile', file], {
    stdio: 'pipe',
  })
  const program = world.program({ name: 'floor', file, args: [world.folder, '127.0.0.1', new URL(hub.url).port] })
  program.spawn()
  await until('the floor listens', async () => program.output.includes('port'))
  return { name: 'bare Bun, compiled', pid: program.pid }
}

type Sources = { readonly cnf: string; readonly csvUri: string; readonly memcached: string }

type StartedAgent = Watched & { readonly url: string }

async function startAgent(
  world: World,
  hub: Hub,
  /** `theirs`: only what the packaged upstream exporters do, too. */
  { name, command, work }: { readonly name: string; readonly command: Command; readonly work: 'all' | 'theirs' },
  { cnf, csvUri, memcached }: Sources,
  options: FootprintOptions,
): Promise<StartedAgent> {
  const statsd = await freePort()
  const more = {
    nodejs: {},
    memcached: { 'memcached.address': memcached },
    statsd: { 'statsd.listen-udp': `127.0.0.1:${statsd}`, 'statsd.listen-tcp': '' },
  }
  const exporters = JSON.stringify({
    node: {},
    haproxy: { 'haproxy.scrape-uri': csvUri },
    mysql: { 'config.my-cnf': cnf },
    ...(work === 'all' ? more : {}),
  })
  const { program, agent } = await startOurs(world, name, command, { hub, exporters, scrapeInterval: options.interval })
  if (work === 'all') sendStatsd(world, statsd)
  return { name, pid: program.pid, url: agent.url }
}

async function complainOfBadTargets(name: string, url: string): Promise<void> {
  const answer = await fetch(`${url}/api/v1/targets`)
  const { data } = (await answer.json()) as { data: { activeTargets: { health: string; lastError: string }[] } }
  const bad = data.activeTargets.filter(({ health }) => health !== 'up')
  if (bad.length > 0) console.error(`${name}: ${JSON.stringify(bad)}`)
}

async function startTheirs(
  world: World,
  hub: Hub,
  { cnf, csvUri }: Sources,
  options: FootprintOptions,
): Promise<readonly Watched[]> {
  const node = await startUpstream(world, 'node-exporter', [])
  const mysqld = await startUpstream(world, 'mysqld-exporter', [`--config.my-cnf=${cnf}`])
  const haproxy = await startUpstream(world, 'haproxy-exporter', [`--haproxy.scrape-uri=${csvUri}`])
  const port = await freePort()
  const jobs = [
    ['node', node.url],
    ['mysql', mysqld.url],
    ['haproxy', haproxy.url],
    ['vmagent', `http://127.0.0.1:${port}`],
  ] as const
  const scrape = jobs.map(
    ([job, url]) => `- { job_name: ${job}, static_configs: [{ targets: ['${new URL(url).host}'] }] }`,
  )
  const config = world.file(
    'vmagent.yml',
    `global: { scrape_interval: ${options.interval} }\nscrape_configs:\n${scrape.join('\n')}\n`,
  )
  const found = peer('vmagent')
  if (found.path === null) throw new Error(found.reason)
  const vmagent = world.program({
    name: 'vmagent',
    file: found.path,
    args: [
      `-promscrape.config=${config}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      `-remoteWrite.url=${hub.url}/api/v1/write`,
      `-remoteWrite.tmpDataPath=${world.file('vmagent-data')}`,
    ],
  })
  vmagent.spawn()
  await until('vmagent answers', async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok)
  return [
    { name: 'node exporter', pid: node.pid },
    { name: 'mysqld exporter', pid: mysqld.pid },
    { name: 'haproxy exporter', pid: haproxy.pid },
    { name: 'vmagent', pid: vmagent.pid },
  ]
}

function sumOf(rows: readonly Footprint[]): Footprint {
  const sum = (pick: (row: Footprint) => number): number => rows.reduce((total, row) => total + pick(row), 0)
  return {
    name: 'their sum',
    rssMb: sum((r) => r.rssMb),
    rssMbMax: sum((r) => r.rssMbMax),
    pssMb: sum((r) => r.pssMb),
    anonymousMb: sum((r) => r.anonymousMb),
    cpuMsPerMinute: sum((r) => r.cpuMsPerMinute),
  }
}

/** All at once, over the same window. They go on running. */
async function measured(programs: readonly Watched[], options: FootprintOptions): Promise<readonly Footprint[]> {
  await sleep(options.warmUpSeconds * 1000)
  const before = programs.map(({ pid }) => cpuSeconds(pid))
  const samples = programs.map(() => [] as Memory[])
  const steps = Math.max(1, Math.floor(options.seconds / LOOK_EVERY_S))
  for (let i = 0; i < steps; i++) {
    await sleep((options.seconds * 1000) / steps)
    for (const [k, { pid }] of programs.entries()) samples[k]!.push(memory(pid))
  }
  const after = programs.map(({ pid }) => cpuSeconds(pid))
  const rows = programs.map(({ name }, i) => ({
    name,
    rssMb: median(samples[i]!.map(({ rssBytes }) => rssBytes)) / 1e6,
    rssMbMax: Math.max(...samples[i]!.map(({ rssBytes }) => rssBytes)) / 1e6,
    pssMb: median(samples[i]!.map(({ pssBytes }) => pssBytes)) / 1e6,
    anonymousMb: median(samples[i]!.map(({ anonymousBytes }) => anonymousBytes)) / 1e6,
    cpuMsPerMinute: ((after[i]! - before[i]!) * 60_000) / options.seconds,
  }))
  return rows
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

function sendStatsd(world: World, port: number): void {
  const sender = world.program({
    name: 'sender',
    file: process.execPath,
    args: [
      path.join(import.meta.dirname, 'statsd-sender.ts'),
      '127.0.0.1',
      String(port),
      '1e9',
      String(STATSD_PER_SECOND),
    ],
  })
  sender.spawn()
}
