/** Series go out as blocks of Prometheus and come in again, on a disk in memory; damage is refused; imports are whole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { TsdbFormatError } from '../../protocol/prometheus-tsdb/mod.ts'
import { openBlock } from '../block/mod.ts'
import { anySeries, contents, fillHead, memoryEnv, sorted } from '../block/testing/samples.ts'
import { openReader } from '../tsdb/mod.ts'
import {
  createProgress,
  exportPrometheus,
  importOpenMetrics,
  importPrometheus,
  OpenMetricsImportError,
  openPrometheusBlock,
  scanPrometheus,
} from './mod.ts'
import type { OwnBlocks } from './own-blocks.ts'

const HOUR_MS = 3_600_000
const MAX_TIME = 9 * HOUR_MS
const silent = createProgress({ isTerminal: false, write: () => {}, nowMs: () => 0 })
let ulids = 0
const random = { bytes: (n: number) => new Uint8Array(n).fill(++ulids % 251), float: () => 0.5 } as never

/** What Prometheus's blocks do not hold: start times, and of counters' hints only what is certain. */
function comparable(map: ReadonlyMap<string, string[]>): [string, string[]][] {
  const plain = (line: string): string => {
    const [time, bits, flag, , ...histogram] = line.split(' ')
    return [time, bits, flag, histogram.join(' ').replace(/"counterResetHint":[012]/, '"counterResetHint":0')].join(' ')
  }
  // Of a stale marker the rest means nothing.
  return sorted(map).map(([key, lines]) => [
    key,
    lines.map(plain).map((line) => line.replace(/\{.*"isStale":true.*/, 'stale')),
  ])
}

type MemoryEnv = ReturnType<typeof memoryEnv>

function ownBlocks(env: MemoryEnv): OwnBlocks {
  const directory = '/data/blocks'
  env.disk.makeDirectory(directory)
  const metas = () =>
    env.disk
      .readDirectory(directory)
      .filter((name) => !name.endsWith('.tmp'))
      .map((name) => {
        const block = openBlock(env, `${directory}/${name}`)
        block.close()
        return block.meta
      })
  return { env, directory, deletes: 0, list: metas }
}

/** All that the hub's own blocks hold. */
function stored(own: OwnBlocks): Map<string, string[]> {
  const all = new Map<string, string[]>()
  for (const { id } of [...own.list()].sort((a, b) => a.minTime - b.minTime)) {
    const block = openBlock(own.env, `${own.directory}/${id}`)
    for (const [key, lines] of contents(block)) all.set(key, [...(all.get(key) ?? []), ...lines])
    block.close()
  }
  return all
}

test('what goes out as blocks of Prometheus comes in as it was, and once', () => {
  fc.assert(
    fc.property(anySeries(MAX_TIME), fc.constantFrom(2, 6), (given, hours) => {
      // Lone surrogates have no UTF-8.
      const series = given.filter(
        ({ labels, samples }) => samples.length > 0 && labels.every((text) => text.isWellFormed()),
      )
      const env = memoryEnv()
      const reader = openReader(fillHead(series).share())
      env.disk.makeDirectory('/out')
      const range = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }
      const options = { disk: env.disk, random, nowMs: 1_700_000_000_000, reader, matchers: [], range }
      const metas = exportPrometheus({ ...options, directory: '/out', blockMs: hours * HOUR_MS, progress: silent })
      const before = comparable(contents(reader))
      reader.release()
      assert.equal(
        metas.reduce((sum, { stats }) => sum + stats.numSamples, 0),
        before.reduce((sum, [, lines]) => sum + lines.length, 0),
      )
      const own = ownBlocks(env)
      const { blocks, headBytes } = scanPrometheus(env.disk, '/out')
      assert.equal(headBytes, 0)
      const first = importPrometheus(own, blocks, silent)
      assert.equal(first.imported.length, metas.length)
      assert.deepEqual(comparable(stored(own)), before)
      const second = importPrometheus(own, blocks, silent)
      assert.deepEqual([second.imported.length, second.known.length], [0, metas.length])
    }),
    { numRuns: 40 },
  )
})

test('a block of Prometheus with a byte changed is refused with file and byte, or reads as before', () => {
  const env = memoryEnv()
  const [series] = fc.sample(anySeries(2 * HOUR_MS - 1), { seed: 7, numRuns: 20 }).filter((all) => all.length > 6)
  const reader = openReader(
    fillHead(series!.filter(({ labels }) => labels.every((text) => text.isWellFormed()))).share(),
  )
  env.disk.makeDirectory('/out')
  const range = { minTime: 0, maxTime: 2 * HOUR_MS - 1 }
  const options = { disk: env.disk, random, nowMs: 1_700_000_000_000, reader, matchers: [], range, progress: silent }
  const [meta] = exportPrometheus({ ...options, directory: '/out', blockMs: 2 * HOUR_MS })
  const path = `/out/${meta!.ulid}`
  const whole = openPrometheusBlock(env.disk, path)
  const before = comparable(contents(whole))
  assert.ok(before.length > 2)
  whole.close()
  let refused = 0
  let flips = 0
  for (const file of ['index', 'chunks/000001', 'tombstones']) {
    const sound = env.disk.readFile(`${path}/${file}`).slice()
    const step = Math.max(1, Math.floor(sound.length / 400))
    for (let at = 0; at < sound.length; at += step, flips++) {
      const damaged = sound.slice()
      damaged[at] = damaged[at]! ^ (1 << (at % 8))
      env.disk.writeFileAtomic(`${path}/${file}`, damaged)
      try {
        const block = openPrometheusBlock(env.disk, path)
        assert.deepEqual(comparable(contents(block)), before, `${file}:${at}`)
        block.close()
      } catch (error) {
        assert.ok(error instanceof TsdbFormatError, `${file}:${at}: ${String((error as Error).stack)}`)
        assert.match(error.message, /\/out\/.*(?:index|chunks\/\d+|tombstones):\d+: /)
        refused++
      }
    }
    env.disk.writeFileAtomic(`${path}/${file}`, sound)
  }
  assert.ok(refused > flips / 2, `${refused} of ${flips}`)
})

test('an import that meets damage leaves no part of the block behind, and goes on where it stopped', () => {
  const env = memoryEnv()
  const reader = openReader(
    fillHead(fc.sample(anySeries(MAX_TIME), { seed: 3, numRuns: 30 }).find((all) => all.length > 8)!).share(),
  )
  env.disk.makeDirectory('/out')
  const range = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }
  const options = { disk: env.disk, random, nowMs: 1_700_000_000_000, reader, matchers: [], range, progress: silent }
  const metas = exportPrometheus({ ...options, directory: '/out', blockMs: 2 * HOUR_MS })
  assert.ok(metas.length >= 3)
  const chunks = `/out/${metas[1]!.ulid}/chunks/000001`
  const sound = env.disk.readFile(chunks).slice()
  const damaged = sound.slice()
  damaged[20] = damaged[20]! ^ 1
  env.disk.writeFileAtomic(chunks, damaged)
  const own = ownBlocks(env)
  const { blocks } = scanPrometheus(env.disk, '/out')
  assert.throws(
    () => importPrometheus(own, blocks, silent),
    new RegExp(`Cannot read ${chunks}:8: wrong checksum of a chunk`),
  )
  assert.equal(env.disk.readDirectory(own.directory).length, 1, 'the first is there, and nothing of the second')
  env.disk.writeFileAtomic(chunks, sound)
  const rest = importPrometheus(own, blocks, silent)
  assert.deepEqual([rest.known.length, rest.imported.length], [1, metas.length - 1])
})

function bigText(samples: number): string {
  const lines = Array.from(
    { length: samples },
    (_, i) => `m{series="${i % 37}"} ${i} ${1_700_000_000 + Math.floor(i / 37) * 15}`,
  )
  return `# TYPE m gauge\n${lines.join('\n')}\n# EOF\n`
}

test('OpenMetrics text that is larger than memory becomes blocks piece by piece', () => {
  const env = memoryEnv()
  const own = ownBlocks(env)
  // Three windows, and four heads.
  const text = bigText(100_000)
  env.disk.writeFileAtomic('/data/in.om', text)
  assert.ok(text.length > 3 << 20)
  const options = { own, hasher: runtimeSha256, file: '/data/in.om', progress: silent }
  const report = importOpenMetrics({ ...options, maxSamples: 30_000 })
  assert.deepEqual([report.samples, report.duplicates, report.isKnown], [100_000, 0, false])
  assert.equal(
    own.list().reduce((sum, { stats }) => sum + stats.samples, 0),
    100_000,
  )
  assert.equal(importOpenMetrics(options).isKnown, true)
})

test('a bad line late in a large text takes back what was written before it', () => {
  const env = memoryEnv()
  const own = ownBlocks(env)
  env.disk.writeFileAtomic('/data/in.om', bigText(60_000).replace('# EOF\n', 'm{series="x" 1 1\n# EOF\n'))
  const options = { own, hasher: runtimeSha256, file: '/data/in.om', progress: silent, maxSamples: 20_000 }
  assert.throws(
    () => importOpenMetrics(options),
    (error) => error instanceof OpenMetricsImportError && /in\.om:60002: /.test(error.message),
  )
  assert.deepEqual(own.list(), [])
})

test('progress is a bar on a terminal and a line now and then elsewhere', () => {
  let now = 0
  const seen: string[] = []
  const make = (isTerminal: boolean) =>
    createProgress({ isTerminal, write: (text) => void seen.push(text), nowMs: () => now })
  const bar = make(true)
  bar.begin('importing', 200)
  now = 1000
  bar.advance(50)
  bar.end()
  assert.deepEqual(seen.splice(0).at(1), '\r\x1b[K[########......................] importing:  25%, 3s left')
  const lines = make(false)
  lines.begin('importing', 200)
  now = 2000
  lines.advance(20)
  now = 7000
  lines.advance(80)
  lines.end()
  assert.deepEqual(seen, ['importing:  50%, 6s left\n'])
})
