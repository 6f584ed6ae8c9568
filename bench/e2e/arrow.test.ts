/** Answers in columns, and compressed ones, from a real hub: the same numbers as the JSON. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { tableFromIPC } from 'apache-arrow'
import { acceptedEncoding } from '../../hub/api/compression.ts'
import { queryRange, until, withWorld } from './world.ts'

type Raw = { readonly status: number; readonly headers: http.IncomingHttpHeaders; readonly body: Buffer }

/** As it came over the wire: `fetch` would decompress it. */
function raw(url: string, headers: Record<string, string>): Promise<Raw> {
  return new Promise((resolve, reject) => {
    http
      .get(url, { headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
        )
      })
      .on('error', reject)
  })
}

test('a range query comes as an Arrow stream with the values of the JSON answer', async () => {
  await withWorld(async (world) => {
    const hub = await world.startHub()
    const agent = await world.startAgent({ hub })
    await until('there is data', async () => {
      const now = Math.floor(Date.now() / 1000)
      const rows = await queryRange(hub, 'process_cpu_seconds_total', { start: now - 20, end: now, step: 1 })
      return (rows[0]?.values.length ?? 0) > 3
    })
    // It brings what it has and nothing more: the answers that are compared are of one state.
    await agent.stop()
    const end = Math.floor(Date.now() / 1000) - 1
    const params = new URLSearchParams({
      query: '{job="nodejs"}',
      start: String(end - 30),
      end: String(end),
      step: '1',
    })
    const url = `${hub.url}/api/v1/query_range?${params}`
    const json = (await (await fetch(url)).json()) as {
      data: { result: { metric: Record<string, string>; values: [number, string][] }[] }
    }
    for (const encoding of ['identity', 'gzip', 'zstd']) {
      const response = await raw(url, {
        accept: 'application/vnd.apache.arrow.stream',
        'accept-encoding': encoding,
      })
      assert.equal(response.headers['content-type'], 'application/vnd.apache.arrow.stream')
      assert.equal(response.headers['content-encoding'] ?? 'identity', encoding)
      const body =
        encoding === 'gzip'
          ? gunzipSync(response.body)
          : encoding === 'zstd'
            ? zstdDecompressSync(response.body)
            : response.body
      const table = tableFromIPC(body)
      assert.equal(table.numCols, json.data.result.length + 1)
      const times = [...table.getChild('time')!]
      for (const { metric, values } of json.data.result) {
        const at = table.schema.fields.findIndex(
          ({ metadata }) => metadata.has('labels') && same(JSON.parse(metadata.get('labels')!), metric),
        )
        const column = [...table.getChildAt(at)!]
        const points = times.flatMap((time, i) => (column[i] === null ? [] : [[time / 1000, column[i]]]))
        assert.deepEqual(
          points,
          values.map(([seconds, value]) => [seconds, Number(value)]),
        )
      }
    }
    const bad = await raw(`${hub.url}/api/v1/query?query=%2B`, { accept: 'application/vnd.apache.arrow.stream' })
    assert.equal(bad.status, 400)
    assert.equal(bad.headers['content-type'], 'application/json')
  })
})

const same = (a: object, b: object): boolean =>
  JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())

for (const [header, encoding] of [
  ['', null],
  ['identity', null],
  ['gzip, deflate, br', 'gzip'],
  ['gzip, deflate, br, zstd', 'zstd'],
  ['gzip;q=0.5, zstd;q=0', 'gzip'],
  ['*', 'gzip'],
  ['gzip;q=0', null],
] as const)
  test(`Accept-Encoding "${header}" gives ${encoding}`, () => assert.equal(acceptedEncoding(header), encoding))
