import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import { combine, equalHistograms } from '../histograms/arithmetic.ts'
import type { Windows } from '../windows.ts'
import { histogramRise } from './histogram-rate.ts'
import type { Notes } from './range-call.ts'

/** Observations between two samples, by bucket; null is a restart. Buckets that nobody filled yet are not there. */
const growth = fc.option(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 5 }), { freq: 4 })

function counter(growths: readonly (readonly number[] | null)[]): Histogram[] {
  let counts: number[] = []
  return growths.map((grown) => {
    if (grown === null) counts = []
    for (const [i, n] of (grown ?? []).entries()) counts[i] = (counts[i] ?? 0) + n
    const count = counts.reduce((a, b) => a + b, 0)
    return {
      isFloat: false,
      isStale: false,
      counterResetHint: grown === null ? CounterResetHint.reset : CounterResetHint.unknown,
      schema: 2,
      zeroThreshold: 0,
      zeroCount: 0,
      count,
      sum: count,
      positiveSpans: counts.length === 0 ? [] : [{ offset: -2, length: counts.length }],
      positiveBuckets: [...counts],
      negativeSpans: [],
      negativeBuckets: [],
      customValues: [],
    }
  })
}

function windowsOf(histograms: Histogram[]): Windows {
  const htimes = Float64Array.from(histograms, (_, i) => i * 1000)
  return { histograms, htimes, hstartTimes: null, hcount: histograms.length, ofHistograms: null } as unknown as Windows
}

const silent = { ctx: { warn() {}, info() {} }, pos: { start: 0, end: 0 }, metricName: () => 'h' } as unknown as Notes

test('the rises of all windows of a series are the observations between their samples, over resets as well', () => {
  fc.assert(
    fc.property(fc.array(growth, { minLength: 2, maxLength: 12 }), (growths) => {
      const histograms = counter(growths)
      const windows = windowsOf(histograms)
      for (let from = 0; from < histograms.length - 1; from++) {
        for (let last = from + 1; last < histograms.length; last++) {
          const rise = histogramRise(true, windows, from, last, silent)!.result()
          const observed = growths.slice(from + 1, last + 1).flatMap((grown) => grown ?? [])
          const total = observed.reduce((a, b) => a + b, 0)
          assert.equal(rise.count, total)
          assert.equal(
            rise.positiveBuckets.reduce((a, b) => a + b, 0),
            total,
          )
          assert.equal(rise.counterResetHint, CounterResetHint.gauge)
        }
      }
    }),
  )
})

test('a rise without a reset is the last sample less the first, whatever window came before', () => {
  fc.assert(
    fc.property(fc.array(growth, { minLength: 3, maxLength: 8 }), (growths) => {
      const histograms = counter(growths.map((grown) => grown ?? [1]))
      const windows = windowsOf(histograms)
      const last = histograms.length - 1
      histogramRise(true, windows, 0, last, silent)
      const rise = histogramRise(true, windows, 1, last, silent)!.result()
      assert.ok(equalHistograms(rise, combine(histograms[last]!, histograms[1]!, -1)!.h))
    }),
  )
})
