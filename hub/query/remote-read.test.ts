/** Slices of a remote read: together all series, in order, and few of them however many series there are. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareLabels, labelsFrom, labelsFromSorted } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { createHead, openReader, type TimeRange } from '../tsdb/mod.ts'
import { DelegatingReader } from './delegating-reader.ts'
import { type RemoteReadTask, readSlice } from './remote-read.ts'

const SERIES = 40_000
/** A label long enough for many slices of two megabytes. */
const WIDE = 'w'.repeat(1500)
const head = createHead({ maxBytes: 2 ** 29 })
for (let i = 0; i < SERIES; i++) {
  const ref = head.series(labelsFrom({ __name__: 'm', i: String(i), wide: WIDE + (i % 7) }))
  head.appendFloat(ref, 1000, Float64Array.of(i), 0, 0)
}
head.publish()

class Counting extends DelegatingReader {
  selections = 0
  override select(matchers: readonly Matcher[], range: TimeRange): Uint32Array {
    this.selections++
    return super.select(matchers, range)
  }
}

for (const form of ['samples', 'chunks'] as const) {
  test(`${form}: all series once and in order, in a few slices`, () => {
    const reader = new Counting(openReader(head.share()))
    try {
      let after: readonly string[] | null = null
      let samples = 0
      let largest = 0
      const ends: (readonly string[] | null)[] = []
      do {
        const task: RemoteReadTask = {
          kind: 'remote-read',
          form,
          matchers: [{ name: '__name__', op: '=', value: 'm' }],
          startMs: 0,
          endMs: 5000,
          after,
          externalLabels: [],
          queryIndex: 0,
          maxBytesInFrame: 1 << 20,
          sampleLimit: 0,
          samplesBefore: samples,
        }
        const slice = readSlice(reader, task)
        samples += slice.samples
        largest = Math.max(largest, slice.rawBytes)
        ends.push(slice.next)
        after = slice.next
      } while (after !== null)
      assert.equal(samples, SERIES)
      const cuts = ends.slice(0, -1).map((labels) => labelsFromSorted(labels!))
      assert.deepEqual(cuts, [...cuts].sort(compareLabels))
      assert.ok(reader.selections > 1 && reader.selections <= 9, `${reader.selections} selections`)
      assert.ok(largest < 64 << 20)
    } finally {
      reader.release()
    }
  })
}
