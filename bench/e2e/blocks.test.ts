/** A hub that cuts blocks every few seconds: whatever happens meanwhile, every sample is answered, once and unchanged. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'
import { type Hub, query, until, withWorld } from './world.ts'

const FLAGS = ['--web.enable-remote-write-receiver', '--storage.tsdb.min-block-duration=2s']
const SERIES = 20

type Block = {
  readonly ulid: string
  readonly minTime: number
  readonly maxTime: number
  readonly compaction: { level: number }
}

async function blocksOf(hub: Hub): Promise<Block[]> {
  const answer = (await (await fetch(`${hub.url}/api/v1/status/tsdb/blocks`)).json()) as { data: { blocks: Block[] } }
  return answer.data.blocks
}

const metric = async (hub: Hub, name: string): Promise<number> => {
  const text = await (await fetch(`${hub.url}/metrics`)).text()
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'm').exec(text)?.[1])
}

/** What the hub has acknowledged, by series: time in ms to value. */
class Journal {
  readonly acknowledged: Map<number, number>[] = Array.from({ length: SERIES }, () => new Map())

  /** Samples of all series at these times; false when the hub did not acknowledge. */
  async write(hub: Hub, times: readonly number[]): Promise<boolean> {
    const series = Array.from({ length: SERIES }, (_, i) => ({
      labels: labelsFrom({ __name__: 'journal', i: String(i) }),
      timestamps: times,
      values: Float64Array.from(times, (time) => valueAt(i, time)),
    }))
    const body = snappyCompress(encodeWriteRequest(series))
    const response = await fetch(`${hub.url}/api/v1/write`, {
      method: 'POST',
      body: body as Uint8Array<ArrayBuffer>,
    }).catch(() => null)
    if (response?.status !== 204) return false
    for (let i = 0; i < SERIES; i++) for (const time of times) this.acknowledged[i]!.set(time, valueAt(i, time))
    return true
  }

  async check(hub: Hub, when: string): Promise<void> {
    const rows = (await query(hub, 'journal[1h]')) as unknown as {
      metric: Record<string, string>
      values: [number, string][]
    }[]
    const found = new Map(rows.map(({ metric: labels, values }) => [Number(labels['i']), values]))
    this.acknowledged.forEach((wanted, i) => {
      const times = [...wanted.keys()].sort((a, b) => a - b)
      const got = new Map((found.get(i) ?? []).map(([at, value]) => [Math.round(at * 1000), Number(value)]))
      assert.equal((found.get(i) ?? []).length, got.size, `${when}: series ${i} has no time twice`)
      const missing = times.filter((time) => got.get(time) !== wanted.get(time))
      assert.deepEqual(missing.slice(0, 5), [], `${when}: series ${i} lacks ${missing.length} of ${times.length}`)
    })
  }
}

const valueAt = (i: number, time: number): number => Math.round(1000 * Math.sin(time / 7000 + i)) / 10

test('blocks are cut, merged and read; late samples, a restart and kills lose nothing', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({ flags: FLAGS })
    const journal = new Journal()
    const start = Date.now() - 30_000
    const span = (from: number, to: number, step: number): number[] =>
      Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => start + from + i * step)
    await journal.write(hub, span(0, 20_000, 250))
    await until('blocks are cut', async () => (await blocksOf(hub)).length >= 5)
    await journal.check(hub, 'after the first cut')
    // Some may be merged by now.
    await until('the metric counts the blocks that are listed', async () => {
      const { length } = await blocksOf(hub)
      return (await metric(hub, 'prometheus_tsdb_blocks_loaded')) === length
    })

    // Late, into ranges that are blocks; and the newest, while rounds go on.
    for (let round = 0; round < 6; round++) {
      await journal.write(hub, span(100 + 37 * round, 20_000, 1900))
      await journal.write(hub, [Date.now()])
      await journal.check(hub, `while blocks are cut, round ${round}`)
      await new Promise((resolve) => setTimeout(resolve, 400))
    }
    await until('blocks were merged', async () => (await blocksOf(hub)).some(({ compaction }) => compaction.level > 1))
    await journal.check(hub, 'after merging')

    await hub.stop()
    await hub.restart()
    await journal.check(hub, 'after a restart')

    for (let kill = 0; kill < 3; kill++) {
      const until = Date.now() + 300 + 700 * Math.random()
      while (Date.now() < until) {
        await journal.write(hub, span(500 + 13 * kill, 20_000, 2700))
        await journal.write(hub, [Date.now()])
      }
      await hub.kill()
      await hub.restart()
      await journal.check(hub, `after kill ${kill + 1}`)
    }
    const folder = path.join(hub.dataFolder, 'blocks')
    assert.deepEqual(
      fs.readdirSync(folder).filter((name) => name.endsWith('.damaged')),
      [],
    )
  }))

test('a damaged block is set aside at the start, named, and the rest is served', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({ flags: FLAGS })
    const journal = new Journal()
    const start = Date.now() - 20_000
    await journal.write(
      hub,
      Array.from({ length: 40 }, (_, i) => start + 250 * i),
    )
    await until('blocks are cut', async () => (await blocksOf(hub)).length >= 3)
    await hub.stop()
    const folder = path.join(hub.dataFolder, 'blocks')
    const [victim] = fs.readdirSync(folder).sort()
    const file = path.join(folder, victim!, 'index')
    const bytes = fs.readFileSync(file)
    bytes[bytes.length >> 1]! ^= 1
    fs.writeFileSync(file, bytes)
    await hub.restart()
    assert.ok(fs.readdirSync(folder).includes(`${victim}.damaged`))
    assert.equal(await metric(hub, 'heliograph_blocks_damaged'), 1)
    assert.match(hub.tail(), /damaged and set aside.*index/)
    const rows = await query(hub, 'count_over_time(journal{i="0"}[1h])')
    const count = Number(rows[0]!.value[1])
    assert.ok(count > 0 && count < 40, `the rest is served: ${count} of 40`)
    const found = async () => {
      const answer = (await (await fetch(`${hub.url}/api/v1/status/tsdb/blocks`)).json()) as {
        data: { damaged: { found: { block: string; piece: string; why: string }[] } }
      }
      return answer.data.damaged.found
    }
    assert.deepEqual(await found(), [{ block: victim, piece: 'index', why: 'wrong checksum', cost: 'block' }])
    const warnings = async () => {
      const asked = `${hub.url}/api/v1/query?query=${encodeURIComponent('count_over_time(journal{i="0"}[1h])')}`
      return ((await (await fetch(asked)).json()) as { warnings?: string[] }).warnings?.sort()
    }
    const lost = `samples are missing: block ${victim} is damaged: `
    assert.deepEqual(await warnings(), [`${lost}index: wrong checksum`])

    // Chunks are looked at when a query comes to them.
    await hub.stop()
    const [second] = fs.readdirSync(folder).filter((name) => !name.endsWith('.damaged'))
    const chunks = path.join(folder, second!, 'chunks')
    const runs = fs.readFileSync(chunks)
    runs[40]! ^= 4
    fs.writeFileSync(chunks, runs)
    await hub.restart()
    const [left] = await query(hub, 'count_over_time(journal{i="0"}[1h])')
    assert.ok(Number(left!.value[1]) < count, 'what is damaged is not served')
    await until('it is listed', async () => (await found()).length === 2)
    const [before, run] = await found()
    assert.deepEqual([before!.block, run!.block], [victim, second])
    assert.match(run!.piece, /^run at byte 16$/)
    assert.equal(run!.why, 'wrong checksum')
    for (let asked = 0; asked < 3; asked++)
      assert.deepEqual(await warnings(), [
        `${lost}block: set aside before this start`,
        `samples are missing: block ${second} is damaged: run at byte 16: wrong checksum`,
      ])
    assert.equal(await metric(hub, 'heliograph_block_damage_found_total'), 2, 'once, whoever comes upon it')
    const info = (await (await fetch(`${hub.url}/api/v1/status/runtimeinfo`)).json()) as {
      data: { corruptionCount: number }
    }
    assert.equal(info.data.corruptionCount, 2)
  }))

test('retention removes whole blocks by time', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({ flags: [...FLAGS, '--storage.tsdb.retention.time=12s'] })
    const journal = new Journal()
    const start = Date.now() - 10_000
    await journal.write(
      hub,
      Array.from({ length: 30 }, (_, i) => start + 250 * i),
    )
    // Ages are counted from the newest sample.
    const isRemoved = async (): Promise<boolean> => {
      await journal.write(hub, [Date.now()])
      return (await metric(hub, 'heliograph_blocks_removed_total')) >= 1
    }
    await until('the oldest are removed', isRemoved)
    const newest = Date.now()
    await journal.write(hub, [newest])
    // Without more samples no age grows: whole blocks beyond it go, and only those.
    await until('only what is in retention is left', async () =>
      (await blocksOf(hub)).every(({ maxTime }) => maxTime > newest - 12_000),
    )
  }))
