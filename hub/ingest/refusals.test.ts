import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Refusals } from './refusals.ts'

const runs = fc.array(
  fc.tuple(fc.boolean(), fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(127, 128, 20_000))),
  {
    maxLength: 12,
  },
)

test('refusals are read as they were written, and leave the body alone', () => {
  fc.assert(
    fc.property(runs, runs, runs, fc.uint8Array({ maxLength: 20 }), (series, samples, histograms, body) => {
      const flags = [series, samples, histograms].map((each) => each.flatMap(([is, n]) => Array<boolean>(n).fill(is)))
      const [s, i, h] = flags as [boolean[], boolean[], boolean[]]
      const written = new Refusals(s.length, i.length, h.length)
      for (const [at, is] of s.entries()) if (is) written.refuseSeries(at)
      for (const [at, is] of i.entries()) if (is) written.refuseSample(at)
      for (const [at, is] of h.entries()) if (is) written.refuseHistogram(at)
      const bytes = Buffer.concat([Buffer.of(1, 2, 3), written.encode(), body]).subarray(3)
      const { refusals, end } = Refusals.read(bytes)
      assert.deepEqual(bytes.subarray(end), Buffer.from(body))
      assert.deepEqual(
        s.map((_, at) => refusals.hasSeries(at)),
        s,
      )
      assert.deepEqual(
        i.map((_, at) => refusals.hasSample(at)),
        i,
      )
      assert.deepEqual(
        h.map((_, at) => refusals.hasHistogram(at)),
        h,
      )
    }),
  )
})

test('a request of which nothing was refused costs 16 bytes, one of which all was hardly more', () => {
  assert.equal(new Refusals(100, 10_000, 100).encode().length, 16)
  const all = new Refusals(0, 10_000, 0)
  for (let i = 0; i < 10_000; i++) all.refuseSample(i)
  assert.equal(all.encode().length, 19)
})

test('what is no such record is an error, not a request with other refusals', () => {
  const good = new Refusals(2, 300, 0)
  for (let i = 0; i < 200; i++) good.refuseSample(i)
  const bytes = good.encode()
  const items = new DataView(bytes.slice().buffer)
  items.setUint32(4, 100, true)
  const huge = new DataView(bytes.slice().buffer)
  huge.setUint32(4, 0xffffffff, true)
  const open = bytes.slice()
  open[open.length - 1]! |= 128
  for (const bad of [bytes.subarray(0, 10), bytes.subarray(0, -1), items, huge, open])
    assert.throws(() => Refusals.read(bad instanceof DataView ? new Uint8Array(bad.buffer) : bad))
})
