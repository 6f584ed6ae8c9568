import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BodyPool } from './net-collector.ts'

const MIB = 1024 * 1024
const neverCut = (): void => assert.fail('it was cut')

test('what is pushed comes out, whatever the pieces, whatever was declared, borrowed or not', () => {
  const pool = new BodyPool()
  const sizes = fc.array(fc.oneof(fc.nat(10), fc.nat(70_000), fc.nat(600_000)), { maxLength: 12 })
  fc.assert(
    fc.property(sizes, fc.nat(2 * MIB), fc.boolean(), (pieces, declared, isBorrowed) => {
      const total = pieces.reduce((sum, size) => sum + size, 0)
      const whole = Uint8Array.from({ length: total }, (_, i) => (i * 31 + (i >> 8)) & 255)
      const collector = pool.collector(16 * MIB, declared, neverCut, isBorrowed)
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
    const collector = new BodyPool().collector(limit, 0, neverCut)
    assert.equal(collector.push(new Uint8Array(limit)), true)
    assert.equal(collector.push(new Uint8Array(1)), false)
    assert.equal(collector.finish().length, limit)
  }
})

test('what was handed out does not change, unless it was borrowed', () => {
  const pool = new BodyPool()
  const read = (fill: number, isBorrowed: boolean): Uint8Array => {
    const collector = pool.collector(16 * MIB, 0, neverCut, isBorrowed)
    collector.push(new Uint8Array(3 * MIB).fill(fill))
    const body = collector.finish()
    collector.discard()
    assert.equal(collector.push(new Uint8Array(1)), false)
    assert.equal(pool.usedSlots, 0)
    return body
  }
  const own = read(1, false)
  const borrowed = read(2, true)
  read(3, true)
  assert.ok(own.every((byte) => byte === 1))
  assert.ok(borrowed.every((byte) => byte === 3))
})

test('bodies that arrive mixed are made whole without harm to those under way', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 700_000 })), { maxLength: 30 }), (steps) => {
      const pool = new BodyPool(64)
      const bodies = Array.from({ length: 4 }, (_, i) => ({
        sent: [] as Buffer[],
        collector: pool.collector(4 * MIB, 0, neverCut, i % 2 === 0),
      }))
      for (const [i, size] of steps) {
        const { sent, collector } = bodies[i]!
        const piece = Buffer.alloc(size, sent.length + 16 * i + 1)
        if (collector.push(piece)) sent.push(piece)
      }
      for (const { sent, collector } of bodies) assert.ok(Buffer.from(collector.finish()).equals(Buffer.concat(sent)))
      assert.equal(pool.usedSlots, 0)
    }),
    { numRuns: 40 },
  )
})

test('when all slots are in use the largest body is cut, and the small ones go on', () => {
  const pool = new BodyPool(16)
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

test('a body with a higher limit may have all that it allows, and leaves the arena to others', () => {
  const pool = new BodyPool(16)
  const [one, two] = [pool.collector(40 * MIB, 0, neverCut), pool.collector(40 * MIB, 0, neverCut, true)]
  for (let i = 0; i < 40; i++) {
    assert.equal(one.push(new Uint8Array(MIB).fill(i)), true)
    assert.equal(two.push(new Uint8Array(MIB).fill(i)), true)
  }
  assert.equal(pool.usedSlots, 0)
  for (const collector of [one, two]) {
    const body = collector.finish()
    assert.equal(body.length, 40 * MIB)
    assert.ok(body.every((byte, i) => byte === Math.floor(i / MIB)))
  }
})
