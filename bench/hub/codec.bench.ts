/**
 * How many bytes does a sample take in each codec: the head's runs, a block's columns, the wire, the log?
 *
 *     node_modules/.bin/node bench/hub/codec.bench.ts [samples=960]
 *
 * One series a shape, 15 s apart. Rows: shapes of values, the times alone, and histograms. Bytes are of values, or of
 * times, alone; those of the wire are of one batch of 20 scrapes of 200 series of that shape, before and after zstd.
 */
import { runtimeSigner } from '../../agent/env/ed25519.ts'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { ByteWriter } from '../../hub/block/bytes.ts'
import { ColumnEncoder } from '../../hub/block/column.ts'
import { RowLogWriter } from '../../hub/ingest/row-log.ts'
import { packDeltas } from '../../hub/tsdb/bits.ts'
import { HistogramEncoder } from '../../hub/tsdb/histogram-codec.ts'
import { RUN_BYTES_MAX, RunEncoder } from '../../hub/tsdb/value-codec.ts'
import { BatchEncoder } from '../../protocol/batch/mod.ts'
import { encodeSeed } from '../../protocol/identity/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import type { Histogram } from '../../protocol/samples/mod.ts'
import { createRandom } from '../pipeline/seeded-random.ts'

const RUN = 16
const BATCH_SCRAPES = 20
const BATCH_SERIES = 200

const random = createRandom(1)

/** Each call begins a series: the next value at every call of what it returns. */
const SHAPES: readonly (readonly [name: string, series: () => () => number])[] = [
  ['constant', () => () => 42],
  ['0 or 1, seldom moved', () => walk(0, (x) => (random.next() < 0.02 ? 1 - x : x))],
  ['counter, even', () => walk(1e6, (x) => x + 1500)],
  ['counter, uneven', () => walk(1e6, (x) => x + 1400 + random.below(200))],
  ['counter, mostly still', () => walk(1e6, (x) => x + (random.next() < 0.2 ? 1 + random.below(5) : 0))],
  ['memory in pages', () => walk(4096 * 1e5, (x) => x + 4096 * Math.round(20 * random.normal()))],
  ['CPU seconds, 0.01', () => walk(12_345.67, (x) => Math.round(100 * x + random.below(1500)) / 100)],
  ['load, two decimals', () => walk(1.2, (x) => Math.round(100 * Math.abs(x + 0.2 * random.normal())) / 100)],
  ['durations, 9 decimals', () => () => Math.round(1e9 * (0.001 + 0.0003 * random.normal())) / 1e9],
  ['any double', () => () => random.normal() * Math.PI],
]

function walk(first: number, step: (x: number) => number): () => number {
  let value = first
  return () => (value = step(value))
}

function main(samples: number): void {
  console.log(`${samples} samples a series, bytes a sample`)
  console.log(row('', ['head, runs of 16', 'block column', 'log row', 'wire, raw', 'wire, zstd']))
  for (const [name, series] of SHAPES) {
    const next = series()
    const values = Float64Array.from({ length: samples }, next)
    const { raw, compressed } = wire(series)
    console.log(
      row(
        name,
        [ofHead(values), ofBlock(values), ofLog(values), raw, compressed].map((n) => n.toFixed(3)),
      ),
    )
  }
  console.log(`\n${row('times', ['head, runs of 16', 'block column'])}`)
  for (const [name, jitter] of [
    ['on time', () => 0],
    ['one in 50 late', () => (random.below(50) === 0 ? random.below(20) : 0)],
    ['a few ms off', () => random.below(8)],
    ['any ms of 100', () => random.below(100)],
  ] as const) {
    const times = Float64Array.from({ length: samples }, (_, i) => 1_764_460_800_000 + 15_000 * i + jitter())
    console.log(
      row(
        name,
        [ofTimes(times), ofBlock(times)].map((n) => n.toFixed(3)),
      ),
    )
  }
  console.log(`\n${row('native histograms', ['head, bytes each'])}`)
  for (const buckets of [8, 40, 160]) {
    const encoder = new HistogramEncoder()
    let bytes = 0
    for (let i = 1; i <= 50; i++) bytes += encoder.encode(histogram(buckets, i)).length
    console.log(row(`${buckets} buckets`, [(bytes / 50).toFixed(0)]))
  }
}

function ofHead(values: Float64Array): number {
  const encoder = new RunEncoder()
  const words = new Uint32Array(values.buffer)
  const out = new Uint8Array(RUN_BYTES_MAX)
  let bytes = 0
  for (let from = 0; from < values.length; from += RUN) {
    const n = Math.min(RUN, values.length - from)
    encoder.words.set(words.subarray(2 * from, 2 * (from + n)))
    const before = from === 0 ? 0 : from - 1
    bytes += 1 + encoder.encode(n, words[2 * before]!, words[2 * before + 1]!, out, 0)
  }
  return bytes / values.length
}

function ofBlock(values: Float64Array): number {
  const out = new ByteWriter()
  new ColumnEncoder().encode(values, new Uint32Array(values.buffer), values.length, out)
  return out.length / values.length
}

function ofLog(values: Float64Array): number {
  const writer = new RowLogWriter()
  writer.begin(1)
  const n = values.length
  const ids = Uint32Array.from({ length: n }, (_, i) => i)
  return writer.rows(ids, new Float64Array(n).fill(1e12), values, new Uint8Array(n), n, n).length / n
}

function ofTimes(times: Float64Array): number {
  const out = new Uint8Array(1024)
  let bytes = 0
  for (let from = 0; from < times.length; from += RUN) {
    const n = Math.min(RUN, times.length - from)
    bytes += packDeltas(times, from, n, from === 0 ? times[0]! : times[from - 1]!, out, 0)
  }
  return bytes / times.length
}

/** Of the second batch: the first is the keyframe. */
function wire(series: () => () => number): { raw: number; compressed: number } {
  const encoder = new BatchEncoder({
    agent: 'bench',
    epoch: 1,
    signer: runtimeSigner(encodeSeed(new Uint8Array(32).fill(1))),
    hasher: runtimeSha256,
    compressor: runtimeZstd,
  })
  const all = Array.from({ length: BATCH_SERIES }, series)
  const ids = Uint32Array.from(all, (_, i) => encoder.define(labelsFrom({ __name__: 'm', i: String(i) }), null))
  let sealed = null
  for (let scrape = 0; scrape < 1 + BATCH_SCRAPES; scrape++) {
    const timeMs = 1_764_460_800_000 + 15_000 * scrape
    encoder.add({
      target: 't',
      slotMs: timeMs,
      intervalMs: 15_000,
      timestampMs: timeMs,
      ids: ids.slice(),
      values: Float64Array.from(all, (next) => next()),
      timestamps: null,
      startTimestamps: null,
      histograms: null,
      exemplars: null,
    })
    if (scrape === 0 || scrape === BATCH_SCRAPES) sealed = encoder.seal()
  }
  const samples = BATCH_SCRAPES * BATCH_SERIES
  return { raw: sealed!.header.inflatedBytes / samples, compressed: sealed!.bytes.length / samples }
}

function histogram(buckets: number, step: number): Histogram {
  const counts = Array.from({ length: buckets }, (_, i) => step * (1 + ((7 * i) % 13)))
  const count = counts.reduce((sum, n) => sum + n, 0)
  return {
    isFloat: false,
    isStale: false,
    counterResetHint: 0,
    schema: 3,
    zeroThreshold: 1e-128,
    zeroCount: 0,
    count,
    sum: count * 0.123,
    positiveSpans: [
      { offset: -20, length: buckets >> 1 },
      { offset: 3, length: buckets - (buckets >> 1) },
    ],
    positiveBuckets: counts,
    negativeSpans: [],
    negativeBuckets: [],
    customValues: [],
  }
}

function row(name: string, cells: readonly string[]): string {
  return name.padEnd(24) + cells.map((cell) => cell.padStart(18)).join('')
}

main(Number(process.argv[2] ?? 960))
