/**
 * Two real hubs with one alertmanager.yml on a real nats-server: one of them notifies, of every change once; the other
 * goes on when it is killed, both when NATS is away; silences that a real amtool makes on one hold on the other.
 */
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { peer } from '../peers/peers.ts'
import { freePort, type Hub, lacks, queryValue, sleep, until, type World, withWorld } from './world.ts'

const RULES = `groups:
  - name: gates
    rules: [{ alert: GateOpen, expr: gate == 1 }]
`
/** A member waits so long for the one before it, and then looks at what that one has told. */
const PEER_TIMEOUT = '6s'
const TURN_MS = 9_000

/** Gates that the test opens, and whoever is told of them. */
class Gatehouse {
  readonly told: string[] = []
  readonly open = new Set<string>()
  readonly #server = http.createServer((request, response) => {
    if (request.method === 'GET') {
      const gates = ['north', 'south', 'east'].map((gate) => `gate{gate="${gate}"} ${this.open.has(gate) ? 1 : 0}\n`)
      response.end(gates.join(''))
      return
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { alerts } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
        alerts: { status: string; labels: { gate: string } }[]
      }
      this.told.push(
        alerts
          .map(({ status, labels }) => `${labels.gate} ${status}`)
          .sort()
          .join(', '),
      )
      response.end()
    })
  })

  async listen(world: World): Promise<string> {
    const port = await freePort()
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
    world.onClose(() => void this.#server.close().closeAllConnections())
    return `127.0.0.1:${port}`
  }

  /** Until it was told so, after the first `from` notifications. */
  heard(what: string, from: number, hubs: readonly Hub[]): Promise<unknown> {
    return until(`somebody told "${what}"`, () => this.told.slice(from).includes(what), {
      explain: () => `${JSON.stringify(this.told)}\n${hubs.map((hub) => hub.tail()).join('\n')}`,
    })
  }
}

type Status = { readonly name: string; readonly status: string; readonly peers: readonly { readonly name: string }[] }

async function clusterOf(hub: Hub): Promise<string> {
  const answer = await fetch(`${hub.url}/api/v2/status`)
  const { cluster } = (await answer.json()) as { cluster: Status }
  return `${cluster.name} ${cluster.status} ${cluster.peers.map(({ name }) => name).join()}`
}

async function amtool(world: World, hub: Hub, ...args: string[]): Promise<string> {
  const { path } = peer('amtool') as { path: string }
  const { code, stdout, stderr } = await world.run(path, [`--alertmanager.url=${hub.url}`, ...args])
  assert.equal(code, 0, `${args.join(' ')}: ${stderr}${stdout}`)
  return stdout
}

const silencesOf = (world: World, hub: Hub): Promise<string> => amtool(world, hub, 'silence', 'query')

async function firing(hub: Hub, gate: string): Promise<boolean> {
  return (await queryValue(hub, `count(ALERTS{alertstate="firing",gate="${gate}"})`)) === 1
}

async function twoHubs(world: World, natsUrl: string) {
  const gates = new Gatehouse()
  const target = await gates.listen(world)
  const start = (name: string): Promise<Hub> =>
    world.startHub({
      name,
      nats: natsUrl,
      flags: [`--cluster.peer-timeout=${PEER_TIMEOUT}`],
      heliograph: `id: ${name}\ncluster: { name: ${name} }`,
      config: `global: { scrape_interval: 1s, evaluation_interval: 500ms }
rule_files: [rules.yml]
scrape_configs:
  - job_name: gates
    fallback_scrape_protocol: PrometheusText0.0.4
    static_configs: [{ targets: ['${target}'] }]
`,
      files: {
        'rules.yml': RULES,
        'alertmanager.yml': `route: { receiver: hook, group_by: [gate], group_wait: 1s, group_interval: 2s, repeat_interval: 1h }
receivers: [{ name: hook, webhook_configs: [{ url: 'http://${target}/hook' }] }]
`,
      },
    })
  const hubs = [await start('hub-a'), await start('hub-b')] as const
  return { gates, hubs }
}

const together = async (hubs: readonly Hub[], names: string): Promise<void> => {
  for (const hub of hubs)
    await until(`${hub.name} sees ${names}`, async () => (await clusterOf(hub)) === `${hub.name} ready ${names}`, {
      explain: () => hub.tail(),
    })
}

const skip = lacks('nats-server') || lacks('amtool')

test('of two hubs one notifies, of every change once, whichever is killed', { skip }, () =>
  withWorld(async (world) => {
    const { natsUrl } = await world.startNats()
    const { gates, hubs } = await twoHubs(world, natsUrl)
    const [a, b] = hubs
    await together(hubs, 'hub-a,hub-b')
    assert.match(
      await amtool(world, b, '-o', 'extended', 'cluster', 'show'),
      /ready[\s\S]*hub-b[\s\S]*127.0.0.1:\d+ +hub-a/,
    )

    gates.open.add('north')
    for (const hub of hubs) await until('the alert fires', () => firing(hub, 'north'))
    await gates.heard('north firing', 0, hubs)
    await sleep(TURN_MS)
    assert.deepEqual(gates.told, ['north firing'])

    // Made on one, in force on the other; ended there, ended here.
    const id = (await amtool(world, b, 'silence', 'add', '-c', 'test', '-a', 'me', 'gate=south')).trim()
    await until('the silence is on both', async () => (await silencesOf(world, a)).includes('gate="south"'))
    gates.open.add('south')
    for (const hub of hubs) await until('the alert fires', () => firing(hub, 'south'))
    await sleep(TURN_MS)
    assert.deepEqual(gates.told, ['north firing'])
    await amtool(world, a, 'silence', 'expire', id)
    await until('the silence is over on both', async () => !(await silencesOf(world, b)).includes('gate="south"'))
    await gates.heard('south firing', 1, hubs)
    await sleep(TURN_MS)
    assert.deepEqual(gates.told, ['north firing', 'south firing'])

    await a.kill()
    gates.open.delete('north')
    await gates.heard('north resolved', 2, hubs)
    await together([b], 'hub-b')
    gates.open.add('east')
    await gates.heard('east firing', 3, hubs)
    // Back again: its rules may fire for the north gate, by samples from before, but it repeats nothing.
    await a.restart()
    await together(hubs, 'hub-a,hub-b')
    await until('the alert fires', () => firing(a, 'east'))
    await sleep(TURN_MS)
    assert.deepEqual(gates.told, ['north firing', 'south firing', 'north resolved', 'east firing'])
    gates.open.delete('south')
    await gates.heard('south resolved', 4, hubs)
    await sleep(TURN_MS)
    assert.deepEqual(gates.told.slice(4), ['south resolved'])
  }),
)

test('with NATS away notifications arrive all the same, and when it is back once', { skip }, () =>
  withWorld(async (world) => {
    const nats = await world.startNats()
    const { gates, hubs } = await twoHubs(world, nats.natsUrl)
    await together(hubs, 'hub-a,hub-b')
    await nats.kill()
    gates.open.add('north')
    await gates.heard('north firing', 0, hubs)
    const id = (await amtool(world, hubs[0], 'silence', 'add', '-c', 'test', '-a', 'me', 'gate=south')).trim()
    await sleep(TURN_MS)
    await nats.restart()
    await together(hubs, 'hub-a,hub-b')
    await until('the silence is on both', async () => (await silencesOf(world, hubs[1])).includes(id.slice(0, 8)))
    const from = gates.told.length
    assert.ok(from <= 2, JSON.stringify(gates.told))
    gates.open.add('east')
    gates.open.add('south')
    await gates.heard('east firing', from, hubs)
    await sleep(TURN_MS)
    assert.deepEqual(gates.told.slice(from), ['east firing'])
  }),
)
