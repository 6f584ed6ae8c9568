/** Bodies in memory that is used again: whoever reads one at once finds his own, however many come together. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createHttpClient } from './net-http-client.ts'

const SERVERS = 12
const ROUNDS = 60

/** As many turns of the microtask queue as lie between a client and a scrape loop. */
async function later<T>(hops: number, value: Promise<T>): Promise<T> {
  return hops === 0 ? value : later(hops - 1, value)
}

test('borrowed bodies of answers that come at once do not mix', { timeout: 120_000 }, async () => {
  const client = createHttpClient()
  const servers = Array.from({ length: SERVERS }, (_, i) => {
    const body = Buffer.alloc(1000 + 7000 * i, `body of ${i}\n`)
    return { body, server: createServer((_, response) => response.end(body)) }
  })
  try {
    const urls: string[] = []
    for (const { server } of servers) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      urls.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    }
    const ask = async (i: number): Promise<boolean> => {
      const request = { method: 'GET', url: urls[i]!, timeoutMs: 60_000, maxBodyBytes: 1e6, borrowBody: true }
      const { body } = await later(6, client.request(request))
      return servers[i]!.body.equals(body)
    }
    for (let round = 0; round < ROUNDS; round++) {
      const own = await Promise.all(urls.map((_, i) => ask(i)))
      assert.deepEqual(
        own,
        urls.map(() => true),
      )
    }
  } finally {
    client.close()
    for (const { server } of servers) {
      server.closeAllConnections()
      server.close()
    }
  }
})
