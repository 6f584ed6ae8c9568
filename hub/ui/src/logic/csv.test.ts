import assert from 'node:assert/strict'
import { test } from 'node:test'
import { csv, csvCell, tsv } from './csv.ts'

const ROWS: readonly (readonly [text: string, cell: string])[] = [
  ['plain', 'plain'],
  ['', ''],
  ['a,b', '"a,b"'],
  ['say "x"', '"say ""x"""'],
  ['two\nlines', '"two\nlines"'],
  ['=1+1', "'=1+1"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['+cmd', "'+cmd"],
  ['-cmd|calc', "'-cmd|calc"],
  ['\t=1', "'\t=1"],
  ['=HYPERLINK("http://x","y")', '"\'=HYPERLINK(""http://x"",""y"")"'],
  ['-1.5', '-1.5'],
  ['+1e+300', '+1e+300'],
  ['-Inf', '-Inf'],
]
for (const [text, cell] of ROWS)
  test(`csvCell() writes ${JSON.stringify(text)} safely`, () => assert.equal(csvCell(text), cell))

test('csv() and tsv() end rows', () => {
  assert.equal(
    csv([
      ['a', 'b'],
      ['1', '2'],
    ]),
    'a,b\r\n1,2\r\n',
  )
  assert.equal(
    tsv([
      ['a\tb', 'c\nd'],
      ['1', '2'],
    ]),
    'a b\tc d\n1\t2',
  )
})
