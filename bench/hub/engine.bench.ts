/**
 * How long does one thread take for `sum by (g)(rate(x[5m]))` and its like over 10,000 series x 240 samples x 240
 * steps? The engine alone, over plain arrays.
 * Run: node_modules/.bin/node bench/hub/engine.bench.ts [repetitions]
 */

import type { QueryResult } from '../../hub/promql/contract.ts'
import { evaluate } from '../../hub/promql/engine/mod.ts'
import { MemoryReader } from '../../hub/promql/engine/testing/memory-reader.ts'
import { ENGINE_OPTIONS } from '../../hub/promql/engine/testing/options.ts'
import { ALL_FEATURES, parseExpr } from '../../hub/promql/parser/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'

const SERIES = 10_000
const GROUPS = 100
const SAMPLES = 240
const STEPS = 240
const INTERVAL_MS = 15_000

const QUERIES = [
  'sum by (g)(rate(x_total[5m]))',
  'sum(x_total)',
  'max by (g)(avg_over_time(x_total[5m]))',
  'topk(5, x_total)',
  'sum by (g)(rate(x_total[5m])) / on (g) count by (g)(x_total)',
  'x_total > 1e9',
] as const

/** Counters with a reset now and then, from a fixed seed. */
function fill(reader: MemoryReader): void {
  let seed = 42
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed / 2 ** 32
  }
  const times = Float64Array.from({ length: SAMPLES }, (_, i) => i * INTERVAL_MS)
  const batch = []
  for (let s = 0; s < SERIES; s++) {
    const values = new Float64Array(SAMPLES)
    let value = random() * 1000
    for (let i = 0; i < SAMPLES; i++) {
      value = random() < 0.002 ? 0 : value + random() * 10
      values[i] = value
    }
    const labels = labelsFrom({ __name__: 'x_total', instance: `i${s}`, g: `g${s % GROUPS}`, job: 'bench' })
    batch.push({ labels, times, values, kinds: new Uint8Array(SAMPLES), histograms: null, startTimes: null })
  }
  reader.append(batch)
}

function seriesOf(result: QueryResult): number {
  return result.type === 'matrix' ? result.series.length : 0
}

function main(repetitions: number): void {
  const reader = new MemoryReader()
  fill(reader)
  const range = { startMs: 0, endMs: (STEPS - 1) * INTERVAL_MS, stepMs: INTERVAL_MS, instant: false }
  for (const text of QUERIES) {
    const expr = parseExpr(text, ALL_FEATURES)
    const times: number[] = []
    let series = 0
    for (let i = 0; i < repetitions; i++) {
      const begin = performance.now()
      series = seriesOf(evaluate({ expr, text, range, options: ENGINE_OPTIONS, reader }))
      times.push(performance.now() - begin)
    }
    times.sort((a, b) => a - b)
    const shown = [times[times.length >> 1]!, times[0]!, times[times.length - 1]!].map((ms) => ms.toFixed(0))
    console.log(`${text}: ${series} series, median ${shown[0]} ms (${shown[1]} to ${shown[2]})`)
  }
}

main(Number(process.argv[2] ?? 7))
