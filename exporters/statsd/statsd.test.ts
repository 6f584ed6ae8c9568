import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Clock, Net } from '../../protocol/env/mod.ts'
import { formatExposition, parseExposition } from '../../protocol/exposition/mod.ts'
import { FlagError, type Flags } from '../contract.ts'
import { KIT, temporaryFolder, testClock, testEnv } from '../testing/env.ts'
import { runStatsdCases } from './conformance.ts'
import { GlobTree } from './glob.ts'
import { createStatsdExporter, loadMappingConfig, type StatsdExporter } from './mod.ts'
import { Registry } from './registry.ts'
import { Summary } from './summary.ts'

const folder = path.join(KIT, 'exporters/statsd')
const temporary = temporaryFolder()
let files = 0
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** An exporter whose monotonic time is `time.ms`, with these mappings. */
function exporterWith({ mappings = '', flags = {} }: { mappings?: string; flags?: Flags }): {
  exporter: StatsdExporter
  time: { ms: number }
  file: string
} {
  const time = { ms: 0 }
  const clock: Clock = { ...testClock, monotonic: () => time.ms }
  const file = path.join(temporary, `${++files}-mapping.yml`)
  fs.writeFileSync(file, mappings)
  const all = { 'statsd.mapping-config': file, ...flags }
  return { exporter: createStatsdExporter({ ...testEnv, clock, flags: all }), time, file }
}

const pageOf = async (exporter: StatsdExporter): Promise<string> => formatExposition(await exporter.collect())

test('the kit: lines, packets, mappings, exporter', { skip: !fs.existsSync(folder) && 'kit is absent' }, async () => {
  const results = await runStatsdCases((name) => fs.readFileSync(path.join(folder, name), 'utf8'))
  assert.ok(results.length > 400)
  assert.deepEqual(
    results.filter(({ error }) => error !== null),
    [],
  )
})

test('packets become metrics, and everything that arrived is counted', async () => {
  const { exporter } = exporterWith({})
  exporter.handlePacket(bytes('hits:1|c\nhits:2|c|@0.5\nroom.temp:20|g\nroom.temp:-3|g\nbad\n'), 'udp')
  exporter.handlePacket(bytes('wait:250:750|ms|#path:/a\nwait:1|s'), 'unixgram')
  const page = await pageOf(exporter)
  for (const line of [
    'hits 5',
    'room_temp 17',
    'wait{path="/a",quantile="0.5"} 0.25',
    'wait_sum{path="/a"} 1',
    'wait_count{path="/a"} 2',
    'statsd_exporter_udp_packets_total 1',
    'statsd_exporter_unixgram_packets_total 1',
    'statsd_exporter_lines_total 8',
    'statsd_exporter_samples_total 7',
    'statsd_exporter_tags_total 2',
    'statsd_exporter_events_total{type="counter"} 2',
    'statsd_exporter_events_unmapped_total 6',
    'statsd_exporter_sample_errors_total{reason="malformed_line"} 1',
    'statsd_exporter_sample_errors_total{reason="illegal_event"} 1',
    'statsd_exporter_metrics_total{type="summary"} 1',
  ])
    assert.ok(page.includes(`\n${line}\n`), `${line} in\n${page}`)
})

test('a sampled timer is as many observations without as many steps', async () => {
  const { exporter } = exporterWith({})
  const before = process.cpuUsage()
  exporter.handlePacket(bytes('slow:2|h|@0.0000001'), 'udp')
  // Of a CPU, whatever else the host does.
  assert.ok(process.cpuUsage(before).user < 500_000)
  const page = await pageOf(exporter)
  assert.match(page, /\nslow_count 1e\+07\n/)
  assert.match(page, /\nslow\{quantile="0.99"\} 2\n/)
})

test('a series goes when its time to live is over, and begins anew', async () => {
  const { exporter, time } = exporterWith({
    mappings: 'defaults: {ttl: 10s}\nmappings:\n- {match: "keep.*", name: "keep_$1", ttl: 1h}\n',
  })
  exporter.handlePacket(bytes('a:5|c\nkeep.b:1|c'), 'udp')
  time.ms = 10_000
  exporter.handlePacket(bytes('a:1|c'), 'udp')
  assert.match(await pageOf(exporter), /\na 6\n/)
  time.ms = 20_001
  const page = await pageOf(exporter)
  assert.doesNotMatch(page, /\na /)
  assert.match(page, /\nkeep_b 1\n/)
  exporter.handlePacket(bytes('a:1|g'), 'udp')
  assert.match(await pageOf(exporter), /# TYPE a gauge\na 1\n/)
})

test('lines of a TCP stream are put together from its chunks; one without end closes it', async () => {
  const { exporter } = exporterWith({})
  const stream = exporter.openStream()
  for (const part of ['hits:1|', 'c\r\nhi', 'ts:2|c\nhits:', '4|c']) assert.ok(stream.push(bytes(part)))
  stream.end(null)
  const flood = exporter.openStream()
  assert.ok(flood.push(new Uint8Array(4096).fill(0x61)))
  assert.equal(flood.push(new Uint8Array(1).fill(0x61)), false)
  assert.equal(flood.push(bytes('\nhits:8|c\n')), false)
  flood.end(new Error('ECONNRESET'))
  const page = await pageOf(exporter)
  assert.match(page, /\nhits 7\n/)
  assert.match(page, /\nstatsd_exporter_tcp_connections_total 2\n/)
  assert.match(page, /\nstatsd_exporter_tcp_too_long_lines_total 1\n/)
  assert.match(page, /\nstatsd_exporter_tcp_connection_errors_total 1\n/)
})

test('reload takes new mappings, keeps the old ones of a bad file, and counts both', async () => {
  const { exporter, file } = exporterWith({
    mappings: 'mappings:\n- {match: "a.*", name: "one", labels: {xx: "$1"}}\n',
  })
  exporter.handlePacket(bytes('a.b:1|c'), 'udp')
  fs.writeFileSync(file, 'mappings:\n- {match: "a.*", name: "two"}\n')
  exporter.reload()
  fs.writeFileSync(file, 'mappings:\n- {match: "a.*"}\n')
  exporter.reload()
  exporter.handlePacket(bytes('a.b:1|c'), 'udp')
  const page = await pageOf(exporter)
  assert.match(page, /\none\{xx="b"\} 1\n/)
  assert.match(page, /\ntwo 1\n/)
  assert.match(page, /reloads_total\{outcome="failure"\} 1\n.*reloads_total\{outcome="success"\} 1\n/)
})

test('beyond max-series new names are counted and dropped, known ones go on', async () => {
  const { exporter } = exporterWith({ flags: { 'heliograph.max-series': '2' } })
  exporter.handlePacket(bytes('a:1|c\nb:1|c\nc:1|c\na:1|c'), 'udp')
  const page = await pageOf(exporter)
  assert.match(page, /\na 2\n/)
  assert.doesNotMatch(page, /\nc 1\n/)
  assert.match(page, /events_error_total\{reason="too_many_series"\} 1\n/)
})

test('a key of the mapping file that nobody knows has no effect, as upstream, and is told', async () => {
  const file = path.join(temporary, `${++files}-mapping.yml`)
  fs.writeFileSync(file, 'mappings:\n- {match: a, name: b, lables: {x: y}}')
  const lines: string[] = []
  const warn = (message: string, fields = {}): void => void lines.push(`${message}: ${JSON.stringify(fields)}`)
  const log = { ...testEnv.log, warn }
  const exporter = createStatsdExporter({ ...testEnv, log, flags: { 'statsd.mapping-config': file } })
  exporter.handlePacket(bytes('a:1|c'), 'udp')
  assert.match(await pageOf(exporter), /\nb 1\n/)
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, /field lables not found in type MetricMapping.*mapping\.yml:2/)
})

for (const [name, mappings, message] of [
  [
    'a bad glob',
    'mappings:\n- {match: "a!", name: b}',
    /invalid match: "a!".* \(at .*mapping.yml:2:3, key mappings\[0\]\)/,
  ],
  ['a bad duration', 'defaults: {ttl: soon}', /invalid duration "soon"/],
  ['buckets out of order', 'defaults: {histogram_options: {buckets: [2, 1]}}', /buckets must ascend, got 2 before 1/],
  ['a glob that begins with a digit', 'mappings:\n- {match: "1a.*", name: b}', /invalid match: "1a\.\*"/],
  ['a part that begins with a dash', 'mappings:\n- {match: "a.-b", name: b}', /invalid match: "a\.-b"/],
  ['a label of one letter', 'mappings:\n- {match: a, name: b, labels: {c: d}}', /invalid label key: c/],
  ['a bad timer_type', 'mappings:\n- {match: a, name: b, timer_type: wrong}', /invalid observer type "wrong"/],
  [
    'summary options where histograms are the default',
    'defaults: {observer_type: histogram}\nmappings:\n- {match: a, name: b, summary_options: {max_age: 5m}}',
    /cannot use histogram observer and summary options at the same time/,
  ],
  [
    'histogram options where summaries are the default',
    'defaults: {timer_type: summary}\nmappings:\n- {match: a, name: b, histogram_options: {buckets: [1]}}',
    /cannot use summary observer and histogram options at the same time/,
  ],
  ['a bad regex', 'mappings:\n- {match: "(", match_type: regex, name: b}', /error parsing regexp/],
] as const)
  test(`a mapping file with ${name} is refused`, () => {
    assert.throws(
      () => exporterWith({ mappings }),
      (e) => e instanceof FlagError && message.test(e.message),
    )
  })

test('an old-style mapping file loads: timer_type, quantiles, buckets, timer as a metric type', () => {
  const { mappings } = loadMappingConfig(
    `defaults: {timer_type: histogram, buckets: [1, 2]}
mappings:
- {match: "a.*", name: a, timer_type: summary, quantiles: [{quantile: 0.5, error: 0.1}]}
- {match: "b.*", name: b, match_metric_type: timer}`,
    'old.yml',
  )
  assert.deepEqual(mappings[0]!.summary.quantiles, [{ quantile: 0.5, error: 0.1 }])
  assert.equal(mappings[0]!.observerType, 'summary')
  assert.deepEqual(mappings[1]!.buckets, [1, 2])
  assert.equal(mappings[1]!.kind, 'observer')
})

test('new keys of a mapping file win over the old ones; options of both kinds stand where nobody chose a type', () => {
  const { defaults, mappings } = loadMappingConfig(
    `defaults:
  quantiles: [{quantile: 0.9, error: 0.1}]
  buckets: [3, 4]
  summary_options: {quantiles: [{quantile: 0.42, error: 0.04}], max_age: 5m}
  histogram_options: {buckets: [1, 2]}
mappings:
- {match: "a.*.1st-b--c", name: a, observer_type: summary, timer_type: histogram}
- {match: "*", name: b, summary_options: {max_age: 1m}, histogram_options: {buckets: [5]}}`,
    'both.yml',
  )
  assert.equal(defaults.observerType, null)
  assert.equal(mappings[0]!.observerType, 'summary')
  assert.deepEqual(mappings[0]!.summary.quantiles, [{ quantile: 0.42, error: 0.04 }])
  assert.deepEqual(mappings[0]!.buckets, [1, 2])
  assert.deepEqual(
    [mappings[1]!.observerType, mappings[1]!.summary.maxAgeMs, mappings[1]!.buckets],
    [null, 60_000, [5]],
  )
})

test('the glob tree finds what trying every glob in order finds', () => {
  const part = fc.constantFrom('a', 'b', '*')
  const glob = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'))
  const name = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.array(glob, { maxLength: 12 }), name, (globs, parts) => {
      const tree = new GlobTree({ ordered: true })
      globs.forEach((one, i) => {
        tree.add(one, i)
      })
      const matches = (one: string): boolean => {
        const pattern = one.split('.')
        return pattern.length === parts.length && pattern.every((p, i) => p === '*' || p === parts[i])
      }
      const index = globs.findIndex(matches)
      const captures = parts.filter((_, i) => globs[index]?.split('.')[i] === '*')
      assert.deepEqual(tree.find(parts.join('.')), index < 0 ? null : { index, captures })
    }),
    { numRuns: 2000 },
  )
})

test('no packet throws, and the page stays readable', () => {
  const token = fc.constantFrom(
    ':',
    '|',
    '#',
    '@',
    ',',
    '[',
    ']',
    '=',
    'c',
    'g',
    'ms',
    'h',
    '1',
    '-2',
    'NaN',
    'le',
    'é',
    '\n',
  )
  fc.assert(
    fc.asyncProperty(fc.array(token, { maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), async (tokens, noise) => {
      const exporter = plainExporter()
      exporter.handlePacket(bytes(tokens.join('')), 'udp')
      exporter.handlePacket(noise, 'udp')
      parseExposition(bytes(await pageOf(exporter)), { format: 'text' })
    }),
    { numRuns: 300 },
  )
})

const plainExporter = (): StatsdExporter => createStatsdExporter({ ...testEnv, flags: {} })

test('quantiles stay within their errors, and forget what is older than max_age', () => {
  const quantiles = [
    { quantile: 0.5, error: 0.05 },
    { quantile: 0.9, error: 0.01 },
    { quantile: 0.99, error: 0.001 },
  ]
  const summary = new Summary({ quantiles, maxAgeMs: 1000, ageBuckets: 5, bufCap: 100 }, 0)
  const count = 20_000
  // A permutation of 0…count-1.
  for (let i = 0; i < count; i++) summary.observe((i * 7919) % count, 1, 100)
  const values = summary.values(100)
  quantiles.forEach(({ quantile, error }, i) => {
    const rank = values[i * 2 + 1]! / count
    assert.ok(Math.abs(rank - quantile) <= error, `${quantile}: ${rank}`)
  })
  summary.observe(-1, 1, 1150)
  assert.deepEqual(
    summary.values(1150).filter((_, i) => i % 2 === 1),
    [-1, -1, -1],
  )
  assert.ok(summary.values(5000).every((value, i) => i % 2 === 0 || Number.isNaN(value)))
  assert.equal(summary.count, count + 1)
})

test('labels are told apart whatever their order and their text', () => {
  const registry = new Registry({ maxSeries: 100 })
  const get = (pairs: [string, string][]) =>
    registry.get(
      {
        name: 'm',
        type: 'gauge',
        help: '',
        labels: new Map(pairs),
        ttlMs: 0,
        buckets: [],
        summary: { quantiles: [], maxAgeMs: 0, ageBuckets: 0, bufCap: 0 },
      },
      0,
    )
  assert.equal(
    get([
      ['a', '1'],
      ['b', '2'],
    ]),
    get([
      ['b', '2'],
      ['a', '1'],
    ]),
  )
  assert.notEqual(
    get([['a', '1,b=1:2']]),
    get([
      ['a', '1'],
      ['b', '2'],
    ]),
  )
  assert.equal(get([['__name__', 'x']]), 'conflict')
})

// As Go's ParseFloat and its conversion to int.
for (const [line, shown] of [
  ['a:0x1p4|g', 'a 16'],
  ['a:0x_1p4|g', 'a 16'],
  ['a:1_0|g', 'a 10'],
  ['a:1__0|g', null],
  ['a:+nan|g', null],
  ['a:nan|g', 'a NaN'],
  ['a:1e400|g', null],
  ['a:1|h|@0.25', 'a_count 4'],
  ['a:1|h|@1e-300', null],
  ['a:1|h|@-0.5', null],
] as const) {
  test(`${line} gives ${shown ?? 'no sample'}`, async () => {
    const { exporter } = exporterWith({})
    exporter.handlePacket(bytes(line), 'udp')
    const own = (await pageOf(exporter)).split('\n').filter((each) => /^a(?:_count)? /.test(each))
    assert.deepEqual(own, shown === null ? [] : [shown])
  })
}

for (const [time, faults] of [
  ['1656581400', 0],
  ['-1', 0],
  ['+0009223372036854775807', 0],
  ['-9223372036854775808', 0],
  ['9223372036854775808', 1],
  ['', 1],
  ['1.5', 1],
] as const)
  test(`a sender's time T${time} is ${faults === 0 ? 'read' : 'counted as malformed'}, and the sample taken`, () => {
    const { exporter } = exporterWith({})
    exporter.handlePacket(bytes(`a:1|c|T${time}`), 'udp')
    assert.equal(exporter.counters.sampleErrors.get('malformed_timestamp') ?? 0, faults)
    assert.equal(exporter.counters.events.get('counter'), 1)
  })

for (const type of ['s', 't', '', 'C', 'constructor', '__proto__', 'toString'])
  test(`a type of sample called ${JSON.stringify(type)} is counted as an illegal event, and the rest is taken`, () => {
    const { exporter } = exporterWith({})
    exporter.handlePacket(bytes(`a:1|${type}|@0.5\nb:1|c`), 'udp')
    assert.equal(exporter.counters.sampleErrors.get('illegal_event'), 1)
    assert.equal(exporter.counters.events.get('counter'), 1)
  })

test('what the kernel keeps at a scrape is a part of it', async () => {
  const waiting = ['a:1|c', 'a:2|c', 'a:4|c']
  const listenDatagrams: NonNullable<Net['listenDatagrams']> = async ({ onDatagrams }) => ({
    address: { host: '127.0.0.1', port: 9125 },
    drops: () => 0,
    look: async () => {
      await null
      for (const text of waiting.splice(0)) {
        const bytes = new TextEncoder().encode(text)
        onDatagrams({ bytes, starts: Uint32Array.of(0), lengths: Uint32Array.of(bytes.length), count: 1 })
      }
    },
    close: async () => {},
  })
  const net = { listenDatagrams, listenTcp: () => assert.fail() }
  const exporter = createStatsdExporter({ ...testEnv, net, flags: { 'statsd.listen-tcp': '' } })
  await exporter.start()
  const families = await exporter.collect()
  assert.equal(families.find(({ name }) => name === 'a')?.metrics[0]?.value, 7)
  await exporter.close()
})
