import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lowerCase, upperCase } from './mod.ts'

const rows: readonly (readonly [text: string, upper: string, lower: string])[] = [
  ['Prom-1_b', 'PROM-1_B', 'prom-1_b'],
  ['', '', ''],
  ['straße É é', 'STRAßE É É', 'straße é é'],
  ['ΑΣ ας', 'ΑΣ ΑΣ', 'ασ ας'],
  ['İı', 'İI', 'iı'],
  ['ﬁ 😀𐐨', 'ﬁ 😀𐐀', 'ﬁ 😀𐐨'],
]
for (const [text, upper, lower] of rows)
  test(`case of ${JSON.stringify(text)} as in Go`, () => {
    assert.equal(upperCase(text), upper)
    assert.equal(lowerCase(text), lower)
  })
