/** The kernels of extremes against the plain loop of upstream. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { newSeries } from '../types.ts'
import { newWindows, type Windows } from '../windows.ts'
import { maxOverTime, minOverTime } from './over-time.ts'
import type { RangeCall } from './range-call.ts'

/** Windows (i * step - range, i * step] over samples at 0, 1, 2… */
function windowsOver(
  values: readonly number[],
  { steps, step, range }: Record<'steps' | 'step' | 'range', number>,
): Windows {
  const w = newWindows(steps, range, { first: 0, step, last: (steps - 1) * step }, 0, 0)
  w.count = values.length
  w.values = Float64Array.from(values)
  for (let i = 0; i < steps; i++) {
    w.lo[i] = Math.max(0, Math.min(values.length, i * step - range + 1))
    w.hi[i] = Math.max(w.lo[i]!, Math.min(values.length, i * step + 1))
  }
  return w
}

/** Semantics: Prometheus promql/functions.go, compareOverTime (v3.14). */
function plain(values: readonly number[], replaces: (value: number, best: number) => boolean): number {
  let best = values[0]!
  for (const value of values) if (replaces(value, best) || Number.isNaN(best)) best = value
  return best
}

const KERNELS = [
  ['max_over_time()', maxOverTime, (value: number, best: number) => value > best],
  ['min_over_time()', minOverTime, (value: number, best: number) => value < best],
] as const

const anyValue = fc.oneof(fc.constantFrom(-0, 0, Number.NaN, Infinity, -Infinity, 1, 2, -1), fc.double())
const rises = fc.array(fc.constantFrom(0, 0, 1, 0.5, -0), { maxLength: 40 }).map((deltas) => {
  let value = 0
  return deltas.map((delta, i) => (i === 0 ? delta : (value += delta)))
})
const counter = fc.tuple(rises, rises).map(([before, after]) => [...before, ...after])

for (const [name, kernel, replaces] of KERNELS)
  test(`${name} is what a loop over each window finds, bit for bit, in slices and whole`, () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.array(anyValue, { maxLength: 40 }), rises, counter),
        fc.record({
          steps: fc.integer({ min: 1, max: 30 }),
          step: fc.integer({ min: 1, max: 5 }),
          range: fc.integer({ min: 1, max: 20 }),
        }),
        fc.nat(30),
        fc.nat(40),
        (values, shape, cut, known) => {
          const w = windowsOver(values, shape)
          const rising = values.findIndex((value, i) => Number.isNaN(value) || (i > 0 && !(value >= values[i - 1]!)))
          w.rising = Math.min(known, rising < 0 ? values.length : rising)
          const out = newSeries(shape.steps, 0, null)
          for (const [from, to] of [
            [0, Math.min(cut, shape.steps)],
            [Math.min(cut, shape.steps), shape.steps],
          ] as const) {
            w.from = from
            w.to = to
            if (from < to) kernel(w, out, {} as RangeCall)
          }
          for (let i = 0; i < shape.steps; i++) {
            const inside = values.slice(w.lo[i], w.hi[i])
            assert.equal(out.present[i], inside.length > 0 ? 1 : 0)
            if (inside.length > 0) assert.equal(Object.is(out.values[i], plain(inside, replaces)), true)
          }
        },
      ),
      { numRuns: 1000 },
    )
  })
