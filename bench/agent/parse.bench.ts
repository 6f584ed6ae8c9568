/**
 * How many samples a second does one core read from a page that it has seen before?
 *
 * Run:      node_modules/.bin/node bench/agent/parse.bench.ts [rounds]
 * Page:     10,140 samples in the shape of a node exporter's (seeded): cpu, disk, network and unit families, HELP and
 *           TYPE lines; between scrapes a third of the values change.
 * Columns:  steady (same series, known), first (a page never seen), churn (one series in a hundred is new),
 *           parser (the event parser, labels not made), as the plain version to compare with.
 * Target:   steady >= 8 M samples/s on one core.
 *
 * AMD EPYC (2 shared cores), Node 26.10: steady 12.0 M samples/s, churn 1% 2.8 M, first 0.3 M, parser 0.9 M;
 * 170 bytes of state per series.
 */
import os from 'node:os'
import { performance } from 'node:perf_hooks'
import { PageReader } from '../../protocol/exposition/mod.ts'
import { EntryKind, ExpositionParser } from '../../protocol/exposition/parser.ts'

const SAMPLES = 10_140
const OPTIONS = { format: 'text', ignoreTimestamps: false, startTimestamps: false, typeAndUnitLabels: false } as const

/** Mulberry32: the same pages on every machine. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const FAMILIES = [
  { name: 'node_cpu_seconds_total', labels: (i: number) => `cpu="${i >> 3}",mode="${MODES[i & 7]}"`, fraction: 2 },
  { name: 'node_disk_read_bytes_total', labels: (i: number) => `device="sd${i}"`, fraction: 0 },
  { name: 'node_network_receive_packets_total', labels: (i: number) => `device="veth${i}"`, fraction: 0 },
  {
    name: 'node_filesystem_avail_bytes',
    labels: (i: number) => `device="/dev/sd${i}",fstype="ext4",mountpoint="/srv/${i}"`,
    fraction: 0,
  },
  {
    name: 'node_systemd_unit_state',
    labels: (i: number) => `name="app-${i >> 2}.service",state="${MODES[i & 3]}",type="simple"`,
    fraction: -1,
  },
  {
    name: 'http_request_duration_seconds_sum',
    labels: (i: number) => `handler="/api/v1/${i}",instance="10.0.0.${i % 250}:9100"`,
    fraction: 9,
  },
]
const MODES = ['idle', 'iowait', 'irq', 'nice', 'softirq', 'steal', 'system', 'user']

type Page = { readonly lines: string[]; readonly values: number[] }

function makePage(): Page {
  const random = seeded(7)
  const lines: string[] = []
  const values: number[] = []
  const perFamily = SAMPLES / 30
  for (let k = 0; k < 30; k++) {
    const { name, labels, fraction } = FAMILIES[k % FAMILIES.length]!
    const family = k < FAMILIES.length ? name : `${name}_${k}`
    for (let i = 0; i < perFamily; i++) {
      lines.push(`${family}{${labels(i)}}`)
      values.push(sampleValue(random(), fraction))
    }
  }
  return { lines, values }
}

function sampleValue(random: number, fraction: number): number {
  if (fraction < 0) return random < 0.75 ? 0 : 1
  const value = random ** 3 * 1e9
  return fraction === 0 ? Math.floor(value) : Number((value / 1000).toFixed(fraction))
}

function render({ lines, values }: Page): Uint8Array {
  let out = ''
  let family = ''
  lines.forEach((line, i) => {
    const name = line.slice(0, line.indexOf('{'))
    if (name !== family) out += `# HELP ${name} What ${name} counts.\n# TYPE ${name} counter\n`
    family = name
    out += `${line} ${values[i]}\n`
  })
  return new TextEncoder().encode(out)
}

/** Scrapes that follow each other: a third of the values move, and `churn` of the series are new each time. */
function makeScrapes(count: number, churn: number): Uint8Array[] {
  const page = makePage()
  const random = seeded(11)
  const pages: Uint8Array[] = []
  for (let s = 0; s < count; s++) {
    for (let i = 0; i < page.lines.length; i++) {
      if (random() < 0.33) page.values[i] = page.values[i]! + Math.floor(random() * 1000)
      if (random() < churn) page.lines[i] = page.lines[i]!.replace('="', `="c${s}x`)
    }
    pages.push(render(page))
  }
  return pages
}

function timed(rounds: number, run: () => number): { readonly median: number; readonly spread: number } {
  const rates: number[] = []
  for (let r = 0; r < rounds; r++) {
    const start = performance.now()
    const samples = run()
    rates.push(samples / (performance.now() - start) / 1000)
  }
  rates.sort((a, b) => a - b)
  const median = rates[rates.length >> 1]!
  return { median, spread: (rates.at(-1)! - rates[0]!) / median }
}

function main(): void {
  const rounds = Number(process.argv[2] ?? 12)
  const pages = makeScrapes(16, 0)
  const churned = makeScrapes(16, 0.01)
  let sink = 0
  const steady = new PageReader()
  for (let warm = 0; warm < 5; warm++) for (const page of pages) steady.read(page, OPTIONS)
  if (steady.count !== SAMPLES || steady.newSeries.length !== 0) throw new Error('the reader does not know its page')
  checkAgainstParser(steady, pages.at(-1)!)

  const rows: [string, () => number][] = [
    [
      'steady',
      () => {
        let samples = 0
        for (let k = 0; k < 4; k++)
          for (const page of pages) {
            steady.read(page, OPTIONS)
            samples += steady.count
            sink += steady.values[7]!
          }
        return samples
      },
    ],
    [
      'churn 1%',
      () => {
        const reader = new PageReader()
        let samples = 0
        for (const page of churned) {
          reader.read(page, OPTIONS)
          reader.compact()
          samples += reader.count
        }
        return samples
      },
    ],
    [
      'first',
      () => {
        const reader = new PageReader()
        reader.read(pages[0]!, OPTIONS)
        return reader.count
      },
    ],
    [
      'parser',
      () => {
        const parser = new ExpositionParser(pages[0]!, { format: 'text' })
        let samples = 0
        for (let kind = parser.next(); kind !== EntryKind.end; kind = parser.next()) {
          if (kind === EntryKind.series) samples++
          sink += parser.value
        }
        return samples
      },
    ],
  ]
  console.log(`${os.cpus()[0]?.model}, Node ${process.version}, page ${pages[0]!.length} bytes, ${SAMPLES} samples`)
  for (const [name, run] of rows) {
    run()
    const { median, spread } = timed(rounds, run)
    console.log(`${name.padEnd(10)} ${median.toFixed(2).padStart(8)} M samples/s  ±${(50 * spread).toFixed(0)}%`)
  }
  console.log(`state ${(steady.sizeBytes / SAMPLES).toFixed(0)} bytes per series (${sink > 0 ? 'ok' : ''})`)
}

function checkAgainstParser(reader: PageReader, page: Uint8Array): void {
  const parser = new ExpositionParser(page, { format: 'text' })
  let i = 0
  for (let kind = parser.next(); kind !== EntryKind.end; kind = parser.next()) {
    if (kind !== EntryKind.series) continue
    if (!Object.is(parser.value, reader.values[i])) throw new Error(`sample ${i}: ${parser.value} ${reader.values[i]}`)
    i++
  }
}

main()
