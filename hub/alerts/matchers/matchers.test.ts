/** What matchers are refused for, as amtool 0.33.1 refused them in its two modes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MatcherSyntaxError, parseClassicMatchers, parseMatcher, parseMatchers, parseUtf8Matchers } from './mod.ts'

const utf8: readonly (readonly [input: string, problem: string])[] = [
  ['{a', "end of input: expected an operator such as '=', '!=', '=~' or '!~'"],
  ['a=', 'end of input: expected label value'],
  ['{a=b', '0:4: end of input: expected close brace'],
  ['{a=b}}', '5:6: }: expected end of input'],
  ['{a=b} x', '6:7: x: expected end of input'],
  ['a!b', "1:2: !: expected one of '=~': expected an operator such as '=', '!=', '=~' or '!~'"],
  ['a!', "1:2: unexpected end of input, expected one of '=~': expected an operator such as '=', '!=', '=~' or '!~'"],
  ['a=b!c', "3:4: !: expected one of '=~': expected a comma or close brace"],
  ['a=~"("', 'failed to create matcher: error parsing regexp: missing closing ): `^(?:()$`'],
  ['a="b\nc"', '2:7: "b\nc": invalid input'],
]
for (const [input, problem] of utf8)
  test(`the new syntax refuses ${JSON.stringify(input)}`, () =>
    assert.throws(() => parseUtf8Matchers(input), new MatcherSyntaxError(problem)))

test('the old syntax knows no blanks but those of ASCII', () => {
  assert.throws(() => parseClassicMatchers('a\u00a0=b'), new MatcherSyntaxError('bad matcher format: a\u00a0=b'))
  assert.equal(parseClassicMatchers('a\t= b ')[0]!.value, 'b')
  assert.equal(parseClassicMatchers(' a = b\u00a0 \n,c=d')[0]!.value, 'b\u00a0')
})

test('with both, the old one says what is wrong', () =>
  assert.throws(
    () => parseMatchers('a=~"("'),
    new MatcherSyntaxError('error parsing regexp: missing closing ): `^(?:()$`'),
  ))

test('one matcher stands without braces', () =>
  assert.throws(() => parseMatcher('{a=b}'), new MatcherSyntaxError('unexpected open or close brace: {a=b}')))
