/** Scores worked out by hand from the formulas, in fractions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jaroWinkler, scorerOf, subsequenceScore } from './search-scores.ts'

const close = (got: number, wanted: number): void =>
  assert.ok(Math.abs(got - wanted) < 1e-12, `${got} is not ${wanted}`)

const inOrder: readonly (readonly [term: string, text: string, score: number])[] = [
  ['', 'x', 1],
  ['x', '', 0],
  ['abc', 'abc', 1],
  ['abcd', 'abc', 0],
  ['ca', 'abc', 0],
  // One run of two at the start, seven behind it.
  ['up', 'up_status', (4 - 7 / 18) / 4],
  // Five before it, one behind.
  ['tot', 'http_tota', (9 - 5 / 9 - 1 / 18) / 9],
  // Runs of one and two with two between them, one behind.
  ['htt', 'h__tt_', (1 + 4 - 2 / 6 - 1 / 12) / 9],
  // The later start has the longer run.
  ['bac', 'babac', (9 - 2 / 5) / 9],
  // Each character is taken where it comes first, though another choice would be better.
  ['abaa', 'abbaa', (4 + 4 - 1 / 5) / 16],
  ['éà', 'éàü', (4 - 1 / 6) / 4],
  ['é', 'ã', 0],
]
for (const [term, text, score] of inOrder)
  test(`the characters of "${term}" in "${text}" are worth ${score}`, () => close(subsequenceScore(term, text), score))

const alike: readonly (readonly [a: string, b: string, score: number])[] = [
  ['', '', 1],
  ['a', '', 0],
  ['abc', 'xyz', 0],
  ['abc', 'abc', 1],
  // Six in common, two of them swapped; three at the start.
  ['martha', 'marhta', 17 / 18 + 0.3 * (1 / 18)],
  // Four in common of five and eight; one at the start.
  ['dwayne', 'duane', (4 / 6 + 4 / 5 + 1) / 3 + 0.1 * (1 - (4 / 6 + 4 / 5 + 1) / 3)],
]
for (const [a, b, score] of alike)
  test(`"${a}" is like "${b}" by ${score}`, () => {
    close(jaroWinkler(a, b), score)
    close(jaroWinkler(b, a), score)
  })

test('scores are from 0 to 1', () =>
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'abcé_') }),
      fc.string({ unit: fc.constantFrom(...'abcé_') }),
      (a, b) => {
        for (const score of [subsequenceScore(a, b), jaroWinkler(a, b)]) assert.ok(score >= 0 && score <= 1, `${score}`)
      },
    ),
  ))

const base = { terms: ['Req'], algorithm: 'subsequence', threshold: 0, caseSensitive: true } as const
const rows: readonly (readonly [
  options: Partial<Parameters<typeof scorerOf>[0]>,
  name: string,
  score: number | null,
])[] = [
  [{ terms: [] }, 'anything', 1],
  [{}, 'Requests', 1],
  [{}, 'requests', null],
  [{ caseSensitive: false }, 'requests', 1],
  [{ terms: ['zz', 'req'] }, 'requests', 1],
  [{ terms: ['rs'], threshold: 0.9 }, 'requests', null],
  [{ algorithm: 'jarowinkler', terms: ['quest'] }, 'requests', 0.9],
  [{ algorithm: 'jarowinkler', terms: ['requets'] }, 'requests', null],
  [{ algorithm: 'jarowinkler', terms: ['requets'], threshold: 0.99 }, 'requests', null],
  [{ algorithm: 'jarowinkler', terms: ['requets'], threshold: 0.8 }, 'requests', jaroWinkler('requets', 'requests')],
]
for (const [options, name, score] of rows)
  test(`${JSON.stringify(options)} gives ${name} ${score}`, () =>
    assert.equal(scorerOf({ ...base, ...options })(name), score))
