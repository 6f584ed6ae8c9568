/** The bucket of a cluster on a real nats-server, held to the same contract as the one in memory that tests use. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectNats, type NatsBus } from '../../agent/env/nats-bus.ts'
import { KV_CASES, Told } from '../../hub/cluster/testing/kv-cases.ts'
import { openNatsKv } from '../../hub/env/kv.ts'
import { lacks, until, type World, withWorld } from './world.ts'

const skip = lacks('nats-server')

function connect(world: World, natsUrl: string): NatsBus {
  const bus = connectNats({ servers: [natsUrl], name: 'test', reconnectMinMs: 20, reconnectMaxMs: 100 })
  world.onClose(() => bus.close())
  return bus
}

const opened = async <T>(call: () => Promise<T>): Promise<T> =>
  until('the bucket answers', async () => ({ value: await call() })).then(({ value }) => value)

test('a bucket of JetStream keeps the contract', { skip }, (t) =>
  withWorld(async (world) => {
    const { natsUrl } = await world.startNats()
    const [busA, busB] = [connect(world, natsUrl), connect(world, natsUrl)]
    for (const [i, { name, run }] of KV_CASES.entries())
      for (const maxAgeMs of [undefined, 60_000])
        await t.test(`${name}${maxAgeMs ? ', where entries end' : ''}`, async () => {
          const options = {
            bucket: `case-${i}-${maxAgeMs ?? 'kept'}`,
            ...(maxAgeMs !== undefined && { maxAgeMs }),
            onWarning: (text: string) => assert.fail(text),
          }
          const [a, b] = [openNatsKv({ bus: busA, ...options }), openNatsKv({ bus: busB, ...options })]
          try {
            for (const each of [a, b]) await opened(() => each.get('none.1'))
            await run(a, b, (condition) => until('the watch', condition).then(() => {}))
          } finally {
            await Promise.all([a.stop(), b.stop()])
          }
        })
  }),
)

test('entries end by their age, and their keys are free', { skip }, () =>
  withWorld(async (world) => {
    const { natsUrl } = await world.startNats()
    const kv = openNatsKv({
      bus: connect(world, natsUrl),
      bucket: 'ages',
      maxAgeMs: 5000,
      onWarning: (text) => assert.fail(text),
    })
    world.onClose(() => kv.stop())
    await opened(() => kv.get('x.1'))
    // Too large for the server: that is said, and it stays of use.
    await assert.rejects(kv.put('x.2', 'x'.repeat(2 ** 20), 0), /Entry "x.2" of 1048832 bytes is above the max_payload/)
    const first = await kv.put('x.1', 'one', 0)
    assert.ok(first !== null)
    assert.equal((await kv.get('x.1'))!.value, 'one')
    await until('the entry is gone', async () => (await kv.get('x.1')) === null)
    assert.equal(await kv.put('x.1', 'late', first), null)
    assert.ok((await kv.put('x.1', 'again', 0)) !== null)
  }),
)

test(
  'a bucket is away while the server is, tells all again afterwards, and is made anew where it was lost',
  { skip },
  () =>
    withWorld(async (world) => {
      const server = await world.startNats()
      const bus = connect(world, server.natsUrl)
      const warnings: string[] = []
      const open = (bucket: string) =>
        openNatsKv({ bus, bucket, retryMs: 50, onWarning: (text) => void warnings.push(text) })
      const [kv, other] = [open('kept'), open('other')]
      world.onClose(() => Promise.all([kv.stop(), other.stop()]).then(() => {}))
      const told = new Told()
      kv.watch('x', told)
      await until('the watch', () => told.all.includes('synced'))
      await kv.put('x.1', 'one', 0)
      await until('the entry', () => told.all.length === 2)
      await server.kill()
      await until('it is away', () => told.all.length === 3)
      await assert.rejects(kv.put('x.2', 'two', 0), { code: 'AWAY' })
      await server.restart()
      await until('it is back', () => told.all.length === 5)
      assert.deepEqual(told.all, ['synced', 'x.1=one', 'away', 'x.1=one', 'synced'])
      // Somebody deletes the stream under it.
      const { jetstreamManager } = await import('@nats-io/jetstream')
      await (await jetstreamManager(bus.connection!)).streams.delete('KV_kept')
      await assert.rejects(kv.put('x.2', 'two', 0), { code: 'AWAY' })
      await until('it is made anew', () => told.all.length === 7)
      assert.deepEqual(told.all.slice(5), ['away', 'synced'])
      assert.ok((await kv.put('x.2', 'two', 0))! > 0)
      assert.deepEqual(warnings, [])
    }),
)
