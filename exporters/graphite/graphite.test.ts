import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { FlagError, type Flags } from '../contract.ts'
import { temporaryFolder, testClock, testEnv } from '../testing/env.ts'
import { labelName, metricName, readLine } from './line.ts'
import { createGraphiteExporter, type GraphiteExporter } from './mod.ts'
import { GraphiteStream } from './stream.ts'

const folder = temporaryFolder()

let nowMs = 1_000_000_000
function exporterOf(flags: Flags = {}): GraphiteExporter {
  return createGraphiteExporter({ ...testEnv, clock: { ...testClock, now: () => nowMs }, flags })
}
const send = (exporter: GraphiteExporter, ...lines: readonly string[]): void =>
  exporter.handleText(new TextEncoder().encode(lines.join('\n')))
const pageOf = async (exporter: GraphiteExporter): Promise<string> => `\n${formatExposition(await exporter.collect())}`
const file = (name: string, text: string): string => {
  const at = path.join(folder, name)
  fs.writeFileSync(at, text)
  return at
}
const now = (): number => nowMs / 1000

const lines: readonly (readonly [line: string, reading: ReturnType<typeof readLine>])[] = [
  ['a.b 1 2', { path: 'a.b', value: 1, timeMs: 2000 }],
  [' a.b 1e3 2.5\r', { path: 'a.b', value: 1000, timeMs: 2500 }],
  ['a 0x1p4 1_0', { path: 'a', value: 16, timeMs: 10_000 }],
  ['a -inf 2', { path: 'a', value: -Infinity, timeMs: 2000 }],
  ['a  1 2', 'parts'],
  ['a 1', 'parts'],
  ['a 1 2 3', 'parts'],
  ['a one 2', 'value'],
  ['a 1e999 2', 'value'],
  ['a 1 now', 'timestamp'],
]
for (const [line, reading] of lines)
  test(`readLine() of ${JSON.stringify(line)}`, () => assert.deepEqual(readLine(line), reading))

test('names are of the characters that the text format takes', () => {
  assert.equal(metricName('a.b-c:d'), 'a_b_c:d')
  assert.equal(metricName('1min.ü'), '_min__')
  assert.equal(labelName('9x:y'), '_x_y')
})

test('a stream is cut into lines wherever its chunks end, and closed at a line without an end', () => {
  const got: string[] = []
  let faults = 0
  const stream = new GraphiteStream({
    line: (line) => got.push(line),
    garbled: () => faults++,
    tooLong: () => faults++,
  })
  const bytes = new TextEncoder().encode('a 1 2\nbö 3 4\n\nc 5 6')
  for (const byte of bytes) assert.equal(stream.push(Uint8Array.of(byte)), true)
  stream.end()
  assert.deepEqual(got, ['a 1 2', 'bö 3 4', 'c 5 6'])
  assert.equal(stream.push(Uint8Array.of(0xff, 0x0a, 0x64)), true)
  assert.equal(faults, 1)
  assert.equal(stream.push(new Uint8Array(65_536).fill(0x61)), false)
  assert.equal(stream.push(Uint8Array.of(0x0a)), false)
  assert.equal(faults, 2)
})

test('samples expire by the time that they were sent with', async () => {
  const exporter = exporterOf({ 'graphite.sample-expiry': '1m' })
  send(exporter, `old 1 ${now() - 61}`, `young 2 ${now() - 59}`, `odd 3 nan`, `future 4 ${now() + 100}`)
  assert.doesNotMatch(await pageOf(exporter), /\n(?:old|odd) /)
  assert.match(await pageOf(exporter), /\n# HELP young Graphite metric young\n# TYPE young gauge\nyoung 2\n/)
  nowMs += 2000
  assert.doesNotMatch(await pageOf(exporter), /\nyoung /)
  assert.match(await pageOf(exporter), /\nfuture 4\n/)
  assert.match(await pageOf(exporter), /\ngraphite_sample_expiry_seconds 60\n/)
  assert.match(await pageOf(exporter), /\ngraphite_last_processed_timestamp_seconds 1e\+06\n/)
})

test('what cannot be taken is counted by its reason, and the rest of the text is taken', async () => {
  const exporter = exporterOf({ 'heliograph.max-series': '2' })
  exporter.handleText(Uint8Array.from([0x61, 0xff, 0x20, 0x31, 0x20, 0x31, 0x0a]))
  send(
    exporter,
    `a 1 ${now()}`,
    'nonsense',
    'b x 1',
    'c 1 x',
    `d;t=1;bad;=x;__name__=y;__t=z;-_u=v 4 ${now()}`,
    `e 5 ${now()}`,
    `a 6 ${now()}`,
  )
  const page = await pageOf(exporter)
  assert.match(page, /\na 6\n/)
  assert.match(page, /\nd\{t="1"\} 4\n/)
  assert.match(page, /\ngraphite_tag_parse_failures 5\n/)
  for (const reason of ['encoding', 'parts', 'value', 'timestamp', 'too_many_series'])
    assert.match(page, new RegExp(`\nheliograph_graphite_refused_lines_total\\{reason="${reason}"\\} 1\n`))
})

test('bad tags are counted whatever the value, but not where the parts are wrong', async () => {
  const exporter = exporterOf()
  send(exporter, `a;bad ${now()} x`, 'a;bad x 1', `a;bad;k=v 1 ${now()}`, 'a;bad 1', 'a;bad 1 2 3')
  const page = await pageOf(exporter)
  assert.match(page, /\ngraphite_tag_parse_failures 3\n/)
  assert.match(page, /\na\{k="v"\} 1\n/)
})

test('long paths count as several, until they are forgotten', async () => {
  const exporter = exporterOf({ 'heliograph.max-series': '100' })
  const long = (i: number): string => `${'x'.repeat(40_000)}${i} 1 ${now()}`
  send(exporter, long(1), long(2), `short 1 ${now()}`, long(1))
  const page = await pageOf(exporter)
  assert.match(page, /\nshort 1\n/)
  assert.match(page, /\nheliograph_graphite_refused_lines_total\{reason="too_many_series"\} 1\n/)
  nowMs += 600_000
  send(exporter, long(3))
  assert.match(await pageOf(exporter), /\nx{40000}3 1\n/)
})

test('of two paths of one series the newer sample counts; no client writes our own metrics', async () => {
  const exporter = exporterOf()
  send(exporter, `a.b 1 ${now()}`, `a-b 2 ${now() - 10}`, `graphite_tag_parse_failures 7 ${now()}`)
  const page = await pageOf(exporter)
  assert.match(page, /\na_b 1\n/)
  assert.match(page, /\ngraphite_tag_parse_failures 0\n/)
})

test('mappings name, label, scale and drop; a reload maps anew what is sent again', async () => {
  const mappings = file(
    'mapping.yml',
    `mappings:
- { match: "servers.*.cpu", name: cpu, labels: { host: $1, site: eu }, scale: 0.01 }
- { match: "secret\\\\.(.*)", match_type: regex, name: hidden, action: drop }
- { match: "disk\\\\.(\\\\w+)\\\\.used", match_type: regex, name: "disk_$1", labels: { dev: $1 } }
`,
  )
  const exporter = exporterOf({ 'graphite.mapping-config': mappings, 'graphite.mapping-strict-match': 'true' })
  const batch = [
    `servers.a.cpu;site=us;rack=1 50 ${now()}`,
    `secret.x 1 ${now()}`,
    `disk.sda.used 9 ${now()}`,
    `x 1 ${now()}`,
  ]
  send(exporter, ...batch)
  const page = await pageOf(exporter)
  assert.match(page, /\ncpu\{host="a",rack="1",site="eu"\} 0.5\n/)
  assert.match(page, /\ndisk_sda\{dev="sda"\} 9\n/)
  assert.doesNotMatch(page, /hidden|secret|\nx /)
  file('mapping.yml', 'mappings: [{ match: "servers.*.cpu", name: load }]')
  exporter.reload()
  assert.match(await pageOf(exporter), /\ncpu\{/)
  send(exporter, ...batch)
  assert.match(await pageOf(exporter), /\nload\{rack="1",site="us"\} 50\n/)
  assert.doesNotMatch(await pageOf(exporter), /\ncpu\{/)
  file('mapping.yml', 'mappings: [{ match: "a.[" }]')
  assert.throws(() => exporter.reload(), /invalid match|didn't set a metric name/)
  send(exporter, `servers.b.cpu 1 ${now()}`)
  assert.match(await pageOf(exporter), /\nload 1\n/)
})

const bad: readonly (readonly [flags: Flags, problem: RegExp])[] = [
  [{ 'graphite.listen-address': 'here' }, /must be HOST:PORT/],
  [{ 'graphite.mapping-config': '/nope.yml' }, /ENOENT/],
  [{ 'graphite.cache-type': 'fifo' }, /must be lru or random/],
  [{ 'graphite.sample-expiry': 'soon' }, /invalid duration/],
  [{ 'graphite.mapping': 'x' }, /unknown; known are graphite.listen-address/],
]
for (const [flags, problem] of bad)
  test(`flags ${JSON.stringify(flags)} are refused`, () => {
    assert.throws(
      () => exporterOf(flags),
      (error) => error instanceof FlagError && problem.test(error.message),
    )
  })
