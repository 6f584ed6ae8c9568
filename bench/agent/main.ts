/**
 * What does one agent with all exporters cost beside the exporters and the forwarder that it replaces?
 *
 * Run:      npm run bench -- agent [footprint] [scrape] [statsd] [--seconds=60] [--warm-up=45]
 * footprint memcached, mariadb, haproxy, a StatsD load of 100 packets a second, the host and itself, scraped every 15 s
 *           and sent to a hub: resident memory (median) and CPU over the window, against node, mysqld and haproxy
 *           exporter (memcached's and statsd's are not in Debian) and vmagent doing the same. The floor is a compiled
 *           Bun with an HTTP server, a connection and a database in a thread.
 * scrape    lines a CPU second of a whole scraper, one page of 10,000 lines a second.
 * statsd    packets a second from a second process, each accounted for.
 *
 * 2 cores shared with seven other programs (load average 10-15), Node 26.10, Bun 1.4.5, node exporter 1.11, mysqld
 * exporter 0.19, haproxy exporter 0.15, vmagent 1.145, Prometheus 3.5; 30 s after 20 s:
 *   resident MB      floor 49.8, one file 118, on Node 167; theirs 22 + 20.5 + 16 + 26 = 85: 1.39 × (floor 0.59 ×)
 *   without files    floor 10.6, one file 56, on Node 94; theirs 29: 1.95 ×
 *   CPU ms a minute  one file 1,260, with the work of theirs alone 540; theirs 260: 4.9 ×, 2.1 ×
 *   lines a CPU s    one file 345,000, on Node 800,000; Prometheus 741,000, vmagent 455,000
 *   packets a s      one file 100,000 (none dropped) to 200,000; on Node 285,000, where the sender is at its end
 */
import { parseArgs } from 'node:util'
import { withWorld } from '../e2e/world.ts'
import { footprint } from './footprint.ts'
import { commands } from './ours.ts'
import { packetRates, scrapeCost } from './throughput.ts'

const RATES = [50_000, 100_000, 200_000, 400_000]
const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, 'warm-up': { type: 'string', default: '45' } },
})
const seconds = Number(values.seconds)
const parts = positionals.length > 0 ? positionals : ['statsd', 'scrape', 'footprint']
for (const part of parts) {
  if (part === 'footprint') await withWorld(showFootprint)
  else if (part === 'scrape') await withWorld(showScrape)
  else if (part === 'statsd') await withWorld(showStatsd)
  else throw new Error(`No part "${part}"; there are footprint, scrape and statsd`)
}

async function showFootprint(world: Parameters<Parameters<typeof withWorld>[0]>[0]): Promise<void> {
  const rows = await footprint(world, { warmUpSeconds: Number(values['warm-up']), seconds, interval: '15s' })
  const theirs = rows.find(({ name }) => name === 'their sum')!
  const cells = (texts: readonly string[]): string =>
    texts.map((text, i) => (i === 0 ? text.padEnd(28) : text.padStart(11))).join('')
  console.log(`\n${cells(['footprint', 'RSS MB', 'PSS MB', 'anon. MB', 'CPU ms/min', 'RSS ×', 'anon. ×', 'CPU ×'])}`)
  for (const { name, rssMb, pssMb, anonymousMb, cpuMsPerMinute } of rows)
    console.log(
      cells([
        name,
        ...[rssMb, pssMb, anonymousMb].map((mb) => mb.toFixed(1)),
        cpuMsPerMinute.toFixed(0),
        ...[rssMb / theirs.rssMb, anonymousMb / theirs.anonymousMb, cpuMsPerMinute / theirs.cpuMsPerMinute].map(
          (ratio) => ratio.toFixed(2),
        ),
      ]),
    )
}

async function showScrape(world: Parameters<Parameters<typeof withWorld>[0]>[0]): Promise<void> {
  const rows = await scrapeCost(world, Math.min(seconds, 30))
  const prometheus = rows.find(({ name }) => name.startsWith('Prometheus'))!
  console.log(`\n${'scrape'.padEnd(44)}${'lines/CPU s'.padStart(14)}${'×'.padStart(7)}`)
  for (const { name, linesPerCpuSecond } of rows)
    console.log(
      name.padEnd(44) +
        Math.round(linesPerCpuSecond).toLocaleString('en').padStart(14) +
        (linesPerCpuSecond / prometheus.linesPerCpuSecond).toFixed(2).padStart(7),
    )
}

async function showStatsd(world: Parameters<Parameters<typeof withWorld>[0]>[0]): Promise<void> {
  console.log(
    `\n${'statsd'.padEnd(18)}${'asked/s'.padStart(10)}${'taken/s'.padStart(10)}${'dropped %'.padStart(11)}${'CPU %'.padStart(8)}`,
  )
  for (const way of commands(world))
    for (const { asked, receivedPerSecond, droppedPercent, cpuPercent } of await packetRates(world, way, RATES, 5))
      console.log(
        way[0].padEnd(18) +
          asked.toLocaleString('en').padStart(10) +
          Math.round(receivedPerSecond).toLocaleString('en').padStart(10) +
          droppedPercent.toFixed(2).padStart(11) +
          cpuPercent.toFixed(0).padStart(8),
      )
}
