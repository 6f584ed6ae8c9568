import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'
import { CountingProxy } from './proxy.ts'
import { countSamples, WriteSink } from './sink.ts'

const request = encodeWriteRequest([series('a', 3), series('b', 2)])
/** Request { timeseries(5) { labels_refs(1), samples(2) x 2, metadata(5) }, symbols(4) } by hand. */
const requestTwo = Uint8Array.of(
  ...[0x22, 0, 0x22, 1, 0x61],
  ...[0x2a, 14, 0x0a, 2, 1, 1, 0x12, 2, 0x10, 5, 0x12, 2, 0x10, 6, 0x2a, 0],
)

test('samples are counted in requests of both versions', () => {
  assert.equal(countSamples(request, '1.0'), 5)
  assert.equal(countSamples(requestTwo, '2.0'), 2)
  assert.equal(countSamples(requestTwo, '1.0'), 0)
})

test('what is cut off is no request', () => {
  for (let length = 1; length < request.length; length++) {
    const part = request.subarray(0, length)
    let samples = 0
    try {
      samples = countSamples(part, '1.0')
    } catch (error) {
      assert.match((error as Error).message, /^protobuf: /)
    }
    assert.ok(samples < 5, `${samples} samples in ${length} bytes`)
  }
})

test('the sink counts the bytes of its connections, and the proxy before it the same', async () => {
  await using sink = await WriteSink.listen('1.0')
  await using proxy = await CountingProxy.listen(Number(new URL(sink.url).port))
  const body = snappyCompress(request)
  const agent = new http.Agent({ keepAlive: true })
  const head = await post(`http://127.0.0.1:${proxy.port}/`, body, agent)
  await post(`http://127.0.0.1:${proxy.port}/`, body, agent)
  assert.equal(head.statusCode, 204)
  assert.equal(head.headers['x-prometheus-remote-write-samples-written'], '5')
  const { bytes, samples, requests } = sink.counts()
  assert.deepEqual({ samples, requests }, { samples: 10, requests: 2 })
  assert.deepEqual(proxy.bytes, bytes)
  assert.ok(bytes.up > 2 * body.length && bytes.down > 0)
  agent.destroy()
})

test('a request that cannot be read fails the count', async () => {
  await using sink = await WriteSink.listen('1.0')
  const agent = new http.Agent()
  assert.equal((await post(sink.url, Uint8Array.of(200, 1, 1, 1), agent)).statusCode, 400)
  assert.throws(() => sink.counts(), /snappy/)
  agent.destroy()
})

test('a proxy without a server behind it closes the connection', async () => {
  await using sink = await WriteSink.listen('1.0')
  const port = Number(new URL(sink.url).port)
  await sink[Symbol.asyncDispose]()
  await using proxy = await CountingProxy.listen(port)
  await assert.rejects(post(`http://127.0.0.1:${proxy.port}/`, request, new http.Agent()), /hang up|ECONNRESET/)
})

function series(name: string, count: number) {
  return {
    labels: labelsFrom({ __name__: name }),
    timestamps: Float64Array.from({ length: count }, (_, i) => 1_700_000_000_000 + i),
    values: Float64Array.from({ length: count }, (_, i) => i),
  }
}

function post(url: string, body: Uint8Array, agent: http.Agent): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', agent }, (response) => {
      response.resume()
      response.once('end', () => resolve(response))
    })
    request.once('error', reject)
    request.end(body)
  })
}
