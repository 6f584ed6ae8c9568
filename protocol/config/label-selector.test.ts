import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelSelectorProblem } from './label-selector.ts'

const valid = [
  '',
  ' ',
  'app',
  '!app',
  'app=web',
  'app == web , tier!=front',
  'app=',
  'app=,tier',
  'x in (a,,b), y notin ()',
  'x in (,a,)',
  'in in (in, notin)',
  'app.kubernetes.io/name=web_1.0',
  'cores > 4,cores<16',
]
for (const selector of valid)
  test(`the label selector ${JSON.stringify(selector)} is valid`, () =>
    assert.equal(labelSelectorProblem(selector), null))

const REQUIREMENT = 'unable to parse requirement: '
const invalid: readonly (readonly [selector: string, problem: string])[] = [
  ['a b', `${REQUIREMENT}found 'b', expected: in, notin, =, ==, !=, gt, lt`],
  ['=a', "found '=', expected: !, identifier, or 'end of string'"],
  ['a,', "found '', expected: identifier after ','"],
  ['a,,b', "found ',', expected: identifier after ','"],
  ['!a=b', "found '=', expected: ',' or 'end of string'"],
  ['a=b c', "found 'c', expected: ',' or 'end of string'"],
  ['!', `${REQUIREMENT}found '', expected: identifier`],
  ['a=(', `${REQUIREMENT}found '(', expected: identifier`],
  ['a in b', `${REQUIREMENT}found 'b' expected: '('`],
  ['a in (', `${REQUIREMENT}found '', expected: ',', ')' or identifier`],
  ['a in (b c)', `${REQUIREMENT}found 'c', expected: ',' or ')'`],
  ['a in (b', `${REQUIREMENT}found '', expected: ',' or ')'`],
  ['a > b', `${REQUIREMENT}for 'Gt', 'Lt' operators, the value must be an integer, got "b"`],
  ['_a', `${REQUIREMENT}invalid label key "_a"`],
  ['UPPER.io/a', `${REQUIREMENT}invalid label key "UPPER.io/a"`],
  ['/a', `${REQUIREMENT}invalid label key "/a"`],
  ['a=b/c', `${REQUIREMENT}invalid label value "b/c"`],
  [`a=${'b'.repeat(64)}`, `${REQUIREMENT}invalid label value "${'b'.repeat(64)}"`],
]
for (const [selector, problem] of invalid)
  test(`the label selector ${JSON.stringify(selector)} is refused`, () =>
    assert.equal(labelSelectorProblem(selector), problem))
