import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { gauge, type MetricFamily, TEXT_CONTENT_TYPE, writeExposition } from '../../protocol/exposition/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { ScrapeCounters } from './counters.ts'
import { ScrapeRecorder } from './recorder.ts'
import { withTargetDefaults } from './target.ts'
import { MemorySink } from './testing/memory-sink.ts'

const config = withTargetDefaults({
  job: 'j',
  source: { kind: 'collect', name: 'c', collect: () => [] },
  labels: labelsFrom({ job: 'j' }),
})

/** Families of few names, some twice, with few series, in any order: pages that often have the same lines. */
const metric = fc.record({
  labels: fc.constantFrom<readonly string[]>([], ['x', '1'], ['x', '2'], ['x', '1', 'y', '2']),
  value: fc.oneof(fc.double(), fc.constant(Number.NaN)),
})
const families = fc.array(
  fc.record({ name: fc.constantFrom('a', 'b', 'no name', '0'), metrics: fc.array(metric, { maxLength: 3 }) }),
  { maxLength: 3 },
)
const repeated = fc.tuple(families, fc.integer({ min: 1, max: 3 }), fc.infiniteStream(fc.double()))

/** `Page` as a collector's, or as the same text from elsewhere. */
function recordAll(pages: readonly (readonly MetricFamily[])[], asFamilies: boolean, forgetAt: number): string[] {
  const sink = new MemorySink()
  const recorder = new ScrapeRecorder('key', config, sink, new ScrapeCounters())
  return pages.flatMap((page, i) => {
    if (i === forgetAt) sink.newEpoch()
    const body = writeExposition(page)
    const time = { slotMs: i, timestampMs: i, nowMs: i, durationMs: 0 }
    const content = { body, contentType: TEXT_CONTENT_TYPE }
    const { error, kept } = recorder.record(time, asFamilies ? { ...content, families: page } : content, null)
    return [error, String(kept), ...sink.rows(sink.scrapes.at(-1), true)]
  })
}

test('families of a collector are recorded as their text would be, page after page', () => {
  fc.assert(
    fc.property(fc.array(repeated, { minLength: 1, maxLength: 6 }), fc.nat(12), (rounds, forgetAt) => {
      const pages = rounds.flatMap(([first, times, values]) =>
        Array.from({ length: times }, (_, i) =>
          first.map(({ name, metrics }) =>
            gauge(
              name,
              'Help.',
              i === 0 ? metrics : metrics.map(({ labels }) => ({ labels: [...labels], value: values.next().value! })),
            ),
          ),
        ),
      )
      assert.deepEqual(recordAll(pages, true, forgetAt), recordAll(pages, false, forgetAt))
    }),
    { numRuns: 300 },
  )
})
