/**
 * The consul exporter in a real agent, against the recorded answers of the conformance kit behind a real HTTP server:
 * Consul itself is not packaged here.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { kitFolder } from '../conformance/suites.ts'
import { exporterPage, pageOf } from './exporters-kit.ts'
import { freePort, queryValue, until, withWorld } from './world.ts'

const kit = kitFolder('exporters/consul')?.[0]

type Stub = { readonly address: string; down: boolean; readonly tokens: Set<unknown>; close(): void }

async function startStub(set: string): Promise<Stub> {
  const { sets } = JSON.parse(fs.readFileSync(`${kit}/api-responses.json`, 'utf8'))
  const tokens = new Set<unknown>()
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://stub')
    tokens.add(request.headers['x-consul-token'])
    const answer = sets[set][`${request.method} ${pathname}${searchParams.has('wan') ? '?wan=1' : ''}`]
    if (stub.down) response.writeHead(500).end('No cluster leader')
    else if (answer === undefined) response.writeHead(404).end()
    else response.end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const stub: Stub = { address, down: false, tokens, close: () => void server.close() }
  return stub
}

test('the state of a cluster arrives at a hub, its outage too', { skip: !kit && 'no kit', timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const consul = await startStub('collect with service meta values')
    const other = await startStub('collect with service check name')
    const hub = await world.startHub({})
    const web = await freePort()
    const token = world.file('token', 's3cret\n')
    const exporters = JSON.stringify({
      consul: {
        listen: `127.0.0.1:${web}`,
        'consul.timeout': '5s',
        'meta.filter': 'meta_.*',
        'consul.token-file': token,
        targets: [
          { target: consul.address, instance: 'east' },
          { target: `http://${other.address}`, instance: 'west' },
        ],
      },
    })
    const agent = await world.startAgent({ hub, exporters })
    await until('both are up', async () => (await queryValue(hub, 'sum(consul_up{job="consul"})')) === 2)
    const meta = 'consul_service_meta_info{instance="east",key="meta_key_1",value="meta_value_1"}'
    assert.equal(await queryValue(hub, meta), 1)
    const check = 'consul_service_checks{instance="west",check_name="friendly-name",check_id="_nomad-check-special"}'
    assert.equal(await queryValue(hub, check), 1)
    assert.deepEqual([...consul.tokens], ['s3cret'])
    for (const page of [await exporterPage(agent, 'consul'), await pageOf(`http://127.0.0.1:${web}/metrics`)]) {
      assert.equal(
        page.get('consul_serf_lan_member_info{instance="east",member="node1",role="consul",version="1.22.0"}'),
        '1',
      )
      assert.equal(page.get('consul_catalog_services{instance="east"}'), '2')
      assert.equal(page.get('# HELP consul_raft_peers'), 'How many peers (servers) are in the Raft cluster.')
    }
    other.down = true
    await until('one is down', async () => (await queryValue(hub, 'consul_up{instance="west"}')) === 0)
    await until('the other is up', async () => (await queryValue(hub, 'consul_up{instance="east"}')) === 1)
    consul.close()
    other.close()
  }),
)
