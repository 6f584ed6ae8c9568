import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { FlagError } from '../contract.ts'
import { KIT, testEnv } from '../testing/env.ts'
import { runHaproxyCases } from './conformance.ts'
import { parseCsv } from './csv.ts'
import { createHaproxyExporter, DEFAULT_STAT_OPTIONS, haproxyFamilies } from './mod.ts'

const folder = path.join(KIT, 'exporters/haproxy')
const absent = !fs.existsSync(folder) && 'kit is absent'
const unreached = async (): Promise<never> => {
  throw new Error('BUG: these tests ask nobody')
}
const net = { connectUnix: unreached, request: unreached }
const readText = (name: string): string => fs.readFileSync(path.join(folder, name), 'utf8')

test('the kit: pages, states, URIs', { skip: absent }, async () => {
  const results = await runHaproxyCases(readText, testEnv)
  assert.ok(results.length > 200)
  assert.deepEqual(
    results.filter(({ error }) => error !== null),
    [],
  )
})

test('the large real CSV is read without one failure', { skip: absent }, () => {
  const { families, errors } = haproxyFamilies(readText('haproxy.csv'), DEFAULT_STAT_OPTIONS)
  assert.deepEqual(errors, [])
  const servers = families.find(({ name }) => name === 'haproxy_server_up')!
  assert.equal(servers.metrics.length, 2735)
})

for (const [name, text, records, errors] of [
  ['comments and blank lines', '# a,b\r\n\r\nx,y\r\n', [['x', 'y']], []],
  [
    'quotes, commas and newlines in them',
    'a,"b, ""c""\nd"\ne,f',
    [
      ['a', 'b, "c"\nd'],
      ['e', 'f'],
    ],
    [],
  ],
  [
    'a shorter record',
    'a,b\nc\nd,e\n',
    [
      ['a', 'b'],
      ['d', 'e'],
    ],
    ['line 2: wrong number of fields: 1, the first record has 2'],
  ],
  ['a bare quote', 'a,b"c\nd,e\n', [['d', 'e']], ['line 1: bare " in an unquoted field']],
  ['text after a quote', 'a,"b"c\nd,e\n', [['d', 'e']], ['line 1: text after the closing " of a field']],
  ['an open quote', 'a,b\nc,"d\n', [['a', 'b']], ['line 2: a quoted field does not end']],
] as const)
  test(`parseCsv() reads ${name}`, () => assert.deepEqual(parseCsv(text), { records, errors }))

const ROW = 'be,s1,0,0,0,0,,5,0,0,,0,,0,0,0,0,MAINT,1,1,0,0,0,5007,0,,1,8,1,,0,,2,7,,x,L4OK,,12'

// As the upstream program (0.15) reads them: counts by Go's ParseInt, milliseconds by its ParseFloat.
for (const [column, text, metric, value] of [
  [5, '9223372036854775807', 'haproxy_server_max_sessions', 2 ** 63],
  [5, '9223372036854775808', 'haproxy_server_max_sessions', null],
  [5, '+1', 'haproxy_server_max_sessions', 1],
  [5, '1.5', 'haproxy_server_max_sessions', null],
  [38, '1.', 'haproxy_server_check_duration_seconds', 0.001],
  [38, '1e3', 'haproxy_server_check_duration_seconds', 1],
  [38, 'Inf', 'haproxy_server_check_duration_seconds', Infinity],
  [38, 'x', 'haproxy_server_check_duration_seconds', null],
] as const) {
  test(`column ${column} with ${text} ${value === null ? 'is counted as a failure' : `is ${value}`}`, () => {
    const row = Array.from({ length: 62 }, (_, i): string => (i < 2 ? 'a' : i === 32 ? '2' : ''))
    row[column] = text
    const { families, errors } = haproxyFamilies(`${row.join(',')}\n`, DEFAULT_STAT_OPTIONS)
    assert.equal(families.find(({ name }) => name === metric)?.metrics[0]?.value ?? null, value)
    assert.equal(errors.length, value === null ? 1 : 0)
  })
}

test('server fields and excluded states narrow what is exported; a bad value is counted', () => {
  const all = haproxyFamilies(ROW, DEFAULT_STAT_OPTIONS)
  assert.deepEqual(all.errors, ['column 35 of "be" "s1": "x" is not a number'])
  const duration = all.families.find(({ name }) => name === 'haproxy_server_check_duration_seconds')
  assert.equal(duration?.metrics[0]?.value, 0.012)
  const one = haproxyFamilies(ROW, { serverFields: new Set([7]), excludedServerStates: new Set() })
  assert.deepEqual(
    one.families.map(({ name }) => name),
    ['haproxy_server_sessions_total'],
  )
  const none = haproxyFamilies(ROW, { serverFields: null, excludedServerStates: new Set(['MAINT']) })
  assert.deepEqual(none, { families: [], errors: [] })
})

for (const [flags, message] of [
  [{ 'haproxy.scrape-url': 'x' }, /unknown; known are haproxy.scrape-uri, /],
  [{ 'haproxy.scrape-uri': 'nowhere' }, /"nowhere" is not a URI/],
  [{ 'haproxy.server-metric-fields': '2,up' }, /invalid server metric field number: "up"; known are 2,3,/],
] as const)
  test(`flags ${JSON.stringify(flags)} are refused`, () => {
    assert.throws(
      () => createHaproxyExporter({ ...testEnv, net, flags }),
      (error) => error instanceof FlagError && message.test(error.message),
    )
  })
