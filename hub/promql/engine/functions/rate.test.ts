import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FLOAT, newSeries } from '../types.ts'
import { newWindows, type Windows } from '../windows.ts'
import type { RangeCall } from './range-call.ts'
import { delta, increase, type RateKind, rate } from './rate.ts'

const RANGE_MS = 60_000
const STEP_MS = 10_000
const STEPS = 200
const INTERVAL_MS = 7_000
const CALL = { anchored: false, smoothed: false } as RangeCall

function windowsOf(times: readonly number[], values: readonly number[]): Windows {
  const at = { first: RANGE_MS, step: STEP_MS, last: RANGE_MS + (STEPS - 1) * STEP_MS }
  const w = newWindows(STEPS, RANGE_MS, at, 0, 0)
  w.count = times.length
  w.times = Float64Array.from(times)
  w.values = Float64Array.from(values)
  for (let i = 0; i < STEPS; i++) {
    w.lo[i] = times.filter((time) => time <= i * STEP_MS).length
    w.hi[i] = times.filter((time) => time <= i * STEP_MS + RANGE_MS).length
  }
  return w
}

/** Of one window, written down as upstream has it: Prometheus promql/functions.go, extrapolatedRate (v3.14). */
function plain({ isCounter, isRate }: RateKind, { times, values, lo, hi }: Windows, step: number): number | null {
  const [from, last] = [lo[step]!, hi[step]! - 1]
  if (last <= from) return null
  let result = values[last]! - values[from]!
  if (isCounter) for (let j = from; j < last; j++) if (values[j + 1]! < values[j]!) result += values[j]!
  const sampled = (times[last]! - times[from]!) / 1000
  const average = sampled / (last - from)
  let toStart = (times[from]! - step * STEP_MS) / 1000
  let toEnd = (step * STEP_MS + RANGE_MS - times[last]!) / 1000
  if (toStart >= average * 1.1) toStart = average / 2
  if (toEnd >= average * 1.1) toEnd = average / 2
  if (isCounter && result > 0 && values[from]! >= 0) toStart = Math.min(toStart, sampled * (values[from]! / result))
  return result * ((sampled + toStart + toEnd) / sampled / (isRate ? RANGE_MS / 1000 : 1))
}

const KINDS = [
  ['rate', rate, { isCounter: true, isRate: true }],
  ['increase', increase, { isCounter: true, isRate: false }],
  ['delta', delta, { isCounter: false, isRate: false }],
] as const

/** Rises of a counter, large ones first seen, with resets, gaps and what is no number between them. */
const counters = fc.record({
  start: fc.constantFrom<number>(0, 1, 1000, 1e9),
  rises: fc.array(
    fc.oneof(
      { weight: 100, arbitrary: fc.nat(50) },
      { weight: 3, arbitrary: fc.constantFrom('reset', 'gap', 'long gap', 'drop') },
      { weight: 1, arbitrary: fc.constantFrom('nan', 'nan, then a reset', 'infinity') },
    ),
    { maxLength: 320, size: 'max' },
  ),
})

for (const [name, kernel, kind] of KINDS) {
  test(`${name}() of many steps is that of each window alone`, () => {
    fc.assert(
      fc.property(counters, ({ start, rises }) => {
        const times: number[] = []
        const values: number[] = []
        let time = 0
        let value = start
        for (const rise of rises) {
          time += rise === 'gap' ? 3 * INTERVAL_MS : rise === 'long gap' ? 2 * RANGE_MS : INTERVAL_MS
          if (rise === 'reset') value = 0
          else if (rise === 'nan, then a reset') value = 0
          else if (rise === 'drop') value = Math.floor(value / 2)
          else if (typeof rise === 'number') value += rise
          times.push(time)
          values.push(
            rise === 'nan' || rise === 'nan, then a reset'
              ? Number.NaN
              : rise === 'infinity'
                ? Number.POSITIVE_INFINITY
                : value,
          )
        }
        const w = windowsOf(times, values)
        const out = newSeries(STEPS, 0, null)
        kernel(w, out, CALL)
        for (let i = 0; i < STEPS; i++) {
          const wanted = plain(kind, w, i)
          assert.equal(out.present[i] === FLOAT, wanted !== null, `presence at step ${i}`)
          if (wanted !== null) assert.ok(Object.is(out.values[i], wanted), `step ${i}: ${out.values[i]}, not ${wanted}`)
        }
      }),
      { numRuns: 300 },
    )
  })
}
