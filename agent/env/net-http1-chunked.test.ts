import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NetError } from '../../protocol/env/mod.ts'
import { ChunkedBody } from './net-http1-chunked.ts'

type Taken = { readonly text: string; readonly pieces: number; readonly used: number; readonly isDone: boolean }

/** @param step bytes that arrive at once */
function take(text: string, step: number): Taken {
  const body = new ChunkedBody()
  let [out, pieces, used] = ['', 0, 0]
  for (let at = 0; at < text.length && !body.isDone; at += step)
    used += body.take(Buffer.from(text.slice(at, at + step), 'latin1'), (piece) => {
      out += Buffer.from(piece).toString('latin1')
      pieces++
    })
  return { text: out, pieces, used, isDone: body.isDone }
}

const long = 'x'.repeat(5000)
for (const [coded, text, rest] of [
  ['3\r\nabc\r\n0\r\n\r\n', 'abc', ''],
  ['3\nabc\n0\n\n', 'abc', ''],
  ['3 \t\r\nabc\r\n00;last\r\n\r\n', 'abc', ''],
  ['1;a=b\r\na\r\nA;"c;d"\r\n0123456789\r\n0\r\nTrailer: x\r\nAnother: y\r\n\r\nHTTP', 'a0123456789', 'HTTP'],
  [`2\r\nab\r\n1388\r\n${long}\r\n2\r\ncd\r\n1388\r\n${long}\r\n0\r\n\r\n`, `ab${long}cd${long}`, ''],
] as const)
  for (const step of [1, 2, 7, coded.length])
    test(`chunks ${JSON.stringify(coded.slice(0, 40))} by ${step} bytes are joined`, () => {
      const taken = take(coded, step)
      assert.equal(taken.text, text)
      assert.ok(taken.isDone)
      if (step === coded.length) assert.equal(taken.used, coded.length - rest.length)
    })

test('single bytes of one read are handed on as one piece', () => {
  const taken = take(`${'1\r\na\r\n'.repeat(10_000)}0\r\n\r\n`, 70_000)
  assert.deepEqual({ length: taken.text.length, pieces: taken.pieces }, { length: 10_000, pieces: 1 })
})

for (const [coded, problem, text] of [
  ['\r\nabc', /invalid byte in chunk length/, ''],
  ['g\r\n', /invalid byte in chunk length/, ''],
  ['3 4\r\nabc', /invalid byte in chunk length/, ''],
  ['0x3\r\nabc', /invalid byte in chunk length/, ''],
  ['3\r4\r\nabc', /invalid byte in chunk length/, ''],
  ['3;a\rb\r\nabc', /invalid byte in chunk length/, ''],
  ['1234567890123\r\n', /invalid byte in chunk length/, ''],
  ['3\r\nabcd\r\n', /malformed chunked encoding/, 'abc'],
  [`3;${'x'.repeat(5000)}\r\nabc`, /header line too long/, ''],
  [`1\r\na\r\n0\r\n${'Trailer: x\r\n'.repeat(7000)}\r\n`, /trailer too long/, 'a'],
] as const)
  test(`chunks ${JSON.stringify(coded.slice(0, 30))} are refused: ${problem.source}`, () => {
    let out = ''
    assert.throws(
      () => new ChunkedBody().take(Buffer.from(coded, 'latin1'), (piece) => (out += Buffer.from(piece).toString())),
      (error) => error instanceof NetError && error.code === 'PROTOCOL' && problem.test(error.message),
    )
    assert.equal(out, text)
  })
