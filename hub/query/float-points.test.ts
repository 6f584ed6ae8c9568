/** Points by the kernel against points one by one, which JavaScript's own digits are in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PointWriter } from './float-points.ts'
import { JsonWriter } from './json.ts'
import { stepTimes } from './step-times.ts'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

function byKernel(values: Float64Array, present: Uint8Array, startMs = 1_700_000_000_250): string {
  const out = new JsonWriter()
  out.stepPoints(stepTimes(startMs, 500, values.length), values, present)
  return text(out.finish())
}

function oneByOne(values: Float64Array, present: Uint8Array, startMs = 1_700_000_000_250): string {
  const out = new JsonWriter()
  let isFirst = true
  values.forEach((value, i) => {
    if (present[i] !== 1) return
    out.raw(isFirst ? '' : ',').point(startMs + 500 * i, value)
    isFirst = false
  })
  return text(out.finish())
}

const full = (values: Float64Array): Uint8Array => new Uint8Array(values.length).fill(1)

const words = new Uint32Array(2)
const bits = new Float64Array(words.buffer)
/** Any double of magnitudes that the kernel writes, and beyond. */
const double = fc
  .tuple(fc.integer({ min: 1023 - 22, max: 1023 + 54 }), fc.nat(0xfffff), fc.nat(0xffffffff), fc.boolean())
  .map(([exponent, high, low, isNegative]) => {
    words[1] = ((isNegative ? 0x80000000 : 0) | (exponent << 20) | high) >>> 0
    words[0] = low
    return bits[0]!
  })
/** Few digits, at any place; powers of two, whose neighbours are not as far on both sides. */
const short = fc.tuple(fc.nat(10 ** 9), fc.integer({ min: 0, max: 12 })).map(([n, places]) => n / 10 ** places)
const power = fc
  .tuple(fc.integer({ min: -21, max: 52 }), fc.constantFrom(1, 1 + 2 ** -52, 2 - 2 ** -52))
  .map(([exponent, by]) => 2 ** exponent * by)
const whole = fc.nat(2 ** 52)
const odd = fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, 1e-7, 5e-324, 1e21, 2 ** 53, 1.7976931348623157e308)

test('points are those that are written one by one, whatever the values and wherever there are some', () => {
  const value = fc.oneof({ weight: 4, arbitrary: double }, short, power, whole, odd)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(value, fc.constantFrom(0, 1, 1, 1, 2)), { maxLength: 120 }),
      fc.integer({ min: -1e15, max: 1e15 }),
      (steps, startMs) => {
        const values = Float64Array.from(steps, ([each]) => each)
        const present = Uint8Array.from(steps, ([, each]) => each)
        assert.equal(byKernel(values, present, startMs), oneByOne(values, present, startMs))
      },
    ),
    { numRuns: 2000 },
  )
})

test('columns of more steps than are written at once, and of values that are none of the kernel’s', () => {
  for (const make of [
    (i: number) => i / 7,
    (i: number) => (i % 2 === 0 ? i / 3 : Number.NaN),
    () => Number.NaN,
    (i: number) => (i === 1023 || i === 1024 || i === 2047 ? 1e-9 : i),
  ]) {
    const values = Float64Array.from({ length: 2500 }, (_, i) => make(i))
    assert.equal(byKernel(values, full(values)), oneByOne(values, full(values)))
  }
})

test('the kernel stops at what it does not write, and goes on behind it', () => {
  const kernel = new PointWriter()
  const values = Float64Array.of(1.5, 1e-9, 2.25, 3)
  assert.equal(kernel.load(stepTimes(0, 1000, 4), values, full(values), 0), 4)
  assert.equal(kernel.write(0, true), 1)
  assert.equal(text(kernel.text), '[0,"1.5"]')
  assert.equal(kernel.write(2, false), 4)
  assert.equal(text(kernel.text), ',[2,"2.25"],[3,"3"]')
})
