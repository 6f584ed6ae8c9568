/** Codes of differences: any whole numbers come back, and never in more bits than were announced. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteReader, ByteWriter } from './bytes.ts'
import { RiceCoder, unpackRice } from './rice.ts'

const coder = new RiceCoder()

function roundTrip(values: readonly number[]): { readonly bits: number; readonly bytes: number } {
  const ints = Float64Array.from([7, ...values])
  const bits = coder.plan(ints, 1, ints.length)
  assert.ok(bits >= 0)
  const out = new ByteWriter()
  out.byte(1)
  coder.write(out)
  const bytes = new Uint8Array(out.length + 8).fill(0xff)
  bytes.set(out.written())
  const reader = new ByteReader(bytes, 1)
  const decoded = new Float64Array(values.length + 2).fill(-5)
  unpackRice(reader, values.length, decoded, 1)
  assert.deepEqual([...decoded], [-5, ...values, -5])
  assert.equal(reader.at, out.length)
  return { bits, bytes: out.length - 1 }
}

const anyInt = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: -3, max: 20 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2 ** 20 }).map((x) => 1024 * x) },
  { weight: 1, arbitrary: fc.integer({ min: -(2 ** 46), max: 2 ** 46 }) },
)

test('whole numbers come back, in about the bits that were announced', () => {
  fc.assert(
    fc.property(fc.array(anyInt, { minLength: 1, maxLength: 1100 }), fc.boolean(), (all, isUnsigned) => {
      const { bits, bytes } = roundTrip(isUnsigned ? all.map((x) => Math.abs(x)) : all)
      assert.ok(8 * bytes <= bits + 24, `${bytes} bytes for ${bits} bits`)
    }),
    { numRuns: 1000 },
  )
})

const sizes: readonly [name: string, values: number[], maxBytes: number][] = [
  ['nothing but zeros', Array(480).fill(0), 8],
  ['one step in a long rest', Array.from({ length: 480 }, (_, i) => (i === 200 ? 1 : 0)), 10],
  ['a step in four', Array.from({ length: 480 }, (_, i) => (i % 4 === 0 ? 1 : 0)), 64],
  ['pages', Array.from({ length: 480 }, (_, i) => 4096 * (((i * 7919) % 13) - 6)), 330],
]
for (const [name, values, maxBytes] of sizes)
  test(`${name}: at most ${maxBytes} bytes of ${values.length}`, () => {
    assert.ok(roundTrip(values).bytes <= maxBytes, `${roundTrip(values).bytes} bytes`)
  })

test('what is too large is left to frames', () => {
  assert.equal(coder.plan(Float64Array.from([2 ** 48 + 1]), 0, 1), -1)
  assert.ok(coder.plan(Float64Array.from([2 ** 47 - 1]), 0, 1) > 0)
})
