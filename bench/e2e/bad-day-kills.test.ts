/**
 * Kill -9 of hub, bus and agent under load. Method: reliability.md R1, R2, R8 and R11. Two drivers send at full rate and
 * journal every acknowledgement outside of what is killed; two real agents scrape oracles. In the end all raw samples
 * are exported: acknowledged ⊆ stored ⊆ sent, none twice, none changed, in order; every slot of the agents is stored or
 * in the ledger. HELIO_LONG=1 kills 200 times instead of 20, HELIO_SEED repeats a run.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { type TestContext, test } from 'node:test'
import { accountOf, assertAccounted } from './bad-day/account.ts'
import { Driver } from './bad-day/driver.ts'
import { approveAgent, approvedSeed, isLong, percentile, pickSeed, seeded } from './bad-day/kit.ts'
import { judgeDriver } from './bad-day/verdicts.ts'
import { OracleTarget } from './oracle.ts'
import { type Agent, type HttpProgram, type Hub, lacks, samples, sleep, until, type World, withWorld } from './world.ts'

const FACTOR = isLong ? 10 : 1
const WINDOW = '[3h]'
const INTERVAL_MS = 1000
const CATCH_UP_MS = 60_000
/** From a scrape until it is in the ring: the age of a batch, the pause between commits, the commit itself, and slack. */
const UNSAFE_MS = 4000

type Victim = 'hub' | 'hub while it recovers' | 'agent' | 'bus' | 'bus with its store'
type Cast = {
  readonly world: World
  readonly hub: Hub
  readonly steady: Agent
  readonly mortal: Agent
  readonly bus: HttpProgram | null
  readonly steadyOracle: OracleTarget
  readonly mortalOracle: OracleTarget
  readonly drivers: readonly Driver[]
  readonly random: () => number
  /** When the mortal agent was dead: from its kill until it was ready again. */
  readonly deaths: { readonly fromMs: number; readonly toMs: number }[]
}

test('kill -9 of hub and agent with the embedded bus loses nothing that was acknowledged', (t) =>
  day(t, null, { hub: 6 * FACTOR, 'hub while it recovers': 2 * FACTOR, agent: 4 * FACTOR }))

test(
  'kill -9 of hub, agent and a real NATS loses nothing that was acknowledged',
  {
    skip: lacks('nats-server'),
  },
  (t) =>
    day(t, 'nats', {
      hub: FACTOR,
      'hub while it recovers': FACTOR,
      agent: 2 * FACTOR,
      bus: 2 * FACTOR,
      'bus with its store': 2 * FACTOR,
    }),
)

function day(t: TestContext, bus: 'nats' | null, kills: Partial<Record<Victim, number>>): Promise<void> {
  const seed = pickSeed()
  t.diagnostic(`HELIO_SEED=${seed}`)
  const random = seeded(seed)
  return withWorld(async (world) => {
    const cast = await setUp(world, bus, random)
    const readyMs = await killAll(cast, kills)
    await judgeDrivers(t, cast)
    await judgeAgents(t, cast)
    t.diagnostic(
      `${Object.entries(kills).map(([victim, count]) => `${count} × ${victim}`)}; hub ready after a kill: p50 ${Math.round(percentile(readyMs, 0.5))} ms, p99 ${Math.round(percentile(readyMs, 0.99))} ms`,
    )
    assert.ok(percentile(readyMs, 0.99) < 20_000, `the hub took ${Math.max(...readyMs)} ms to come back`)
  })
}

async function setUp(world: World, busKind: 'nats' | null, random: () => number): Promise<Cast> {
  const bus = busKind ? await world.startNats() : null
  const hub = await world.prepareHub({ ...(bus && { nats: bus.natsUrl }), config: 'scrape_configs: []' })
  const busUrl = bus?.natsUrl ?? hub.busUrl
  const [steadyOracle, mortalOracle] = [await OracleTarget.start(), await OracleTarget.start()]
  world.onClose(() => Promise.all([steadyOracle.close(), mortalOracle.close()]).then(() => {}))
  const scraping = ({ address }: OracleTarget): string =>
    `scrape_configs: [{ job_name: oracle, static_configs: [{ targets: ['${address}'] }] }]`
  const common = { hub, exporters: '{}', ...(bus && { nats: busUrl }) }
  const steady = await world.prepareAgent({ ...common, name: 'steady', config: scraping(steadyOracle) })
  // The other way onto the embedded bus: TCP, where the first uses the hub's WebSocket.
  const mortal = await world.prepareAgent({ ...common, nats: busUrl, name: 'mortal', config: scraping(mortalOracle) })
  for (const agent of [steady, mortal]) approveAgent(hub, agent)
  const seeds = ['driver-1', 'driver-2'].map((agent) => ({ agent, seed: approvedSeed(hub, agent) }))
  await hub.restart()
  await Promise.all([steady.restart(), mortal.restart()])
  const drivers = seeds.map(
    ({ agent, seed }) =>
      new Driver({ agent, seed, busUrl, random, seriesCount: 20, journalFile: world.file(`${agent}.journal`) }),
  )
  world.onClose(() => Promise.all(drivers.map((driver) => driver.close())).then(() => {}))
  for (const driver of drivers) driver.start()
  await until('all four are stored', async () => {
    const rows = await samples(hub, `{__name__=~"oracle_scrape|driver_value", series=~"|0"}${WINDOW}`)
    return rows.length === 4
  })
  return { world, hub, steady, mortal, bus, steadyOracle, mortalOracle, drivers, random, deaths: [] }
}

/** Returns how long the hub took to be ready after each of its kills. */
async function killAll(cast: Cast, kills: Partial<Record<Victim, number>>): Promise<number[]> {
  const { random } = cast
  const plan = (Object.entries(kills) as [Victim, number][]).flatMap(([victim, count]) =>
    Array.from({ length: count }, () => victim),
  )
  for (let i = plan.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[plan[i], plan[j]] = [plan[j]!, plan[i]!]
  }
  const readyMs: number[] = []
  for (const victim of plan) {
    await sleep(random() * 1500)
    await killOne(cast, victim, readyMs)
  }
  await sleep(1000)
  return readyMs
}

async function killOne({ hub, mortal, bus, random, deaths }: Cast, victim: Victim, readyMs: number[]): Promise<void> {
  switch (victim) {
    case 'hub while it recovers':
      await hub.kill()
      hub.spawn()
      await sleep(random() * 900)
      await hub.kill()
      readyMs.push(await timed(() => hub.restart()))
      return
    case 'hub':
      await hub.kill()
      await sleep(random() * 500)
      readyMs.push(await timed(() => hub.restart()))
      return
    case 'agent': {
      const fromMs = Date.now()
      await mortal.kill()
      await sleep(random() * 2500)
      await mortal.restart()
      const before = deaths.at(-1)
      // Killed again before anything of its short life was safe: one absence.
      if (before && fromMs - before.toMs < UNSAFE_MS) deaths.pop()
      deaths.push({ fromMs: before && fromMs - before.toMs < UNSAFE_MS ? before.fromMs : fromMs, toMs: Date.now() })
      return
    }
    case 'bus':
    case 'bus with its store':
      await bus!.kill()
      if (victim !== 'bus') fs.rmSync(`${bus!.folder}/js`, { recursive: true, force: true })
      await sleep(random() * 500)
      await bus!.restart()
  }
}

async function judgeDrivers(t: TestContext, { hub, drivers }: Cast): Promise<void> {
  for (const driver of drivers) driver.stop()
  const acked = drivers.map((driver) => new Set(driver.acked))
  // What counts is what the disk holds.
  await hub.kill()
  await hub.restart()
  for (const [i, driver] of drivers.entries()) {
    const verdict = judgeDriver(driver, await stored(hub, driver), acked[i]!)
    assert.deepEqual(verdict.problems, [], `what ${driver.agent} has stored`)
    assert.equal(
      verdict.lost,
      0,
      `${driver.agent} lost acknowledged samples of batches ${verdict.lostBatches} of ${driver.sentCount / 5}`,
    )
    assert.ok(acked[i]!.size > 50, `${driver.agent} had only ${acked[i]!.size} acknowledgements: no load`)
  }
  for (const driver of drivers) driver.drain()
  await until('the drivers are rid of all batches', () => drivers.every((driver) => driver.openCount === 0), {
    timeoutMs: CATCH_UP_MS,
    explain: () => drivers.map((driver) => driver.describe()).join('\n'),
  })
  for (const driver of drivers) {
    driver.stop()
    const verdict = judgeDriver(driver, await stored(hub, driver), driver.acked)
    assert.deepEqual(verdict.problems, [])
    assert.equal(verdict.lost, 0)
    assert.equal(verdict.storedSamples, verdict.sentSamples, `${driver.agent} has holes`)
    t.diagnostic(
      `${driver.agent}: ${verdict.sentSamples} samples sent, ${verdict.ackedSamples} acknowledged, ${verdict.lost} lost, 0 twice, ${driver.extraSends} batches sent more than once on purpose, ${driver.refused} refused`,
    )
    assert.equal(driver.refused, 0)
  }
}

const stored = (hub: Hub, { agent }: Driver) => samples(hub, `driver_value{agent="${agent}"}${WINDOW}`)

async function judgeAgents(t: TestContext, cast: Cast): Promise<void> {
  const { hub, steady, mortal, steadyOracle, mortalOracle } = cast
  for (const [agent, oracle] of [
    [steady, steadyOracle],
    [mortal, mortalOracle],
  ] as const) {
    const { id } = agent
    const target = oracle.scrapes.length
    const { ups, stored, gaps, slots } = await until(
      `the hub has caught up with ${id}`,
      async () => {
        const found = await accountOf(hub, id, oracle)
        if ([...found.stored.values()].at(-1)! < target || found.slots.reasons['pending']) return null
        // Between two queries a batch may have come in: then there are problems that are none.
        if (found.problems.length > 0) throw new Error(found.problems.join('\n'))
        return found
      },
      { timeoutMs: CATCH_UP_MS, pollMs: 500 },
    )
    const failed = ups.size - stored.size
    t.diagnostic(
      `${id}: ${slots.slots} slots, ${ups.size} stored (${failed} with up 0, for the host was too slow), missing with reason: ${JSON.stringify(slots.reasons)}`,
    )
    const { agent_down: down = 0, suspended = 0, overrun = 0, ...others } = slots.reasons
    assert.deepEqual(others, {}, `reasons of the gaps of ${id}`)
    assert.ok(suspended + overrun + failed <= slots.slots / 2, `${id} is too starved for this run to say anything`)
    if (agent === steady) assert.equal(down, 0, 'a hole in the agent that was never killed')
    assertAccounted(oracle, ups, stored, gaps)
    for (const { reason, fromMs, toMs } of gaps) {
      if (reason !== 'agent_down') continue
      const isOfADeath = cast.deaths.some(
        (death) => fromMs >= death.fromMs - UNSAFE_MS && toMs <= death.toMs + INTERVAL_MS,
      )
      assert.ok(isOfADeath, `the gap from ${fromMs} to ${toMs} has no death: ${JSON.stringify(cast.deaths)}`)
    }
  }
}

async function timed(fn: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await fn()
  return performance.now() - startedMs
}
