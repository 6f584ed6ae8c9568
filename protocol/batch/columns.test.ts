import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { type Base, baseOf, MAX_DECIMALS, Mode, NAN_BASE, ZERO_BASE } from './column-modes.ts'
import { ColumnReader } from './decode-columns.ts'
import { ColumnWriter } from './encode-columns.ts'
import { buildLayout } from './layout.ts'
import { BatchError } from './mod.ts'
import { readRuns, writeRuns } from './runs.ts'
import { doubleBits } from './testing/arbitraries.ts'

const readerOf = (writer: ColumnWriter): ColumnReader =>
  new ColumnReader({
    modes: new ByteReader(writer.modes.bytes(), 'modes'),
    bitmaps: new ByteReader(writer.bitmaps.bytes(), 'bitmaps'),
    numbers: new ByteReader(writer.numbers.bytes(), 'numbers'),
    planes: new ByteReader(writer.planes(), 'planes'),
  })

const unit = (decimals: number, sparse = 0): number => Mode.scaled + 2 * decimals + sparse
const shift = (bits: number, sparse = 0): number => unit(MAX_DECIMALS + bits, sparse)
const NAN_PAYLOAD = new Float64Array(BigUint64Array.of(0x7ff0000000000002n).buffer)

// One column: its base, its values, the mode that is chosen and the bytes that it costs in all streams together.
const rows: readonly [name: string, base: number, values: readonly number[], mode: number, bytes: number][] = [
  ['as in the keyframe', 5, [5, 5, 5], Mode.same, 0],
  ['a counter', 1000, [1003, 1010, 1012], unit(0), 3],
  ['an even counter', 1000, [1002, 1010, 1014], shift(1), 3],
  ['kilobytes', 4096, [8192, 4096, 40960], shift(12), 3],
  ['seconds with two places', 10.25, [10.26, 11.5, 11.51], unit(2), 4],
  ['a decimal without a base of its kind', Math.PI, [0.5, 0.6], unit(1), 2],
  ['one change in nine', 7, [7, 7, 7, 7, 8, 8, 8, 8, 8], unit(0, 1), 3],
  ['an irrational number', 0, [Math.PI], Mode.xor, 8],
  ['minus zero', 0, [-0], Mode.xor, 8],
  ['zeros after minus zero', -0, [0, 0, 0, 0, 0, 0, 0, 0, 1], unit(0, 1), 3],
  ['infinity', 1, [Number.POSITIVE_INFINITY], Mode.xor, 8],
  ['2^51', 0, [2 ** 51], Mode.xor, 8],
  ['2^51 - 1', 0, [2 ** 51 - 1], unit(0), 8],
  ['a place too many for a large neighbour', 0, [2 ** 50, 0.01], Mode.xor, 16],
]
for (const [name, base, values, mode, byteCount] of rows)
  test(`columns code ${name}`, () => {
    const flat = Float64Array.from(values)
    const layout = buildLayout(new Array(values.length).fill(null), 1, null)
    const writer = new ColumnWriter()
    writer.columns(flat, layout, Uint32Array.of(0), baseOf(Float64Array.of(base)))
    assert.deepEqual([...writer.modes.bytes()], [mode])
    assert.equal(writer.bitmaps.length + writer.numbers.length + writer.planes().length, byteCount)
    const out = new Float64Array(values.length)
    readerOf(writer).columns(out, layout, Uint32Array.of(0), baseOf(Float64Array.of(base)))
    assert.deepEqual(out, flat)
  })

test('any columns, any presence, any base come back bit for bit', () => {
  const shape = fc.record({
    columnCount: fc.integer({ min: 1, max: 5 }),
    rows: fc.array(fc.option(fc.array(fc.nat(4), { maxLength: 6 })), { maxLength: 12 }),
    skip: fc.option(fc.array(fc.boolean(), { minLength: 72, maxLength: 72 })),
    base: fc.constantFrom<Base>(ZERO_BASE, NAN_BASE, baseOf(Float64Array.of(5, 0.25, Math.PI)), baseOf(NAN_PAYLOAD)),
    bits: fc.array(doubleBits, { minLength: 72, maxLength: 72 }),
  })
  fc.assert(
    fc.property(shape, ({ columnCount, rows: lists, skip, base, bits }) => {
      const presence = lists.map((row) =>
        row === null ? null : Uint32Array.from(row.map((c) => c % columnCount)).sort(),
      )
      const total = presence.reduce((sum, row) => sum + (row?.length ?? columnCount), 0)
      const mask = skip === null ? null : Uint8Array.from(skip.slice(0, total), Number)
      const layout = buildLayout(presence, columnCount, mask)
      const flat = new Float64Array(BigUint64Array.from(bits.slice(0, total)).buffer)
      const ids = Uint32Array.from({ length: columnCount }, (_, c) => c)
      const writer = new ColumnWriter()
      writer.columns(flat, layout, ids, base)
      writer.columns(flat, layout, ids, base)
      const reader = readerOf(writer)
      for (let repeat = 0; repeat < 2; repeat++) {
        const out = new Float64Array(total)
        reader.columns(out, layout, ids, base)
        const [actual, expected] = [new BigUint64Array(out.buffer), new BigUint64Array(flat.buffer)]
        for (let i = 0; i < total; i++) assert.equal(actual[i], mask?.[i] === 1 ? 0n : expected[i])
      }
      reader.end()
    }),
    { numRuns: 500 },
  )
})

test('runs come back, and are checked before they are laid out', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(300), { maxLength: 200 }), (list) => {
      const sorted = Uint32Array.from(list).sort()
      const out = new ByteWriter()
      writeRuns(out, sorted)
      assert.deepEqual(readRuns(new ByteReader(out.bytes(), 'runs'), 301, 200), sorted)
    }),
  )
  const out = new ByteWriter()
  writeRuns(
    out,
    Uint32Array.from({ length: 100 }, (_, i) => i),
  )
  assert.deepEqual([...out.bytes()], [1, 0, 99])
  assert.throws(() => readRuns(new ByteReader(out.bytes(), 'runs'), 99, 1000), BatchError)
  assert.throws(() => readRuns(new ByteReader(out.bytes(), 'runs'), 1000, 99), BatchError)
})

test('numbers of every length come back', () => {
  const out = new ByteWriter(1)
  const values = Array.from({ length: 54 }, (_, i) => [2 ** i, 2 ** i - 1]).flat()
  for (const value of values) out.varint(value)
  for (const value of values.filter((v) => v < 2 ** 52)) out.zigzag(-value)
  const input = new ByteReader(out.bytes(), 'numbers')
  for (const value of values) assert.equal(input.varint(), value)
  for (const value of values.filter((v) => v < 2 ** 52)) assert.equal(input.zigzag(), value === 0 ? 0 : -value)
  input.end()
})
