import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compilePermissions } from './permissions.ts'
import { fromWire, isLiteral, isSubset, isValidPattern, MAX_SUBJECT_TOKENS, toWire } from './subjects.ts'
import { Sublist } from './sublist.ts'

type Sub = { subject: string; queue: string; id: number }

const token = fc.constantFrom('a', 'b', 'c', '*')
const pattern = fc
  .tuple(fc.array(token, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([tokens, open]) => [...tokens, ...(open ? ['>'] : [])].join('.'))
const literal = fc
  .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 5 })
  .map((tokens) => tokens.join('.'))

/** The plain version: pattern against subject, token by token. */
function matches(pattern: string, subject: string): boolean {
  const expression = pattern.split('.').map((part) => (part === '*' ? '[^.]+' : part === '>' ? '.+' : part))
  return new RegExp(`^${expression.join('\\.')}$`).test(subject)
}

test('a sublist answers as matching every subscription one by one, while they come and go', () => {
  const step = fc.tuple(pattern, fc.constantFrom('', '', 'q', 'r'), fc.boolean(), literal)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const sublist = new Sublist<Sub>()
      const live: Sub[] = []
      for (const [id, [subject, queue, removes, question]] of steps.entries()) {
        if (removes && live.length > 0) sublist.remove(live.splice(id % live.length, 1)[0]!)
        else {
          const sub = { subject, queue, id }
          live.push(sub)
          sublist.insert(sub)
        }
        for (const asked of [question, question]) {
          const wanted = live.filter((sub) => matches(sub.subject, asked))
          const answer = sublist.match(asked)
          const ids = (subs: readonly Sub[]): number[] => subs.map((sub) => sub.id).sort((x, y) => x - y)
          assert.deepEqual(ids(answer.plain), ids(wanted.filter((sub) => sub.queue === '')))
          for (const group of ['q', 'r'])
            assert.deepEqual(
              ids(answer.groups.find(([first]) => first!.queue === group) ?? []),
              ids(wanted.filter((sub) => sub.queue === group)),
            )
        }
        assert.equal(sublist.count, live.length)
      }
    }),
    { numRuns: 200 },
  )
})

test('isSubset() holds exactly when no subject matches the pattern alone', () => {
  fc.assert(
    fc.property(pattern, pattern, fc.array(literal, { minLength: 30, maxLength: 30 }), (inner, outer, subjects) => {
      if (isSubset(inner.split('.'), outer.split('.')))
        for (const subject of subjects) assert.ok(!matches(inner, subject) || matches(outer, subject))
    }),
    { numRuns: 300 },
  )
})

const subsets: readonly [pattern: string, allowed: string, expected: boolean][] = [
  ['a.b', 'a.*', true],
  ['a.*', 'a.*', true],
  ['a.>', 'a.>', true],
  ['a.*.>', 'a.>', true],
  ['a', 'a.>', false],
  ['a.>', 'a.*', false],
  ['>', 'a.>', false],
  ['*.b', 'a.b', false],
  ['a.b.c', 'a.b', false],
  ['a.b', '>', true],
]
for (const [inner, outer, expected] of subsets)
  test(`"${inner}" lies ${expected ? '' : 'not '}within "${outer}"`, () =>
    assert.equal(isSubset(inner.split('.'), outer.split('.')), expected))

test('permissions stay right beyond what they remember', () => {
  const permissions = compilePermissions({ publish: ['x.*.me'], subscribe: ['in.>'] })
  for (let i = 0; i < 1_000; i++) {
    assert.ok(permissions.mayPublish(`x.${i}.me`))
    assert.ok(!permissions.mayPublish(`x.${i}.you`))
    assert.ok(permissions.maySubscribe(`in.${i}.>`))
  }
  assert.ok(!permissions.maySubscribe('>'))
})

test('subjects: what may be subscribed to and published', () => {
  for (const good of ['a', 'a.b', '*', '>', 'a.*.>', 'a*', 'a>b']) assert.ok(isValidPattern(good), good)
  for (const bad of ['', '.', 'a.', '.a', 'a..b', '>.a', 'a b', 'a\tb']) assert.ok(!isValidPattern(bad), bad)
  assert.ok(isValidPattern('a.'.repeat(MAX_SUBJECT_TOKENS - 1) + 'a'))
  assert.ok(!isValidPattern('a.'.repeat(MAX_SUBJECT_TOKENS) + 'a'))
  assert.ok(isLiteral('a.b*') && !isLiteral('a.*') && !isLiteral('>'))
  assert.equal(fromWire(toWire('größe.☃')), 'größe.☃')
})
