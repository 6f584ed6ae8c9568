/**
 * What does a whole scrape cost after the bytes have arrived: read, resolve, mark, report, hand over?
 *
 * Run:      node_modules/.bin/node bench/agent/scrape.bench.ts [rounds]
 * Page:     10,000 series of five labels each; all values change each time.
 * Rows:     steady; first (all series new: parsing, relabelling, definitions); churn (1% new, 1% ended).
 *
 * AMD EPYC (2 shared cores), Node 26.10: steady 7.6 M samples/s, first 0.13 M, churn 4.0 M.
 */
import { performance } from 'node:perf_hooks'
import { ScrapeCounters } from '../../agent/scrape/counters.ts'
import { ScrapeRecorder } from '../../agent/scrape/recorder.ts'
import { httpSource, withTargetDefaults } from '../../agent/scrape/target.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { CountingSink } from './counting-sink.ts'

const SERIES = 10_000
const PAGES = 12

function page(round: number, churn: number): Uint8Array {
  const lines: string[] = []
  for (let i = 0; i < SERIES; i++) {
    if (i % 500 === 0) lines.push(`# HELP bench_metric_${i}_total Help.\n# TYPE bench_metric_${i}_total counter`)
    const life = i % 100 < churn ? round : 0
    const labels = `handler="/api/v1/path/${i % 50}",method="${i & 1 ? 'GET' : 'POST'}",code="${200 + (i % 4)}",pod="app-${i}-${life}",zone="eu-1"`
    lines.push(`bench_metric_${i - (i % 500)}_total{${labels}} ${i * 31 + round * 17}`)
  }
  return new TextEncoder().encode(`${lines.join('\n')}\n`)
}

const config = withTargetDefaults({
  job: 'bench',
  source: httpSource({ address: 'h:1' }),
  labels: labelsFrom({ instance: 'h:1', job: 'bench' }),
})

function scrapeAll(recorder: ScrapeRecorder, pages: readonly Uint8Array[]): void {
  pages.forEach((body, i) => {
    const at = 1_700_000_000_000 + 15_000 * i
    const time = { slotMs: at, timestampMs: at, nowMs: at, durationMs: 1 }
    const outcome = recorder.record(time, { body, contentType: 'text/plain' }, null)
    if (outcome.error !== '' || outcome.kept !== SERIES) throw new Error(`scrape ${i}: ${outcome.error}`)
  })
}

function measure(name: string, rounds: number, samplesPerRun: number, prepare: () => () => void): void {
  const rates: number[] = []
  for (let r = 0; r < rounds + 2; r++) {
    const run = prepare()
    const start = performance.now()
    run()
    if (r >= 2) rates.push(samplesPerRun / (performance.now() - start) / 1000)
  }
  rates.sort((a, b) => a - b)
  const median = rates[rates.length >> 1]!
  const spread = (50 * (rates.at(-1)! - rates[0]!)) / median
  console.log(`${name.padEnd(8)} ${median.toFixed(2).padStart(8)} M samples/s  ±${spread.toFixed(0)}%`)
}

function main(): void {
  const rounds = Number(process.argv[2] ?? 8)
  const fresh = (): ScrapeRecorder => new ScrapeRecorder('bench', config, new CountingSink(), new ScrapeCounters())
  const steadyPages = Array.from({ length: PAGES }, (_, i) => page(i, 0))
  const churnPages = Array.from({ length: PAGES }, (_, i) => page(i, 1))
  const steady = fresh()
  for (let i = 0; i < 3; i++) scrapeAll(steady, steadyPages)
  measure('steady', rounds, SERIES * PAGES, () => () => scrapeAll(steady, steadyPages))
  measure('first', rounds, SERIES, () => {
    const recorder = fresh()
    return () => scrapeAll(recorder, steadyPages.slice(0, 1))
  })
  measure('churn', rounds, SERIES * (PAGES - 1), () => {
    const recorder = fresh()
    scrapeAll(recorder, churnPages.slice(0, 1))
    return () => scrapeAll(recorder, churnPages.slice(1))
  })
}

main()
