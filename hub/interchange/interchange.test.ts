/** Series go out as blocks of Prometheus and come in again, on a disk in memory; damage is refused; imports are whole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TsdbFormatError } from '../../protocol/prometheus-tsdb/mod.ts'
import { anySeries, contents, fillHead, memoryEnv, sorted } from '../block/testing/samples.ts'
import { openReader } from '../tsdb/mod.ts'
import { createProgress, exportPrometheus, importPrometheus, openPrometheusBlock, scanPrometheus } from './mod.ts'
import { ownBlocks, silent, stored } from './testing/own-blocks.ts'

const HOUR_MS = 3_600_000
const MAX_TIME = 9 * HOUR_MS
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
