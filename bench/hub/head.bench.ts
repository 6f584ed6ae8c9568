/**
 * How fast and how small is the head? Appends per second, bytes a sample, bytes a series, select, decoded samples per
 * second, on series shaped as a node exporter's (two in three rarely change).
 *
 * Run: node_modules/.bin/node --expose-gc bench/hub/head.bench.ts [series=200000] [scrapes=120]
 */

import { createHead, createSampleBuffer, openReader } from '../../hub/tsdb/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { nextValues, nodeRandom } from './node-values.ts'

const [seriesCount, scrapes] = [Number(process.argv[2] ?? 200_000), Number(process.argv[3] ?? 120)]
const PER_TARGET = 1000
const targets = seriesCount / PER_TARGET
const random = nodeRandom()
const ALL = { minTime: -Infinity, maxTime: Infinity }

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >>> 1]!
}

function print(what: string, figure: string): void {
  console.log(`${what.padEnd(46)} ${figure}`)
}

globalThis.gc?.()
const rssBefore = process.memoryUsage()
const head = createHead()
let from = 0
let spent = 0
const refs: Uint32Array[] = []
for (let t = 0; t < targets; t++) {
  const instance = `host-${t}.example.org:9100`
  const labels = Array.from({ length: PER_TARGET }, (_, i) =>
    labelsFrom({
      __name__: `node_metric_${i % 250}_total`,
      device: `dev${i >> 8}`,
      mode: `m${i % 7}`,
      cpu: String(i % 40),
      instance,
      job: 'node',
      agent: `A${t}`,
    }),
  )
  from = performance.now()
  refs.push(new Uint32Array(PER_TARGET).map((_, i) => head.series(labels[i]!)))
  spent += performance.now() - from
}
print('new series, 7 labels', `${(seriesCount / spent / 1000).toFixed(2)} M/s`)
const index = head.stats()
print('index, 7 labels', `${(index.usedBytes / seriesCount).toFixed(0)} B/series`)

const values = new Float64Array(PER_TARGET)
const columns = Array.from({ length: scrapes }, (_, s) => {
  nextValues(values, s === 0, random)
  return values.slice()
})
spent = 0
for (let s = 0; s < scrapes; s++) {
  from = performance.now()
  for (let t = 0; t < targets; t++) head.appendColumn(1.7e12 + s * 15_000 + t, refs[t]!, columns[s]!, PER_TARGET)
  head.publish()
  spent += performance.now() - from
}
const total = seriesCount * scrapes
const stats = head.stats()
globalThis.gc?.()
const rss = process.memoryUsage()
print('appendColumn', `${(total / spent / 1000).toFixed(1)} M samples/s`)
print('chunk payload', `${(stats.chunkPayloadBytes / total).toFixed(2)} B/sample`)
print(
  'all but the index (open runs, headers, times)',
  `${((stats.usedBytes - index.usedBytes) / total).toFixed(2)} B/sample`,
)
print('head', `${(stats.usedBytes / seriesCount).toFixed(0)} B/series with ${scrapes} samples each`)
print(
  'process: RSS, JS heap grown',
  `${((rss.rss - rssBefore.rss) / seriesCount).toFixed(0)} B/series, ${((rss.heapUsed - rssBefore.heapUsed) / seriesCount).toFixed(1)} B/series`,
)

const reader = openReader(head.share())
const out = createSampleBuffer()
reader.read(refs[0]![16]!, ALL, out)
for (let s = 0; s < scrapes; s++) if (out.values[s] !== columns[s]![16]) throw new Error('BUG: wrong answer')
let sink = 0
function time(what: string, unit: (ms: number) => string, fn: () => void): void {
  const times: number[] = []
  for (let i = 0; i < 7; i++) {
    const start = performance.now()
    fn()
    times.push(performance.now() - start)
  }
  print(what, unit(median(times)))
}
const n = Math.min(50_000, seriesCount)
time(
  'read, all kinds',
  (ms) => `${((n * scrapes) / ms / 1000).toFixed(0)} M samples/s`,
  () => {
    for (let ref = 0; ref < n; ref++) {
      reader.read(ref, ALL, out)
      sink += out.values[out.count - 1]!
    }
  },
)
for (const [name, kind] of [
  ['constant', 3],
  ['counter', 13],
  ['two digits', 16],
  ['random', 19],
] as const) {
  time(
    `read, ${name}`,
    (ms) => `${(((n / 20) * scrapes) / ms / 1000).toFixed(0)} M samples/s`,
    () => {
      for (let ref = kind; ref < n; ref += 20) {
        reader.read(ref, ALL, out)
        sink += out.values[out.count - 1]!
      }
    },
  )
}
const range = { minTime: 1.7e12, maxTime: 1.7e12 + scrapes * 15_000 }
const ms = (x: number) => `${x.toFixed(2)} ms`
time(
  'select job="node" (all)',
  ms,
  () => (sink += reader.select([{ name: 'job', op: '=', value: 'node' }], range).length),
)
time(
  'select __name__="node_metric_7_total"',
  ms,
  () => (sink += reader.select([{ name: '__name__', op: '=', value: 'node_metric_7_total' }], range).length),
)
time('select name and instance', ms, () => {
  sink += reader.select(
    [
      { name: '__name__', op: '=', value: 'node_metric_7_total' },
      { name: 'instance', op: '=', value: 'host-3.example.org:9100' },
    ],
    range,
  ).length
})
time('select name, mode!="m1", instance=~"host-1.*"', ms, () => {
  sink += reader.select(
    [
      { name: '__name__', op: '=', value: 'node_metric_7_total' },
      { name: 'mode', op: '!=', value: 'm1' },
      { name: 'instance', op: '=~', value: 'host-1.*' },
    ],
    range,
  ).length
})
time('labelValues(instance)', ms, () => (sink += reader.labelValues('instance', [], range).length))
reader.release()
from = performance.now()
let bytes = 0
for (const chunk of head.serialize()) bytes += chunk.length
print('serialize', `${(bytes / 2 ** 20).toFixed(0)} MiB in ${(performance.now() - from).toFixed(0)} ms`)
from = performance.now()
head.trim(1.7e12 + scrapes * 15_000 * 0.5)
print('trim half', `${(performance.now() - from).toFixed(0)} ms`)
if (Number.isNaN(sink)) console.log(sink)
