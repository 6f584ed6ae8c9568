import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { writeResult } from './results.ts'

test('a series without any point in the range is not shown, and does not count against the limit', () => {
  const of = (job: string, ...present: number[]) => ({
    labels: labelsFrom({ job }),
    values: Float64Array.of(1, 2),
    present: Uint8Array.from(present),
    histograms: null,
  })
  const series = [of('gone', 0, 0), of('a', 0, 1), of('also gone', 0, 0), of('b', 1, 1), of('gone too', 0, 0)]
  const range = { startMs: 1000, endMs: 2000, stepMs: 1000, instant: false }
  const shown = (limit: number): [string[], unknown] => {
    const body = writeResult(
      { type: 'matrix', series, annotations: [] },
      { range, text: '', limit, poll: () => {}, stats: null },
    )
    const { data, warnings } = JSON.parse(new TextDecoder().decode(body))
    return [data.result.map(({ metric }: { metric: { job: string } }) => metric.job), warnings]
  }
  assert.deepEqual(shown(0), [['a', 'b'], undefined])
  assert.deepEqual(shown(2), [['a', 'b'], undefined])
  assert.deepEqual(shown(1), [['a'], ['results truncated due to limit']])
})
