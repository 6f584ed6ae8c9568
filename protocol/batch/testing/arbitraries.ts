/** Arbitrary streams of scrapes for the tests of this folder, and a plain comparison that sees every bit. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { encodeSeed, naclSigner, type Signer } from '../../identity/mod.ts'
import { type Labels, labelsFrom } from '../../labels/mod.ts'
import type { CounterResetHint, Histogram, Metadata } from '../../samples/mod.ts'
import { BatchEncoder, type BatchEncoderOptions, type Compressor, type Hasher, type Scrape } from '../mod.ts'

export const zstd: Compressor = {
  compress: (bytes, level) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } }),
  decompress: (bytes, maxBytes) => zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, maxBytes) }),
}
/** Payloads as they are: for golden bytes, and so that mutations reach the decoder and not zstd. */
export const stored: Compressor = { compress: (bytes) => bytes.slice(), decompress: (bytes) => bytes }
export const sha256: Hasher = { sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()) }
export const signer = naclSigner(encodeSeed(new Uint8Array(32).fill(1)))
/** tweetnacl takes milliseconds; most tests do not look at signatures. */
export const noSigner: Signer = { publicKey: signer.publicKey, sign: () => new Uint8Array(64) }

export const newEncoder = (options: Partial<BatchEncoderOptions> = {}): BatchEncoder =>
  new BatchEncoder({
    agent: 'web-1',
    epoch: 1_700_000_000_000,
    signer: noSigner,
    hasher: sha256,
    compressor: zstd,
    ...options,
  })

export const SERIES_COUNT = 24
export const seriesLabels = (series: number): Labels =>
  labelsFrom({
    __name__: `metric_${series % 5}`,
    series: `s${series}`,
    ...(series % 3 === 0 ? { mode: 'ïdle 🎈' } : {}),
  })
export const seriesMetadata = (series: number): Metadata | null =>
  series % 5 === 4 ? null : { type: series % 5 === 0 ? 'counter' : 'gauge', help: `Help of ${series % 5}.`, unit: '' }

const record: typeof fc.record = (model: object) => fc.record(model as never, { noNullPrototype: true }) as never

/** Doubles by their bits: everything from counters to NaN payloads, with many repeats. */
export const doubleBits: fc.Arbitrary<bigint> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -3, max: 1000 }).map((n) => bitsOf(n)) },
  { weight: 2, arbitrary: fc.integer().map((n) => bitsOf(n / 100)) },
  { weight: 1, arbitrary: fc.maxSafeInteger().map((n) => bitsOf(n)) },
  { weight: 1, arbitrary: fc.integer().map((n) => bitsOf(n * 4096)) },
  { weight: 2, arbitrary: fc.double().map((x) => bitsOf(x)) },
  { weight: 2, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      0x7ff0000000000002n,
      0x7ff8000000000001n,
      0x7ff8000000000000n,
      0xfff8000000000000n,
      0x7ff0000000000000n,
      0xfff0000000000000n,
      0x8000000000000000n,
      1n,
      0x000fffffffffffffn,
    ),
  },
)

const histograms: fc.Arbitrary<Histogram> = record({
  isFloat: fc.boolean(),
  isStale: fc.boolean(),
  counterResetHint: fc.constantFrom<CounterResetHint>(0, 1, 2, 3),
  schema: fc.constantFrom(-53, -4, 0, 3, 8),
  zeroThreshold: fc.constantFrom(0, 2.938735877055719e-39, 0.001),
  zeroCount: fc.nat(100),
  count: fc.nat(10_000),
  sum: fc.double(),
  buckets: fc.array(fc.oneof(fc.nat(50), fc.double({ noNaN: true })), { maxLength: 5 }),
  negative: fc.array(fc.nat(1_000_000), { maxLength: 3 }),
  customValues: fc.array(fc.double({ noNaN: true }), { maxLength: 3 }),
}).map(({ buckets, negative, ...rest }) => ({
  ...rest,
  positiveBuckets: buckets,
  negativeBuckets: negative,
  positiveSpans: buckets.length < 2 ? spans(0, buckets.length) : [...spans(-2, 1), ...spans(3, buckets.length - 1)],
  negativeSpans: spans(1, negative.length),
}))

const spans = (offset: number, length: number): { offset: number; length: number }[] =>
  length === 0 ? [] : [{ offset, length }]

export type ArbitraryScrape = {
  readonly target: string
  readonly slot: number
  readonly jitterMs: number
  readonly series: readonly number[]
  readonly bits: readonly bigint[]
  readonly timestamps: readonly (number | null)[] | null
  readonly startTimestamps: readonly number[] | null
  readonly histograms: readonly (Histogram | null)[] | null
  readonly exemplars: Scrape['exemplars']
}

const targets = fc.constantFrom('node', 'node', 'app 🎈')
const time = fc.integer({ min: -5, max: 1_800_000 })

const scrapes: fc.Arbitrary<ArbitraryScrape> = record({
  target: targets,
  slot: fc.nat(50),
  jitterMs: fc.oneof(fc.constant(0), fc.integer({ min: -5, max: 900 })),
  series: fc.oneof(
    fc.constant(Array.from({ length: SERIES_COUNT / 2 }, (_, i) => i)),
    fc.subarray(Array.from({ length: SERIES_COUNT }, (_, i) => i)),
    fc.array(fc.nat(SERIES_COUNT - 1), { maxLength: 10 }),
  ),
}).chain((head) => {
  const n = head.series.length
  const column = <T>(items: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(items, { minLength: n, maxLength: n })
  const optional = <T>(items: fc.Arbitrary<T>): fc.Arbitrary<T[] | null> =>
    fc.option(column(items), { freq: 4 }).map((list) => list)
  const exemplar = record({
    id: fc.nat(SERIES_COUNT - 1),
    exemplar: record({
      labels: fc.constantFrom([], ['trace_id', 'abc'], ['a', '', 'b', 'ü']),
      value: fc.double(),
      timestampMs: fc.option(fc.oneof(time, fc.double({ noNaN: true }))),
    }),
  })
  return record({
    target: fc.constant(head.target),
    slot: fc.constant(head.slot),
    jitterMs: fc.constant(head.jitterMs),
    series: fc.constant(head.series),
    bits: column(doubleBits),
    timestamps: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, optional(fc.option(time))),
    startTimestamps: fc.oneof(
      { weight: 2, arbitrary: fc.constant(null) },
      optional(fc.constantFrom(0, 1000, 1_700_000_000_000)),
    ),
    histograms: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, optional(fc.option(histograms))),
    exemplars: fc.oneof(fc.constant(null), fc.array(exemplar, { minLength: 1, maxLength: 2 })),
  })
})

/** A stream: scrapes by batch. */
export const streams: fc.Arbitrary<ArbitraryScrape[][]> = fc.array(fc.array(scrapes, { minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 5,
})

export function toScrape(arbitrary: ArbitraryScrape, idOf: (series: number) => number): Scrape {
  const { series, bits, timestamps, startTimestamps, histograms, slot, jitterMs } = arbitrary
  const slotMs = 1_700_000_000_000 + slot * 15_000
  const found = (histograms ?? []).flatMap((histogram, i) => (histogram === null ? [] : [[i, histogram] as const]))
  return {
    target: arbitrary.target,
    slotMs,
    intervalMs: 15_000,
    timestampMs: slotMs + jitterMs,
    ids: Uint32Array.from(series, idOf),
    values: new Float64Array(BigUint64Array.from(bits.map((b, i) => (histograms?.[i] ? 0n : b))).buffer),
    timestamps: timestamps && Float64Array.from(timestamps, (t) => t ?? Number.NaN),
    startTimestamps: startTimestamps && Float64Array.from(startTimestamps),
    histograms: found.length === 0 ? null : new Map(found),
    exemplars: arbitrary.exemplars,
  }
}

/** What a decoder must give back for `scrape`: samples in order of id, bits as text, stale histograms without content. */
export function plain(scrape: Scrape): unknown {
  const order = Array.from(scrape.ids, (_, i) => i).sort((a, b) => scrape.ids[a]! - scrape.ids[b]! || a - b)
  const column = (values: Float64Array | null): unknown => {
    if (values === null) return null
    const bits = new BigUint64Array(values.slice().buffer)
    return order.map((i) => bits[i]!.toString(16))
  }
  return {
    target: scrape.target,
    times: [scrape.slotMs, scrape.intervalMs, scrape.timestampMs],
    ids: order.map((i) => scrape.ids[i]!),
    values: column(scrape.values),
    timestamps: column(scrape.timestamps),
    startTimestamps: column(scrape.startTimestamps),
    histograms: order.map((i) => {
      const histogram = scrape.histograms?.get(i)
      return histogram?.isStale ? ['stale', histogram.isFloat, histogram.counterResetHint] : (histogram ?? null)
    }),
    exemplars: scrape.exemplars,
  }
}

export function assertSameScrapes(actual: readonly Scrape[], expected: readonly Scrape[]): void {
  assert.deepEqual(actual.map(plain), expected.map(plain))
}

function bitsOf(value: number): bigint {
  return new BigUint64Array(Float64Array.of(value).buffer)[0]!
}
