import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RE2JS } from 're2js'
import { globPredicate } from './glob.ts'
import { compileAnchored } from './mod.ts'

const GLOBS: readonly [pattern: string, yes: readonly string[], no: readonly string[]][] = [
  ['.*7.*3', ['73', '7x3', 'a7b3', '3773'], ['7', '37', '7 3x', '']],
  ['4..|5..', ['404', '500', '4é0'], ['40', '4040', '300']],
  ['(?:a.*|.*b)', ['a', 'ab', 'xb'], ['x', 'ba']],
  ['host-[0-4].*', ['host-0', 'host-42'], ['host-5', 'host-']],
  ['.+', ['x', '\u{1f600}'], ['']],
  ['.*', ['', 'x'], []],
  ['.', ['x', '\u{1f600}'], ['', 'xy', '\u{1f600}x']],
  ['a.+a', ['aba', 'aaa', 'a\na'], ['aa', 'a']],
  ['.*ab.*ab', ['abab', 'xabyab'], ['ab', 'aba', 'abxab ']],
  ['a\\.b.*', ['a.b', 'a.bc'], ['axb']],
  ['', [''], ['x']],
  ['a|', ['', 'a'], ['b']],
]
for (const [pattern, yes, no] of GLOBS) {
  test(`${pattern || 'nothing'} is a glob`, () => {
    const matches = globPredicate(pattern, () => compileAnchored(`(?:${pattern})`))
    assert.ok(matches !== null)
    for (const text of yes) assert.equal(matches(text), true, JSON.stringify(text))
    for (const text of no) assert.equal(matches(text), false, JSON.stringify(text))
  })
}

for (const pattern of [
  'a*',
  'a+b',
  '.*?',
  '.**',
  'a?',
  '[ab]',
  '[^a]',
  '[b-a]',
  '(a)(b)',
  'a{2}',
  '\\d.*',
  '^a',
  'a$',
  'a\\',
  '(?i)a.*',
  '.{3}',
  '.?',
])
  test(`${pattern} says more than a glob`, () =>
    assert.equal(
      globPredicate(pattern, () => () => true),
      null,
    ))

for (const [pattern, problem] of [
  ['\\', 'error parsing regexp: trailing backslash at end of expression: ``'],
  ['a|\\', 'error parsing regexp: trailing backslash at end of expression: ``'],
  ['a.*\\', 'error parsing regexp: trailing backslash at end of expression: ``'],
] as const)
  test(`${pattern} is no regular expression`, () => assert.throws(() => compileAnchored(pattern), { message: problem }))

for (const [pattern, text] of [
  ['a\\\\', 'a\\'],
  ['\\\\|b', '\\'],
] as const)
  test(`${pattern} is ${text}`, () => assert.ok(compileAnchored(pattern)(text)))

test('one character of two units is not enough for two `.+`', () => {
  const exact = (text: string): boolean => RE2JS.compile('^(?s:.+.+)$').matcher(text).find()
  const matches = globPredicate('.+.+', () => exact)!
  assert.deepEqual(['\u{1f600}', '\u{1f600}\u{1f600}', 'ab'].map(matches), [false, true, true])
})

test('a glob matches what the regular expression engine matches', () => {
  const piece = fc.constantFrom('a', 'b', 'ab', '.', '.*', '.+', '[a-b]', '|', '\\.', 'é')
  const unit = fc.constantFrom('a', 'b', '.', 'é', '\n', '\u{1f600}')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.array(unit, { maxLength: 10 }), (pieces, units) => {
      const pattern = pieces.join('')
      const text = units.join('')
      const regex = RE2JS.compile(`^(?s:${pattern})$`)
      const exact = (each: string) => regex.matcher(each).find()
      const matches = globPredicate(pattern, () => exact)
      if (matches !== null) assert.equal(matches(text), exact(text))
      assert.equal(compileAnchored(pattern)(text), exact(text))
    }),
    { numRuns: 3000 },
  )
})

test('a text made to make engines backtrack takes no longer than its length', () => {
  const matches = globPredicate(`${'.*a'.repeat(30)}.*b`, () => () => false)!
  const text = 'a'.repeat(200_000)
  // The least of some, which nothing has held up.
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5; i++) {
    const begin = performance.now()
    assert.equal(matches(text), false)
    least = Math.min(least, performance.now() - begin)
  }
  assert.ok(least < 200, `${least} ms`)
})

test('a text of a million characters between gaps is looked for as any other', () => {
  const text = 'a'.repeat(1_000_000)
  const matches = compileAnchored(`.*${text}.*`)
  assert.deepEqual([`b${text}c`, text.slice(1)].map(matches), [true, false])
})
