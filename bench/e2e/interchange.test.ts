/** Data moves between a real Prometheus and a hub by files, in both directions, and both answer the same afterwards. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { peer } from '../peers/peers.ts'
import { allData, STEP_MS, writeData } from './tsdb-data.ts'
import { api, lacks, query, ROOT, type Server, type VectorRow, type World, withWorld } from './world.ts'

const run = promisify(execFile)
const CONFIG = 'global: { scrape_interval: 1h }\nstorage: { tsdb: { out_of_order_time_window: 1d } }\n'
const FLAGS = ['--web.enable-remote-write-receiver', '--web.enable-admin-api', '--enable-feature=native-histograms']

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string }

async function tsdb(data: string, ...args: readonly string[]): Promise<Ran> {
  return command(process.execPath, [
    path.join(ROOT, 'hub/main.ts'),
    'tsdb',
    args[0]!,
    `--storage.tsdb.path=${data}`,
    ...args.slice(1),
  ])
}

async function command(file: string, args: readonly string[]): Promise<Ran> {
  try {
    const { stdout, stderr } = await run(file, [...args], {
      maxBuffer: 256 << 20,
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

function done(ran: Ran): string {
  assert.equal(ran.code, 0, ran.stdout + ran.stderr)
  return ran.stdout
}

async function snapshotOf(prometheus: Server & { readonly folder: string }): Promise<string> {
  const answer = await api(prometheus, '/api/v1/admin/tsdb/snapshot', {}, 'POST')
  const { name } = (answer as unknown as { data: { name: string } }).data
  return path.join(prometheus.folder, 'data/snapshots', name)
}

/** What promtool makes of a folder of blocks; it wants a folder for a log, too. */
async function promtoolDump(world: World, folder: string, ...more: readonly string[]): Promise<string> {
  fs.mkdirSync(path.join(folder, 'wal'), { recursive: true })
  const args = ['tsdb', 'dump', '--sandbox-dir-root', world.folder, ...more, folder]
  const text = done(await command(peer('promtool').path!, args))
  fs.rmdirSync(path.join(folder, 'wal'))
  return text
}

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .sort()

/** promtool 3.5 loses the sample at which a series' iterator goes over to another type of samples: the first histograms. */
function sameDump(mine: string, theirs: string): void {
  const ours = new Set(linesOf(mine))
  const missing = linesOf(theirs).filter((line) => !ours.delete(line))
  assert.deepEqual(missing, [])
  const more = [...ours]
  assert.ok(
    more.length <= 2 * 5 && more.every((line) => /_histogram"/.test(line) || line.includes('data_histogram')),
    more.join('\n'),
  )
}

const QUERIES = [
  'sum by (host) (rate(data_counter[10m]))',
  'histogram_quantile(0.9, rate(data_histogram[10m]))',
  'histogram_sum(increase(data_float_histogram[20m]))',
  'resets(data_histogram[3h])',
  'histogram_count(data_gauge_histogram)',
  'count_over_time(data_churn[1h])',
]

/** Stored samples are equal bit for bit; what is computed of them may differ in the last digit. */
const rounded = (rows: readonly VectorRow[]): unknown[] =>
  rows.map(({ metric, value }) => ({ metric, value: Number(Number(value?.[1]).toPrecision(12)) }))

async function sameAnswers(a: Server, b: Server, endMs: number): Promise<void> {
  const [mine, theirs] = [await allData(a, endMs), await allData(b, endMs)]
  assert.ok(theirs.length > 20, `${theirs.length} series`)
  assert.deepEqual(mine, theirs)
  for (const expr of QUERIES)
    for (let back = 0; back < 5; back++) {
      const at = endMs / 1000 - back * 1111
      assert.deepEqual(rounded(await query(a, expr, at)), rounded(await query(b, expr, at)), `${expr} @ ${at}`)
    }
}

/**
 * Six hours that ended two to four hours ago, so that a Prometheus makes several blocks of them, and each time the same
 * ones: where in a block's two hours the data ends must not be what time it is.
 */
const HOURS = 6
const COUNT = (HOURS * 3_600_000) / STEP_MS

async function filledPrometheus(
  world: World,
): Promise<{ prometheus: Awaited<ReturnType<World['startPrometheus']>>; startMs: number; endMs: number }> {
  const prometheus = await world.startPrometheus({ config: CONFIG, flags: FLAGS })
  const blockMs = 2 * 3_600_000
  const startMs = blockMs * Math.floor(Date.now() / blockMs) - (HOURS + 3) * 3_600_000 + 17 * 60_000
  await writeData(prometheus, startMs, COUNT)
  return { prometheus, startMs, endMs: startMs + COUNT * STEP_MS }
}

test('a Prometheus moves to a hub, and back', { skip: lacks('prometheus', 'promtool') }, () =>
  withWorld(async (world) => {
    const { prometheus, startMs, endMs } = await filledPrometheus(world)
    const snapshot = await snapshotOf(prometheus)
    const hub = await world.prepareHub({ name: 'hub' })
    assert.match(done(await tsdb(hub.dataFolder, 'import', snapshot)), /^imported \d{5,} samples of \d+ blocks\n/)
    assert.match(
      done(await tsdb(hub.dataFolder, 'import', snapshot)),
      /^imported 0 samples of 0 blocks; \d+ were imported before/,
    )
    done(await tsdb(hub.dataFolder, 'verify'))

    const promtool = peer('promtool').path!
    const theirs = await promtoolDump(world, snapshot)
    const mine = done(await tsdb(hub.dataFolder, 'dump'))
    sameDump(mine, theirs)
    const one = [
      '--match={__name__="data_decimal",host=~"h[01]"}',
      `--min-time=${startMs + 3_600_000}`,
      `--max-time=${startMs + 3_900_000}`,
    ]
    const some = done(await tsdb(hub.dataFolder, 'dump', ...one))
    assert.deepEqual(linesOf(some), linesOf(await promtoolDump(world, snapshot, ...one)))
    assert.ok(linesOf(some).length > 30)

    await hub.restart()
    await sameAnswers(hub, prometheus, endMs)
    const busy = await tsdb(hub.dataFolder, 'dump')
    assert.equal(busy.code, 1)
    assert.match(busy.stderr, new RegExp(`in use by process ${hub.pid}`))

    // More, which is in the head only, goes with the rest.
    await writeData(hub, endMs, 100)
    const laterMs = endMs + 100 * STEP_MS
    const all = await allData(hub, laterMs)
    await hub.stop()
    const exported = path.join(world.folder, 'exported')
    assert.match(
      done(await tsdb(hub.dataFolder, 'export', '--format=prometheus', exported)),
      /^exported \d{5,} samples into [4-6] blocks/,
    )
    const listed = done(await command(promtool, ['tsdb', 'list', exported]))
    assert.equal(linesOf(listed).length, 1 + fs.readdirSync(exported).length)
    const analyzed = done(await command(promtool, ['tsdb', 'analyze', exported]))
    assert.match(analyzed, /Total Series: 26\n/)
    const dumped = await promtoolDump(world, exported)
    sameDump(done(await tsdb(hub.dataFolder, 'dump')), dumped)

    const second = await world.startPrometheus({ config: CONFIG, flags: FLAGS })
    await second.stop()
    for (const name of fs.readdirSync(exported))
      fs.renameSync(path.join(exported, name), path.join(second.folder, 'data', name))
    await second.restart()
    assert.deepEqual(await allData(second, laterMs), all)
    await hub.restart()
    await sameAnswers(hub, second, laterMs)
    await hub.stop()

    // What was deleted is not brought back: by tombstones of a block, and of the head.
    const deletion = {
      'match[]': ['data_noise{host="h1"}', 'data_histogram'],
      start: String(startMs / 1000 + 4000),
      end: String(endMs / 1000 - 4000),
    }
    await writeData(second, laterMs, 20)
    const recent = {
      'match[]': ['data_noise{host="h2"}'],
      start: String(laterMs / 1000 + 60),
      end: String(laterMs / 1000 + 120),
    }
    for (const each of [deletion, recent])
      assert.equal((await api(second, '/api/v1/admin/tsdb/delete_series', each, 'POST')).httpStatus, 204)
    const lastMs = laterMs + 20 * STEP_MS
    const left = await allData(second, lastMs)
    await second.stop()
    const third = await world.prepareHub({ name: 'third' })
    const folder = path.join(second.folder, 'data')
    // It may have merged some by itself.
    const blocks = fs.readdirSync(folder).filter((name) => /^[0-9A-Z]{26}$/.test(name)).length
    assert.ok(blocks > 0)
    assert.match(
      done(await tsdb(third.dataFolder, 'import', folder)),
      new RegExp(`^imported \\d{5,} samples of ${blocks} blocks, and \\d{3,} of its head\n`),
    )
    assert.match(
      done(await tsdb(third.dataFolder, 'import', folder)),
      new RegExp(`^imported 0 samples of 0 blocks; ${blocks} were imported before; its head was imported before\n`),
    )
    await third.restart()
    assert.deepEqual(await allData(third, lastMs), left)
    // The first Prometheus has nearly all of it in its head.
    const original = await allData(prometheus, endMs)
    await prometheus.stop()
    const fourth = await world.prepareHub({ name: 'fourth' })
    done(await tsdb(fourth.dataFolder, 'import', path.join(prometheus.folder, 'data')))
    await fourth.restart()
    assert.deepEqual(await allData(fourth, endMs), original)
  }),
)
