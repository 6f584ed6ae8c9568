/** The same pipeline over a real nats-server with JetStream: one URL in both configurations moves the stream there. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { isOldServer } from '../../hub/env/jetstream.ts'
import { accountOf, assertAccounted } from './bad-day/account.ts'
import { OracleTarget } from './oracle.ts'
import {
  type Agent,
  freePort,
  type Hub,
  lacks,
  queryValue,
  type Server,
  sleep,
  until,
  untilHolds,
  type World,
  withWorld,
} from './world.ts'

/** Scrapes that a busy host may have had no time for. */
const STARVED_SLOTS_MAX = 5

async function oracleOf(world: World): Promise<OracleTarget> {
  const oracle = await OracleTarget.start()
  world.onClose(() => oracle.close())
  return oracle
}

const scraping = ({ address }: OracleTarget): string =>
  `scrape_configs: [{ job_name: oracle, static_configs: [{ targets: ['${address}'] }] }]`

/**
 * Each scrape is there once and whole, in order, or it failed, and no slot is missing but for what a starved host costs;
 * the number of the newest is returned.
 */
async function assertGapless(hub: Server, { id }: Agent, oracle: OracleTarget): Promise<number> {
  const { ups, stored, gaps, slots, problems } = await accountOf(hub, id, oracle)
  assert.deepEqual(problems, [])
  const { suspended = 0, overrun = 0, ...others } = slots.reasons
  assert.deepEqual(others, {}, 'slots that are missing for another reason')
  assert.ok(suspended + overrun <= STARVED_SLOTS_MAX, `${suspended} slots suspended, ${overrun} overrun`)
  assertAccounted(oracle, ups, stored, gaps)
  return Math.max(...stored.values())
}

/** Ends the agent, and waits until the hub has all that it had: all but the scrape that it may have been at. */
async function untilAllOf(hub: Hub, agent: Agent, oracle: OracleTarget, beforeHub = async (): Promise<unknown> => 0) {
  const owed = oracle.scrapes.length - 2
  await agent.stop()
  await beforeHub()
  await untilHolds('the hub has all that was collected', async () => {
    const newest = await assertGapless(hub, agent, oracle)
    assert.ok(newest >= owed, `${newest} is the newest, ${owed} is owed`)
  })
}

const newestOf = async (hub: Hub): Promise<number> => (await queryValue(hub, 'oracle_scrape')) ?? -1

async function assertCounts(hub: Hub, agent: Agent): Promise<void> {
  const status = (await (await fetch(`${hub.url}/api/v1/status/ingest`)).json()) as {
    data: { agents: readonly { agent: string; isLocal: boolean }[] }
  }
  const known = status.data.agents.filter(({ isLocal }) => !isLocal).map((each) => each.agent)
  assert.deepEqual(known, [agent.id])
}

test(
  'over NATS, a killed and restarted nats-server costs no sample, and none is stored twice',
  {
    skip: lacks('nats-server'),
  },
  () =>
    withWorld(async (world) => {
      const nats = await world.startNats()
      const target = await oracleOf(world)
      const hub = await world.startHub({ nats: nats.natsUrl })
      const agent = await world.startAgent({ hub, nats: nats.natsUrl, config: scraping(target) })
      await until('samples arrive', async () => (await newestOf(hub)) >= 3, {
        explain: () => world.tails(),
      })
      for (const outageMs of [500, 4000]) {
        await nats.kill()
        await sleep(outageMs)
        await nats.restart()
        const wanted = target.scrapes.length + 1
        await until('the stream goes on', async () => (await newestOf(hub)) >= wanted, {
          explain: () => world.tails(),
        })
      }
      await untilHolds('nothing is missing', async () => assert.ok((await assertGapless(hub, agent, target)) >= 9))
      await assertCounts(hub, agent)
      await untilAllOf(hub, agent, target)
    }),
)

test(
  'a hub that starts late catches up from the stream, even when the agent is gone',
  {
    skip: lacks('nats-server'),
  },
  () =>
    withWorld(async (world) => {
      const nats = await world.startNats()
      const target = await oracleOf(world)
      const hub = await world.prepareHub({ nats: nats.natsUrl })
      const agent = await world.prepareAgent({ hub, nats: nats.natsUrl, config: scraping(target) })
      await agent.restart()
      await until('the agent collects', () => target.scrapes.length >= 3 && agent.output.includes('Not enrolled yet'))
      await hub.restart()
      await until(
        'the hub has what was collected before it first started',
        async () => (await assertGapless(hub, agent, target)) > 3,
        {
          explain: () => world.tails(),
        },
      )
      await hub.stop()
      const before = target.scrapes.length
      await until('the agent goes on', () => target.scrapes.length >= before + 4)
      await untilAllOf(hub, agent, target, () => {
        // Its ring goes too: only the stream can have the samples.
        fs.rmSync(agent.dataFolder, { recursive: true })
        return hub.restart()
      })
    }),
)

test('a killed hub goes on where its WAL ends, with what the stream kept', { skip: lacks('nats-server') }, () =>
  withWorld(async (world) => {
    const nats = await world.startNats()
    const target = await oracleOf(world)
    const hub = await world.startHub({ nats: nats.natsUrl })
    const agent = await world.startAgent({ hub, nats: nats.natsUrl, config: scraping(target) })
    for (let kills = 0; kills < 2; kills++) {
      const wanted = target.scrapes.length + 1
      await until('samples arrive', async () => (await newestOf(hub)) >= wanted)
      await hub.kill()
      await sleep(1500)
      await hub.restart()
    }
    await untilAllOf(hub, agent, target)
  }),
)

/** Debian 12's own package, unpacked and not installed; null where apt has none. */
async function oldNats(world: World): Promise<string | null> {
  const [installed, folder] = ['/usr/sbin/nats-server', world.file('debian')]
  if (fs.existsSync(installed)) return installed
  const script = `mkdir -p ${folder} && cd ${folder} && apt-get -qq download nats-server && dpkg-deb -x *.deb root`
  // A mirror that does not answer in time is none.
  const ran = await world.run('/bin/sh', ['-c', script], { timeoutMs: 60_000 }).catch(() => null)
  return ran?.code === 0 ? `${folder}/root${installed}` : null
}

test('the old nats-server of Debian 12 is warned about and used', async (t) => {
  await withWorld(async (world) => {
    const file = await oldNats(world)
    if (file === null) return t.skip('apt-get download nats-server failed')
    const { stdout } = await world.run(file, ['--version'])
    const version = /v(\d\S+)/.exec(stdout)?.[1] ?? ''
    if (!isOldServer(version)) return t.skip(`nats-server of this system is ${version}, which is not old`)
    const port = await freePort()
    const conf = world.file('old.conf', `listen: 127.0.0.1:${port}\njetstream { store_dir: "${world.file('js')}" }\n`)
    const server = world.program({ name: 'old-nats', file, args: ['-c', conf] })
    server.spawn()
    await until('nats-server is ready', () => /Server is ready/.test(server.output), { explain: () => server.tail() })
    const url = `nats://127.0.0.1:${port}`
    const hub = await world.startHub({ nats: url })
    const warning = `NATS server ${version} is older than 2.14`
    await until('the warning', () => hub.output.includes(warning), { explain: () => hub.tail() })
    await world.startAgent({ hub, nats: url })
    await until('samples arrive all the same', async () => (await queryValue(hub, 'up{job="nodejs"}')) === 1, {
      explain: () => world.tails(),
    })
  })
})
