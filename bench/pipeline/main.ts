/**
 * What does a sample cost from the target to the disk, in CPU, memory, wire and disk, beside Prometheus?
 *
 *     npm run bench -- pipeline [--rounds 3] [--json FILE] [--profile FOLDER]
 *
 * The same simulated fleet (host-model.ts: a seed fixes every page) is scraped by real processes, one system after the
 * other: (a) agent and hub, (b) Prometheus 3.5. Each simulated scrape is 15 s of a host's life, so that a minute at an
 * interval of 1 s stands for a quarter of an hour. Before a figure counts, every family's number of samples and sum of
 * values is asked of the system and compared with what was given out (answers.ts). Measured between two moments after
 * the warm-up:
 *
 *   CPU    user and system time of the process, all threads, over the samples given out meanwhile
 *   RSS    the largest of /proc/PID/smaps_rollup every 2 s, and at the end
 *   wire   bytes of the TCP stream, both ways: agent to bus through a proxy; Prometheus to a remote-write sink, 1.0 and
 *          2.0, in a phase of its own
 *   disk   length of the files below the data directory after SIGTERM over all samples stored since the start: the
 *          write-ahead log and, with Prometheus, the head's chunks. Neither has compacted yet.
 *
 * Without a Prometheus (bench/peers fetches it from Debian sid) ours alone are printed.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { DurationError, parseDuration } from '../../protocol/durations/mod.ts'
import { peer } from '../peers/peers.ts'
import { Fleet } from './fleet-client.ts'
import { runHeliograph } from './heliograph.ts'
import { formatProfiles, readProfiles } from './profile.ts'
import { killPrograms } from './program.ts'
import { runPrometheus, runRemoteWrite } from './prometheus.ts'
import { diskLines, figures, machine, type Round, table, threadLines } from './report.ts'
import type { Schedule } from './window.ts'

const HELP = `usage: npm run bench -- pipeline [flags]

  --targets N         simulated hosts (20)
  --series N          series of each (1000)
  --interval TIME     scrape interval (1s)
  --warmup TIME       before the measurement (15s)
  --duration TIME     of the measurement, for each system and round (60s)
  --rounds N          measurements of each system (1)
  --seed N            of the simulated hosts (1)
  --no-compression    the hosts do not offer gzip
  --no-prometheus     agent and hub alone
  --json FILE         write all figures there
  --profile FOLDER    take CPU profiles of agent and hub, print the busiest functions; the CPU figures then include it
  --keep              leave the folder with configurations, logs and data
`
const WIRE_DURATION_MS = 30_000
const TOP_FUNCTIONS = 25

class UsageError extends Error {}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      targets: { type: 'string', default: '20' },
      series: { type: 'string', default: '1000' },
      interval: { type: 'string', default: '1s' },
      warmup: { type: 'string', default: '15s' },
      duration: { type: 'string', default: '60s' },
      rounds: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      'no-compression': { type: 'boolean', default: false },
      'no-prometheus': { type: 'boolean', default: false },
      json: { type: 'string' },
      profile: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  })
  if (flags.help) {
    console.log(HELP)
    return
  }
  const schedule: Schedule = {
    intervalMs: parseDuration(flags.interval),
    warmupMs: parseDuration(flags.warmup),
    durationMs: parseDuration(flags.duration),
  }
  const rounds = whole('rounds', flags.rounds)
  const options = {
    seed: whole('seed', flags.seed),
    targets: whole('targets', flags.targets),
    series: whole('series', flags.series),
    compress: !flags['no-compression'],
  }
  const prometheus = flags['no-prometheus'] ? { path: null, reason: '--no-prometheus' } : peer('prometheus')
  if (prometheus.path === null) console.log(`Without Prometheus: ${prometheus.reason}`)
  const host = machine(prometheus.path === null ? 'none' : prometheus.version)
  console.log(
    `${options.targets} targets x ${options.series} series every ${flags.interval}, ${flags.duration} after ` +
      `${flags.warmup} of warm-up, ${rounds} round(s), seed ${options.seed}, gzip ${options.compress ? 'on' : 'off'}\n` +
      `${host.date}, ${host.cores} x ${host.cpu}, Linux ${host.kernel}, load ${host.loadAverage.join(' ')}\n` +
      `Heliograph at ${host.commit} on Node ${host.node}; Prometheus ${host.prometheus}\n`,
  )
  const profileFolder = flags.profile === undefined ? null : path.resolve(flags.profile)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heliograph-pipeline-'))
  const removeFolder = (): void => {
    if (!flags.keep) fs.rmSync(folder, { recursive: true, force: true })
  }
  // Ctrl-C unwinds nothing by itself: end here and now, children first. The fleet ends with its parent.
  process.once('exit', () => {
    killPrograms()
    removeFolder()
  })
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }))
    process.once(signal, () => process.exit(code))
  const done: Round[] = []
  try {
    await using fleet = await Fleet.launch(options)
    for (let round = 0; round < rounds; round++) {
      const at = path.join(folder, `round-${round}`)
      fs.mkdirSync(at)
      const ours = () => runHeliograph(fleet, schedule, at, profileFolder)
      const theirs = async () =>
        prometheus.path === null ? null : runPrometheus(prometheus.path, fleet, schedule, path.join(at, 'prometheus'))
      // Alternately first, so that neither always meets the warmer machine.
      if (round % 2 === 0) done.push({ heliograph: await ours(), prometheus: await theirs() })
      else {
        const reference = await theirs()
        done.push({ heliograph: await ours(), prometheus: reference })
      }
    }
    const remoteWrite =
      prometheus.path === null
        ? null
        : await runRemoteWrite(
            prometheus.path,
            fleet,
            { ...schedule, durationMs: Math.min(schedule.durationMs, WIRE_DURATION_MS) },
            path.join(folder, 'remote-write'),
          )
    const rows = figures(done, remoteWrite)
    console.log(`${table(rows)}\n`)
    const last = done.at(-1)!
    console.log(
      `samples in the window ${last.heliograph.window.samples} and ${last.prometheus?.window.samples ?? '-'}, stored ` +
        `${last.heliograph.storedSamples} and ${last.prometheus?.storedSamples ?? '-'}\nseconds of CPU by thread, last round:\n` +
        `${threadLines(last)}\non disk, last round:\n${diskLines(last)}`,
    )
    const complaints = [...last.heliograph.complaints, ...(last.prometheus?.complaints ?? [])]
    if (complaints.length > 0) console.log(`\nWarnings in the logs of the last round:\n  ${complaints.join('\n  ')}`)
    if (flags.json !== undefined) {
      const result = { machine: host, options: { ...options, ...schedule, rounds }, figures: rows, rounds: done }
      fs.writeFileSync(flags.json, `${JSON.stringify({ ...result, remoteWrite }, null, 2)}\n`)
    }
    if (profileFolder !== null)
      for (const name of ['agent', 'hub'])
        console.log(`\n${formatProfiles(name, readProfiles(path.join(profileFolder, name), TOP_FUNCTIONS))}`)
  } finally {
    if (flags.keep) console.log(`Kept: ${folder}`)
    removeFolder()
  }
}

function whole(flag: string, text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text)
  throw new UsageError(`--${flag} wants a whole number from 1 on, got ${JSON.stringify(text)}`)
}

try {
  await main()
} catch (error) {
  const isUsage =
    error instanceof UsageError ||
    error instanceof DurationError ||
    String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS')
  console.error(isUsage ? `${(error as Error).message}\n\n${HELP}` : error)
  process.exitCode = isUsage ? 2 : 1
}
