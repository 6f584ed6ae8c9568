/** Labels that a thread keeps are those of the series, whatever ids are given out anew. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { createHead, openReader } from './mod.ts'

const ALL = { minTime: -Infinity, maxTime: Infinity }

test('labels are those of the series, asked for once or again, after others have gone and their texts with them', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  for (let round = 0; round < 6; round++) {
    const labels = Array.from({ length: 30 }, (_, i) => labelsFrom({ __name__: 'x', text: `${round} ${i}` }))
    const refs = labels.map((each) => head.series(each))
    for (const ref of refs) head.appendFloat(ref, (round + 1) * 1000, Float64Array.of(1), 0, 0)
    head.publish()
    const reader = openReader(head.share())
    for (let again = 0; again < 2; again++)
      assert.deepEqual(
        refs.map((ref) => [...reader.labels(ref)]),
        labels.map((each) => [...each]),
      )
    assert.deepEqual([...reader.select([], ALL)], refs)
    reader.release()
    // All but what the next round brings.
    head.trim((round + 1) * 1000 + 1)
    head.publish()
  }
  const { symbols } = head.stats()
  assert.ok(symbols < 6 * 30, 'ids of symbols were given out anew')
})

test('the labels of one series are one array, as long as it is kept', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  const ref = head.series(labelsFrom({ __name__: 'x' }))
  head.appendFloat(ref, 1000, Float64Array.of(1), 0, 0)
  head.publish()
  const [first, second] = [openReader(head.share()), openReader(head.share())]
  assert.equal(first.labels(ref), second.labels(ref))
  first.release()
  second.release()
})
