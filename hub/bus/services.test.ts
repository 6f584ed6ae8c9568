import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Msg } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { systemClock, systemRandom } from '../../agent/env/mod.ts'
import { announceService } from './mod.ts'
import { startBus } from './testing/kit.ts'

const env = { clock: systemClock, random: systemRandom }
type Json = Record<string, unknown> & { endpoints: Record<string, unknown>[] }

test('services are found, described and counted as the micro protocol says', async () => {
  const { server, port, stop } = await startBus()
  const client = await connect({ servers: `127.0.0.1:${port}`, reconnect: false })
  try {
    const service = announceService(
      server.localBus('hub'),
      {
        name: 'helio-query',
        version: '1.2.3',
        description: 'Sub-queries',
        endpoints: [
          {
            name: 'run',
            subject: 'helio.v1.query.run',
            handle: (request) => {
              if (request.payload.length === 0) throw new Error('empty\r\nquery')
              return request.payload.slice()
            },
          },
        ],
      },
      env,
    )
    const ask = async (subject: string): Promise<Json> =>
      (await client.request(subject, '', { timeout: 30_000 })).json()
    const ping = await ask('$SRV.PING')
    assert.deepEqual(ping, {
      type: 'io.nats.micro.v1.ping_response',
      name: 'helio-query',
      id: service.id,
      version: '1.2.3',
      metadata: {},
    })
    const info = await ask('$SRV.INFO.helio-query')
    assert.equal(info['description'], 'Sub-queries')
    assert.deepEqual(info.endpoints, [{ name: 'run', subject: 'helio.v1.query.run', queue_group: 'q', metadata: {} }])
    assert.equal((await client.request('helio.v1.query.run', 'x', { timeout: 30_000 })).string(), 'x')
    const failed: Msg = await client.request('helio.v1.query.run', '', { timeout: 30_000 })
    assert.equal(failed.headers?.get('Nats-Service-Error-Code'), '500')
    assert.equal(failed.headers?.get('Nats-Service-Error'), 'empty query')
    const stats = await ask(`$SRV.STATS.helio-query.${service.id}`)
    assert.equal(stats['type'], 'io.nats.micro.v1.stats_response')
    const endpoint = stats.endpoints[0]!
    assert.equal(endpoint['num_requests'], 2)
    assert.equal(endpoint['num_errors'], 1)
    assert.ok(Number(endpoint['processing_time']) > 0)
    assert.ok(!Number.isNaN(Date.parse(String(stats['started']))))
    service.stop()
    await assert.rejects(ask('$SRV.PING'), /no responders/)
  } finally {
    await client.close()
    await stop()
  }
})

test('announceService() refuses names and versions that tools could not address', async () => {
  const { server, stop } = await startBus()
  const bus = server.localBus('hub')
  const base = { name: 'a', version: '1.0.0', endpoints: [] }
  assert.throws(() => announceService(bus, { ...base, name: 'a.b' }, env), /Bad service name "a.b"/)
  assert.throws(() => announceService(bus, { ...base, version: '1' }, env), /Bad service version "1"/)
  await stop()
})
