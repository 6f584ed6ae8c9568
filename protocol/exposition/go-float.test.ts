/** Cases of Go's strconv/atof_test.go. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readGoFloat } from './go-float.ts'

const CASES: readonly (readonly [text: string, value: number | 'syntax' | 'range'])[] = [
  ['', 'syntax'],
  ['1x', 'syntax'],
  ['1.1.', 'syntax'],
  ['.', 'syntax'],
  ['.e1', 'syntax'],
  ['5.', 5],
  ['+.5E-1', 0.05],
  ['1e310', 'range'],
  ['-1.8e308', 'range'],
  ['1e-400', 0],
  ['nan', Number.NaN],
  ['-nan', 'syntax'],
  ['-iNf', -Infinity],
  ['infinit', 'syntax'],
  ['0x', 'syntax'],
  ['0x1', 'syntax'],
  ['0x.p1', 'syntax'],
  ['0x1e2.p0', 482],
  ['-0x1.8p-1', -0.75],
  ['0X.8P+1', 1],
  ['0x1p1025', 'range'],
  ['1_23.50_0_0e+1_2', 1.235e14],
  ['-_123.5e+12', 'syntax'],
  ['_123.5e+12', 'syntax'],
  ['1__23.5e+12', 'syntax'],
  ['123_.5e+12', 'syntax'],
  ['123._5e+12', 'syntax'],
  ['123.5_e+12', 'syntax'],
  ['123.5e_+12', 'syntax'],
  ['123.5e+_12', 'syntax'],
  ['123.5e+12_', 'syntax'],
  ['0x_1_2.3_4_5p+1_2', 74_565],
  ['0_x12.345p+12', 'syntax'],
  ['0x__12.345p+12', 'syntax'],
  ['0x12.345_p+12', 'syntax'],
  ['0x12.345p+12_', 'syntax'],
]

for (const [text, value] of CASES)
  test(`${JSON.stringify(text)} is ${value}`, () =>
    assert.ok(Object.is(readGoFloat(text), value), String(readGoFloat(text))))
