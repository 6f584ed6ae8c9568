/** Series with everything that a TSDB stores, written to a real Prometheus or a hub by remote write. */
import assert from 'node:assert/strict'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress, type WriteSeries } from '../../protocol/remote-write/mod.ts'
import { EMPTY_HISTOGRAM, type Histogram, setStaleAt } from '../../protocol/samples/mod.ts'
import { type MatrixRow, type Server, samples } from './world.ts'

export const STEP_MS = 15_000

const HISTOGRAM: Histogram = { ...EMPTY_HISTOGRAM, isFloat: false, schema: 3, zeroThreshold: 2 ** -128 }

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** Grows, changes its buckets now and then, falls back to nothing once an hour. */
function integerHistogram(n: number): Histogram {
  const k = n % 240
  const isWide = Math.floor(k / 60) % 2 === 1
  const positiveBuckets = isWide ? [k, 2 * k, k + 3, 1, k] : [k, 2 * k, k + 3]
  const negativeBuckets = [k + 1]
  return {
    ...HISTOGRAM,
    zeroCount: k,
    count: k + sum(positiveBuckets) + sum(negativeBuckets),
    sum: k * 1.25,
    positiveSpans: isWide
      ? [
          { offset: -2, length: 3 },
          { offset: 4, length: 2 },
        ]
      : [{ offset: -2, length: 3 }],
    positiveBuckets,
    negativeSpans: [{ offset: 1, length: 1 }],
    negativeBuckets,
  }
}

function floatHistogram(n: number, isGauge: boolean): Histogram {
  const wave = isGauge ? Math.abs(Math.sin(n / 9)) : n % 300
  const positiveBuckets = [wave * 1.5, wave * 0.25]
  return {
    ...HISTOGRAM,
    isFloat: true,
    counterResetHint: isGauge ? 3 : 0,
    zeroThreshold: 0.001,
    zeroCount: wave,
    count: wave + sum(positiveBuckets),
    sum: wave * -3.7,
    positiveSpans: [{ offset: 0, length: 2 }],
    positiveBuckets,
  }
}

function customHistogram(n: number): Histogram {
  const positiveBuckets = [n, 2 * n, 1]
  return {
    ...HISTOGRAM,
    schema: -53,
    zeroThreshold: 0,
    count: sum(positiveBuckets),
    sum: n / 3,
    positiveSpans: [{ offset: 0, length: 3 }],
    positiveBuckets,
    customValues: [0.1, 1 / 3, 2.5],
  }
}

const floats: Readonly<Record<string, (n: number) => number>> = {
  constant: () => 1,
  counter: (n) => (n % 500) * 1536,
  decimal: (n) => Math.round(1000 * Math.sin(n / 7)) / 100,
  noise: (n) => Math.sin(n * 12.9898) * 43_758.5453,
  odd: (n) => [Number.NaN, Infinity, -Infinity, -0, 5e-324, 1.7976931348623157e308][n % 6]!,
}

/** A piece of the data: samples `from` to before `to`, counted in steps from `startMs`. */
export function pieceOf(startMs: number, from: number, to: number): WriteSeries[] {
  const at = Array.from({ length: to - from }, (_, i) => from + i)
  const times = (some: readonly number[]): number[] => some.map((n) => startMs + n * STEP_MS + (n % 11 === 0 ? 3 : 0))
  const series: WriteSeries[] = Object.entries(floats).flatMap(([kind, value]) =>
    Array.from({ length: 4 }, (_, i) => ({
      labels: labelsFrom({ __name__: `data_${kind}`, host: `h${i}`, text: i === 3 ? 'é "\\\n🎈' : '' }),
      timestamps: times(at),
      values: Float64Array.from(at, (n) => value(n + 100 * i)),
    })),
  )
  // Comes and goes, with a stale marker at each end.
  const shown = at.filter((n) => n % 50 <= 30)
  const values = Float64Array.from(shown, (n) => n)
  const words = new Uint32Array(values.buffer)
  shown.forEach((n, i) => {
    if (n % 50 === 30) setStaleAt(words, i)
  })
  series.push({ labels: labelsFrom({ __name__: 'data_churn', host: 'h0' }), timestamps: times(shown), values })
  const kinds: readonly (readonly [string, (n: number) => Histogram])[] = [
    ['data_histogram', integerHistogram],
    ['data_float_histogram', (n) => floatHistogram(n, false)],
    ['data_gauge_histogram', (n) => floatHistogram(n, true)],
    ['data_custom_histogram', customHistogram],
    [
      'data_stale_histogram',
      (n) => (n % 40 === 39 ? { ...HISTOGRAM, isStale: true, sum: Number.NaN } : integerHistogram(n)),
    ],
  ]
  for (const [name, histogram] of kinds)
    series.push({
      labels: labelsFrom({ __name__: name, host: 'h0' }),
      timestamps: [],
      values: new Float64Array(0),
      histograms: times(at).map((timestampMs, i) => ({ timestampMs, histogram: histogram(at[i]!) })),
    })
  return series
}

/** Writes `count` steps from `startMs` on, in the order of time. */
export async function writeData(server: Server, startMs: number, count: number): Promise<void> {
  for (let from = 0; from < count; from += 100) {
    const body = snappyCompress(encodeWriteRequest(pieceOf(startMs, from, Math.min(count, from + 100))))
    const response = await fetch(`${server.url}/api/v1/write`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
      body: body as Uint8Array<ArrayBuffer>,
    })
    assert.equal(response.status, 204, await response.text())
  }
}

/** All series with all their samples up to a time, in the order of their labels. */
export async function allData(server: Server, endMs: number): Promise<readonly MatrixRow[]> {
  const rows = await samples(server, '{__name__=~"data_.*"}[30d]', endMs / 1000)
  const key = ({ metric }: MatrixRow): string => JSON.stringify(Object.entries(metric).sort())
  return [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}
