/** The same pipeline over a real nats-server with JetStream: one URL in both configurations moves the stream there. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import { test } from 'node:test'
import { isOldServer } from '../../hub/env/jetstream.ts'
import {
  type Agent,
  freePort,
  type Hub,
  lacks,
  queryValue,
  type Server,
  samples,
  sleep,
  until,
  type World,
  withWorld,
} from './world.ts'

/** Numbers its scrapes: what a hub holds of it shows every sample that is missing or there twice. */
class Numbered {
  served = 0
  address = ''

  async listen(world: World): Promise<this> {
    const server = http.createServer((_, response) => {
      this.served++
      response.setHeader('content-type', 'text/plain; version=0.0.4').end(`numbered ${this.served}\n`)
    })
    const port = await freePort()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    world.onClose(() => void server.close().closeAllConnections())
    this.address = `127.0.0.1:${port}`
    return this
  }

  get scrapeConfig(): string {
    return `scrape_configs: [{ job_name: numbered, static_configs: [{ targets: ['${this.address}'] }] }]`
  }
}

/** One series with each number from the first that is there, once, a scrape interval apart; the last one is returned. */
async function assertGapless(hub: Server, first = 1): Promise<number> {
  const rows = await samples(hub, 'numbered[10m]')
  assert.equal(rows.length, 1)
  const { values } = rows[0]!
  assert.deepEqual(
    values.map(([, value]) => Number(value)),
    values.map((_, i) => first + i),
    'each number once, in order',
  )
  for (let i = 1; i < values.length; i++) {
    const stepMs = Math.round((values[i]![0] - values[i - 1]![0]) * 1000)
    // A busy machine scrapes late, and the truth is stored then.
    assert.ok(Math.abs(stepMs - 1000) < 500, `sample ${i} is ${stepMs} ms after its predecessor`)
  }
  return first + values.length - 1
}

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
      const target = await new Numbered().listen(world)
      const hub = await world.startHub({ nats: nats.natsUrl })
      const agent = await world.startAgent({ hub, nats: nats.natsUrl, config: target.scrapeConfig })
      await until('samples arrive', async () => (await queryValue(hub, 'numbered'))! >= 3, {
        explain: () => world.tails(),
      })
      for (const outageMs of [500, 4000]) {
        await nats.kill()
        await sleep(outageMs)
        await nats.restart()
        const wanted = target.served + 2
        await until('the stream goes on', async () => (await queryValue(hub, 'numbered'))! >= wanted, {
          timeoutMs: 40_000,
          explain: () => world.tails(),
        })
      }
      assert.ok((await assertGapless(hub)) >= 10)
      await assertCounts(hub, agent)
      await agent.stop()
      await until('the last samples', async () => (await assertGapless(hub)) === target.served, {
        explain: () => world.tails(),
      })
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
      const target = await new Numbered().listen(world)
      const hub = await world.prepareHub({ nats: nats.natsUrl })
      const agent = await world.prepareAgent({ hub, nats: nats.natsUrl, config: target.scrapeConfig })
      await agent.restart()
      await until('the agent collects', () => target.served >= 3)
      assert.match(agent.output, /Not enrolled yet/)
      await hub.restart()
      await until(
        'the hub has what was collected before it first started',
        async () => (await assertGapless(hub)) > 3,
        {
          explain: () => world.tails(),
        },
      )
      await hub.stop()
      const before = target.served
      await until('the agent goes on', () => target.served >= before + 4)
      // Its ring goes too: only the stream can have the samples.
      await agent.stop()
      fs.rmSync(agent.dataFolder, { recursive: true })
      await hub.restart()
      await until('the hub has all that was collected', async () => (await assertGapless(hub)) === target.served, {
        explain: () => world.tails(),
      })
    }),
)

test('a killed hub goes on where its WAL ends, with what the stream kept', { skip: lacks('nats-server') }, () =>
  withWorld(async (world) => {
    const nats = await world.startNats()
    const target = await new Numbered().listen(world)
    const hub = await world.startHub({ nats: nats.natsUrl })
    const agent = await world.startAgent({ hub, nats: nats.natsUrl, config: target.scrapeConfig })
    for (let kills = 0; kills < 2; kills++) {
      const wanted = target.served + 2
      await until('samples arrive', async () => (await queryValue(hub, 'numbered'))! >= wanted)
      await hub.kill()
      await sleep(1500)
      await hub.restart()
    }
    await agent.stop()
    await until('all samples are there', async () => (await assertGapless(hub)) === target.served, {
      explain: () => world.tails(),
    })
  }),
)

/** Debian 12's own package, unpacked and not installed; null where apt has none. */
async function oldNats(world: World): Promise<string | null> {
  const [installed, folder] = ['/usr/sbin/nats-server', world.file('debian')]
  if (fs.existsSync(installed)) return installed
  const script = `mkdir -p ${folder} && cd ${folder} && apt-get -qq download nats-server && dpkg-deb -x *.deb root`
  const { code } = await world.run('/bin/sh', ['-c', script], { timeoutMs: 60_000 })
  return code === 0 ? `${folder}/root${installed}` : null
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
