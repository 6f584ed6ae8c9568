import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Cursor } from './bits.ts'
import { decodeValues, RUN_BYTES_MAX, RunEncoder, skipValues } from './value-codec.ts'

/** Decoded by whole words, and as at the end of a page, byte by byte. */
function roundTrip(before: bigint, run: readonly bigint[]): { bytes: number; same: boolean } {
  const byWords = roundTripOnce(before, run, true)
  const byBytes = roundTripOnce(before, run, false)
  return { bytes: byWords.bytes, same: byWords.same && byBytes.same }
}

function roundTripOnce(before: bigint, run: readonly bigint[], byWords: boolean): { bytes: number; same: boolean } {
  const encoder = new RunEncoder()
  const wanted = new BigUint64Array(run)
  encoder.words.set(new Uint32Array(wanted.buffer))
  const out = new Uint8Array(RUN_BYTES_MAX + 8)
  const low = Number(before & 0xffffffffn)
  const high = Number(before >> 32n)
  const end = encoder.encode(run.length, low, high, out, 0)
  const values = new Float64Array(run.length + 3)
  const cursor = new Cursor()
  if (byWords) cursor.view = new DataView(out.buffer)
  cursor.low = low
  cursor.high = high
  decodeValues(out, cursor, run.length, values, new Uint32Array(values.buffer), 2)
  const got = new BigUint64Array(values.buffer).subarray(2, 2 + run.length)
  const last = (BigInt(cursor.high) << 32n) | BigInt(cursor.low)
  const skipping = new Cursor()
  if (byWords) skipping.view = new DataView(out.buffer)
  skipping.low = low
  skipping.high = high
  skipValues(out, skipping, run.length)
  const isSkipped = skipping.pos === cursor.pos && skipping.low === cursor.low && skipping.high === cursor.high
  const same =
    isSkipped && got.every((bits, i) => bits === wanted[i]) && cursor.pos === end && last === run[run.length - 1]
  return { bytes: end, same }
}

function bitsOf(value: number): bigint {
  return new BigUint64Array(new Float64Array([value]).buffer)[0]!
}

const anyBits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const special = fc.constantFrom(
  0x7ff0000000000002n,
  0x7ff8000000000001n,
  0xfff8000000000123n,
  0x8000000000000000n,
  0n,
  0x7ff0000000000000n,
  0xfff0000000000000n,
)
const decimal = fc
  .tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: 0, max: 10 }))
  .map(([k, e]) => k / 10 ** e)
const value = fc.oneof(
  anyBits,
  special,
  fc.integer().map(bitsOf),
  fc.integer({ min: 0, max: 5 }).map(bitsOf),
  fc.maxSafeInteger().map(bitsOf),
  decimal.map(bitsOf),
  fc.double().map(bitsOf),
)

test('a run is decoded bit for bit, whatever mixture it is and whatever came before', () => {
  const mixed = fc.array(value, { minLength: 1, maxLength: 16 })
  const alike = fc.oneof(
    ...[anyBits, special, fc.integer().map(bitsOf), fc.maxSafeInteger().map(bitsOf), decimal.map(bitsOf)].map((of) =>
      fc.array(of, { minLength: 1, maxLength: 16 }),
    ),
  )
  fc.assert(
    fc.property(value, fc.oneof(mixed, alike), (before, run) => {
      const { bytes, same } = roundTrip(before, run)
      assert.ok(same)
      assert.ok(bytes <= RUN_BYTES_MAX, `${bytes} bytes`)
    }),
    { numRuns: 4000 },
  )
})

const rows: readonly [name: string, before: number, step: (i: number) => number, bytesMax: number][] = [
  ['a constant', 7, () => 7, 1],
  ['an even counter', 100, (i) => 115 + 15 * i, 4],
  ['an uneven counter', 1000, (i) => 2000 + 1000 * i + ((i * 37) % 50), 18],
  ['a memory gauge in pages', 4096 * 90000, (i) => 4096 * (90000 + ((i * 7919) % 200) - 100), 24],
  ['seconds with two digits', 12345.67, (i) => (1234667 + 97 * i + (i % 7)) / 100, 14],
  ['random doubles', 0.5, (i) => Math.sin(i + 1), 131],
]
for (const [name, before, step, bytesMax] of rows) {
  test(`16 samples of ${name} take at most ${bytesMax} bytes`, () => {
    const run = Array.from({ length: 16 }, (_, i) => bitsOf(step(i)))
    const { bytes, same } = roundTrip(bitsOf(before), run)
    assert.ok(same)
    assert.ok(bytes <= bytesMax, `${bytes} bytes`)
  })
}
