/** What is remembered of the newest chunks, against a reader that keeps nothing, while a head changes in all ways. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { KeptSeries } from './kept-series.ts'
import { Memory } from './memory.ts'
import { createHead, createSampleBuffer, openReader, type SampleBuffer } from './mod.ts'

const SERIES = 3
const STEP_MS = 1000

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('append' as const), samples: fc.integer({ min: 1, max: 40 }) }),
  },
  fc.record({ kind: fc.constant('late' as const), back: fc.integer({ min: 1, max: 60 }) }),
  fc.record({ kind: fc.constant('trim' as const), keep: fc.integer({ min: 5, max: 200 }) }),
  fc.record({ kind: fc.constant('evict' as const), keep: fc.integer({ min: 5, max: 200 }) }),
)

function contents({ count, times, values, flags }: SampleBuffer): unknown {
  return [[...times.subarray(0, count)], [...values.subarray(0, count)], [...flags.subarray(0, count)]]
}

for (const shared of [false, true])
  test(`the newest chunk is the one that is there, in series of ${shared ? 'shared' : 'own'} times`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 300 }), (steps, backMs) => {
        const head = createHead({ maxBytes: 2 ** 26 })
        const refs = Uint32Array.from({ length: SERIES }, (_, i) =>
          head.series(labelsFrom({ __name__: 'x', i: `${i}` })),
        )
        const kept = createSampleBuffer()
        const plain = createSampleBuffer()
        const values = new Float64Array(SERIES)
        let now = 0
        for (const each of steps) {
          if (each.kind === 'append') {
            for (let n = 0; n < each.samples; n++) {
              now += STEP_MS
              refs.forEach((_, i) => void (values[i] = (now * (i + 1)) % 7919))
              if (shared) head.appendColumn(now, refs, values, SERIES)
              else for (let i = 0; i < SERIES; i++) head.appendFloat(refs[i]!, now + i, values, i, 0)
            }
          } else if (each.kind === 'late') head.appendFloat(refs[0]!, now - each.back * STEP_MS + 500, values, 1, 0)
          else if (each.kind === 'trim') head.trim(now - each.keep * STEP_MS)
          else {
            head.closeBefore(now - each.keep * STEP_MS)
            head.evict()
          }
          head.publish()
          for (const minTime of [now - backMs * STEP_MS, now - 20 * STEP_MS, 0]) {
            const range = { minTime, maxTime: now + STEP_MS }
            for (const ref of refs) {
              const reader = openReader(head.share())
              for (let again = 0; again < 3; again++) reader.read(ref, range, kept)
              reader.release()
              const once = openReader(head.share(), { readsOnce: true })
              once.read(ref, range, plain)
              once.release()
              assert.deepEqual(contents(kept), contents(plain))
            }
          }
        }
      }),
      { numRuns: 60 },
    )
  })

test('what was found before chunks were taken away is not found for another series of the same version in its place', () => {
  const { control, pages } = createHead({ maxBytes: 2 ** 26 }).share()
  const mem = new Memory(control, pages)
  const known = new KeptSeries()
  const [record, version, entry] = [64, 8, 16]
  known.note(mem, record, version, entry, 2)
  assert.ok(known.find(record, version, 2))
  assert.ok(!known.find(record, version + 2, 2))
  assert.ok(!known.find(record, version, 4))
})
