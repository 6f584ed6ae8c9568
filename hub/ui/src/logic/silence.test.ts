import assert from 'node:assert/strict'
import { test } from 'node:test'
import { draftProblem, draftsOf, draftsOfLabels, formatMatcher, MATCH_OPS, matchersOf } from './silence.ts'

test('matchersOf() undoes draftsOf() for each operator, and leaves out rows without a name', () => {
  const drafts = MATCH_OPS.map((op) => ({ name: 'team', op, value: 'a"b' }))
  const matchers = matchersOf([...drafts, { name: ' ', op: '=', value: 'x' }])
  assert.deepEqual(matchers[3], { name: 'team', value: 'a"b', isRegex: true, isEqual: false })
  assert.deepEqual(draftsOf(matchers), drafts)
  // Alertmanagers before 0.22 tell no isEqual.
  assert.equal(draftsOf([{ name: 'a', value: 'b', isRegex: true }])[0]!.op, '=~')
})

test('formatMatcher() quotes what is no plain name', () => {
  assert.equal(formatMatcher({ name: 'team', op: '!~', value: 'a"b' }), 'team!~"a\\"b"')
  assert.equal(formatMatcher({ name: 'my label', op: '=', value: '' }), '"my label"=""')
})

const GOOD = { matchers: draftsOfLabels({ alertname: 'Down' }), durationMs: 1000, createdBy: 'me', comment: 'why' }
const BAD: readonly (readonly [change: Partial<Parameters<typeof draftProblem>[0]>, says: RegExp])[] = [
  [{ matchers: [] }, /matcher is needed/],
  [{ matchers: [{ name: 'a', op: '=~', value: '' }] }, /must not match the empty value/],
  [{ durationMs: null }, /duration/],
  [{ createdBy: ' ' }, /Who/],
  [{ comment: '' }, /comment/],
]
test('draftProblem() says what is missing', () => {
  assert.equal(draftProblem(GOOD), null)
  for (const [change, says] of BAD) assert.match(draftProblem({ ...GOOD, ...change }) ?? '', says)
})
