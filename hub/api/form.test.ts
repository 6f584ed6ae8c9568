import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readForm } from './form.ts'

const rows: readonly (readonly [text: string, values: string, problem: string])[] = [
  ['', '', ''],
  ['query=a+b&time=1%2B1', 'query=a b,time=1+1', ''],
  ['query', 'query=', ''],
  ['=x&&query=1', '=x,query=1', ''],
  ['query=1;time=5', '', 'invalid semicolon separator in query'],
  ['a=1;b&query=2', 'query=2', 'invalid semicolon separator in query'],
  ['query=%zz', '', 'invalid URL escape "%zz"'],
  ['a=100%&query=2', 'query=2', 'invalid URL escape "%"'],
  ['%4=1&query=2', 'query=2', 'invalid URL escape "%4"'],
  ['a=%zz&b=%yy', '', 'invalid URL escape "%zz"'],
  ['a=%zz&b=;', '', 'invalid semicolon separator in query'],
]
for (const [text, values, problem] of rows)
  test(`${JSON.stringify(text)} has the values ${values || 'of none'}`, () => {
    const form = readForm(text)
    assert.equal([...form.values].map(([name, value]) => `${name}=${value}`).join(), values)
    assert.equal(form.problem, problem)
  })
