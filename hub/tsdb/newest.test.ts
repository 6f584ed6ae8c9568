/** readNewest() ends with the sample that read() ends with. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM, setStaleAt } from '../../protocol/samples/mod.ts'
import { createHead, createSampleBuffer, openReader, type SampleBuffer } from './mod.ts'

const END = 2000

const anyAppends = fc.array(
  fc.record({
    kind: fc.constantFrom('float', 'float', 'float', 'same', 'stale', 'histogram', 'column'),
    gap: fc.integer({ min: -40, max: 60 }),
    count: fc.integer({ min: 1, max: 40 }),
  }),
  { maxLength: 12 },
)

function newestOf(out: SampleBuffer): unknown {
  const i = out.count - 1
  if (i < 0) return null
  const words = new Uint32Array(out.values.buffer, out.values.byteOffset + 8 * i, 2)
  const histogram = out.histograms?.[i]
  return [out.times[i], out.flags[i], histogram?.count ?? [...words], out.startTimes?.[i] ?? 0]
}

test('readNewest() finds the newest sample of any range, late, stale and constant ones among them', () => {
  fc.assert(
    fc.property(anyAppends, fc.array(fc.tuple(fc.nat(END), fc.nat(END)), { maxLength: 20 }), (appends, ranges) => {
      const head = createHead({ maxBytes: 2 ** 26 })
      const ref = head.series(labelsFrom({ __name__: 'x' }))
      const values = new Float64Array(1)
      let time = 0
      for (const { kind, gap, count } of appends) {
        time = Math.max(0, time + gap)
        for (let i = 0; i < count; i++) {
          time += 1 + (i % 3)
          values[0] = kind === 'same' ? 7 : time / 3
          if (kind === 'stale' && i === count - 1) setStaleAt(new Uint32Array(values.buffer), 0)
          if (kind === 'histogram') head.appendHistogram(ref, time, { ...EMPTY_HISTOGRAM, count: time, sum: time }, 0)
          else if (kind === 'column') head.appendColumn(time, Uint32Array.of(ref), values, 1)
          else head.appendFloat(ref, time, values, 0, 0)
        }
      }
      head.publish()
      const reader = openReader(head.share())
      const [all, newest] = [createSampleBuffer(16), createSampleBuffer(16)]
      try {
        for (const [a, b] of [...ranges, [0, END] as const]) {
          const range = { minTime: Math.min(a, b), maxTime: Math.max(a, b) }
          reader.read(ref, range, all)
          reader.readNewest!(ref, range, newest)
          assert.ok(newest.count <= all.count)
          assert.deepEqual(newestOf(newest), newestOf(all))
        }
      } finally {
        reader.release()
      }
    }),
    { numRuns: 300 },
  )
})

test('readNewest() of a long series decodes the open run alone', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  const ref = head.series(labelsFrom({ __name__: 'x' }))
  for (let time = 0; time < 1000; time++) head.appendFloat(ref, time, Float64Array.of(Math.sqrt(time)), 0, 0)
  head.publish()
  const reader = openReader(head.share())
  const out = createSampleBuffer(16)
  reader.readNewest!(ref, { minTime: 0, maxTime: 5000 }, out)
  assert.ok(out.count > 0 && out.count < 100, `${out.count} samples`)
  reader.readNewest!(999, { minTime: 0, maxTime: 5000 }, out)
  assert.equal(out.count, 0)
  reader.release()
})
