import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { runParserCases, runParserConformance } from './parser.ts'

const kit = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../../shared/conformance')
const cases = path.join(kit, 'promql-parser/cases.json')

test('parser conformance', { skip: fs.existsSync(cases) ? false : `${cases} is absent` }, () => {
  const { total, failures } = runParserConformance(JSON.parse(fs.readFileSync(cases, 'utf8')))
  assert.deepEqual(failures, [])
  assert.ok(total > 500, `only ${total} cases`)
})

test('runParserCases() reports a wrong tree, a wrong message and a wrong text', () => {
  const results = runParserCases({
    parse: [
      { input: '1', ast: { type: 'numberLiteral', val: '2', pos: [0, 1] } },
      { input: '1+', error: '1:3: parse error: something else', errors: [] },
    ],
    print: [{ input: '1', printed: '2' }],
    pretty: [{ input: '1', pretty: '2' }],
    seriesDescription: [{ input: 'a 1', error: true }],
    histogramPrint: [],
  })
  assert.equal(results.length, 5)
  for (const { name, error } of results) assert.notEqual(error, null, name)
})
