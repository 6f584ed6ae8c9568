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

/** A plain body in pieces of 64 KiB under a judge that has enough after `usefulBytes`. */
function judgedBody(bytes: number, maxBodyBytes: number, usefulBytes: number) {
  const bodies = new BodyPool()
  const seen: number[] = []
  let total = 0
  let outcome: number | string = 'open'
  let usedSlotsMax = 0
  const judge = (piece: Uint8Array): boolean => {
    seen.push(piece.length)
    total += piece.length
    return total <= usefulBytes
  }
  const sink = bodySink(
    false,
    0,
    { maxBodyBytes, judge },
    { bodies, inflater: new Inflater() },
    {
      done: (body) => {
        outcome = body.length
      },
      fail: ({ code }) => {
        outcome = code
      },
      resume: () => {},
    },
  )
  for (let at = 0; at < bytes && outcome === 'open'; at += 65_536) {
    sink.push(new Uint8Array(Math.min(65_536, bytes - at)))
    usedSlotsMax = Math.max(usedSlotsMax, bodies.usedSlots)
  }
  if (outcome === 'open') sink.end()
  return { outcome, seen, total, usedSlotsMax, usedSlots: bodies.usedSlots }
}

test('a judge sees a large body from its beginning, and none of a small one', () => {
  assert.deepEqual(judgedBody(200_000, 1e6, 1e9).seen, [])
  const { outcome, seen, total } = judgedBody(600_000, 1e6, 1e9)
  assert.deepEqual([outcome, total, seen[0]], [600_000, 600_000, 4 * 65_536])
})

test('a body that is of no use is read to its end, or to its limit, without being kept', () => {
  const read = judgedBody(8_000_000, 9_000_000, 1_000_000)
  assert.deepEqual([read.outcome, read.total, read.usedSlots], [0, 8_000_000, 0])
  assert.ok(read.usedSlotsMax <= 4, `it held ${read.usedSlotsMax} slots`)
  assert.equal(judgedBody(8_000_000, 5_000_000, 1_000_000).outcome, 'BODY_TOO_LARGE')
  assert.equal(judgedBody(8_000_000, 5_000_000, 1).usedSlotsMax, 0)
})
