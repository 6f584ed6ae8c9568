import assert from 'node:assert/strict'
import { test } from 'node:test'
import { histogramProblem } from '../../protocol/remote-write/mod.ts'
import type { Histogram } from '../../protocol/samples/mod.ts'
import { exemplarOf, floatTextAt, histogramText, mixedNames, putFloat, sampleOf, textOf } from './samples.ts'

test('all kinds of samples come, all of them valid, and as told again', () => {
  const seen = new Map<string, number>()
  const note = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1)
  for (const series of mixedNames('x', 6))
    for (let n = 0; n < 200; n++) {
      const sample = sampleOf(series, n)
      assert.equal(textOf(sampleOf(series, n)), textOf(sample))
      if (exemplarOf(series, n, 1)) note('exemplar')
      if (sample.type === 'histogram') {
        const { histogram } = sample
        assert.equal(histogramProblem(histogram), null, textOf(sample))
        const buckets = histogram.schema === -53 ? 'custom' : 'exponential'
        note(histogram.isStale ? 'stale histogram' : `${histogram.isFloat ? 'float' : 'integer'} ${buckets}`)
        continue
      }
      const values = new Float64Array(1)
      putFloat(sample, values, 0)
      assert.equal(floatTextAt(values, 0), textOf(sample))
      note(sample.type)
    }
  const kinds = ['exemplar', 'float', 'float custom', 'float exponential', 'integer custom', 'integer exponential']
  assert.deepEqual([...seen.keys()].sort(), [...kinds, 'stale', 'stale histogram'].sort())
})

test('the text of a histogram tells of every change', () => {
  const sample = sampleOf('x-3', 5)
  assert.ok(sample.type === 'histogram' && !sample.histogram.isStale)
  const { histogram } = sample
  const changes: Partial<Histogram>[] = [
    { isFloat: !histogram.isFloat },
    { isStale: true },
    { counterResetHint: 2 },
    { schema: histogram.schema + 1 },
    { zeroThreshold: histogram.zeroThreshold * 1.0000000000000002 },
    { zeroCount: histogram.zeroCount + 1 },
    { count: histogram.count + 1 },
    { sum: -histogram.sum },
    { positiveSpans: histogram.positiveSpans.map(({ offset, length }) => ({ offset: offset + 1, length })) },
    { positiveBuckets: histogram.positiveBuckets.map((count) => count + 0.5) },
    { negativeSpans: [] },
    { negativeBuckets: histogram.negativeBuckets.toReversed().map((count) => count + 1) },
    { customValues: [1] },
  ]
  const texts = new Set([histogram, ...changes.map((change) => ({ ...histogram, ...change }))].map(histogramText))
  assert.equal(texts.size, changes.length + 1)
})
