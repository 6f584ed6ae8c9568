import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { createHead, openReader } from '../tsdb/mod.ts'
import { writeExemplars } from './discovery.ts'

const NOW = 1_700_000_000_000
const head = createHead()
for (const [name, job, timestampMs] of [
  ['b_total', 'y', 1000],
  ['b_total', 'x', NOW],
  ['a_total', 'z', NOW - 86_400_000],
] as const) {
  const ref = head.series(labelsFrom({ __name__: name, job }))
  head.appendFloat(ref, NOW, Float64Array.of(1), 0, 0)
  head.appendExemplar(ref, { labels: ['trace_id', job], value: 1, timestampMs })
}
head.publish()
const reader = openReader(head.share())

function found(query: string, startMs: number, endMs: number): [string, number][] {
  const bytes = writeExemplars(reader, { kind: 'exemplars', query, startMs, endMs, features: [] })!
  const { data } = JSON.parse(new TextDecoder().decode(bytes)) as {
    data: readonly { seriesLabels: { job: string }; exemplars: readonly { timestamp: number }[] }[]
  }
  return data.map(({ seriesLabels, exemplars }) => [seriesLabels.job, exemplars[0]!.timestamp])
}

test('exemplars are found however far they are from the samples of their series', () => {
  assert.deepEqual(found('b_total', 0, 2000), [['y', 1]])
  assert.deepEqual(found('a_total', NOW - 90_000_000, NOW - 80_000_000), [['z', (NOW - 86_400_000) / 1000]])
  assert.deepEqual(found('b_total', 2000, 3000), [])
})

test('series with exemplars come once, by their labels, whichever selector found them', () => {
  assert.deepEqual(
    found('b_total + on () a_total + {job=~".+"}', 0, NOW).map(([job]) => job),
    ['z', 'x', 'y'],
  )
})
