/**
 * Full and damaged disks. Method: reliability.md R4 and R6. A hub whose disk is full stops acknowledging, goes on
 * answering, can even be restarted, and recovers by itself; an agent whose ring is full keeps its cap and says what it
 * overwrote; a damaged log costs the damaged records only.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { Driver } from './bad-day/driver.ts'
import { approveAgent, approvedSeed, gapsOf, isLong, metricsOf, pickSeed, seeded } from './bad-day/kit.ts'
import { cannotMount, SmallDisk } from './bad-day/small-disk.ts'
import { judgeDriver, judgeSlots } from './bad-day/verdicts.ts'
import { judge, OracleTarget } from './oracle.ts'
import { type Agent, type Hub, queryValue, samples, sleep, until, type World, withWorld } from './world.ts'

/** Two segments of the log: below that much room a hub takes nothing in. */
const RESERVE_MIB = 256
const RECOVER_MS = 30_000

test(
  'a hub on a full disk stops acknowledging, answers, restarts, and recovers by itself',
  { skip: cannotMount() },
  (t) =>
    withWorld(async (world) => {
      const { hub, steady, oracle, driver } = await cast(world)
      const disk = SmallDisk.mount(world, hub.dataFolder, 500, () => hub.stop())
      t.diagnostic(`the disk is a small ${disk.kind}`)
      const seed = approve(hub, steady)
      await hub.restart()
      await steady.restart()
      driver.begin(seed)
      await until('both are stored', () => queryValue(hub, 'count(oracle_scrape) + count(count(driver_value))'))

      await t.test('below the reserve it takes nothing more in, and answers', async () => {
        disk.fillUpTo(RESERVE_MIB / 2)
        await until('it is full', async () => (await metricsOf(hub)).get('heliograph_ingest_disk_full') === 1)
        assert.match(hub.output, /Disk is almost full/)
        await assertHeld(hub, steady, driver.self)
        const refused = (await metricsOf(hub)).get('heliograph_ingest_batches_refused_total{reason="disk_full"}')
        assert.ok((refused ?? 0) > 0, 'what was not taken is counted')
      })
      await t.test('it recovers within 30 s once there is room, and nothing is lost', async () => {
        disk.empty()
        const startedMs = performance.now()
        await assertRecovered(hub, steady, oracle, driver.self)
        t.diagnostic(`recovered from a disk below its reserve in ${Math.round(performance.now() - startedMs)} ms`)
      })
      await t.test('without any room at all, from one write to the next, it answers and lives', async () => {
        disk.fillUpTo(0)
        await until('it is full', async () => (await metricsOf(hub)).get('heliograph_ingest_disk_full') === 1)
        await assertHeld(hub, steady, driver.self)
        assert.equal(hub.isRunning, true)
      })
      await t.test('killed and started again on the full disk it is ready, and answers', async () => {
        const before = await queryValue(hub, 'count_over_time(oracle_scrape[1h])')
        await hub.kill()
        await hub.restart()
        assert.equal(await queryValue(hub, 'count_over_time(oracle_scrape[1h])'), before)
        await assertHeld(hub, steady, driver.self)
      })
      await t.test('and recovers from that too', async () => {
        disk.empty()
        const startedMs = performance.now()
        await assertRecovered(hub, steady, oracle, driver.self)
        t.diagnostic(`recovered from a full disk in ${Math.round(performance.now() - startedMs)} ms`)
      })
      driver.self.drain()
      await until('the driver is rid of all batches', () => driver.self.openCount === 0, { timeoutMs: 60_000 })
      driver.self.stop()
      await hub.kill()
      await hub.restart()
      const verdict = judgeDriver(driver.self, await samples(hub, 'driver_value[1h]'), driver.self.acked)
      assert.deepEqual([verdict.problems, verdict.lost], [[], 0])
      assert.equal(verdict.storedSamples, verdict.sentSamples)
      t.diagnostic(`${verdict.sentSamples} samples sent, ${verdict.lost} lost`)
    }),
)

test("an agent's ring keeps its cap, and the ledger names what was overwritten", (t) =>
  withWorld(async (world) => {
    const hub = await world.prepareHub({ config: 'scrape_configs: []' })
    const noise = Array.from({ length: 7500 }, (_, i) => 4 * i + 3)
    const oracle = await OracleTarget.start(noise)
    world.onClose(() => oracle.close())
    const intervalMs = 500
    const agent = await world.prepareAgent({
      hub,
      name: 'alone',
      exporters: '{}',
      maxBytes: '8MB',
      scrapeInterval: `${intervalMs}ms`,
      config: `scrape_configs: [{ job_name: oracle, static_configs: [{ targets: ['${oracle.address}'] }] }]`,
    })
    approveAgent(hub, agent)
    await agent.restart()
    let largest = 0
    await until(
      'the ring has overwritten a good deal',
      async () => {
        const metrics = await metricsOf(agent)
        largest = Math.max(largest, folderBytes(`${agent.dataFolder}/ring`))
        return (metrics.get('heliograph_agent_ring_overwritten_batches_total') ?? 0) >= 3
      },
      { timeoutMs: 300_000 },
    )
    t.diagnostic(`ring of 8 MB: at most ${(largest / 1e6).toFixed(2)} MB on disk`)
    assert.ok(largest <= 8_000_000 * 1.05, `${largest} bytes on disk`)
    await hub.restart()
    const newest = oracle.scrapes.length
    const slots = await until(
      'everything that is left is stored, and the rest accounted for',
      async () => {
        const [up] = await samples(hub, 'up{job="oracle"}[1h]')
        const [scrapes] = await samples(hub, 'oracle_scrape[1h]')
        if (Number(scrapes!.values.at(-1)![1]) < newest) return null
        const gaps = (await gapsOf(hub, 'alone')).filter(({ target }) => target.startsWith('oracle/'))
        const verdict = judgeSlots(
          up!.values.map(([seconds]) => Math.round(seconds * 1000)),
          // The first slots were overwritten: nothing stored stands before them.
          gaps,
          intervalMs,
        )
        const overwritten = gaps.filter(({ reason }) => reason === 'overwritten')
        if (verdict.reasons['pending'] || overwritten.length === 0) return null
        if (verdict.problems.length > 0) throw new Error(verdict.problems.join('\n'))
        return { ...verdict, overwritten }
      },
      { timeoutMs: 60_000, pollMs: 500 },
    )
    const count = slots.overwritten.reduce((sum, { fromMs, toMs }) => sum + (toMs - fromMs) / intervalMs + 1, 0)
    t.diagnostic(`${count} slots overwritten and listed, ${slots.slots - slots.missing} stored`)
    // What both exports are of stands still.
    await agent.stop()
    const few = { sentCount: oracle.scrapes.length, seriesCount: noise.filter((each) => each < 100).length }
    const now = Date.now() / 1000
    const scrapes = await samples(hub, 'oracle_scrape[1h]', now)
    const { problems } = judge(scrapes, await samples(hub, 'oracle_value{series=~"[0-9]{1,2}"}[1h]', now), few)
    assert.deepEqual(problems, [])
  }))

test('a torn tail and flipped bytes of the log cost what they hit: the hub starts, says so, and serves the rest', (t) =>
  withWorld(async (world) => {
    const seed = pickSeed()
    const random = seeded(seed)
    t.diagnostic(`HELIO_SEED=${seed}`)
    const { hub, driver } = await cast(world)
    const key = approvedSeed(hub, 'driver')
    await hub.restart()
    driver.begin(key)
    const log = `${hub.dataFolder}/wal`
    const segments = (): string[] =>
      fs
        .readdirSync(log)
        .filter((name) => /^\d+\.wal$/.test(name))
        .sort()
    await until('there is something to damage', () => driver.self.acked.size > 100)

    await t.test('a torn tail is cut off, and no acknowledged sample is lost', async () => {
      await hub.kill()
      fs.appendFileSync(`${log}/${segments().at(-1)}`, Buffer.from(Array.from({ length: 777 }, () => random() * 256)))
      await hub.restart()
      assert.match(hub.output, /Cut off the torn tail/)
      await assertDriver(hub, driver.self, 0)
    })
    await t.test('so is a record that was written in part', async () => {
      await until('more is stored', () => driver.self.acked.size > 200)
      driver.self.stop()
      await sleep(500)
      const acked = new Set(driver.self.acked)
      await hub.kill()
      const last = `${log}/${segments().at(-1)}`
      fs.truncateSync(last, fs.statSync(last).size - 5)
      await hub.restart()
      // This is what no disk does after fdatasync: the last batch is gone, and only that.
      await assertDriver(hub, driver.self, 1, acked)
      driver.self.start()
    })
    const flips = isLong ? 50 : 6
    await t.test(`${flips} flipped bytes in a closed segment cost at most as many batches`, async () => {
      await until('more is stored', () => driver.self.acked.size > 400)
      driver.self.stop()
      await sleep(500)
      const acked = new Set(driver.self.acked)
      await hub.kill()
      const victim = segments()
        .map((name) => `${log}/${name}`)
        .sort((a, b) => fs.statSync(b).size - fs.statSync(a).size)[0]!
      const bytes = fs.readFileSync(victim)
      for (let i = 0; i < flips; i++) bytes[4096 + Math.floor(random() * (bytes.length - 4096))]! ^= 1 << (random() * 8)
      fs.writeFileSync(victim, bytes)
      await hub.restart()
      assert.match(hub.output, /WAL is damaged, the rest is served/)
      assert.ok(fs.readdirSync(`${log}/quarantine`).length > 0, 'what was damaged is put aside')
      assert.ok(((await metricsOf(hub)).get('heliograph_wal_damaged_ranges') ?? 0) > 0, 'damage is counted')
      // The batch before the driver's last cut is gone as well.
      const lost = await assertDriver(hub, driver.self, flips + 1, acked)
      t.diagnostic(`${flips} bytes flipped: ${lost} of ${acked.size} batches are gone, none is wrong`)
    })
    await t.test('and it goes on storing', async () => {
      const before = driver.self.acked.size
      driver.self.start()
      await until('new batches are stored', () => driver.self.acked.size > before + 20)
      driver.self.stop()
    })
  }))

type Cast = {
  readonly hub: Hub
  readonly steady: Agent
  readonly oracle: OracleTarget
  readonly driver: { readonly self: Driver; readonly begin: (seed: string) => void }
}

async function cast(world: World): Promise<Cast> {
  const hub = await world.prepareHub({ config: 'scrape_configs: []' })
  const oracle = await OracleTarget.start()
  const steady = await world.prepareAgent({
    hub,
    name: 'steady',
    exporters: '{}',
    config: `scrape_configs: [{ job_name: oracle, static_configs: [{ targets: ['${oracle.address}'] }] }]`,
  })
  let self: Driver | null = null
  world.onClose(async () => {
    await self?.close()
    await oracle.close()
  })
  const driver = {
    get self(): Driver {
      return self!
    },
    begin: (seed: string): void => {
      const journalFile = world.file('driver.journal')
      self = new Driver({ agent: 'driver', seed, busUrl: hub.busUrl, random: seeded(1), seriesCount: 20, journalFile })
      self.start()
    },
  }
  return { hub, steady, oracle, driver }
}

/** The registry lies on the small disk, so this comes after the mount. */
function approve(hub: Hub, steady: Agent): string {
  approveAgent(hub, steady)
  return approvedSeed(hub, 'driver')
}

/** For two seconds: no acknowledgement, nothing new stored, and every query answered. */
async function assertHeld(hub: Hub, steady: Agent, driver: Driver): Promise<void> {
  await untilStill(driver)
  const acked = driver.acked.size
  const stored = await queryValue(hub, 'count_over_time(oracle_scrape[1h])')
  for (let i = 0; i < 10; i++) {
    await sleep(200)
    assert.equal(await queryValue(hub, 'count_over_time(oracle_scrape[1h])'), stored)
    assert.ok(await queryValue(hub, 'sum(count_over_time(driver_value[1h]))'))
  }
  assert.equal(driver.acked.size, acked, 'it acknowledges what it cannot store')
  const pending = (await metricsOf(steady)).get('heliograph_agent_ring_unacknowledged_batches') ?? 0
  assert.ok(pending > 0, 'the agent holds what is not stored')
}

/** What was stored before the disk was full is acknowledged by now, however late this host lets us hear of it. */
async function untilStill(driver: Driver): Promise<void> {
  let heard = -1
  await until(
    'acknowledgements have ceased',
    () => {
      const before = heard
      heard = driver.acked.size
      return heard === before
    },
    { pollMs: 1000 },
  )
}

/** Acknowledgements flow again, and the agent's series has every slot. */
async function assertRecovered(hub: Hub, steady: Agent, oracle: OracleTarget, driver: Driver): Promise<void> {
  const acked = driver.acked.size
  const newest = oracle.scrapes.length
  const timeouts = { timeoutMs: RECOVER_MS }
  await until('acknowledgements flow', () => driver.acked.size > acked, timeouts)
  await until(
    'the agent has caught up',
    async () => {
      const [up] = await samples(hub, 'up{job="oracle"}[1h]')
      const [scrapes] = await samples(hub, 'oracle_scrape[1h]')
      if (Number(scrapes!.values.at(-1)![1]) < newest) return null
      const gaps = (await gapsOf(hub, steady.id)).filter(({ target }) => target.startsWith('oracle/'))
      const times = up!.values.map(([seconds]) => Math.round(seconds * 1000))
      const { problems, reasons } = judgeSlots(times, gaps, 1000)
      const { suspended: _, overrun: __, ...others } = reasons
      if (problems.length > 0 || Object.keys(others).length > 0)
        throw new Error([...problems, JSON.stringify(others)].join('\n'))
      return true
    },
    timeouts,
  )
}

/** Nothing is wrong, and no more batches are gone than may be; returns how many are. */
async function assertDriver(hub: Hub, driver: Driver, mayLose: number, acked = new Set(driver.acked)): Promise<number> {
  const { problems, lostBatches } = judgeDriver(driver, await samples(hub, 'driver_value[1h]'), acked)
  assert.deepEqual(problems, [])
  assert.ok(lostBatches.length <= mayLose, `${lostBatches.length} batches are gone: ${lostBatches}`)
  return lostBatches.length
}

function folderBytes(folder: string): number {
  return fs
    .readdirSync(folder)
    .reduce((sum, name) => sum + (fs.statSync(`${folder}/${name}`, { throwIfNoEntry: false })?.size ?? 0), 0)
}
