/** Windows in stores of blocks: damage is found and confined, deletions hold, merges take over what has no samples. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import {
  AggregateColumn,
  ALL_AGGREGATES,
  createAggregateBuffer,
  createChosenBuffer,
  createHead,
  openReader,
  type SeriesReader,
} from '../tsdb/mod.ts'
import { memoryLogger, seededRandom } from '../wal/testing/mod.ts'
import { NO_EXPIRY } from './hiding.ts'
import {
  BlockDamagedError,
  type BlockMeta,
  BlockSet,
  BlockStore,
  type Floors,
  openBlock,
  retentionFloors,
  type Tombstone,
  writeBlock,
} from './mod.ts'
import { ALL, bitsOf, contents, fillHead, memoryEnv, type TestSeries } from './testing/samples.ts'

const PATH = '/data/blocks'
const S = 1000
const M5 = 300 * S
const H = 3600 * S
const BLOCK = 2 * H
const TIERS = [
  { resolutionMs: M5, keepMs: 1000 * H },
  { resolutionMs: H, keepMs: 1000 * H },
]
const C = AggregateColumn

const series = (hours: number): TestSeries[] => {
  const random = seededRandom(1)
  return Array.from({ length: 3 }, (_, i) => ({
    labels: labelsFrom({ __name__: `metric_${i}` }),
    samples: Array.from({ length: 60 * hours }, (__, k) => ({
      time: 60 * S * k + 5,
      bits: i === 2 ? BigInt(k % 900) : bitsOf(i === 0 ? k : random.float()),
      start: 0,
      kind: i === 2 ? 1 : 0,
    })),
  }))
}

/** By series and width: rows as text. */
function rowsOf(reader: SeriesReader): Map<string, string[]> {
  const out = new Map<string, string[]>()
  const rows = createAggregateBuffer()
  for (const ref of reader.select([], ALL))
    for (const width of [M5, H]) {
      reader.stored!.read(ref, ALL, width, ALL_AGGREGATES, rows)
      const lines = Array.from({ length: rows.count }, (_, i) =>
        JSON.stringify([rows.times[i], ...rows.columns.map((column) => column[i]), rows.histograms?.[i]]),
      )
      out.set(`${reader.labels(ref)} ${width}`, lines)
    }
  return out
}

test('a flipped bit anywhere is found: never another row or sample', () => {
  const env = memoryEnv()
  const few = series(1).map(({ labels, samples }) => ({ labels, samples: samples.slice(0, 40) }))
  const head = openReader(fillHead(few).share())
  const tiers = { widths: [M5, H], expiry: NO_EXPIRY, goneBefore: undefined }
  const range = { minTime: 0, maxTime: 4 * H }
  const meta = writeBlock(env, PATH, head, { range, sequence: 1, level: 1, sources: [], tiers })!
  const path = `${PATH}/${meta.id}`
  const whole = openBlock(env, path)
  const [samples, rows] = [contents(whole), rowsOf(whole)]
  assert.equal(rows.get(`__name__,metric_0 ${M5}`)!.length, 8)
  let kept = 0
  for (const file of ['meta.json', 'index', 'chunks'])
    for (let at = 0; at < env.disk.stat(`${path}/${file}`)!.sizeBytes; at++) {
      const flip = (all: Uint8Array): Uint8Array => all.with(at, all[at]! ^ (1 << (at % 8)))
      env.disk.rot(`${path}/${file}`, flip)
      let found = 0
      try {
        const block = openBlock(env, path, { onDamage: () => found++ })
        for (const [key, lines] of contents(block)) assert.deepEqual(lines, samples.get(key))
        for (const [key, lines] of rowsOf(block)) {
          assert.ok(lines.length === 0 || lines.join() === rows.get(key)!.join())
          if (lines.length > 0) kept++
        }
        assert.equal(block.damagedRuns, file === 'chunks' && at >= 16 ? found : 0)
      } catch (error) {
        if (!(error instanceof BlockDamagedError)) throw error
        found++
      }
      assert.ok(found > 0, `${file} byte ${at} was changed and nobody noticed`)
      env.disk.rot(`${path}/${file}`, flip)
    }
  assert.ok(kept > 1000, 'what is not damaged is served')
})

test('samples stand in for damaged windows', () => {
  const env = memoryEnv()
  const store = BlockStore.open({ ...env, log: memoryLogger(), directory: PATH })
  const floors = retentionFloors({ rules: [], timeMs: 0, downsampling: TIERS }, 0)
  fill(store, series(20).slice(0, 2), 20 * H, { floors })
  const { id } = store.list()[0]!
  const size = env.disk.stat(`${PATH}/${id}/chunks`)!.sizeBytes
  const counts = new Set<number>()
  let fromSamples = 0
  for (let at = 40; at < size; at += 97) {
    const flip = (all: Uint8Array): Uint8Array => all.with(at, all[at]! ^ 1)
    env.disk.rot(`${PATH}/${id}/chunks`, flip)
    const set = new BlockSet(env, { cacheBytes: 0, onDamage: () => {} })
    const reader = behind(set, store, { floors })
    const out = createChosenBuffer()
    const range = { minTime: 1, maxTime: 19 * H }
    const [ref] = reader.select([{ name: '__name__', op: '=', value: 'metric_0' }], range) as unknown as [number]
    if (reader.chosen!.read(ref, range, H, 1 << C.samples, out))
      counts.add(out.columns[C.samples]!.subarray(0, out.count).reduce((sum, n) => sum + n, 0))
    else fromSamples++
    set.close()
    env.disk.rot(`${PATH}/${id}/chunks`, flip)
  }
  assert.deepEqual([...counts], [19 * 60])
  assert.ok(fromSamples > 0)
})

type Shown = { readonly floors: Floors; readonly tombstones?: readonly Tombstone[] }

function fill(store: BlockStore, of: readonly TestSeries[], until: number, { floors }: Shown): void {
  const head = openReader(fillHead(of).share())
  const inForce = { hidden: { tombstones: [], floors }, deletes: 0 }
  for (let minTime = 0; minTime < until; minTime += BLOCK)
    store.cut(head, { minTime, maxTime: minTime + BLOCK }, inForce)
  // A window that may still get a block waits.
  const later = { labels: of[0]!.labels, samples: [{ time: until + 40 * H, bits: 0n, start: 0, kind: 0 }] }
  store.cut(openReader(fillHead([later]).share()), { minTime: until + 40 * H, maxTime: until + 42 * H }, inForce)
  while (store.compact(0, BLOCK, inForce) || store.expire(inForce) || store.downsample(inForce, BLOCK));
  store.sweep()
  head.release()
}

function behind(set: BlockSet, store: BlockStore, { floors, tombstones = [] }: Shown): SeriesReader {
  const { paths } = store.share()
  const deletes = paths.map((path) => store.list().find(({ id }) => path.endsWith(id))!.deletes ?? 0)
  return set.behind(openReader(createHead().share()), { paths, deletes, hidden: { tombstones, floors } })
}

/** Samples that windows of an hour have of `metric_0`. */
function counted(reader: SeriesReader, range = { minTime: 1, maxTime: 20 * H }, alignedMs = H): number {
  const out = createChosenBuffer()
  const [ref] = reader.select([{ name: '__name__', op: '=', value: 'metric_0' }], range) as unknown as [number]
  if (ref === undefined) return 0
  if (!reader.chosen!.read(ref, range, alignedMs, 1 << C.samples, out)) return -1
  return out.columns[C.samples]!.subarray(0, out.count).reduce((sum, n) => sum + n, 0)
}

for (const [name, timeMs] of [
  ['there', 0],
  ['gone', H],
] as const)
  test(`what is deleted is in no window any more, with samples ${name}; before and after it is cleaned`, () => {
    const env = memoryEnv()
    const store = BlockStore.open({ ...env, log: memoryLogger(), directory: PATH })
    const floors = retentionFloors({ rules: [], timeMs, downsampling: TIERS }, 60 * H)
    fill(store, series(20), 20 * H, { floors })
    // 5:00 to 6:10, both included.
    const tombstone: Tombstone = {
      id: 1,
      matchers: [{ name: '__name__', op: '=', value: 'metric_0' }],
      minTime: 5 * H + 1,
      maxTime: 6 * H + 2 * M5,
      inHead: false,
    }
    const set = new BlockSet(env, { cacheBytes: 1 << 20, onDamage: () => assert.fail() })
    assert.equal(counted(behind(set, store, { floors })), 1200)
    const shown = { floors, tombstones: [tombstone] }
    // Of samples that are gone the whole windows go that the deletion reaches into, the finest of which are of 5 m.
    const before = counted(behind(set, store, shown))
    assert.equal(before, timeMs > 0 ? 1200 - 70 : -1, 'samples are read where they are there')
    while (store.clean({ hidden: { tombstones: [tombstone], floors }, deletes: 1 }));
    store.sweep()
    const after = behind(set, store, { floors })
    assert.equal(counted(after, { minTime: 1, maxTime: 20 * H }, M5), 1200 - 70)
    assert.equal(counted(after, { minTime: 5 * H + 1, maxTime: 6 * H }, M5), 0)
    set.close()
  })

test('merges join the windows of blocks that have nothing else; no window is there twice or in part', () => {
  const env = memoryEnv()
  const store = BlockStore.open({ ...env, log: memoryLogger(), directory: PATH })
  const floors = retentionFloors({ rules: [], timeMs: 15 * H, downsampling: TIERS }, 500 * H)
  const inForce = { hidden: { tombstones: [], floors }, deletes: 0 }
  // On the minute: the last sample of a window is the first of the next block.
  const samples = Array.from({ length: 60 * 420 }, (_, k) => ({ time: 60 * S * k, bits: bitsOf(k), start: 0, kind: 0 }))
  const head = openReader(fillHead([{ labels: labelsFrom({ __name__: 'metric_0' }), samples }]).share())
  for (let minTime = 0; minTime < 420 * H; minTime += BLOCK)
    store.cut(head, { minTime, maxTime: minTime + BLOCK }, inForce)
  while (store.compact(0, BLOCK, inForce) || store.expire(inForce) || store.downsample(inForce, BLOCK));
  const [first] = store.list() as readonly [BlockMeta]
  assert.ok(first.maxTime - first.minTime > 100 * H, 'blocks without samples are merged further')
  assert.deepEqual([first.stats.samples, first.stats.series], [0, 1])
  const block = openBlock(env, `${PATH}/${first.id}`)
  const rows = createAggregateBuffer()
  for (const width of [M5, H]) {
    assert.ok(block.stored!.read(0, ALL, width, ALL_AGGREGATES, rows))
    const n = width / 60_000
    assert.equal(rows.count, (first.maxTime - first.minTime) / width + 1)
    for (let i = 1; i < rows.count - 1; i++) {
      assert.equal(rows.times[i], i * width)
      const of = (column: AggregateColumn): number => rows.columns[column]![i]!
      assert.deepEqual([of(C.samples), of(C.first), of(C.last)], [n, (i - 1) * n + 1, i * n])
    }
  }
  block.close()
  const again = BlockStore.open({ ...env, log: memoryLogger(), directory: PATH })
  assert.deepEqual(again.list(), store.list())
})
