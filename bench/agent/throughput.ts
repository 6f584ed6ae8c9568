/** How much one core of the agent takes in: lines of a large page, and StatsD packets, beside the peers. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { pageOf } from '../e2e/exporters-kit.ts'
import { freePort, type Program, sleep, until, type World } from '../e2e/world.ts'
import { type PeerName, peer } from '../peers/peers.ts'
import { cpuSeconds } from '../pipeline/usage.ts'
import { type Command, commands, startOurs } from './ours.ts'

export type ScrapeCost = { readonly name: string; readonly linesPerCpuSecond: number; readonly scrapes: number }

const SERIES = 10_000

/** CPU seconds of a whole scraper a page of 10,000 lines, at one a second: fetch, parse, keep on disk. */
export async function scrapeCost(world: World, seconds: number): Promise<readonly ScrapeCost[]> {
  let served = 0
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' })
    response.end(pageText(served++))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const job = `scrape_configs: [{ job_name: big, scrape_interval: 1s, static_configs: [{ targets: ['${target}'] }] }]`
  try {
    const out: ScrapeCost[] = []
    for (const [name, start] of scrapers(world, job)) {
      const program = await start()
      await sleep(8000)
      const [before, first] = [cpuSeconds(program.pid), served]
      await sleep(seconds * 1000)
      const scrapes = served - first
      out.push({ name, scrapes, linesPerCpuSecond: (scrapes * SERIES) / (cpuSeconds(program.pid) - before) })
      await program.stop()
    }
    return out
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

function scrapers(world: World, job: string): readonly (readonly [name: string, start: () => Promise<Program>])[] {
  const global = 'global: { scrape_interval: 1s }'
  const sink = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(204).end())
  })
  world.onClose(() => {
    sink.closeAllConnections()
    sink.close()
  })
  const sinkUrl = async (): Promise<string> => {
    if (!sink.listening) await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(sink.address() as AddressInfo).port}/api/v1/write`
  }
  return [
    ...commands(world).map(
      ([name, command]) =>
        [
          `${name}, into the ring`,
          async () =>
            (await startOurs(world, name, command, { exporters: '{}', scrapeInterval: '1s', config: job })).program,
        ] as const,
    ),
    ['Prometheus, into its database', () => world.startPrometheus({ config: `${global}\n${job}\n` })],
    [
      'vmagent, to a remote write that takes all',
      async () => {
        const port = await freePort()
        const args = [
          `-promscrape.config=${world.file('big.yml', `${global}\n${job}\n`)}`,
          `-httpListenAddr=127.0.0.1:${port}`,
          `-remoteWrite.url=${await sinkUrl()}`,
          `-remoteWrite.tmpDataPath=${world.file('big-data')}`,
        ]
        const program = world.program({ name: 'vmagent-big', file: pathOf('vmagent'), args })
        program.spawn()
        await until('vmagent answers', async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok)
        return program
      },
    ],
  ]
}

/** Five labels each; a third of the values change. */
function pageText(round: number): string {
  const lines = ['# HELP big_metric_total Help.', '# TYPE big_metric_total counter']
  for (let i = 0; i < SERIES; i++)
    lines.push(
      `big_metric_total{handler="/api/v1/path/${i % 50}",method="${i & 1 ? 'GET' : 'POST'}",code="${200 + (i % 4)}",pod="app-${i}",zone="eu-1"} ${i * 31 + (i % 3 === 0 ? round : 0)}`,
    )
  return `${lines.join('\n')}\n`
}

function pathOf(name: PeerName): string {
  const found = peer(name)
  if (found.path === null) throw new Error(found.reason)
  return found.path
}

export type PacketRate = {
  readonly asked: number
  readonly sent: number
  readonly receivedPerSecond: number
  readonly droppedPercent: number
  readonly cpuPercent: number
}

/** Rates that are asked for one after another, each from a second process. */
export async function packetRates(
  world: World,
  [name, command]: readonly [name: string, command: Command],
  rates: readonly number[],
  seconds: number,
): Promise<readonly PacketRate[]> {
  const port = await freePort()
  const exporters = JSON.stringify({ statsd: { 'statsd.listen-udp': `127.0.0.1:${port}`, 'statsd.listen-tcp': '' } })
  const { agent, program } = await startOurs(world, name, command, { exporters, scrapeInterval: '15s' })
  const sender = path.join(import.meta.dirname, 'statsd-sender.ts')
  const counts = async (): Promise<readonly [received: number, dropped: number]> => {
    const page = await pageOf(`${agent.url}/metrics/statsd`)
    return [
      Number(page.get('statsd_exporter_udp_packets_total')),
      Number(page.get('statsd_exporter_udp_packet_drops_total')),
    ]
  }
  const out: PacketRate[] = []
  for (const asked of rates) {
    const [received, dropped] = await counts()
    const cpu = cpuSeconds(program.pid)
    const args = [sender, '127.0.0.1', String(port), String(asked * seconds), String(asked)]
    const { stdout, stderr } = await world.run(process.execPath, args, { timeoutMs: seconds * 10_000 })
    if (stdout === '') throw new Error(stderr)
    const { sent, perSecond } = JSON.parse(stdout) as { sent: number; perSecond: number }
    const now = await until('all is accounted for', async () => {
      const [r, d] = await counts()
      return r - received + d - dropped === sent && ([r, d] as const)
    })
    const share = (now[0] - received) / sent
    out.push({
      asked,
      sent,
      receivedPerSecond: perSecond * share,
      droppedPercent: 100 * (1 - share),
      cpuPercent: (100 * (cpuSeconds(program.pid) - cpu)) / (sent / perSecond),
    })
  }
  await program.stop()
  return out
}
