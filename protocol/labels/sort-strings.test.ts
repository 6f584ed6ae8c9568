import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareStrings, sortStrings } from './mod.ts'

test('sortStrings() sorts as the bytes of UTF-8 compare', () => {
  const text = fc.string({ unit: 'binary', maxLength: 4 })
  fc.assert(
    fc.property(fc.array(text), (texts) => {
      const bytes = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other))
      assert.deepEqual(sortStrings([...texts]), [...texts].sort(compareStrings))
      assert.deepEqual(sortStrings([...texts]), [...texts].sort(bytes))
    }),
  )
  assert.deepEqual(sortStrings(['\u{1f600}', '\uffff', 'a']), ['a', '\uffff', '\u{1f600}'])
})
