import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PagePool } from './net-collector.ts'

const MIB = 1024 * 1024
const neverCut = (): void => assert.fail('it was cut')

test('what is pushed comes out, whatever the pieces and whatever was declared', () => {
  const pool = new PagePool()
  const sizes = fc.array(fc.oneof(fc.nat(10), fc.nat(70_000), fc.nat(600_000)), { maxLength: 12 })
  fc.assert(
    fc.property(sizes, fc.nat(2 * MIB), (pieces, declared) => {
      const total = pieces.reduce((sum, size) => sum + size, 0)
      const whole = Uint8Array.from({ length: total }, (_, i) => (i * 31 + (i >> 8)) & 255)
      const collector = pool.collector(16 * MIB, declared, neverCut)
      let at = 0
      for (const size of pieces) {
        assert.equal(collector.push(whole.subarray(at, at + size)), true)
        at += size
      }
      assert.ok(Buffer.from(collector.finish()).equals(whole))
    }),
    { numRuns: 60 },
  )
})

test('a body that reaches the limit is kept, one byte more is refused', () => {
  for (const limit of [0, 1, 4096, 256 * 1024, MIB]) {
    const collector = new PagePool().collector(limit, 0, neverCut)
    assert.equal(collector.push(new Uint8Array(limit)), true)
    assert.equal(collector.push(new Uint8Array(1)), false)
    assert.equal(collector.finish().length, limit)
  }
})

test('pages are used again, and what was handed out does not change', () => {
  const pool = new PagePool()
  const first = pool.collector(16 * MIB, 0, neverCut)
  first.push(new Uint8Array(3 * MIB).fill(1))
  const body = first.finish()
  const free = pool.freeCount
  assert.ok(free > 8, `${free} pages are free`)
  const second = pool.collector(16 * MIB, 0, neverCut)
  second.push(new Uint8Array(3 * MIB).fill(2))
  assert.ok(pool.freeCount < 4)
  second.discard()
  second.discard()
  assert.equal(pool.freeCount, free)
  assert.equal(second.push(new Uint8Array(1)), false)
  assert.ok(body.every((byte) => byte === 1))
})

test('the pool keeps a few megabytes only', () => {
  const pool = new PagePool(1000)
  const collectors = Array.from({ length: 4 }, () => pool.collector(16 * MIB, 0, neverCut))
  for (const collector of collectors) collector.push(new Uint8Array(15 * MIB))
  for (const collector of collectors) collector.discard()
  assert.equal(pool.freeCount, 16)
})

test('when all pages are in use the largest body is cut, and the small ones go on', () => {
  const pool = new PagePool(16)
  const cut: string[] = []
  const collectorOf = (name: string) => pool.collector(2 * MIB, 0, () => void cut.push(name))
  const [stalled, good, greedy] = [collectorOf('stalled'), collectorOf('good'), collectorOf('greedy')]
  stalled.push(new Uint8Array(2 * MIB))
  good.push(new Uint8Array(MIB).fill(7))
  assert.equal(greedy.push(new Uint8Array(MIB)), true)
  assert.equal(greedy.push(new Uint8Array(MIB / 2)), true)
  assert.deepEqual(cut, ['stalled'])
  assert.equal(stalled.push(new Uint8Array(1)), false)
  assert.equal(good.push(new Uint8Array(MIB).fill(7)), true)
  assert.deepEqual(cut, ['stalled'])
  assert.equal(greedy.push(new Uint8Array(MIB / 2)), true)
  const fourth = collectorOf('fourth')
  assert.equal(fourth.push(new Uint8Array(MIB)), true)
  assert.equal(cut.length, 2)
})

test('a body larger than the default may have all that its own limit allows', () => {
  const pool = new PagePool(16)
  const [one, two] = [pool.collector(40 * MIB, 0, neverCut), pool.collector(40 * MIB, 0, neverCut)]
  assert.equal(one.push(new Uint8Array(40 * MIB)), true)
  assert.equal(two.push(new Uint8Array(10 * MIB)), true)
  assert.deepEqual([one.finish().length, two.finish().length], [40 * MIB, 10 * MIB])
})
