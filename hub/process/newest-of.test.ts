import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { createHead } from '../tsdb/mod.ts'
import { newestOf } from './newest-of.ts'

test('a deletion reaches to the newest sample of the series that it means, late ones or not', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  const append = (x: string, ...times: number[]): void => {
    for (const time of times)
      head.appendFloat(head.series(labelsFrom({ __name__: 'm', x })), time, Float64Array.of(1), 0, 0)
  }
  append('a', ...Array.from({ length: 100 }, (_, i) => 1000 + i))
  append('b', 5000, 3000)
  append('c', 9000)
  head.publish()
  const newest = (op: '=' | '=~', value: string, looksMax?: number): number =>
    newestOf(head.share(), [{ name: 'x', op, value }], looksMax)
  assert.equal(newest('=', 'a'), 1099)
  assert.equal(newest('=~', 'a|b'), 5000)
  assert.equal(newest('=', 'nothing'), Number.NEGATIVE_INFINITY)
  assert.equal(newest('=~', 'a|b', 1), 9000, 'of many: the newest of all')
})
