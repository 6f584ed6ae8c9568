/** Rows as of Prometheus tsdb/exemplar_test.go, TestAddExemplar and TestAddDuplicateExemplar (v3.14). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import type { Exemplar } from '../../protocol/samples/mod.ts'
import type { Head } from './head-contract.ts'
import { createHead, headRestorer, openReader } from './mod.ts'

const EVER = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }
const one = (timestampMs: number | null, value = 1, trace = 'x'): Exemplar => ({
  labels: ['trace_id', trace],
  value,
  timestampMs,
})
const seriesOf = (head: Head, name: string): number => head.series(labelsFrom({ __name__: name }))

function timesOf(head: Head, ref: number): (number | null)[] {
  head.publish()
  const reader = openReader(head.share())
  try {
    return reader.exemplars(ref, EVER).map(({ timestampMs }) => timestampMs)
  } finally {
    reader.release()
  }
}

test('the newest exemplar of a series once more is no exemplar, and no drop', () => {
  const head = createHead({ maxBytes: 2 ** 26, maxExemplars: 8 })
  const [a, b] = [seriesOf(head, 'a'), seriesOf(head, 'b')]
  for (let i = 0; i < 5; i++) head.appendExemplar(a, one(10))
  head.appendExemplar(b, one(10))
  assert.deepEqual(timesOf(head, a), [10])
  assert.deepEqual(timesOf(head, b), [10], 'of another series it is one')
  for (const each of [one(10, 2), one(10, 2, 'y'), one(11, 2, 'y'), one(null), one(null), one(5)])
    head.appendExemplar(a, each)
  assert.deepEqual(timesOf(head, a).toSorted(), [10, 10, 10, 11, 5, null])
  head.appendExemplar(a, one(5, Number.NaN))
  head.appendExemplar(a, one(5, Number.NaN))
  assert.equal(head.stats().exemplars, 8)
  assert.equal(head.stats().drops.exemplars, 0)
})

test('what was overwritten, or came before a restart, is known as well', () => {
  const options = { maxBytes: 2 ** 26, maxExemplars: 2 }
  const head = createHead(options)
  const [a, b] = [seriesOf(head, 'a'), seriesOf(head, 'b')]
  for (const [ref, time] of [
    [a, 1],
    [b, 1],
    [b, 2],
  ] as const)
    head.appendExemplar(ref, one(time))
  head.appendExemplar(a, one(1))
  assert.deepEqual(timesOf(head, a), [1], 'it had given way, and is new')
  assert.deepEqual(timesOf(head, b), [2])
  const restorer = headRestorer(options)
  for (const piece of head.serialize()) restorer.push(piece)
  const restored = restorer.finish()
  restored.appendExemplar(b, one(2))
  restored.appendExemplar(a, one(1))
  assert.deepEqual([timesOf(restored, a), timesOf(restored, b)], [[1], [2]])
})
