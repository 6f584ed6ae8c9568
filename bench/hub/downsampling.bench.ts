/**
 * What do downsampled windows cost, and what do they save? 30 days of series shaped as a node exporter's (two in three
 * rarely change): bytes for each raw sample of the samples themselves and of windows of 5 m and 1 h; the CPU time of long
 * range queries over blocks without and with windows, whose answers are compared first.
 *
 * Run: node_modules/.bin/node bench/hub/downsampling.bench.ts [series=100] [days=30]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { nodeDisk } from '../../agent/env/mod.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import {
  BlockSet,
  BlockStore,
  type Floors,
  mergeReaders,
  NO_FLOORS,
  openBlock,
  retentionFloors,
  writeBlock,
} from '../../hub/block/mod.ts'
import type { QueryResult } from '../../hub/promql/contract.ts'
import { evaluate } from '../../hub/promql/engine/mod.ts'
import { ENGINE_OPTIONS } from '../../hub/promql/engine/testing/options.ts'
import { parseExpr } from '../../hub/promql/parser/mod.ts'
import { createHead, openReader, type SeriesReader } from '../../hub/tsdb/mod.ts'
import { memoryLogger } from '../../hub/wal/testing/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { nextValues, nodeRandom } from './node-values.ts'

const seriesCount = Number(process.argv[2] ?? 100)
const days = Number(process.argv[3] ?? 30)
const M5 = 300_000
const H = 3_600_000
const BLOCK = 2 * H
const EVERY = 15_000
/** A multiple of all widths. */
const START = 24 * H * 20_000
const END = START + days * 24 * H
const RUNS = 6

const directory = mkdtempSync(`${tmpdir()}/downsampling-bench-`)
const env = { disk: nodeDisk, compressor: runtimeZstd }
const windowed = (...widths: number[]): Floors =>
  retentionFloors({ rules: [], timeMs: 0, downsampling: widths.map((w) => ({ resolutionMs: w, keepMs: 1e13 })) }, END)

function fill(store: BlockStore, floors: Floors): number {
  const inForce = { hidden: { tombstones: [], floors }, deletes: 0 }
  const values = new Float64Array(seriesCount)
  const random = nodeRandom()
  let samples = 0
  for (let minTime = START; minTime < END; minTime += BLOCK) {
    const head = createHead()
    const refs = Uint32Array.from(values, (_, i) =>
      head.series(
        labelsFrom({ __name__: 'node_total', kind: `${i % 20}`, instance: `host-${Math.floor(i / 20)}`, job: 'node' }),
      ),
    )
    for (let time = minTime; time < minTime + BLOCK; time += EVERY) {
      nextValues(values, time === START, random)
      samples += head.appendColumn(time + 3217, refs, values, refs.length)
    }
    head.publish()
    const reader = openReader(head.share())
    store.cut(reader, { minTime, maxTime: minTime + BLOCK }, inForce)
    reader.release()
  }
  return samples
}

function settle(store: BlockStore, floors: Floors): number {
  const inForce = { hidden: { tombstones: [], floors }, deletes: 0 }
  const before = process.cpuUsage()
  while (store.compact(0, BLOCK, inForce) || store.downsample(inForce, BLOCK));
  store.sweep()
  return cpuMs(before)
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

function print(what: string, figure: string): void {
  console.log(`${what.padEnd(52)} ${figure}`)
}

function ask(reader: SeriesReader, text: string, stepMs: number): QueryResult {
  const startMs = START + 24 * H
  const range = { startMs, endMs: END - 24 * H, stepMs, instant: false }
  return evaluate({ expr: parseExpr(text), text, range, reader, options: ENGINE_OPTIONS })
}

/** The largest relative difference of two answers. */
function difference(a: QueryResult, b: QueryResult): number {
  if (a.type !== 'matrix' || b.type !== 'matrix' || a.series.length !== b.series.length) throw new Error('BUG: shapes')
  let most = 0
  a.series.forEach(({ values, present }, i) => {
    const other = b.series[i]!
    values.forEach((value, step) => {
      if (present[step] !== other.present[step]) throw new Error(`BUG: step ${step} of series ${i}`)
      if (value !== other.values[step])
        most = Math.max(most, Math.abs(value - other.values[step]!) / Math.abs(other.values[step]!))
    })
  })
  return most
}

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!

const QUERIES: readonly [text: string, stepMs: number][] = [
  ['sum by (kind) (rate(node_total[1h]))', H],
  ['avg_over_time(node_total[1d])', 24 * H],
  ['max_over_time(node_total[1h])', H],
  ['sum(increase(node_total[5m]))', H],
  ['count_over_time(node_total[1h])', H],
]

try {
  const stores = [NO_FLOORS, windowed(M5, H)].map((floors, i) => {
    const folder = `${directory}/${i}`
    nodeDisk.makeDirectory(folder)
    const store = BlockStore.open({ ...env, log: memoryLogger(), directory: `${folder}/blocks` })
    const samples = fill(store, floors)
    const ms = settle(store, floors)
    print(`merged ${i === 0 ? 'without' : 'with'} windows`, `${(samples / ms / 1000).toFixed(2)} M samples/CPU s`)
    return { store, floors, samples, folder }
  })
  const { samples, store } = stores[0]!
  print('series, samples', `${seriesCount}, ${samples}`)
  const all = mergeReaders(store.share().paths.map((path) => openBlock(env, path)))
  const range = { minTime: START, maxTime: END }
  let sequence = 0
  const bytesOf = (widths: readonly number[], isGone: boolean): number => {
    const expiry = {
      samples: (_: number, out: { count: number }) => void (isGone && (out.count = 0)),
      rows: () => {},
    }
    const tiers = widths.length > 0 ? { tiers: { widths, expiry, goneBefore: undefined } } : {}
    const meta = writeBlock(env, directory, all, { range, sequence: ++sequence, level: 1, sources: [], ...tiers })!
    return meta.chunksBytes + meta.indexBytes
  }
  const rows: [string, number][] = [
    ['samples', bytesOf([], false)],
    ['windows of 5 m alone', bytesOf([M5], true)],
    ['windows of 1 h alone', bytesOf([H], true)],
  ]
  for (const [what, bytes] of rows)
    print(`${what}, in one block`, `${(bytes / samples).toFixed(4)} B a raw sample, ${Math.round(bytes / 1024)} KiB`)
  const readers = stores.map(({ store, floors }) => {
    const { paths } = store.share()
    const set = new BlockSet(env, { cacheBytes: 64 << 20, valueBytes: 64 << 20, onDamage: () => {} })
    const hidden = { tombstones: [], floors }
    return set.behind(openReader(createHead().share()), { paths, deletes: paths.map(() => 0), hidden })
  })
  for (const [text, stepMs] of QUERIES) {
    const [a, b] = readers.map((reader) => ask(reader, text, stepMs)) as [QueryResult, QueryResult]
    const spent = readers.map(() => [] as number[])
    for (let run = 0; run < RUNS; run++)
      readers.forEach((reader, i) => {
        const before = process.cpuUsage()
        ask(reader, text, stepMs)
        spent[i]!.push(cpuMs(before))
      })
    const [without, with_] = spent.map(median) as [number, number]
    const figures = `${without.toFixed(0)} ms without, ${with_.toFixed(0)} ms with: ${(without / with_).toFixed(1)} times`
    print(`${text} step ${stepMs / H}h`, `${figures}; differs by ${difference(b, a).toExponential(1)}`)
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
