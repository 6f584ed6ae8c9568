import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ParseError, parseExpr } from '../promql/parser/mod.ts'
import { parserFeatures } from './features.ts'
import { ParsedQueries } from './parsed-queries.ts'

test('a text is parsed once', () => {
  const parsed = new ParsedQueries()
  const text = 'sum by (a) (rate(x[5m])) > 1'
  assert.deepEqual(parsed.parse(text, []), parseExpr(text, parserFeatures([])))
  assert.equal(parsed.parse(text, []), parsed.parse(text, []))
})

test('what a text means depends on the features', () => {
  const parsed = new ParsedQueries()
  const text = 'mad_over_time(x[5m])'
  assert.throws(() => parsed.parse(text, []), ParseError)
  const features = ['promql-experimental-functions']
  assert.deepEqual(parsed.parse(text, features), parseExpr(text, parserFeatures(features)))
  assert.throws(() => parsed.parse(text, []), ParseError)
})

test('errors are found anew, and a feature cannot be smuggled in by the text', () => {
  const parsed = new ParsedQueries()
  parsed.parse('x', ['promql-experimental-functions'])
  assert.throws(() => parsed.parse('promql-experimental-functions\nx[', []), ParseError)
  assert.throws(() => parsed.parse('sum(', []), ParseError)
  assert.throws(() => parsed.parse('sum(', []), ParseError)
})

test('what is remembered is bounded, and long texts are not', () => {
  const parsed = new ParsedQueries()
  for (let i = 0; i < 5000; i++) parsed.parse(`x{a="${i}",b="${'y'.repeat(80)}"}`, [])
  assert.ok(parsed.chars <= 100_000, `${parsed.chars}`)
  const { chars } = parsed
  parsed.parse(`x${' '.repeat(2000)}`, [])
  assert.equal(parsed.chars, chars)
})
