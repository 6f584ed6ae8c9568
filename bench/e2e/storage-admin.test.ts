/** Administration of storage over HTTP: deleting, cleaning, snapshots; beside Prometheus where the answers are its own. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'
import { peer } from '../peers/peers.ts'
import { freePort, HttpProgram, type Hub, lacks, query, until, withWorld } from './world.ts'

const FLAGS = ['--web.enable-remote-write-receiver', '--web.enable-admin-api', '--storage.tsdb.min-block-duration=2s']

type Server = { readonly url: string }
type Answer = { readonly status: number; readonly text: string }

async function admin(server: Server, call: string, method = 'POST'): Promise<Answer> {
  const response = await fetch(`${server.url}/api/v1/admin/tsdb/${call}`, { method })
  return { status: response.status, text: await response.text() }
}

async function write(server: Server, name: string, times: readonly number[]): Promise<void> {
  const series = ['a', 'b'].map((i) => ({
    labels: labelsFrom({ __name__: name, i }),
    timestamps: times,
    values: Float64Array.from(times, (time) => time % 1000),
  }))
  const body = snappyCompress(encodeWriteRequest(series)) as Uint8Array<ArrayBuffer>
  assert.equal((await fetch(`${server.url}/api/v1/write`, { method: 'POST', body })).status, 204)
}

/** Times of the stored samples by series, relative to `start`. */
async function stored(server: Server, name: string, start: number): Promise<Record<string, number[]>> {
  const rows = (await query(server, `${name}[1h]`)) as unknown as {
    metric: Record<string, string>
    values: [number, string][]
  }[]
  return Object.fromEntries(
    rows
      .map(({ metric, values }) => [metric['i']!, values.map(([at]) => Math.round(at * 1000) - start)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

const span = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step)

const seconds = (ms: number): string => (ms / 1000).toFixed(3)

type Block = {
  readonly ulid: string
  readonly minTime: number
  readonly maxTime: number
  readonly downsampled?: readonly { readonly widthMs: number; readonly rows: number }[]
  readonly stats: { readonly numSamples: number }
}

async function blocksOf(hub: Server): Promise<Block[]> {
  const answer = (await (await fetch(`${hub.url}/api/v1/status/tsdb/blocks`)).json()) as { data: { blocks: Block[] } }
  return answer.data.blocks
}

/** `/api/v1/status/tsdb`; of equal counts upstream's order is that of a map. */
async function cardinality(server: Server): Promise<unknown> {
  const answer = (await (await fetch(`${server.url}/api/v1/status/tsdb`)).json()) as {
    data: Record<string, Record<string, number> | { name: string; value: number }[]>
  }
  return Object.fromEntries(
    Object.entries(answer.data).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.toSorted((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1)) : value,
    ]),
  )
}

/** What dashboards and the mixin of Prometheus query of storage. */
const QUERIED = [
  'blocks_loaded',
  'checkpoint_creations_failed_total',
  'checkpoint_creations_total',
  'checkpoint_deletions_failed_total',
  'checkpoint_deletions_total',
  'compaction_duration_seconds',
  'compactions_failed_total',
  'compactions_skipped_total',
  'compactions_total',
  'compactions_triggered_total',
  'head_chunks',
  'head_chunks_created_total',
  'head_chunks_removed_total',
  'head_max_time',
  'head_max_time_seconds',
  'head_min_time',
  'head_min_time_seconds',
  'head_out_of_order_samples_appended_total',
  'head_samples_appended_total',
  'head_series',
  'head_series_created_total',
  'head_series_not_found_total',
  'head_series_removed_total',
  'head_truncations_failed_total',
  'head_truncations_total',
  'lowest_timestamp',
  'lowest_timestamp_seconds',
  'out_of_bound_samples_total',
  'out_of_order_samples_total',
  'reloads_failures_total',
  'reloads_total',
  'retention_limit_bytes',
  'retention_limit_seconds',
  'size_retentions_total',
  'storage_blocks_bytes',
  'symbol_table_size_bytes',
  'time_retentions_total',
  'tombstone_cleanup_seconds',
  'too_old_samples_total',
  'vertical_compactions_total',
  'wal_corruptions_total',
  'wal_fsync_duration_seconds',
  'wal_segment_current',
  'wal_truncations_failed_total',
  'wal_truncations_total',
  'wal_writes_failed_total',
]

/** Names, types and helps; labels too; and the values that the same samples must bring about. */
async function assertSameMetrics(hub: Server, prometheus: Server): Promise<void> {
  const [ours, theirs] = await Promise.all(
    [hub, prometheus].map(async (server) => (await (await fetch(`${server.url}/metrics`)).text()).split('\n')),
  )
  const about = (lines: readonly string[], name: string): string[] =>
    lines.filter((line) => line.startsWith(`# HELP ${name} `) || line.startsWith(`# TYPE ${name} `)).sort()
  const seriesOf = (lines: readonly string[], name: string): string[] =>
    lines
      .filter((line) => new RegExp(`^${name}(?:_bucket|_sum|_count)?[{ ]`).test(line))
      .map((line) => line.slice(0, line.lastIndexOf(' ')))
  for (const short of QUERIED) {
    const name = `prometheus_tsdb_${short}`
    assert.equal(about(theirs!, name).length, 2, `${name} is one of Prometheus's`)
    assert.deepEqual(about(ours!, name), about(theirs!, name))
    const missing = seriesOf(theirs!, name).filter((each) => !seriesOf(ours!, name).includes(each))
    // Native histograms are counted as out of order nowhere here: none is refused, and the late are not told apart.
    assert.deepEqual(missing, short === 'head_out_of_order_samples_appended_total' ? [`${name}{type="histogram"}`] : [])
  }
  for (const short of ['head_series', 'head_chunks', 'head_min_time', 'head_max_time', 'head_max_time_seconds']) {
    const line = (lines: readonly string[]) => lines.find((each) => each.startsWith(`prometheus_tsdb_${short} `))
    assert.equal(line(ours!), line(theirs!))
  }
}

const hasTombstones = (hub: Hub): boolean =>
  fs.readFileSync(path.join(hub.dataFolder, 'tombstones.json'), 'utf8').includes('"matchers"')

test('calls are refused, and answered, as Prometheus does', { skip: lacks('prometheus') }, () =>
  withWorld(async (world) => {
    const disabled = await world.startHub({ flags: [] })
    const hub = await world.startHub({ flags: FLAGS })
    const found = peer('prometheus')
    assert.ok(found.path !== null)
    const port = await freePort()
    const prometheus = new HttpProgram(
      {
        name: 'prometheus',
        file: found.path,
        args: [
          `--config.file=${world.file('prometheus/p.yml', 'global: {}')}`,
          `--storage.tsdb.path=${world.file('prometheus/data')}`,
          `--web.listen-address=127.0.0.1:${port}`,
          '--web.enable-admin-api',
          '--web.enable-remote-write-receiver',
        ],
        env: world.env(),
        cwd: world.folder,
      },
      { port, folder: world.folder, readyPath: '/-/ready' },
    )
    world.onClose(async () => void (await prometheus.stop()))
    await prometheus.restart()
    const now = Date.now()
    for (const server of [hub, prometheus]) for (const name of ['kept', 'größe']) await write(server, name, [now])
    assert.deepEqual(await cardinality(hub), await cardinality(prometheus))
    for (const limit of ['0', '-1', 'x', '1.5']) {
      const ask = async (server: Server) => {
        const response = await fetch(`${server.url}/api/v1/status/tsdb?limit=${limit}`)
        return [response.status, await response.json()]
      }
      assert.deepEqual(await ask(hub), await ask(prometheus), `limit=${limit}`)
    }
    await assertSameMetrics(hub, prometheus)
    for (const call of [
      'delete_series',
      'delete_series?match[]=up{',
      'delete_series?match[]={}',
      'delete_series?match[]=up&start=x',
      'delete_series?match[]=up&end=x',
      'delete_series?match[]=up&start=5&end=1',
      'delete_series?match[]=up',
      'delete_series?match[]=nothing&match[]=none',
      'clean_tombstones',
      'snapshot?skip_head=maybe',
    ])
      for (const method of ['POST', 'PUT'])
        assert.deepEqual(await admin(hub, call, method), await admin(prometheus, call, method), `${method} ${call}`)
    for (const call of ['delete_series?match[]=up', 'clean_tombstones', 'snapshot']) {
      const { status, text } = await admin(disabled, call)
      assert.equal(status, 500)
      assert.deepEqual(JSON.parse(text), { status: 'error', errorType: 'unavailable', error: 'admin APIs disabled' })
      assert.equal((await admin(hub, call, 'GET')).status, (await admin(prometheus, call, 'GET')).status)
    }
    const names = await Promise.all([hub, prometheus].map((server) => admin(server, 'snapshot?skip_head=false')))
    for (const { status, text } of names) {
      assert.equal(status, 200)
      const answer = JSON.parse(text) as { status: string; data: { name: string } }
      assert.deepEqual(Object.keys(answer), ['status', 'data'])
      assert.match(answer.data.name, /^\d{8}T\d{6}Z-[0-9a-f]{16}$/)
    }
  }),
)

test('what is deleted is gone at once, after a kill, after merges and after cleaning; the rest and the new stay', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({ flags: FLAGS })
    const start = 2000 * Math.floor((Date.now() - 30_000) / 2000)
    const all = span(0, 20_000, 250)
    await write(
      hub,
      'm',
      all.map((time) => start + time),
    )
    await until('blocks are cut', async () => (await blocksOf(hub)).length >= 5)
    // Into blocks and head alike.
    const late = span(100, 20_000, 1000)
    await write(
      hub,
      'm',
      late.map((time) => start + time),
    )
    const everything = [...all, ...late].sort((a, b) => a - b)
    assert.deepEqual(await stored(hub, 'm', start), { a: everything, b: everything })

    const call = `delete_series?match[]=m{i="a"}&start=${seconds(start + 3000)}&end=${seconds(start + 9100)}`
    assert.deepEqual(await admin(hub, call), { status: 204, text: '' })
    const expected = { a: everything.filter((time) => time < 3000 || time > 9100), b: everything }
    assert.deepEqual(await stored(hub, 'm', start), expected)
    await hub.kill()
    assert.ok(hasTombstones(hub), 'it is on disk when it is answered')
    await hub.restart()
    assert.deepEqual(await stored(hub, 'm', start), expected)

    const series = async (from: number, to: number): Promise<number> => {
      const url = `${hub.url}/api/v1/series?match[]=m&start=${seconds(start + from)}&end=${seconds(start + to)}`
      return ((await (await fetch(url)).json()) as { data: unknown[] }).data.length
    }
    // By chunks, as upstream: one of a merged block may reach across what was deleted.
    const left = await series(4000, 6000)
    if (!(await blocksOf(hub)).some((block) => block.minTime < start + 4000 && block.maxTime > start + 6000))
      assert.equal(left, 1)
    assert.equal(await series(0, 20_000), 2)

    assert.equal((await admin(hub, 'clean_tombstones')).status, 204)
    assert.deepEqual(await stored(hub, 'm', start), expected)
    await until('head and blocks have let go of what was deleted, and the deletion is forgotten', async () => {
      await write(hub, 'other', [Date.now()])
      return !hasTombstones(hub)
    })
    assert.deepEqual(await stored(hub, 'm', start), expected)
    // What the kill left in head and blocks alike is merged.
    await until('the blocks hold what is shown, once', async () => {
      const old = (await blocksOf(hub)).filter(({ minTime }) => minTime < start + 20_000)
      return old.reduce((sum, { stats }) => sum + stats.numSamples, 0) === expected.a.length + expected.b.length
    })
    // What is stored again afterwards is there again.
    await write(hub, 'm', [start + 4000])
    const again = { ...expected, a: [...expected.a, 4000].sort((x, y) => x - y) }
    assert.deepEqual(await stored(hub, 'm', start), again)

    // A whole series, at any time, up to now: what comes later is there.
    assert.equal((await admin(hub, 'delete_series?match[]=m{i="b"}')).status, 204)
    assert.deepEqual(await stored(hub, 'm', start), { a: again.a })
    const now = Date.now()
    const after = { a: again.a.map((time) => time + start - now).concat(0), b: [0] }
    await write(hub, 'm', [now])
    assert.deepEqual(await stored(hub, 'm', now), after)
    const page = await (await fetch(`${hub.url}/federate?match[]=m`)).text()
    assert.equal(page.split('\n').filter((line) => line.startsWith('m{')).length, 2)
    await hub.stop()
    await hub.restart()
    assert.deepEqual(await stored(hub, 'm', now), after)
  }))

test('a snapshot is a data directory: another hub answers the same from it, and goes on', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({ flags: FLAGS })
    const start = 2000 * Math.floor((Date.now() - 20_000) / 2000)
    await write(
      hub,
      'm',
      span(0, 10_000, 250).map((time) => start + time),
    )
    await until('blocks are cut', async () => (await blocksOf(hub)).length >= 4)
    const recent = Date.now() - start
    await write(hub, 'm', [start + recent])
    const call = `delete_series?match[]=m{i="a"}&start=${seconds(start + 1000)}&end=${seconds(start + 5000)}`
    assert.equal((await admin(hub, call)).status, 204)
    const expected = await stored(hub, 'm', start)
    assert.equal(expected['b']!.at(-1), recent)

    const nameOf = ({ text }: Answer): string => (JSON.parse(text) as { data: { name: string } }).data.name
    const full = nameOf(await admin(hub, 'snapshot'))
    const blocksOnly = nameOf(await admin(hub, 'snapshot?skip_head=true', 'PUT'))
    assert.deepEqual(fs.readdirSync(path.join(hub.dataFolder, 'snapshots')).sort(), [full, blocksOnly].sort())
    // The hub that was copied may clean up, merge and remove what it likes.
    assert.equal((await admin(hub, 'delete_series?match[]=m')).status, 204)
    assert.equal((await admin(hub, 'clean_tombstones')).status, 204)
    assert.deepEqual(await stored(hub, 'm', start), {})

    const open = async (name: string): Promise<Hub> => {
      const other = await world.prepareHub({ flags: FLAGS })
      fs.cpSync(path.join(hub.dataFolder, 'snapshots', name), other.dataFolder, { recursive: true })
      return other.restart()
    }
    const other = await open(full)
    assert.deepEqual(await stored(other, 'm', start), expected)
    await write(other, 'm', [start + recent + 500])
    const more = Object.fromEntries(Object.entries(expected).map(([i, times]) => [i, [...times, recent + 500]]))
    assert.deepEqual(await stored(other, 'm', start), more)
    assert.equal((await admin(other, 'clean_tombstones')).status, 204)
    assert.deepEqual(await stored(other, 'm', start), more)
    await other.kill()
    await other.restart()
    assert.deepEqual(await stored(other, 'm', start), more)

    const third = await open(blocksOnly)
    const without = await stored(third, 'm', start)
    assert.ok(without['b']!.length > 0)
    assert.ok(!without['b']!.includes(recent), 'the head was left out')
  }))

test('series are kept as long as their rule says: hidden at once, gone from blocks when these are written anew', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({
      flags: [...FLAGS, '--storage.tsdb.retention.time=14s'],
      heliograph: "retention:\n  - { match: 'long', time: 1h }\n  - { match: '{i=\"a\"}', time: 6s }",
    })
    const start = 2000 * Math.floor((Date.now() - 30_000) / 2000)
    const times = span(0, 28_000, 500).map((time) => start + time)
    for (const name of ['long', 'other']) await write(hub, name, times)
    await until('blocks are cut', async () => (await blocksOf(hub)).length >= 8)
    const shown = await stored(hub, 'other', start)
    for (const [i, keptMs] of [
      ['a', 6000],
      ['b', 14_000],
    ] as const) {
      // From the newest sample, 27.5, or the end of its block.
      const first = shown[i]![0]!
      assert.ok(first === 27_500 - keptMs || first === 28_000 - keptMs, `${i} from ${first}`)
      assert.deepEqual(shown[i], span(first, 28_000, 500))
    }
    const all = await stored(hub, 'long', start)
    assert.deepEqual([all['a']!.length, all['b']!.length], [56, 56])
    const count = (sets: Record<string, number[]>): number => sets['a']!.length + sets['b']!.length
    await until('the blocks hold no more than is shown, but for those that hold what is shown, too', async () => {
      const held = (await blocksOf(hub)).reduce((sum, { stats }) => sum + stats.numSamples, 0)
      return held >= count(all) + count(shown) && held < count(all) + count(shown) + 8
    })
    assert.deepEqual(await stored(hub, 'long', start), all)
    assert.deepEqual(await stored(hub, 'other', start), shown)
  }))

test('a retention rule that is no selector keeps the hub from starting, and says where', () =>
  withWorld(async (world) => {
    const hub = await world.prepareHub({ heliograph: "retention:\n  - { match: 'up{', time: 1h }" })
    await assert.rejects(hub.restart())
    assert.match(hub.tail(), /retention match .*up\{.*prometheus\.yml:\d+:\d+.*heliograph\.retention\[0\]/s)
  }))

test('downsampled windows answer when their samples are gone: the same where they fit, with a note where they do not', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({
      flags: [...FLAGS, '--storage.tsdb.retention.time=12s'],
      heliograph: [
        'downsampling:',
        '  - { resolution: 1s, keep: 1h }',
        '  - { resolution: 2s, keep: 2h }',
        'retention:',
        '  - { match: \'{i="b"}\', time: 12s }',
      ].join('\n'),
    })
    const start = 2000 * Math.floor((Date.now() - 30_000) / 2000)
    const times = span(0, 28_000, 50).map((time) => start + time)
    await write(hub, 'm_total', times)
    type Data = { result: { metric: Record<string, string>; values: [number, string][] }[] }
    const ask = async (text: string, step = 2): Promise<{ data: Data; infos?: string[] }> => {
      const range = `start=${seconds(start + 2000)}&end=${seconds(start + 20_000)}&step=${step}`
      const answer = await fetch(`${hub.url}/api/v1/query_range?query=${encodeURIComponent(text)}&${range}`)
      return (await answer.json()) as { data: Data; infos?: string[] }
    }
    const functions = ['min', 'max', 'last', 'present', 'count', 'sum', 'avg']
    const texts = [...functions.map((name) => `${name}_over_time`), 'increase', 'rate'].map(
      (name) => `${name}(m_total{i="a"}[2s])`,
    )
    const before = await Promise.all(texts.map((text) => ask(text)))
    assert.equal(before[0]!.data.result[0]!.values.length, 10)
    await until('samples beyond retention are gone', async () => {
      // Ages are counted from the newest sample.
      await write(hub, 'other', [Date.now()])
      const old = (await blocksOf(hub)).filter(({ minTime }) => minTime < start + 12_000)
      return old.length > 0 && old.every(({ stats }) => stats.numSamples === 0)
    })
    for (const [i, text] of texts.entries()) assert.deepEqual(await ask(text), before[i], text)
    const old = (await blocksOf(hub)).find(({ minTime }) => minTime < start + 12_000)!
    assert.deepEqual(
      old.downsampled?.map(({ widthMs }) => widthMs),
      [1000, 2000],
    )
    const odd = await ask('max_over_time(m_total[1500ms])')
    assert.match(odd.infos![0]!, /downsampled data was used where samples are no longer kept: windows of up to 1s/)
    const sums = await ask('sum by (i) (m_total)')
    assert.equal(sums.data.result[0]!.values.length, 10)
    assert.match(sums.infos![0]!, /downsampled data was used/)
    const oldest = async (): Promise<Record<string, number>> =>
      Object.fromEntries(Object.entries(await stored(hub, 'm_total', start)).map(([i, all]) => [i, all[0]!]))
    const { a, b } = await oldest()
    assert.ok(a! < 2000 && (b === undefined || b > 10_000), 'the rule has the say over samples and windows')
    await hub.kill()
    await hub.restart()
    for (const [i, text] of texts.entries()) assert.deepEqual(await ask(text), before[i], text)
  }))
