import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatLabels, labelsFrom, quote } from './mod.ts'

// As Go 1.27's strconv.Quote.
const rows: readonly (readonly [what: string, text: string, quoted: string])[] = [
  ['letters and emoji as they are', 'aé😀', '"aé😀"'],
  ['a no-break space', 'a\u00a0b', '"a\\u00a0b"'],
  ['an ideographic space', '\u3000', '"\\u3000"'],
  ['a C1 control', '\u0085', '"\\u0085"'],
  ['a soft hyphen', '\u00ad', '"\\u00ad"'],
  ['a byte order mark', '\ufeff', '"\\ufeff"'],
  ['private use', '\ue000', '"\\ue000"'],
  ['private use beyond the BMP', '\u{f0000}', '"\\U000f0000"'],
  ['a tab and DEL', '\t\x7f', '"\\t\\x7f"'],
]
for (const [what, text, quoted] of rows) test(`quote() writes ${what}`, () => assert.equal(quote(text), quoted))

test('formatLabels() escapes what cannot be seen', () => {
  assert.equal(formatLabels(labelsFrom({ a: 'x\u00a0', 'b c': 'ü\n' })), '{a="x\\u00a0", "b c"="ü\\n"}')
})
