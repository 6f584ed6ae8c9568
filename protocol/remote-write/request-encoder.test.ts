import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../labels/mod.ts'
import { EMPTY_HISTOGRAM, type Exemplar, type Histogram, type Metadata } from '../samples/mod.ts'
import {
  type RequestEncoder,
  WriteRequest2Decoder,
  WriteRequest2Encoder,
  WriteRequestDecoder,
  WriteRequestEncoder,
} from './mod.ts'

const NONE = { startMs: 0, metadata: null, exemplars: [] } as const

type Item = {
  readonly labels: Readonly<Record<string, string>>
  readonly timestampMs: number
  readonly bits: bigint
  readonly startMs: number
  readonly isHistogram: boolean
  readonly isPrepared: boolean
  readonly metadata: Metadata | null
  readonly exemplars: readonly Exemplar[]
}

const text = fc.constantFrom('a', 'bb', 'héliographe', 'x'.repeat(200))
const items: fc.Arbitrary<Item[]> = fc.array(
  fc.record({
    labels: fc.record({ __name__: fc.constantFrom('up', 'm_total'), one: text, two: text }),
    timestampMs: fc.integer({ min: -(2 ** 40), max: 2 ** 42 }),
    bits: fc.oneof(fc.constant(0x7ff0000000000002n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    startMs: fc.constantFrom(0, 1_700_000_000_000),
    isHistogram: fc.boolean(),
    isPrepared: fc.boolean(),
    metadata: fc.constantFrom(null, { type: 'counter', help: 'Ups.', unit: 's' } as const),
    exemplars: fc.array(
      fc.record({
        labels: fc.constantFrom(['trace', 'a'], ['trace', 'b', 'zz', 'c']),
        value: fc.integer(),
        timestampMs: fc.constantFrom(null, 1_700_000_000_001),
      }),
      { maxLength: 2 },
    ),
  }),
  { maxLength: 20 },
)

const histogram: Histogram = {
  ...EMPTY_HISTOGRAM,
  isFloat: false,
  count: 3,
  sum: 4.5,
  zeroCount: 1,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveBuckets: [1, 1],
}

function encode(encoder: RequestEncoder, rows: readonly Item[]): Uint8Array {
  for (const { labels, isPrepared, timestampMs, bits, isHistogram, ...extras } of rows) {
    const own = labelsFrom(labels)
    const series = isPrepared ? encoder.prepare(own)! : own
    if (isHistogram) encoder.histogram(series, timestampMs, histogram, extras)
    else encoder.float(series, timestampMs, new Float64Array(BigUint64Array.of(0n, bits).buffer), 1, extras)
  }
  return encoder.finish()
}

for (const [name, encoder, decoder] of [
  ['1.0', new WriteRequestEncoder(), new WriteRequestDecoder()],
  ['2.0', new WriteRequest2Encoder(), new WriteRequest2Decoder()],
] as const) {
  const is2 = name === '2.0'
  test(`${name}: what is decoded is what was encoded, bit for bit, request after request`, () => {
    fc.assert(
      fc.property(items, (rows) => {
        const request = decoder.decode(encode(encoder, rows))
        assert.equal(request.seriesCount, rows.length)
        const bits = new BigUint64Array(request.values.buffer, request.values.byteOffset, request.values.length)
        let h = 0
        let e = 0
        for (const [s, row] of rows.entries()) {
          assert.deepEqual(request.labels(s), { labels: labelsFrom(row.labels), problem: null })
          const startMs = is2 ? row.startMs : 0
          if (row.isHistogram) {
            const read = request.histograms[h++]!
            assert.deepEqual(read, { series: s, timestampMs: row.timestampMs, histogram, startMs })
          } else {
            const at = request.sampleStart[s]!
            assert.equal(request.timestamps[at], row.timestampMs)
            assert.equal(bits[at], row.bits)
            assert.equal(request.startTimes?.[at] ?? 0, startMs)
          }
          for (const exemplar of row.exemplars)
            assert.deepEqual(request.exemplars[e++], { series: s, exemplar: { ...exemplar } })
        }
        assert.equal(h, request.histograms.length)
        assert.equal(e, request.exemplars.length)
        if (is2)
          assert.equal(
            request.metadata.length > 0,
            rows.some(({ metadata }) => metadata !== null),
          )
      }),
    )
  })
}

test('1.0 has families and exemplars of their own; 2.0 has no place for them', () => {
  const first = new WriteRequestEncoder()
  const metadata = { type: 'gauge', help: 'Is it.', unit: '' } as const
  const exemplar = { labels: ['a', 'b'], value: 1, timestampMs: 5 }
  assert.equal(first.family({ family: 'up', metadata }), true)
  assert.equal(first.exemplars(labelsFrom({ __name__: 'up' }), [exemplar]), true)
  const request = new WriteRequestDecoder().decode(first.finish())
  assert.deepEqual(request.metadata, [{ family: 'up', metadata }])
  assert.deepEqual(request.exemplars, [{ series: 0, exemplar }])
  const second = new WriteRequest2Encoder()
  assert.equal(second.family(), false)
  assert.equal(second.exemplars(), false)
})

test('2.0: symbols begin with the empty one, and stand once', () => {
  const encoder = new WriteRequest2Encoder()
  const labels = labelsFrom({ __name__: 'up', job: 'up' })
  encoder.float(labels, 1, Float64Array.of(1), 0, NONE)
  encoder.float(labels, 2, Float64Array.of(1), 0, NONE)
  const bytes = encoder.finish()
  const symbols = '22 00 22 08 5f5f6e616d655f5f 22 02 7570 22 03 6a6f62'.replaceAll(' ', '')
  assert.equal(Buffer.from(bytes).toString('hex').slice(0, symbols.length), symbols)
  assert.equal(Buffer.from(bytes).toString('latin1').split('up').length, 2)
})
