/**
 * How long does one thread take for queries over native histograms: 6 series x 1,000 samples of 22 buckets, 700 steps,
 * read from a real head, and with the samples at hand?
 * Run: node_modules/.bin/node bench/hub/native-histograms.bench.ts [repetitions]
 */
import { evaluate } from '../../hub/promql/engine/mod.ts'
import { MemoryReader } from '../../hub/promql/engine/testing/memory-reader.ts'
import { ENGINE_OPTIONS } from '../../hub/promql/engine/testing/options.ts'
import { ALL_FEATURES, parseExpr } from '../../hub/promql/parser/mod.ts'
import type { SeriesReader } from '../../hub/tsdb/contract.ts'
import { createHead, openReader } from '../../hub/tsdb/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { CounterResetHint, type Histogram } from '../../protocol/samples/mod.ts'

const SERIES = 6
const SAMPLES = 1000
const STEPS = 700
const INTERVAL_MS = 15_000
const BUCKETS = 22

const QUERIES = [
  'sum(rate(nh[5m]))',
  'sum(rate(nh[2h]))',
  'histogram_quantile(0.9, sum(rate(nh[5m])))',
  'histogram_quantile(0.9, rate(nh[5m]))',
  'rate(nh[5m])',
  'avg(rate(nh[5m]))',
  'sum_over_time(nh[5m])',
  'histogram_count(nh)',
] as const

/** Counters of observations with a restart now and then, and buckets that appear one after another, from a seed. */
function counters(): Histogram[][] {
  let seed = 42
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed / 2 ** 32
  }
  return Array.from({ length: SERIES }, (_, series) => {
    let counts = new Array<number>(BUCKETS).fill(1)
    return Array.from({ length: SAMPLES }, () => {
      if (random() < 0.005) counts = counts.map(() => 0)
      counts = counts.map((count) => count + Math.floor(random() * 10))
      const count = counts.reduce((a, b) => a + b, 0)
      return {
        isFloat: false,
        isStale: false,
        counterResetHint: CounterResetHint.unknown,
        schema: 3,
        zeroThreshold: 2 ** -128,
        zeroCount: 0,
        count,
        sum: count * 1.37,
        positiveSpans: [
          { offset: -4 + (series % 2), length: BUCKETS - 6 },
          { offset: 3, length: 6 },
        ],
        positiveBuckets: counts,
        negativeSpans: [],
        negativeBuckets: [],
        customValues: [],
      }
    })
  })
}

function readers(): { readonly stored: SeriesReader; readonly plain: SeriesReader } {
  const all = counters()
  const head = createHead({ maxBytes: 2 ** 28 })
  const plain = new MemoryReader()
  all.forEach((histograms, i) => {
    const labels = labelsFrom({ __name__: 'nh', instance: `i${i}`, job: 'bench' })
    const ref = head.series(labels)
    for (let t = 0; t < SAMPLES; t++) head.appendHistogram(ref, t * INTERVAL_MS, histograms[t]!, 0)
    const times = Float64Array.from(histograms, (_, t) => t * INTERVAL_MS)
    const kinds = new Uint8Array(SAMPLES).fill(2)
    plain.append([{ labels, times, values: new Float64Array(SAMPLES), kinds, histograms, startTimes: null }])
  })
  head.publish()
  return { stored: openReader(head.share()), plain }
}

function measure(text: string, reader: SeriesReader, repetitions: number): string {
  const expr = parseExpr(text, ALL_FEATURES)
  const range = { startMs: 0, endMs: (STEPS - 1) * INTERVAL_MS, stepMs: INTERVAL_MS, instant: false }
  const times: number[] = []
  for (let i = 0; i < repetitions; i++) {
    const begin = performance.now()
    evaluate({ expr, text, range, options: ENGINE_OPTIONS, reader })
    times.push(performance.now() - begin)
  }
  times.sort((a, b) => a - b)
  const [median, least, most] = [times[times.length >> 1]!, times[0]!, times.at(-1)!].map((ms) => ms.toFixed(1))
  return `median ${median} ms (${least} to ${most})`
}

function main(repetitions: number): void {
  const { stored, plain } = readers()
  for (const text of QUERIES) {
    console.log(`${text}: ${measure(text, stored, repetitions)}, at hand ${measure(text, plain, repetitions)}`)
  }
}

main(Number(process.argv[2] ?? 25))
