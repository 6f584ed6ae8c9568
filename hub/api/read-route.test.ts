/** Remote read over HTTP: what asks for nothing gets nothing, and clients that are gone give their places back. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { snappyCompress } from '../../protocol/remote-write/mod.ts'
import type { WorkerAnswer } from '../query/mod.ts'
import { INTERVAL_MS, seededHead } from '../query/testing/head.ts'
import { startApi } from './testing/app.ts'

const flags = { 'storage.remote.read-concurrent-limit': '1', 'storage.remote.read-max-bytes-in-frame': '1048576' }
const api = await startApi(seededHead({ seed: 7, series: 5, samples: 4 }), { flags })
after(() => api.close())

const CHUNKS = [0x10, 1]
const field = (number: number, bytes: readonly number[]): number[] => [8 * number + 2, bytes.length, ...bytes]
const text = (number: number, value: string): number[] => field(number, [...new TextEncoder().encode(value)])
/** A query of a minute from 0. @param matchers `=` */
const query = (...matchers: readonly (readonly [string, string])[]): number[] =>
  field(1, [
    ...[8, 0, 16, 0xe0, 0xd4, 3],
    ...matchers.flatMap(([name, value]) => field(3, [8, 0, ...text(2, name), ...text(3, value)])),
  ])

function read(request: readonly number[], signal?: AbortSignal): Promise<Response> {
  return fetch(`${api.url}/api/v1/read`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: snappyCompress(Uint8Array.from(request)) as Uint8Array<ArrayBuffer>,
    ...(signal && { signal }),
  })
}
const bytesOf = async (response: Promise<Response>): Promise<number> =>
  (await (await response).arrayBuffer()).byteLength

test('a query without matchers reads nothing, as upstream', async () => {
  const before = api.tasks.length
  assert.equal(await bytesOf(read(query())), 4)
  assert.equal(await bytesOf(read([...query(), ...CHUNKS])), 0)
  assert.equal(api.tasks.length, before)
  assert.ok(INTERVAL_MS < 60_000 && (await bytesOf(read(query(['__name__', 'y'])))) > 50)
})

test('clients that are gone, inside or in the queue, give their places back', async () => {
  const { query: service } = api
  const run = service.run.bind(service)
  const clients = [new AbortController(), new AbortController()]
  let asked = 0
  service.run = (_, { signal }) =>
    new Promise<WorkerAnswer>((_, reject) => {
      asked++
      signal!.addEventListener('abort', () => reject(new Error('gone')), { once: true })
    })
  const reads = clients.map(({ signal }) => read(query(['__name__', 'y']), signal).catch(() => 'gone'))
  const until = async (isSo: () => Promise<boolean>): Promise<void> => {
    for (let i = 0; i < 6000 && !(await isSo()); i++) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.ok(await isSo())
  }
  const reading = async (): Promise<number> =>
    Number(/remote_read_handler_queries (\d+)/.exec(await (await fetch(`${api.url}/metrics`)).text())![1])
  await until(async () => (await reading()) === 2 && asked === 1)
  for (const client of clients) client.abort()
  assert.deepEqual(await Promise.all(reads), ['gone', 'gone'])
  await until(async () => (await reading()) === 0)
  assert.equal(asked, 1)
  service.run = run
  assert.ok((await bytesOf(read(query(['__name__', 'y'])))) > 50)
})
