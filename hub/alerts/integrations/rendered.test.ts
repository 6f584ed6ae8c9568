import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRendered } from './rendered.ts'

/** As JSON, from an Alertmanager 0.33.1 whose webhook has a payload of these. */
const READ: readonly (readonly [text: string, json: string])[] = [
  ['5', '5'],
  [' 7 ', '7'],
  ['+5', '5'],
  ['-3', '-3'],
  ['1_000', '1000'],
  ['010', '8'],
  ['0o10', '8'],
  ['0x1f', '31'],
  ['0b11', '3'],
  ['1.', '1'],
  ['.5', '0.5'],
  ['1e3', '1000'],
  ['12345678901234567890', '12345678901234567890'],
  ['9007199254740993', '9007199254740993'],
  ['123456789012345678901234567890', '1.2345678901234568e+29'],
  ['!!int 5', '5'],
  ['yes', 'true'],
  ['Off', 'false'],
  ['y', 'true'],
  ['', 'null'],
  [' ', 'null'],
  ['~', 'null'],
  ['# c', 'null'],
  ['a: b', '{"a":"b"}'],
  ['{"a":1}', '{"a":1}'],
  ['[1, b]', '[1,"b"]'],
  ['-', '[null]'],
  ['- 010\n- {b: no}', '[8,{"b":false}]'],
  ['a: 1\na: 2', '{"a":2}'],
  ['1: x', '{}'],
  ['x:\n  y: [1]', '{"x":{}}'],
  ['x: [1, {z: "3"}]', '{"x":[1,{"z":3}]}'],
  ['a: &x {b: 1}\nc: {<<: *x, d: 2}', '{"a":{"b":1},"c":{"b":1,"d":2}}'],
]

for (const [text, json] of READ) {
  test(`${JSON.stringify(text)} is ${json}`, () => assert.equal(JSON.stringify(readRendered(text)), json))
}

const TEXTS = [
  ...['"q"', '*x', '50%', '%a', '@x', '`x', 'http://x/y?a=1', 'a  b ', 'a # c', 'a: b: c', '!!binary aGk=', '!!str 5'],
  ...['1:30', '<<', '=', 'a\nb', '---\na', '1e400', '[a', '2024-01-01', '0x', '2024-01-01T00:00:00Z', '.inf'],
  '['.repeat(50_000),
]

for (const text of TEXTS) {
  test(`${JSON.stringify(text.slice(0, 20))} stays the text that it is`, () => assert.equal(readRendered(text), text))
}
