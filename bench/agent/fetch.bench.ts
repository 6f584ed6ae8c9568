/**
 * What does a scrape cost the agent's process, from the timer to the columns in the sink: sockets, HTTP, inflation,
 * parsing, and the collector's work on what they leave behind?
 *
 * Run:      node_modules/.bin/node bench/agent/fetch.bench.ts [seconds] [gzip|plain]
 * Targets:  twenty simulated hosts of 1,000 series (bench/pipeline/fleet.ts, a process of its own), scraped every 250 ms.
 * Rows:     gzip as remote targets answer; plain as loopback ones are asked to.
 *
 * Prints user + system CPU of this process over the samples, and what its memory grew to.
 */
import { createEnv } from '../../agent/env/mod.ts'
import { ScrapeManager } from '../../agent/scrape/manager.ts'
import { httpSource, withTargetDefaults } from '../../agent/scrape/target.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { Fleet } from '../pipeline/fleet-client.ts'
import { CountingSink } from './counting-sink.ts'

const TARGETS = 20
const INTERVAL_MS = 250
const WARMUP_MS = 3000

async function measure(compress: boolean, seconds: number): Promise<void> {
  await using fleet = await Fleet.launch({ seed: 1, targets: TARGETS, series: 1000, compress })
  await fleet.start()
  const env = createEnv({ logLevel: 'error', logFormat: 'logfmt' })
  const sink = new CountingSink()
  const manager = new ScrapeManager({ ...env, sink, offsetSeed: 'bench', userAgent: 'bench' })
  const configs = fleet.addresses.map((address) =>
    withTargetDefaults({
      job: 'bench',
      // Written like this it does not look like this host, and gzip is asked for.
      source: httpSource({ address: compress ? address.replace('127.0.0.1', '[::ffff:127.0.0.1]') : address }),
      labels: labelsFrom({ instance: address, job: 'bench' }),
      intervalMs: INTERVAL_MS,
    }),
  )
  await manager.apply(configs)
  await new Promise((resolve) => setTimeout(resolve, WARMUP_MS))
  const before = { cpu: process.cpuUsage(), samples: sink.samples, rss: process.memoryUsage.rss() }
  let rss = 0
  for (let i = 0; i < seconds * 10; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    rss = Math.max(rss, process.memoryUsage.rss())
  }
  const { user, system } = process.cpuUsage(before.cpu)
  const samples = sink.samples - before.samples
  await manager.stop()
  console.log(
    `${compress ? 'gzip ' : 'plain'}  ${((user + system) / samples).toFixed(3)} CPU s per million samples ` +
      `(user ${(user / samples).toFixed(3)}, system ${(system / samples).toFixed(3)}), ${samples} samples, ` +
      `RSS ${(before.rss / 2 ** 20).toFixed(0)} -> ${(rss / 2 ** 20).toFixed(0)} MiB, failures ${manager.counters.failures}`,
  )
}

const seconds = Number(process.argv[2] ?? 8)
if (process.argv[3] !== 'plain') await measure(true, seconds)
if (process.argv[3] !== 'gzip') await measure(false, seconds)
process.exit(0)
