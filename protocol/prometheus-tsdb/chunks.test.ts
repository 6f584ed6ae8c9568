import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EMPTY_HISTOGRAM, type Histogram, setStaleAt } from '../samples/mod.ts'
import { BitReader, BitWriter } from './bits.ts'
import {
  ChunkColumns,
  chunkRecordBytes,
  decodeChunk,
  type EncodedChunk,
  encodeChunkRecord,
  openChunkRecord,
  SeriesChunker,
  TsdbFormatError,
} from './mod.ts'

test('varbit numbers of every width come back', () => {
  const edges = [0, 3, 6, 9, 12, 18, 25, 53].flatMap((n) => [2 ** n - 1, 2 ** n, 2 ** (n - 1), 2 ** (n - 1) + 1])
  const whole = edges.filter((x) => Number.isSafeInteger(x))
  const out = new BitWriter()
  out.reset(0)
  for (const x of whole) {
    out.varbitInt(x)
    out.varbitInt(-x)
    out.varbitUint(x)
    // Times: zigzag doubles them.
    out.varint(-Math.floor(x / 2))
  }
  const reader = new BitReader()
  reader.reset(out.written(), 0)
  for (const x of whole)
    assert.deepEqual(
      [reader.varbitInt(), reader.varbitInt(), reader.varbitUint(), reader.varint()],
      [x, 0 - x, x, 0 - Math.floor(x / 2)],
    )
})

/** Any bits at all; times with jitter, jumps and repeats of the step. */
const doubles = fc.oneof(
  fc.double(),
  fc.constantFrom(0, -0, 1, 5e-324, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN),
  fc.integer({ min: -1000, max: 1000 }),
)
const floats = fc.array(
  fc.record({
    step: fc.oneof(fc.constant(15_000), fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 2 ** 40 })),
    value: doubles,
    isStale: fc.boolean(),
  }),
  { maxLength: 300 },
)

type Samples = Parameters<SeriesChunker['chunks']>[0]
const chunker = new SeriesChunker()

function encode(samples: Samples): EncodedChunk[] {
  const chunks: EncodedChunk[] = []
  chunker.chunks(samples, (chunk) => chunks.push(chunk))
  return chunks
}

test('decode(encode(x)) is x, bit for bit, for floats and stale markers', () => {
  const columns = new ChunkColumns()
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 41), max: 2 ** 41 }), floats, (start, rows) => {
      const samples = {
        count: rows.length,
        times: new Float64Array(rows.length),
        values: Float64Array.from(rows, ({ value }) => value),
        flags: new Uint8Array(rows.length),
        histograms: null,
      }
      const words = new Uint32Array(samples.values.buffer)
      let time = start
      rows.forEach(({ step, isStale }, i) => {
        time += step
        samples.times[i] = time
        if (!isStale) return
        setStaleAt(words, i)
        samples.flags[i] = 1
      })
      let at = 0
      for (const { encoding, minTime, maxTime, samples: n, data } of encode(samples)) {
        decodeChunk(encoding, data, columns)
        assert.equal(columns.count, n)
        assert.deepEqual(columns.times.subarray(0, n), samples.times.subarray(at, at + n))
        assert.deepEqual(columns.words.slice(0, 2 * n), words.slice(2 * at, 2 * (at + n)))
        assert.deepEqual([minTime, maxTime], [samples.times[at], samples.times[at + n - 1]])
        at += n
      }
      assert.equal(at, rows.length)
    }),
  )
})

const spans = fc
  .array(fc.record({ offset: fc.integer({ min: -3, max: 40 }), length: fc.integer({ min: 0, max: 4 }) }), {
    maxLength: 4,
  })
  .map((list) => list.map((span) => ({ ...span })))
const counts = fc.oneof(
  fc.nat(10),
  fc.nat(),
  fc.maxSafeNat().map((x) => Math.floor(x / 1024)),
)
const histogramRuns = fc
  .record({
    isFloat: fc.boolean(),
    isGauge: fc.boolean(),
    schema: fc.constantFrom(-53, -4, 0, 3, 8),
    zeroThreshold: fc.constantFrom(0, 2 ** -128, 0.001, 2 ** 10, 2 ** 11, 2 ** -243, 2 ** -244),
    positiveSpans: spans,
    negativeSpans: spans,
    customValues: fc.array(
      fc.oneof(
        fc.double({ noNaN: true }),
        fc.nat(1e6).map((x) => x / 1000),
      ),
      { maxLength: 4 },
    ),
  })
  .chain((layout) => {
    const buckets = (list: typeof layout.positiveSpans) =>
      fc.array(counts, {
        minLength: list.reduce((n, { length }) => n + length, 0),
        maxLength: list.reduce((n, { length }) => n + length, 0),
      })
    const value = layout.isFloat ? fc.double({ noNaN: true }) : counts
    return fc
      .array(
        fc.record({
          isStale: fc.boolean(),
          step: fc.integer({ min: 1, max: 2 ** 33 }),
          count: value,
          zeroCount: value,
          sum: doubles,
          positive: buckets(layout.positiveSpans),
          negative: buckets(layout.negativeSpans),
        }),
        { maxLength: 40 },
      )
      .map((rows) =>
        rows.map(({ step, ...row }) => ({
          step,
          histogram: {
            isFloat: layout.isFloat,
            isStale: row.isStale,
            counterResetHint: layout.isGauge ? 3 : 0,
            schema: layout.schema,
            zeroThreshold: layout.zeroThreshold,
            zeroCount: row.zeroCount,
            count: row.count,
            sum: row.sum,
            positiveSpans: layout.positiveSpans,
            positiveBuckets: row.positive,
            negativeSpans: layout.negativeSpans,
            negativeBuckets: row.negative,
            customValues: layout.schema === -53 ? layout.customValues : [],
          } satisfies Histogram,
        })),
      )
  })

test('decode(encode(x)) is x for histograms of any layout', () => {
  const columns = new ChunkColumns()
  fc.assert(
    fc.property(histogramRuns, (rows) => {
      let time = 0
      const samples = {
        count: rows.length,
        times: Float64Array.from(rows, ({ step }) => (time += step)),
        values: new Float64Array(rows.length),
        flags: new Uint8Array(rows.length).fill(2),
        histograms: rows.map(({ histogram }) => histogram),
      }
      let at = 0
      for (const { encoding, samples: n, data } of encode(samples)) {
        decodeChunk(encoding, data, columns)
        assert.equal(columns.count, n)
        for (let i = 0; i < n; i++, at++) {
          const want = samples.histograms[at]!
          const got = columns.histograms![i]!
          assert.equal(columns.times[i], samples.times[at])
          assert.equal(got.isStale, want.isStale)
          if (want.isStale) continue
          const previous = samples.histograms[at - 1]
          // A reset is never taken for none: of a counter that fell, the first one of a chunk says so or says nothing.
          if (i > 0 && got.counterResetHint !== 3) assert.ok(want.count >= previous!.count)
          assert.deepEqual(plain(got), plain(want))
        }
      }
      assert.equal(at, rows.length)
    }),
  )
})

/** -0 and 0 differ as they should; hints are judged apart. */
const plain = (histogram: Histogram): object => ({ ...histogram, counterResetHint: 0 })

test('a custom bound of -0 stays one', () => {
  const histogram: Histogram = {
    ...EMPTY_HISTOGRAM,
    schema: -53,
    positiveSpans: [{ offset: 0, length: 2 }],
    positiveBuckets: [1, 2],
    customValues: [-0, 0.5, 2.5e-323],
  }
  const [chunk] = encode({
    count: 1,
    times: Float64Array.of(1),
    values: new Float64Array(1),
    flags: Uint8Array.of(2),
    histograms: [histogram],
  })
  const columns = new ChunkColumns()
  decodeChunk(chunk!.encoding, chunk!.data, columns)
  assert.deepEqual(columns.histograms![0]!.customValues, histogram.customValues)
})

test('a chunk with any byte changed is refused', () => {
  const values = Float64Array.from({ length: 20 }, (_, i) => i * 1.5)
  const times = Float64Array.from({ length: 20 }, (_, i) => 15_000 * i)
  const [chunk] = encode({ count: 20, times, values, flags: new Uint8Array(20), histograms: null })
  const record = encodeChunkRecord(chunk!.encoding, chunk!.data)
  assert.equal(chunkRecordBytes(record, '', 0), record.length)
  assert.equal(openChunkRecord(record, '', 0).data.length, chunk!.data.length)
  for (let i = 0; i < record.length; i++) {
    const damaged = record.slice()
    damaged[i] = damaged[i]! ^ 0x10
    assert.throws(
      () => openChunkRecord(damaged.subarray(0, chunkRecordBytes(damaged, 'f', 8)), 'f', 8),
      (error) => error instanceof TsdbFormatError || error instanceof RangeError,
      `byte ${i}`,
    )
  }
})

test('chunks that are cut off or of an unknown encoding are refused, not guessed', () => {
  const columns = new ChunkColumns()
  for (const encoding of [1, 2, 3])
    assert.throws(() => decodeChunk(encoding, Uint8Array.of(0, 9, 0), columns), TsdbFormatError)
  assert.throws(() => decodeChunk(7, new Uint8Array(8), columns), /encoding 7 is not known/)
})
