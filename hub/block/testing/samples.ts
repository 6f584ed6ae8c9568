/** Series for tests: any bits, stale markers, start times, histograms; heads filled with them; readers compared. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { runtimeZstd } from '../../../agent/env/zstd.ts'
import { type Labels, labelsFrom, labelsKey } from '../../../protocol/labels/mod.ts'
import type { Histogram } from '../../../protocol/samples/mod.ts'
import { createHead, createSampleBuffer, type Head, type SeriesReader, type TimeRange } from '../../tsdb/mod.ts'
import { MemoryDisk } from '../../wal/testing/mod.ts'
import type { BlockEnv } from '../contract.ts'

export const ALL: TimeRange = { minTime: -Infinity, maxTime: Infinity }

export type TestSample = { readonly time: number; readonly bits: bigint; readonly start: number; readonly kind: number }
export type TestSeries = { readonly labels: Labels; readonly samples: readonly TestSample[] }

export const anyBits = fc.oneof(
  fc.constantFrom(0x7ff0000000000002n, 0x7ff8000000000001n, 0x8000000000000000n, 0n, 1n, 0x7ff0000000000000n),
  fc.integer({ min: -3, max: 1000 }).map((x) => bitsOf(x)),
  fc.integer({ min: -99999, max: 99999 }).map((x) => bitsOf(x / 100)),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
)

export function bitsOf(value: number): bigint {
  return new BigUint64Array(new Float64Array([value]).buffer)[0]!
}

const anySample = (maxTime: number): fc.Arbitrary<TestSample> =>
  fc.record({
    time: fc.integer({ min: 0, max: maxTime }),
    bits: anyBits,
    start: fc.constantFrom(0, 0, 0, 5, 1_700_000_000_000),
    kind: fc.constantFrom(0, 0, 0, 0, 0, 1),
  })

/** A regular stretch, as scrapes give. */
const ramp = (maxTime: number): fc.Arbitrary<TestSample[]> =>
  fc
    .record({
      from: fc.integer({ min: 0, max: maxTime }),
      step: fc.constantFrom(1000, 15_000, 7),
      count: fc.integer({ min: 1, max: 200 }),
      rate: fc.constantFrom(0, 1, 1536, 0.25, 0.1, 1 / 3),
      jump: fc.constantFrom(0, 1e6, -1e12),
    })
    .map(({ from, step, count, rate, jump }) =>
      Array.from({ length: count }, (_, i) => ({
        time: from + i * step,
        bits: bitsOf(i * rate + (i % 50 === 49 ? jump : 0)),
        start: 0,
        kind: 0,
      })),
    )

/** Up to 12 series of few label values, so that matchers meet. */
export const anySeries = (maxTime: number): fc.Arbitrary<TestSeries[]> =>
  fc.uniqueArray(
    fc.record({
      labels: fc
        .record({
          __name__: fc.constantFrom('up', 'http_requests_total', 'größe'),
          job: fc.constantFrom('node', 'api', ''),
          instance: fc.constantFrom('a', 'b', 'c\ud800', '🦔', ''),
        })
        .map(labelsFrom),
      samples: fc
        .tuple(fc.array(anySample(maxTime), { maxLength: 30 }), fc.array(ramp(maxTime), { maxLength: 2 }))
        .map(([loose, ramps]) => [...loose, ...ramps.flat()]),
    }),
    { selector: ({ labels }) => labelsKey(labels), maxLength: 12 },
  )

export function histogramOf(bits: bigint): Histogram {
  const n = Number(bits % 1000n)
  return {
    isFloat: n % 2 === 0,
    isStale: n % 17 === 3,
    counterResetHint: (n % 4) as Histogram['counterResetHint'],
    schema: n % 17 === 3 ? 0 : (n % 9) - 2,
    zeroThreshold: n % 17 === 3 ? 0 : 0.001,
    zeroCount: n % 17 === 3 ? 0 : n,
    count: n % 17 === 3 ? 0 : 3 * n,
    sum: n % 17 === 3 ? 0 : n / 3,
    positiveSpans: n % 17 === 3 ? [] : [{ offset: n - 500, length: 2 }],
    positiveBuckets: n % 17 === 3 ? [] : [n, n],
    negativeSpans: [],
    negativeBuckets: [],
    customValues: [],
  }
}

export function fillHead(series: readonly TestSeries[], head: Head = createHead()): Head {
  const bits = new BigUint64Array(1)
  const values = new Float64Array(bits.buffer)
  for (const { labels, samples } of series) {
    const ref = head.series(labels)
    for (const sample of samples) {
      bits[0] = sample.bits
      if (sample.kind === 1) head.appendHistogram(ref, sample.time, histogramOf(sample.bits), sample.start)
      else head.appendFloat(ref, sample.time, values, 0, sample.start)
    }
  }
  head.publish()
  return head
}

/** Everything that a reader has in the range, by label set: times, bits, flags, start times, histograms. */
export function contents(reader: SeriesReader, range: TimeRange = ALL): Map<string, string[]> {
  const out = new Map<string, string[]>()
  const buffer = createSampleBuffer()
  for (const ref of reader.select([], range)) {
    reader.read(ref, range, buffer)
    if (buffer.count === 0) continue
    const bits = new BigUint64Array(buffer.values.buffer, 0, buffer.count)
    const lines = Array.from(bits, (value, i) => {
      const histogram = buffer.flags[i] === 2 ? JSON.stringify(buffer.histograms![i]) : ''
      return `${buffer.times[i]} ${value.toString(16)} ${buffer.flags[i]} ${buffer.startTimes?.[i] ?? 0} ${histogram}`
    })
    const key = labelsKey(reader.labels(ref))
    assert.ok(!out.has(key), 'a label set is answered once')
    out.set(key, lines)
  }
  return out
}

export function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}

export function memoryEnv(): BlockEnv & { readonly disk: MemoryDisk } {
  const disk = new MemoryDisk()
  disk.makeDirectory('/data')
  disk.syncDirectory('/')
  return { disk, compressor: runtimeZstd }
}
