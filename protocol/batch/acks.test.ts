import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode as cborDecode } from 'cbor-x'
import fc from 'fast-check'
import { type Ack, BatchError, decodeAck, decodeCursor, encodeAck, encodeCursor, type SequenceInterval } from './mod.ts'

const rows: readonly [name: string, ack: Ack, bytes: string, items: unknown][] = [
  [
    'stored',
    {
      kind: 'stored',
      epoch: 1_700_000_000_000,
      sequences: [
        [0, 5],
        [7, 300],
      ],
      hub: 'hub-1',
    },
    '8501001b0000018bcfe56800656875622d31840005071901 2c'.replace(' ', ''),
    [1, 0, 1_700_000_000_000, 'hub-1', [0, 5, 7, 300]],
  ],
  [
    'keyframe-wanted',
    { kind: 'keyframe-wanted', epoch: 5, base: 24, hub: 'h' },
    '85010105616 81818'.replace(' ', ''),
    [1, 1, 5, 'h', 24],
  ],
  [
    'refused',
    { kind: 'refused', epoch: 5, sequence: 6, reason: 'bad-signature', hub: 'h' },
    '8601020561 68066d6261642d7369676e6174757265'.replace(' ', ''),
    [1, 2, 5, 'h', 6, 'bad-signature'],
  ],
]
for (const [name, ack, hex, items] of rows)
  test(`an acknowledgement "${name}" has these bytes, and cbor-x reads them`, () => {
    const bytes = encodeAck(ack)
    assert.equal(Buffer.from(bytes).toString('hex'), hex)
    assert.deepEqual(
      JSON.parse(JSON.stringify(cborDecode(bytes), (_, v) => (typeof v === 'bigint' ? Number(v) : v))),
      items,
    )
    assert.deepEqual(decodeAck(bytes), ack)
  })

const number = fc.maxSafeInteger().map((n) => Math.abs(n % (2 ** 53 - 2)))
const intervals: fc.Arbitrary<SequenceInterval[]> = fc.array(
  fc.tuple(number, number).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
  { maxLength: 6 },
)

test('decodeAck() and decodeCursor() undo their encoders', () => {
  const acks = fc.oneof(
    fc.record({
      kind: fc.constant('stored' as const),
      epoch: number,
      sequences: intervals,
      hub: fc.string({ maxLength: 20 }),
    }),
    fc.record({
      kind: fc.constant('keyframe-wanted' as const),
      epoch: number,
      base: number,
      hub: fc.string({ maxLength: 20 }),
    }),
  )
  const cursors = fc.array(fc.record({ epoch: number, sequences: intervals }), { maxLength: 4 })
  fc.assert(
    fc.property(acks, cursors, (ack, cursor) => {
      assert.deepEqual({ ...decodeAck(encodeAck(ack)) }, { ...ack })
      assert.deepEqual(JSON.stringify(decodeCursor(encodeCursor(cursor))), JSON.stringify(cursor))
    }),
  )
})

test('a long reason is cut, not refused', () => {
  const ack: Ack = { kind: 'refused', epoch: 1, sequence: 2, reason: 'ü'.repeat(10_000), hub: 'h' }
  const read = decodeAck(encodeAck(ack))
  assert.ok(read.kind === 'refused' && read.reason.length === 1024)
})

const refused: readonly [name: string, hex: string][] = [
  ['nothing', ''],
  ['a map', 'a0'],
  ['another version', '8502000161688100'],
  ['an unknown kind', '850103016168 00'],
  ['a reversed interval', '8501000161 68820500'],
  ['half an interval', '85010001616881 05'],
  ['a huge array', '850100016168 9b00000fffffffffff'],
  ['an indefinite array', '9f01000161 6880ff'],
  ['bytes left over', '85010001616880 00'],
  ['a negative epoch', '8501002061 6880'],
  ['an integer of 2^64 - 1', '8501001bffffffffffffffff616880'],
  ['bad UTF-8', '85010001 61ff80'],
]
for (const [name, hex] of refused)
  test(`decodeAck() refuses ${name}`, () => {
    const bytes = Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
    assert.throws(() => decodeAck(bytes), BatchError)
  })

test('arbitrary bytes are read or refused with a BatchError', () => {
  const good = encodeCursor([{ epoch: 70_000, sequences: [[1, 500]] }])
  const damaged = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, value]) => good.with(at, value))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), damaged), (bytes) => {
      for (const read of [decodeAck, decodeCursor])
        try {
          read(bytes)
        } catch (error) {
          assert.ok(error instanceof BatchError, String(error))
        }
    }),
    { numRuns: 1000 },
  )
})
