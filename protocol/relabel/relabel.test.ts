import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom, labelsToObject } from '../labels/mod.ts'
import { runRelabelCases } from './conformance.ts'
import { md5 } from './md5.ts'
import { compileRelabel, RelabelError, relabel, traceRelabel, withRelabelDefaults } from './mod.ts'

const kit = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance')
const file = path.join(kit, 'relabel/cases.json')

test('relabelling conformance', { skip: fs.existsSync(file) ? false : `${file} is absent` }, async (t) => {
  for (const { name, error } of runRelabelCases(JSON.parse(fs.readFileSync(file, 'utf8')))) {
    await t.test(name, () => assert.equal(error, null))
  }
})

test("md5() equals the runtime's", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.deepEqual(Buffer.from(md5(bytes)), createHash('md5').update(bytes).digest())
    }),
  )
})

test('letters without a capital letter of their own stay as they are', () => {
  const rule = compileRelabel(
    withRelabelDefaults({ action: 'uppercase', sourceLabels: ['street'], targetLabel: 'street' }),
  )
  assert.equal(labelsToObject(relabel([rule], labelsFrom({ street: 'straße' }))!)['street'], 'STRAßE')
})

test('a rule expands named groups and $$', () => {
  const rule = compileRelabel(
    withRelabelDefaults({
      sourceLabels: ['a'],
      regex: '(?P<host>[^:]+):(\\d+)',
      targetLabel: 'b',
      replacement: '$$${host}-$2',
    }),
  )
  assert.deepEqual({ ...labelsToObject(relabel([rule], labelsFrom({ a: 'x:9' }))!) }, { a: 'x:9', b: '$x-9' })
})

test('traceRelabel() shows the rule that dropped the target', () => {
  const rules = [
    { sourceLabels: ['a'], targetLabel: 'b' },
    { sourceLabels: ['b'], regex: 'x', action: 'drop' },
    { targetLabel: 'c', replacement: '1' },
  ]
  const steps = traceRelabel(
    rules.map((rule) => compileRelabel(withRelabelDefaults(rule))),
    labelsFrom({ a: 'x' }),
  )
  assert.deepEqual(
    steps.map((step) => step === null),
    [false, true, true],
  )
})

test('an unknown action is an error that names it', () => {
  assert.throws(
    () => withRelabelDefaults({ action: 'explode' }),
    (error) => error instanceof RelabelError && /unknown relabel action "explode"/.test(error.message),
  )
})

// As Go's regexp.Expand reads them; checked against Prometheus 3.5 with random rules.
for (const [replacement, expected] of [
  ['$01', undefined],
  ['${01}', undefined],
  ['$１', undefined],
  ['$1ü', undefined],
  ['${1}ü', 'xü'],
  ['${1-}', '${1-}'],
  ['$0', 'x'],
] as const) {
  test(`the replacement ${replacement} gives ${expected ?? 'no label'}`, () => {
    const rule = compileRelabel(withRelabelDefaults({ sourceLabels: ['a'], targetLabel: 'b', replacement }))
    assert.equal(labelsToObject(relabel([rule], labelsFrom({ a: 'x' }))!)['b'], expected)
  })
}

for (const [what, input, message] of [
  [
    'keepequal with a replacement',
    { action: 'keepequal', targetLabel: 'b', replacement: 'x' },
    /^'replacement' can not be set for keepequal action$/,
  ],
  [
    'dropequal with a blank replacement',
    { action: 'dropequal', targetLabel: 'b', replacement: '' },
    /^'replacement' can not be set for dropequal action$/,
  ],
  [
    'lowercase with a blank replacement',
    { action: 'lowercase', targetLabel: 'b', replacement: '' },
    /^'replacement' can not be set for lowercase action$/,
  ],
  ['a bad expression in a bad rule', { action: 'replace', regex: '(' }, /^error parsing regexp: missing closing \): `/],
] as const) {
  test(`${what} is refused as upstream refuses it`, () => {
    assert.throws(() => withRelabelDefaults(input), { message })
  })
}

test('hashmod keeps every digit of a large modulus', () => {
  // Prometheus 3.5: md5("foo"), last eight bytes, modulo 2^63.
  const rule = compileRelabel({
    ...withRelabelDefaults({ action: 'hashmod', sourceLabels: ['a'], targetLabel: 'b', modulus: 2 ** 63 }),
  })
  const sum = createHash('md5').update('foo').digest().readBigUInt64BE(8) % 2n ** 63n
  assert.equal(labelsToObject(relabel([rule], labelsFrom({ a: 'foo' }))!)['b'], String(sum))
})
