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
 * 2026-11-30, 2 cores shared with seven other programs (load average 10-20), Node 26.10, Bun 1.4.5, node exporter 1.11,
 * mysqld exporter 0.19, haproxy exporter 0.15, vmagent 1.145, Prometheus 3.5; 60 s after 45 s:
 *   resident MB      floor 45.2, one file 91.7, with the work of theirs alone 88.7, on Node 116; theirs 23.3 + 20.8 + 18.1
 *                    + 26.3 = 88.6: 1.04 ×, 1.00 × (floor 0.51 ×). Nine minutes later 98 and 93
 *   without files    floor 6.8, one file 43.5, 39.5, on Node 79; theirs 31.6: 1.38 ×, 1.25 ×
 *   CPU ms a minute  one file 240, with the work of theirs alone 150, on Node 570 and 250; theirs 320: 0.75 ×, 0.47 ×
 *                    (As root. An agent without CAP_NET_ADMIN has a short queue of datagrams where net.core.rmem_max is below
 *                    8 MiB, and is woken for each: 600 ms more.)
 *   2026-12-01, the same machine with three other programs, load average 4 to 8, all programs in the same minutes, 120 s after
 *   200 s: median (most) of MB, those without files, ms of CPU a minute
 *                    one file 44.4 (54.5), 40.5, 215: 0.48 ×, 1.14 ×, 0.88 ×
 *                    with the work of theirs alone 39.7 (48.4), 36.1, 150: 0.43 ×, 1.02 ×, 0.61 ×
 *                    floor 46.8, 6.5, 25; on Node 94.0, 90.1, 380; theirs 23.5 + 21.1 + 19.9 + 28.1 = 92.6 (95.5), 35.5, 245
 *   (With datagrams looked for every 400 ms, which lost 2 % of 100,000 a second and was taken back: some 20 ms more, 0.96 ×.)
 *   Side by side with the agent of the day before (five times 60 s after 90 s, load average 17 to 9): 226 of its 269 ms, and
 *   theirs 213, so 1.06 × where it was 1.26 ×; 44.5 MB and its 45.4, theirs 89.7. Again, three times 60 s after 60 s: 229, 1.09 ×.
 *   So the more others use the machine, the more its interpreter costs beside theirs, whose sum lacks two exporters.
 *   With one look for datagrams a second, 90 s after 100 s, load average 8 to 13: one file 45.0 (52.1), 38.8, 247: 0.50 ×,
 *   1.18 ×, 0.97 ×; same work 40.1, 36.3, 180: 0.45 ×, 1.10 ×, 0.71 ×; on Node 88.6, 83.6, 340; theirs 89.9, 33.0, 253. With nothing
 *   else on the machine: 41.8 (51.0), 37.7, 193: 0.46 ×, 1.12 ×, 0.85 ×; same work 39.8, 36.0, 147: 0.44 ×, 1.07 ×, 0.65 ×;
 *   on Node 88.3, 83.8, 313; theirs 90.2, 33.6, 227
 *   Where the 41 MB are, MB: JavaScript's and the allocator's heap 32 to 34, of which the ring's thread has 4; structures
 *                    1.9; stacks, JIT code and the rest 2; of the program 4 between scrapes, and 11 after one: text 7.2,
 *                    bundle 2.4, constants 1.4, libraries 0.4 (before: 29.8, 5.1, 4.7, 4.3)
 *   lines a CPU s    one file 652,000, on Node 448,000; Prometheus 682,000, vmagent 526,000
 *   packets a s      one file and Node 80,000 to 95,000, where the sender was at its end, for 12 to 14 % of a core; none
 *                    dropped; 200,000 a second for 18 % where the sender keeps up
 *
 * What paid, measured beside the agent without it in the same minutes (one file, all exporters; ms of CPU a minute, MB of
 * memory without files / with them). It began at 1,395 ms, 59.5 / 121 MB.
 *   datagrams looked for five times a second, not waited for (net-datagrams.ts); no
 *     v8.getHeapSpaceStatistics() on Bun, which collects garbage for 40 ms (runtime-stats.ts)      -600 ms
 *   compilers wait for ten and fifty times as many calls (engine-settings.ts)                      -220 ms  -12 / -13 MB
 *   bytecode in the file (single-file.ts); CPU lost in the noise                                              -5 / -1 MB
 *   Bun's own kind of worker for the ring (pool.ts), in the bare process                                      -4 / -5 MB
 *   one slot for all collectors: one batch, commit and message (target.ts); the ring's thread       -20 ms    -5 / -5 MB
 *   Bun's look at the heap every 20 s instead of every second (engine-settings.ts), same work      -110 ms    +3 / +4 MB
 *   pages of the program given back after the start (program-pages.ts)                                        0 / -14 MB
 *   the allocator's thread looks for single pages every 10 s (engine-settings.ts)                   -90 ms    +2 / +2 MB
 *   modules imported when needed are files of their own (single-file.ts)                                      -2 / -1 MB
 *   compilers wait for ten times as many calls again (engine-settings.ts)                             0    -3 / -5 MB
 *   pages of the bundle given back after the start (program-pages.ts)                                        0 / -3 MB
 *   no module for its side effects, nor what is not used of MySQL's driver (single-file.ts), no
 *     contexts to ask V8, no native reader of CBOR (rows.ts)                            -1 / -2 MB
 *   numbers of collectors without their text (family-layout.ts)                                     -30 ms
 *   the time zone from its file (time-zone.ts)                                                                -1 / -3 MB
 *   pages of the program one at a time (single-pages.ts)                                                     0 / -31 MB
 *   and given back after each round of scrapes (program-pages.ts), median                          +18 ms     0 / -6 MB
 *   no HTTP/2 for the server (single-file.ts)                                                               -1 / -1 MB
 *   a fifth of those calls again (compiled in the first minutes, not the first hour), one look a second
 *     at the event loop                                                                            -20 ms    0 / -1 MB
 *   datagrams looked for once a second and before each scrape, together with the event loop (net-datagrams.ts,
 *     shared-delay.ts): 12 wake-ups a second before, 6.6 after                                    -50 ms
 *   a line of StatsD ended, hashed and read in one pass (routes.ts): 5 to 10 % of a packet
 * Not measured alone: MySQL's rows without an object a field, one reading of /proc/self for all exporters.
 * Where it is, ms of CPU a minute: the agent and its own page 44, node exporter 44, haproxy 18, mysql 69 (alone; 140 to 153
 * with all three, whose rounds share batch and commit), memcached 9, statsd with its packets 23 to 29 (66 before, of which 35
 * without a packet), nodejs 3 (5 before).
 * What did not: pages of the program left where they are (9,000 faults a minute less: -18 ms, +8 MB, 0.59 ×); --smol, shorter names in the bundle, fewer compiler threads, mimalloc_purge_delay, a smaller forceRAMSize
 * (-1 MB, +100 ms), heapGrowthMaxIncrease 0.5 and 0.2 (-1 and -2 MB, +10 and +40 ms), no concurrent collector; no FTL, no DFG
 * (-1 MB), a small heap for the ring's thread, a smaller largeHeapSize, a look at the heap every 7 s (-1 MB, +20 ms), every
 * 30 s (0) and every 60 s (-15 ms, +4 MB), one thread that marks (0), a collector that is not generational (+120 ms),
 * mimalloc_purge_holes_min_interval of a minute (0). Of
 * 38 MB without files: no JIT -7 MB for 1.5 times the CPU, a mini VM -4 MB for twice the CPU; useUnlinkedCodeBlockJettisoning
 * +60 ms; decommitUnusedMarkedBlockPagesAfterEdenCollections, evacuateAuxiliaryBlocksAfterEveryFullCollection,
 * useSharedModuleFunctionExpressionExecutables, useWarmUpMarkedBlocks=0, useEagerCodeBlockJettisonTiming,
 * codeBlockAgingLeaseMultiplier=1, sizeClassProgression=1.2, minMarkedBlockUtilization=0.5, BUN_IDLE_GC_SECONDS=5: nothing, or
 * worse. The ring on the main thread is 4 / 5 MB less, but its commits held everything else for 28 ms at rest and for 111 ms
 * beside somebody who writes to the same disk.
 */
import { parseArgs } from 'node:util'
import { withWorld } from '../e2e/world.ts'
import { footprint, WORK_OF_EACH } from './footprint.ts'
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
  console.log(
    `\n${cells(['footprint', 'RSS MB', 'at most', 'PSS MB', 'anon. MB', 'CPU ms/min', 'RSS ×', 'anon. ×', 'CPU ×'])}`,
  )
  for (const { name, rssMb, rssMbMax, pssMb, anonymousMb, cpuMsPerMinute } of rows)
    console.log(
      cells([
        name,
        ...[rssMb, rssMbMax, pssMb, anonymousMb].map((mb) => mb.toFixed(1)),
        cpuMsPerMinute.toFixed(0),
        ...[rssMb / theirs.rssMb, anonymousMb / theirs.anonymousMb, cpuMsPerMinute / theirs.cpuMsPerMinute].map(
          (ratio) => ratio.toFixed(2),
        ),
      ]),
    )
  console.log(`\n${WORK_OF_EACH.join('\n')}`)
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
