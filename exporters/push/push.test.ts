import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { crc32c } from '../../protocol/crc/mod.ts'
import type { Clock } from '../../protocol/env/mod.ts'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { ProtoWriter, snappyCompress } from '../../protocol/remote-write/mod.ts'
import { FlagError, type Flags } from '../contract.ts'
import { logTo, temporaryFolder, testClock, testDisk } from '../testing/env.ts'
import { unsnappy } from './body.ts'
import { decodeBase64, groupingLabels, unescapeName } from './grouping.ts'
import { createPushExporter, type PushExporter } from './mod.ts'
import { decodeGroups, encodeGroups } from './persistence.ts'
import { PushStore } from './store.ts'
import { readText } from './text.ts'

const folder = temporaryFolder()

const errors: string[] = []
const log = logTo((line) => errors.push(line))
let nowMs = 1_000_000
type Timer = { readonly atMs: number; readonly fn: () => void }
let timers: Timer[] = []
const clock: Clock = {
  ...testClock,
  now: () => nowMs,
  monotonic: () => nowMs,
  setTimer: (delayMs, fn) => {
    const timer = { atMs: nowMs + delayMs, fn }
    timers.push(timer)
    return { cancel: () => void (timers = timers.filter((other) => other !== timer)) }
  },
}
function pass(ms: number): void {
  nowMs += ms
  const due = timers.filter(({ atMs }) => atMs <= nowMs)
  timers = timers.filter(({ atMs }) => atMs > nowMs)
  for (const { fn } of due) fn()
}

const exporterOf = (flags: Flags = {}): PushExporter =>
  createPushExporter({ disk: testDisk, clock, log, flags, version: '1' })
type Body = string | Uint8Array<ArrayBuffer>
async function send(
  exporter: PushExporter,
  method: string,
  at: string,
  body: Body = '',
  headers: Record<string, string> = {},
): Promise<readonly [status: number, text: string]> {
  const hasBody = method === 'PUT' || method === 'POST'
  const answer = await exporter.handle(new Request(`http://x${at}`, { method, headers, ...(hasBody ? { body } : {}) }))
  return [answer?.status ?? 0, (await answer?.text()) ?? '']
}
const pageOf = async (exporter: PushExporter): Promise<string> => `\n${formatExposition(await exporter.collect())}`

test('help that one group gives and another lacks is shown', async () => {
  const exporter = exporterOf()
  for (const [job, body] of [
    ['a', 'm 1\n'],
    ['b', '# HELP m Some.\nm 2\n'],
    ['c', '# HELP m Other.\nm 3\n'],
  ] as const)
    await send(exporter, 'PUT', `/metrics/job/${job}`, body)
  assert.match(await pageOf(exporter), /\n# HELP m Some\.\n# TYPE m untyped\n/)
})

const paths: readonly (readonly [path: string, labels: Record<string, string> | null | string])[] = [
  ['/metrics/job/a', { job: 'a' }],
  ['/metrics/job/a/', { job: 'a' }],
  ['/metrics/job/a/x/y', { x: 'y', job: 'a' }],
  ['/metrics/job/a/x//y/z', { x: '', y: 'z', job: 'a' }],
  ['/metrics/job/a/job/b', { job: 'a' }],
  ['/metrics/job@base64/YS9i/x@base64/=', { x: '', job: 'a/b' }],
  ['/metrics/job@base64/=', 'job name is required'],
  ['/metrics/job@base64/a.b', 'invalid base64 encoding in job name "": illegal base64 data at input byte 1'],
  ['/metrics/job/a/x', 'odd number of components in label string "/x"'],
  ['/metrics/job/a/x-y/z', 'improper label name "x-y"'],
  ['/metrics/job/a/__x/z', 'improper label name "__x"'],
  ['/metrics/job', null],
  ['/metrics/jobs/a', null],
]
for (const [path, labels] of paths)
  test(`the group of ${path}`, () => {
    const group = (): ReadonlyMap<string, string> | null => groupingLabels(path, { utf8: false })
    if (typeof labels === 'string') assert.throws(group, { message: labels })
    else assert.deepEqual(labels === null ? null : Object.fromEntries(group()!), labels)
  })

test('names and values are decoded as the clients encode them', () => {
  assert.equal(decodeBase64('w6TDtsO8'), 'äöü')
  assert.equal(decodeBase64('Pz8_'), '???')
  assert.throws(() => decodeBase64('_w'), /not UTF-8/)
  for (const [from, to] of [
    ['U__a_2e_b', 'a.b'],
    ['U__a__b', 'a_b'],
    ['U___1f600_', '\u{1f600}'],
    ['U__a_zz_', 'U__a_zz_'],
    ['U__a_', 'U__a_'],
    ['plain', 'plain'],
    ['U__a_d800_', 'U__a_d800_'],
  ] as const)
    assert.equal(unescapeName(from), to)
})

const unreadable: readonly (readonly [what: string, body: string, problem: RegExp])[] = [
  ['no value', 'a\n', /expected/],
  ['no newline at the end', 'a 1', /unexpected end of input stream/],
  ['a type twice', '# TYPE a gauge\n# TYPE a gauge\na 1\n', /second TYPE line/],
  ['a type after its samples', 'a 1\n# TYPE a gauge\n', /TYPE reported after samples/],
  ['a help twice', '# HELP a x\n# HELP a y\na 1\n', /second HELP line/],
  ['a label twice', 'a{b="1",b="2"} 1\n', /duplicate label names/],
  ['the label of the name', 'a{__name__="1"} 1\n', /label name "__name__" is reserved/],
  [
    'a bucket twice',
    '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1.0"} 2\n',
    /a bucket or quantile is there twice/,
  ],
  ['a name beyond ASCII', '{"a.b"} 1\n', /invalid metric name/],
  ['bytes that are no text', 'a{b="\xff"} 1\n', /./],
]
for (const [what, body, problem] of unreadable)
  test(`a push of ${what} is refused and touches no group`, async () => {
    const exporter = exporterOf()
    const bytes = what.startsWith('bytes') ? Uint8Array.from(body, (char) => char.charCodeAt(0)) : body
    const [status, text] = await send(exporter, 'POST', '/metrics/job/j', bytes)
    assert.equal(status, 400)
    assert.match(text, problem)
    assert.match(await pageOf(exporter), /\nheliograph_push_groups 0\n/)
  })

const inconsistent: readonly (readonly [what: string, before: string, push: string, problem: RegExp])[] = [
  ['another type', '# TYPE m counter\nm 1\n', '# TYPE m gauge\nm 1\n', /collected metric "m" \{.*\} is not a COUNTER/],
  ['one series twice', 'x 1\n', 'm 1\nm 2\n', /"m" \{.*\} was collected before with the same name and label values/],
  ['a reserved label', 'x 1\n', 'm{__b="1"} 1\n', /has a label with an invalid name: __b/],
  ['timestamps', 'x 1\n', 'm 1 1000\n', /pushed metrics must not have timestamps/],
  [
    'the count of a summary',
    '# TYPE s summary\ns_sum 1\ns_count 1\n',
    's_count 1\n',
    /collides with previously collected summary named "s"/,
  ],
  [
    'a histogram over its parts',
    'h_bucket 1\n',
    '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n',
    /collected histogram named "h" collides with previously collected metric named "h_bucket"/,
  ],
]
for (const [what, before, body, problem] of inconsistent)
  test(`a push of ${what} is refused, and the group knows when`, async () => {
    const exporter = exporterOf()
    assert.equal((await send(exporter, 'POST', '/metrics/job/other', before))[0], 200)
    const [status, text] = await send(exporter, 'POST', '/metrics/job/j', body)
    assert.equal(status, 400)
    assert.match(text, /^pushed metrics are invalid or inconsistent with existing metrics: /)
    assert.match(text, problem)
    const page = await pageOf(exporter)
    assert.match(page, new RegExp(`\npush_failure_time_seconds\\{instance="",job="j"\\} ${nowMs / 1000}\n`))
    assert.match(page, /\npush_time_seconds\{instance="",job="j"\} 0\n/)
    assert.doesNotMatch(page, /\n(?:m|s_count|h_sum)\{instance="",job="j"/)
  })

test('a group may change the type of what is its alone, and a series moves to no other group', async () => {
  const exporter = exporterOf()
  await send(exporter, 'PUT', '/metrics/job/j', '# TYPE m counter\nm 1\n')
  assert.equal((await send(exporter, 'PUT', '/metrics/job/j', '# TYPE m gauge\nm 1\n'))[0], 200)
  assert.equal((await send(exporter, 'POST', '/metrics/job/j', '# TYPE m counter\nm 1\n'))[0], 200)
  await send(exporter, 'PUT', '/metrics/job/j', 'm{instance="i"} 1\n')
  const [status, text] = await send(exporter, 'PUT', '/metrics/job/j/instance/i', 'm 2\n')
  assert.equal(status, 400, text)
  await send(exporter, 'DELETE', '/metrics/job/j')
  assert.equal((await send(exporter, 'PUT', '/metrics/job/j/instance/i', 'm 2\n'))[0], 200)
})

test('the two times are ours to set', async () => {
  const exporter = exporterOf()
  await send(exporter, 'POST', '/metrics/job/j', 'push_time_seconds 7\npush_failure_time_seconds{x="y"} 8\n')
  const page = await pageOf(exporter)
  assert.match(page, new RegExp(`\npush_time_seconds\\{instance="",job="j"\\} ${nowMs / 1000}\n`))
  assert.doesNotMatch(page, /x="y"/)
})

test('bodies are inflated, and bounded before and after', async () => {
  const exporter = exporterOf({ 'heliograph.max-body-bytes': '1000' })
  const post = (body: Body, headers = {}): Promise<readonly [number, string]> =>
    send(exporter, 'POST', '/metrics/job/j', body, headers)
  assert.equal((await post(new Uint8Array(gzipSync('z 1\n')), { 'content-encoding': 'gzip' }))[0], 200)
  assert.equal((await post(framed('s 2\n'), { 'content-encoding': 'snappy' }))[0], 200)
  const page = await pageOf(exporter)
  assert.match(page, /\nz\{.*\} 1\n/)
  assert.match(page, /\ns\{.*\} 2\n/)
  assert.equal((await post('a'.repeat(1001)))[0], 413)
  assert.equal((await post(new Uint8Array(gzipSync('#'.repeat(100_000))), { 'content-encoding': 'gzip' }))[0], 413)
  assert.equal((await post('plain', { 'content-encoding': 'gzip' }))[0], 400)
  assert.equal((await post('plain', { 'content-encoding': 'snappy' }))[0], 400)
})

/** The stream's name, one compressed chunk, one plain one. */
function framed(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text)
  const chunk = (type: number, data: Uint8Array, of: Uint8Array): number[] => {
    const crc = crc32c(of)
    const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
    const length = data.length + 4
    return [
      type,
      length & 0xff,
      length >> 8,
      0,
      masked & 0xff,
      (masked >>> 8) & 0xff,
      (masked >>> 16) & 0xff,
      masked >>> 24,
      ...data,
    ]
  }
  const half = bytes.length >> 1
  const [a, b] = [bytes.subarray(0, half), bytes.subarray(half)]
  return Uint8Array.from([
    0xff,
    6,
    0,
    0,
    ...Buffer.from('sNaPpY'),
    ...chunk(0, snappyCompress(a), a),
    ...chunk(1, b, b),
    0xfe,
    1,
    0,
    0,
    9,
  ])
}

test('snappy of a wrong sum, of a chunk that nobody knows, and cut off is refused', () => {
  const good = framed('abcdef\n')
  assert.equal(new TextDecoder().decode(unsnappy(good, 100)), 'abcdef\n')
  assert.throws(() => unsnappy(good, 3), /more than|too large|exceed/i)
  for (const change of [(b: Uint8Array) => (b[b.length - 6]! ^= 1), (b: Uint8Array) => (b[10] = 0x7f)]) {
    const bad = good.slice()
    change(bad)
    assert.throws(() => unsnappy(bad, 100), /snappy/)
  }
  assert.throws(() => unsnappy(good.subarray(0, good.length - 8), 100), /corrupt/)
})

test('protobuf: delimited families of every kind', async () => {
  const writer = new ProtoWriter()
  const family = (name: string, type: number, help: string, metric: () => void): void => {
    const inner = new ProtoWriter()
    const outer = current
    current = inner
    inner.varint(10)
    inner.string(name)
    if (help !== '') {
      inner.varint(18)
      inner.string(help)
    }
    inner.varint(24)
    inner.varint(type)
    const at = inner.beginMessage(34)
    metric()
    inner.endMessage(at)
    current = outer
    const bytes = inner.bytes()
    writer.varint(bytes.length)
    writer.raw(bytes, 0, bytes.length)
  }
  let current = writer
  const message = (tag: number, write: () => void): void => {
    const at = current.beginMessage(tag)
    write()
    current.endMessage(at)
  }
  const double = (tag: number, value: number): void => {
    current.varint(tag)
    current.double(value)
  }
  family('c', 0, 'Counts.', () => {
    message(10, () => {
      current.varint(10)
      current.string('x')
      current.varint(18)
      current.string('y')
    })
    message(26, () => double(9, 3))
  })
  family('h', 4, '', () =>
    message(58, () => {
      current.varint(8)
      current.varint(2)
      double(17, 1.5)
      message(26, () => {
        current.varint(8)
        current.varint(1)
        double(17, 0.5)
      })
    }),
  )
  const exporter = exporterOf()
  const headers = {
    'content-type': 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited',
  }
  const [status, text] = await send(exporter, 'POST', '/metrics/job/j', new Uint8Array(writer.bytes()), headers)
  assert.equal(status, 200, text)
  const page = await pageOf(exporter)
  assert.match(page, /\n# HELP c Counts\.\n# TYPE c counter\nc\{instance="",job="j",x="y"\} 3\n/)
  assert.match(
    page,
    /\nh_bucket\{instance="",job="j",le="0\.5"\} 1\nh_bucket\{instance="",job="j",le="\+Inf"\} 2\nh_sum\{instance="",job="j"\} 1\.5\nh_count\{instance="",job="j"\} 2\n/,
  )
  const bad = [
    ['a 1\n', 'unexpected EOF\n'],
    ['\x02\x0a\x05', 'proto: cannot parse invalid wire-format data\n'],
  ] as const
  for (const [body, problem] of bad)
    assert.deepEqual(await send(exporter, 'POST', '/metrics/job/j', body, headers), [400, problem])
})

test('protobuf: of two families with one name the last is taken, and a value of another type is told of', async () => {
  const bytes = (...parts: (number | string)[]): number[] =>
    parts.flatMap((part) => (typeof part === 'number' ? [part] : [...Buffer.from(part)]))
  const double = (value: number): number[] => {
    const out = Buffer.alloc(8)
    out.writeDoubleLE(value)
    return [...out]
  }
  /** A metric with its value in the field of this tag. */
  const family = (type: number, tag: number, value: number): number[] => {
    const metric = [tag, 9, 9, ...double(value)]
    const message = [...bytes(10, 1, 'a', 24, type, 34, metric.length), ...metric]
    return [message.length, ...message]
  }
  const exporter = exporterOf()
  const headers = {
    'content-type': 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
  }
  const post = (body: number[]): Promise<readonly [number, string]> =>
    send(exporter, 'POST', '/metrics/job/j', Uint8Array.from(body), headers)
  assert.deepEqual(await post([...family(1, 18, 3.5), ...family(1, 18, 4)]), [200, ''])
  assert.match(await pageOf(exporter), /\na\{instance="",job="j"\} 4\n/)
  const [status, text] = await post(family(0, 18, 2))
  assert.equal(status, 400)
  assert.match(text, /value:"j"\} {2}gauge:\{value:2\}\} is not a COUNTER\n$/)
})

test('groups and series are bounded; what is there may still be changed', async () => {
  const exporter = exporterOf({ 'heliograph.max-groups': '2', 'heliograph.max-series': '8' })
  const post = (job: string, body: string): Promise<readonly [number, string]> =>
    send(exporter, 'POST', `/metrics/job/${job}`, body)
  assert.equal((await post('a', 'm 1\n'))[0], 200)
  assert.equal((await post('b', 'm 1\n'))[0], 200)
  const [status, text] = await post('c', 'm 1\n')
  assert.deepEqual([status, text], [429, 'there are 2 groups already (heliograph.max-groups)\n'])
  assert.equal((await post('a', 'm 2\n'))[0], 200)
  assert.equal((await post('a', Array.from({ length: 9 }, (_, i) => `n{i="${i}"} 1\n`).join('')))[0], 429)
  assert.match(await pageOf(exporter), /\nm\{instance="",job="a"\} 2\n/)
})

test('the query API, CORS and what is not there', async () => {
  const exporter = exporterOf({ 'web.enable-admin-api': 'true' })
  await send(exporter, 'POST', '/metrics/job/j', '# HELP m Some.\n# TYPE m gauge\nm NaN\nbig 1e+21\n')
  const [, body] = await send(exporter, 'GET', '/api/v1/metrics')
  const { status, data } = JSON.parse(body)
  assert.deepEqual(
    [status, data.length, data[0].labels, data[0].last_push_successful],
    ['success', 1, { job: 'j' }, true],
  )
  assert.deepEqual(data[0].m, {
    time_stamp: new Date(nowMs).toISOString(),
    type: 'GAUGE',
    help: 'Some.',
    metrics: [{ labels: { instance: '', job: 'j' }, value: 'NaN' }],
  })
  assert.equal(data[0].big.metrics[0].value, '1e+21')
  const options = await exporter.handle(new Request('http://x/api/v1/metrics', { method: 'OPTIONS' }))
  assert.equal(options!.headers.get('access-control-allow-origin'), '*')
  const rows = [
    ['GET', '/api/v1/nothing', 404],
    ['GET', '/api/v1/admin/wipe', 405],
    ['POST', '/metrics/job', 404],
    ['GET', '/metrics', 0],
    ['POST', '/metrics/job/%ZZ', 400],
    ['PUT', '/-/quit', 403],
  ] as const
  for (const [method, at, expected] of rows) assert.equal((await send(exporter, method, at))[0], expected, at)
  assert.match(
    await pageOf(exporter),
    /\npushgateway_http_requests_total\{code="200",handler="push",method="post"\} 1\n/,
  )
})

test('what was pushed outlives the process: written at the interval and at the end, and whole', async () => {
  const file = path.join(folder, 'push.db')
  const flags = { 'persistence.file': file, 'persistence.interval': '10s' }
  const first = exporterOf(flags)
  await first.start?.()
  await send(
    first,
    'POST',
    '/metrics/job/j/dc/eu',
    '# HELP m Some.\n# TYPE m gauge\nm 1.5\ninf -Inf\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\nh_sum NaN\nh_count 3\n',
  )
  assert.equal(fs.existsSync(file), false)
  pass(9_999)
  assert.equal(fs.existsSync(file), false)
  pass(1)
  assert.equal(fs.existsSync(file), true)
  await send(first, 'POST', '/metrics/job/late', 'm 2\n')
  const before = await pageOf(first)
  await first.close()
  const second = exporterOf(flags)
  await second.start?.()
  const pushedOnly = (page: string): string =>
    page
      .split('\n')
      .filter((line) => /^(?:# \w+ )?(?:m|inf|h|push)(?:_|\{| |$)/.test(line) && !/pushgateway/.test(line))
      .join('\n')
  assert.equal(pushedOnly(await pageOf(second)), pushedOnly(before))
  assert.match(before, /\nh_sum\{dc="eu",instance="",job="j"\} NaN\n/)
  // What is restored is checked against as well.
  assert.equal((await send(second, 'POST', '/metrics/job/z', '# TYPE m counter\nm 1\n'))[0], 400)
  await second.close()
})

test('a damaged file is set aside, told of, and not written over', async () => {
  const file = path.join(folder, 'damaged.db')
  const store = new PushStore({ maxGroups: 10, maxSeries: 10 })
  store.push(new Map([['job', 'j']]), readText(new TextEncoder().encode('m 1\n'), { utf8: false }), {
    replaces: false,
    checks: true,
    nowMs: 1,
  })
  const good = encodeGroups(store.groups())
  assert.equal(decodeGroups(good).length, 1)
  for (const damage of [(bytes: Uint8Array) => (bytes[40]! ^= 1), (bytes: Uint8Array) => bytes.fill(0, 0, 5)]) {
    const bytes = good.slice()
    damage(bytes)
    fs.writeFileSync(file, bytes)
    errors.length = 0
    const exporter = exporterOf({ 'persistence.file': file })
    await exporter.start?.()
    assert.match(await pageOf(exporter), /\nheliograph_push_groups 0\n/)
    assert.match(errors[0]!, /set aside/)
    nowMs++
    await exporter.close()
  }
  fs.writeFileSync(file, good.subarray(0, good.length - 3))
  assert.throws(() => decodeGroups(fs.readFileSync(file)), /checksum is wrong/)
  assert.equal(fs.readdirSync(folder).filter((name) => name.startsWith('damaged.db.damaged-')).length, 2)
})

test('unchecked pushes are taken as they are; of two types the first is shown', async () => {
  const exporter = exporterOf({ 'push.disable-consistency-check': 'true' })
  assert.equal((await send(exporter, 'POST', '/metrics/job/a', '# TYPE m counter\nm 1\n'))[0], 202)
  assert.equal((await send(exporter, 'POST', '/metrics/job/b', '# TYPE m gauge\nm 2\n'))[0], 202)
  assert.equal((await send(exporter, 'POST', '/metrics/job/c', 'm 2 1000\n'))[0], 202)
  const page = await pageOf(exporter)
  assert.match(page, /\n# TYPE m counter\nm\{instance="",job="a"\} 1\n/)
  assert.doesNotMatch(page, /job="b"\} 2/)
  assert.match(page, new RegExp(`\npush_failure_time_seconds\\{instance="",job="c"\\} ${nowMs / 1000}\n`))
})

test('names beyond ASCII are taken where they are switched on', async () => {
  const exporter = exporterOf({ 'push.enable-utf8-names': 'true' })
  assert.equal((await send(exporter, 'POST', '/metrics/job/j/U__a_2e_b/c', '{"my.metric"} 1\n'))[0], 200)
  assert.match(await pageOf(exporter), /\n\{"my\.metric","a\.b"="c",instance="",job="j"\} 1\n/)
})

for (const [flags, problem] of [
  [{ 'heliograph.max-groups': '0' }, /must be at least 1/],
  [{ 'persistence.interval': 'x' }, /invalid duration/],
  [{ 'web.external-url': 'x' }, /unknown; known are/],
] as const)
  test(`flags ${JSON.stringify(flags)} are refused`, () => {
    assert.throws(
      () => exporterOf(flags),
      (error) => error instanceof FlagError && problem.test(error.message),
    )
  })

test('methods that a path does not have are told of', async () => {
  const exporter = exporterOf()
  for (const [method, at] of [
    ['GET', '/metrics/job/j'],
    ['PATCH', '/metrics/job@base64/ag'],
    ['POST', '/api/v1/metrics'],
    ['DELETE', '/-/quit'],
    ['POST', '/-/ready'],
  ] as const)
    assert.deepEqual(await send(exporter, method, at), [405, 'Method Not Allowed\n'])
  assert.equal((await send(exporter, 'OPTIONS', '/metrics/job/j'))[0], 200)
})

test('a push may not contradict what the page says of itself', async () => {
  const [status, text] = await send(
    exporterOf(),
    'POST',
    '/metrics/job/j',
    '# TYPE pushgateway_http_requests_total gauge\npushgateway_http_requests_total 1\n',
  )
  assert.equal(status, 400)
  assert.match(text, /gathered metric family pushgateway_http_requests_total has type GAUGE but should have COUNTER\n$/)
})
