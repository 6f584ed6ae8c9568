/**
 * What do a million live series weigh, a write cost, a sample take on disk and a kill last, beside the peers?
 *
 *     npm run bench -- storage [--series 1000000] [--steps 8] [--quick] [--only heliograph] [--json FILE]
 *
 * The same remote write 1.0 requests (write-file.ts: made once, a seed fixes every byte) go to Heliograph, Prometheus
 * 3.5 and VictoriaMetrics 1.145, one after the other, each a process of its own with its default settings.
 *
 *   memory   resident size (/proc/PID/smaps_rollup) 10 s after the last sample of all series was acknowledged
 *   ingest   user and system time of the process, all threads, for all steps but the first, over their samples,
 *            with what runs behind until 10 s later; the first step, in which every series is new, is a row of its own
 *   ready    after kill -9: from the new start until a query over one family gives the number and the sum sent;
 *            VictoriaMetrics, which may lose what it acknowledged: until it answers, and what is gone is said
 *   disk     some hosts for some hours in the past, sent, compacted (blocks cut and merged; Prometheus: a snapshot, which
 *            writes its head as a block; VictoriaMetrics: /internal/force_merge): length of all files of samples and
 *            index. Logs that a restart would replay are not counted, for any of them.
 *
 * Each system must answer with the right count and sum before its figures count. Heliograph and Prometheus keep every
 * bit of a value; VictoriaMetrics stores decimal mantissas, which can differ in the last digits.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { formatProfiles, readProfiles } from '../pipeline/profile.ts'
import { killPrograms } from '../pipeline/program.ts'
import { machine } from '../pipeline/report.ts'
import { type LiveSeries, measureDisk, measureLiveSeries } from './phases.ts'
import { type System, type SystemName, systems } from './systems.ts'
import { STEP_MS, type Written, writeRequests } from './write-file.ts'

const HELP = `usage: npm run bench -- storage [flags]

  --series N       live series (1000000)
  --steps N        samples of each (8)
  --hours N        of the disk's samples (6)
  --hosts N        of the disk's samples, of 1,000 series (6)
  --quick          100,000 series, 2 hosts for 2 hours
  --only NAME      one system alone: heliograph, prometheus, victoriametrics
  --phase NAME     live or disk alone
  --seed N         of the simulated hosts (1)
  --json FILE      write all figures there
  --profile FOLDER CPU profiles of the hub, and its busiest functions; the CPU figures then include the profiler
  --keep           leave the folder with requests, logs and data
`
const SERIES_PER_HOST = 1000
const BLOCK_WINDOW_MS = 20 * 3_600_000

type Result = { live?: LiveSeries; diskBytesPerSample?: number }

class UsageError extends Error {}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      series: { type: 'string' },
      steps: { type: 'string', default: '8' },
      hours: { type: 'string' },
      hosts: { type: 'string' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      phase: { type: 'string', default: 'all' },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
      profile: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  })
  if (flags.help) return console.log(HELP)
  const series = whole('series', flags.series ?? (flags.quick ? '100000' : '1000000'))
  const steps = whole('steps', flags.steps)
  const hours = whole('hours', flags.hours ?? (flags.quick ? '2' : '6'))
  const hosts = whole('hosts', flags.hosts ?? (flags.quick ? '2' : '6'))
  const seed = whole('seed', flags.seed)
  if (steps < 2) throw new UsageError('--steps wants at least 2: the first makes the series, the others are measured')
  const profileFolder = flags.profile === undefined ? null : path.resolve(flags.profile)
  const { found, missing } = systems(profileFolder)
  const chosen = found.filter(({ name }) => name.toLowerCase().startsWith(flags.only.toLowerCase()))
  if (chosen.length === 0) throw new UsageError(`--only knows no system ${JSON.stringify(flags.only)}`)
  for (const reason of missing) console.log(`Left out: ${reason}`)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heliograph-storage-'))
  process.once('exit', () => {
    killPrograms()
    if (flags.keep) console.log(`Kept: ${folder}`)
    else fs.rmSync(folder, { recursive: true, force: true })
  })
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }))
    process.once(signal, () => process.exit(code))
  const host = machine(chosen.map(({ name, version }) => `${name} ${version}`).join(', '))
  console.log(
    `${series} series x ${steps} steps; ${hosts} hosts x ${SERIES_PER_HOST} series x ${hours} h; seed ${seed}\n` +
      `${host.date}, ${host.cores} x ${host.cpu}, Linux ${host.kernel}, load ${host.loadAverage.join(' ')}\n` +
      `${host.prometheus}; Heliograph at ${host.commit} on Node ${host.node}\n`,
  )
  const results = new Map<SystemName, Result>(chosen.map(({ name }) => [name, {}]))
  if (flags.phase !== 'disk') {
    const written = writeRequests(`${folder}/live`, {
      hosts: Math.max(1, Math.round(series / SERIES_PER_HOST)),
      seriesPerHost: Math.min(series, SERIES_PER_HOST),
      steps,
      startMs: Date.now() - (steps + 1) * STEP_MS,
      seed,
      containerLife: Number.POSITIVE_INFINITY,
    })
    tell('live series', written)
    for (const system of chosen) {
      const live = await measureLiveSeries(system, at(folder, 'live', system), written)
      results.get(system.name)!.live = live
      console.log(`  ${system.name.padEnd(16)} ${liveLine(live)}`)
      fs.rmSync(at(folder, 'live', system), { recursive: true, force: true })
    }
    fs.rmSync(written.file)
  }
  if (flags.phase !== 'live') {
    const written = writeRequests(`${folder}/disk`, {
      hosts,
      seriesPerHost: SERIES_PER_HOST,
      steps: (hours * 3_600_000) / STEP_MS,
      // Where windows of Heliograph's and of Prometheus's longer blocks begin.
      startMs: Math.floor((Date.now() - 2 * BLOCK_WINDOW_MS) / BLOCK_WINDOW_MS) * BLOCK_WINDOW_MS,
      seed,
      containerLife: 240,
    })
    tell('disk', written)
    for (const system of chosen) {
      const bytes = await measureDisk(system, at(folder, 'disk', system), written)
      results.get(system.name)!.diskBytesPerSample = bytes
      console.log(`  ${system.name.padEnd(16)} ${bytes.toFixed(4)} B/sample`)
    }
  }
  console.log(`\n${table(results)}`)
  if (flags.json !== undefined)
    fs.writeFileSync(
      flags.json,
      `${JSON.stringify({ machine: host, options: { series, steps, hours, hosts, seed }, results: Object.fromEntries(results) }, null, 2)}\n`,
    )
  if (profileFolder !== null) console.log(`\n${formatProfiles('hub', readProfiles(profileFolder, 30))}`)
}

const at = (folder: string, phase: string, { name }: System): string => `${folder}/${phase}-${name.toLowerCase()}`

function tell(what: string, { samples, requests, bodyBytes }: Written): void {
  console.log(
    `${what}: ${samples} samples in ${requests} requests, ${(bodyBytes / samples).toFixed(1)} B/sample as snappy`,
  )
}

function liveLine(live: LiveSeries): string {
  const threads = Object.entries(live.threads)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 5)
    .map(([name, seconds]) => `${name} ${seconds.toFixed(1)}`)
  return (
    `${(live.rssBytes / 2 ** 20).toFixed(0)} MiB (at most ${(live.rssMaxBytes / 2 ** 20).toFixed(0)}), ` +
    `${live.wallSeconds.toFixed(1)} s, ready after ${live.readySeconds.toFixed(2)} s` +
    `${live.lostSamples > 0 ? ` without ${live.lostSamples} of the checked samples` : ''}; CPU by thread: ${threads.join(', ')}`
  )
}

type Row = {
  readonly what: string
  readonly value: (result: Result) => number | undefined
  /** Ours over theirs, or theirs over ours where more is better. */
  readonly wanted: { readonly prometheus: string; readonly victoriaMetrics: string }
}

const ROWS: readonly Row[] = [
  {
    what: 'memory, MiB',
    value: ({ live }) => live && live.rssBytes / 2 ** 20,
    wanted: { prometheus: '<= 0.25', victoriaMetrics: '<= 0.8' },
  },
  {
    what: 'memory at most, MiB',
    value: ({ live }) => live && live.rssMaxBytes / 2 ** 20,
    wanted: { prometheus: '', victoriaMetrics: '' },
  },
  {
    what: 'ingest, CPU s / M samples',
    value: ({ live }) => live && (1e6 * live.steadyCpuSeconds) / live.steadySamples,
    wanted: { prometheus: '<= 0.303', victoriaMetrics: '<= 0.833' },
  },
  {
    what: 'first samples, CPU s / M',
    value: ({ live }) => live && (1e6 * live.createCpuSeconds) / live.createSamples,
    wanted: { prometheus: '', victoriaMetrics: '' },
  },
  {
    what: 'ready after kill -9, s',
    value: ({ live }) => live?.readySeconds,
    wanted: { prometheus: '<= 0.3', victoriaMetrics: '' },
  },
  {
    what: 'disk, B / sample',
    value: ({ diskBytesPerSample }) => diskBytesPerSample,
    wanted: { prometheus: '', victoriaMetrics: '<= 0.8' },
  },
]

/** Ratios are ours over theirs: a third of the CPU a sample is three times the samples a CPU second. */
function table(results: ReadonlyMap<SystemName, Result>): string {
  const of = (name: SystemName, row: Row): number | undefined => {
    const result = results.get(name)
    return result && row.value(result)
  }
  const cells = [
    ['', 'Heliograph', 'Prometheus', 'ratio', 'wanted', 'VictoriaMetrics', 'ratio', 'wanted'],
    ...ROWS.map((row) => {
      const ours = of('Heliograph', row)
      const line = [row.what, shown(ours)]
      for (const [name, wanted] of [
        ['Prometheus', row.wanted.prometheus],
        ['VictoriaMetrics', row.wanted.victoriaMetrics],
      ] as const) {
        const theirs = of(name, row)
        const ratio = ours === undefined || theirs === undefined ? '' : (ours / theirs).toFixed(3)
        line.push(shown(theirs), ratio, wanted)
      }
      return line
    }),
  ]
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)))
  return cells
    .map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n')
}

function shown(value: number | undefined): string {
  return value === undefined ? '-' : value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

function whole(flag: string, text: string): number {
  if (/^[1-9]\d{0,7}$/.test(text)) return Number(text)
  throw new UsageError(`--${flag} wants a whole number from 1 on, got ${JSON.stringify(text)}`)
}

try {
  await main()
} catch (error) {
  const isUsage = error instanceof UsageError || String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS')
  console.error(isUsage ? `${(error as Error).message}\n\n${HELP}` : error)
  process.exitCode = isUsage ? 2 : 1
}
