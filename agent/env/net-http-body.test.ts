import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { NetError } from '../../protocol/env/mod.ts'
import { BodyPool } from './net-collector.ts'
import { type BodySink, bodySink } from './net-http-body.ts'
import { Inflater } from './net-inflate.ts'

const GZIP_HEAD = gzipSync('').subarray(0, 10)
/** A deflate block of no bytes, that is not the last. */
const EMPTY_BLOCK = [0, 0, 0, 0xff, 0xff]

type Outcome = { readonly body: Promise<number>; readonly sink: BodySink }

function gzipBody(maxBodyBytes: number): Outcome {
  const { promise: body, resolve, reject } = Promise.withResolvers<number>()
  const memory = { bodies: new BodyPool(), inflater: new Inflater() }
  const fail = (error: NetError): void => {
    sink.discard()
    reject(error)
  }
  const sink = bodySink(true, 0, { maxBodyBytes }, memory, {
    done: (bytes) => resolve(bytes.length),
    fail,
    resume: () => {},
  })
  return { body, sink }
}

test('gzip that goes on and on and says nothing ends at the limit of the body', async () => {
  const { body, sink } = gzipBody(1_000_000)
  const refused = assert.rejects(body, { code: 'BODY_TOO_LARGE' })
  sink.push(GZIP_HEAD)
  const piece = Uint8Array.from(Array.from({ length: 10_000 }, () => EMPTY_BLOCK).flat())
  for (let i = 0; i < 30; i++) sink.push(piece)
  sink.end()
  await refused
})

for (const bytes of [1, 1000, 300_000, 5_000_000])
  test(`a body of ${bytes} bytes that was not compressed at all is taken up to its limit`, async () => {
    const { body, sink } = gzipBody(bytes)
    const packed = gzipSync(Buffer.alloc(bytes, 'x'), { level: 0 })
    for (let at = 0; at < packed.length; at += 65_536) sink.push(packed.subarray(at, at + 65_536))
    sink.end()
    assert.equal(await body, bytes)
  })
