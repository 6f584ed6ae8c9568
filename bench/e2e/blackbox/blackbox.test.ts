import assert from 'node:assert/strict'
import fs from 'node:fs'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { createEnv } from '../../../agent/env/mod.ts'
import { probeNet } from '../../../agent/env/probe-net.ts'
import { probeAccess } from '../../../agent/process/probe-access.ts'
import { loadBlackboxConfig } from '../../../exporters/blackbox/config.ts'
import { History } from '../../../exporters/blackbox/history.ts'
import { createBlackboxExporter, timeoutOf } from '../../../exporters/blackbox/mod.ts'
import { addressHash, splitHostPort } from '../../../exporters/blackbox/probe.ts'
import { FlagError, ParameterError } from '../../../exporters/contract.ts'
import { formatExposition } from '../../../protocol/exposition/mod.ts'
import { exporterOf, pageText, probe, writeFile } from './kit.ts'

const refused: readonly (readonly [what: string, modules: string, problem: string])[] = [
  [
    'a duration',
    '{m: {prober: tcp, timeout: 5x}}',
    'yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `5x` into time.Duration',
  ],
  [
    'CEL',
    "{m: {prober: http, http: {fail_if_body_json_matches_cel: 'foo'}}}",
    '"Could not compile CEL program" expression="foo"',
  ],
  [
    'a matcher without a name',
    '{m: {prober: http, http: {fail_if_header_matches: [{regexp: x}]}}}',
    'header name must be set for HTTP header matchers',
  ],
  ['no prober', '{m: {timeout: 5s}}', "prober '' is not valid"],
  [
    'a key twice',
    '{m: {prober: tcp, prober: http}}',
    'yaml: unmarshal errors:\n  line 1: mapping key "prober" already defined at line 1',
  ],
  [
    'two ways to say who one is',
    '{m: {prober: http, http: {authorization: {credentials: a}, basic_auth: {username: b}}}}',
    'at most one of basic_auth, oauth2 & authorization must be configured',
  ],
  [
    'a module twice',
    '\n  m: {prober: tcp}\n  m: {prober: http}',
    'yaml: unmarshal errors:\n  line 3: mapping key "m" already defined at line 2',
  ],
  [
    'keys and values',
    '\n  m:\n    prober: http\n    http:\n      method: [1]\n      foo: 2\n      metod: GET',
    'yaml: unmarshal errors:\n  line 5: cannot unmarshal !!seq into string\n  line 6: field foo not found in type config.plain\n  line 7: field metod not found in type config.plain',
  ],
  [
    'a value beside one of a wrong type',
    '\n  m: {prober: http, http: {foo: 1}}\n  n: {prober: icmp, icmp: {ttl: 256}}',
    '"ttl" cannot exceed 255',
  ],
  ['an anchor', '{m: *x}', "yaml: unknown anchor 'x' referenced"],
  [
    'a timeout of nothing',
    '{m: {prober: tcp, timeout: ""}}',
    'yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `` into time.Duration',
  ],
  [
    'a size in a list',
    '{m: {prober: http, http: {body_size_limit: [1]}}}',
    'yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into units.Base2Bytes',
  ],
  ['a size beyond all', '{m: {prober: http, http: {body_size_limit: 9EB}}}', 'units: overflow parsing unit'],
  [
    'labels of a mapping',
    '{m: {prober: tcp, tcp: {query_response: [{labels: {a: b}}]}}}',
    'yaml: unmarshal errors:\n  line 1: cannot unmarshal !!map into []config.Label',
  ],
  [
    'metadata of a list',
    '{m: {prober: grpc, grpc: {metadata: [a]}}}',
    'yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into metadata.MD',
  ],
  [
    'a quality that is no number',
    '{m: {prober: http, http: {compression: br, headers: {Accept-Encoding: "br;q= 0.5"}}}}',
    'invalid configuration "Accept-Encoding: br;q= 0.5", "compression: br"',
  ],
  ['a payload', '{m: {prober: icmp, icmp: {payload_size: 70000}}}', '"payload_size" must be from 0 to 65000'],
  [
    'records',
    '{m: {prober: dns, dns: {query_name: a, validate_answer_rrs: {fail_if_matches_regexp: ["("]}}}}',
    '"Could not compile regular expression" regexp="("',
  ],
]
for (const [what, modules, problem] of refused)
  test(`${what} that cannot be is refused`, () => {
    assert.throws(() => loadBlackboxConfig(`modules: ${modules}`, 'b.yml'), {
      message: `error parsing config file: ${problem}`,
    })
  })

test('what a module leaves out is as upstream has it', () => {
  const { modules } = loadBlackboxConfig(
    'modules: {a: {prober: http, timeout: 5s, http: {fail_if_body_json_matches_cel: }}, b: {prober: dns, dns: }, c: {prober: icmp}}',
    'b.yml',
  )
  const { a, b, c } = modules
  assert.equal(a!.timeoutMs, 5000)
  assert.deepEqual(
    [a!.http.method, a!.http.client.followRedirects, a!.http.addressing],
    ['GET', true, { preferred: '', fallback: true }],
  )
  assert.equal(a!.http.failIfBodyJsonMatches, null)
  assert.deepEqual([b!.dns.recursion, b!.dns.queryName, c!.icmp.ttl], [true, '', 64])
  assert.deepEqual(Object.keys(loadBlackboxConfig('modules:', 'b.yml').modules), [])
  assert.throws(() => loadBlackboxConfig('# nothing', 'b.yml'), { message: 'error parsing config file: EOF' })
})

test('the time of a probe is the least of the caller’s, less a little, and the module’s', () => {
  const rows = [
    [10_000, 0, 9500],
    [10_000, 5000, 5000],
    [10_000, 30_000, 9500],
    [300, 5000, 5000],
  ] as const
  for (const [caller, module, expected] of rows) assert.equal(timeoutOf(caller, module, 500), expected)
})

test('addresses are hashed as upstream does it, and told from their ports', () => {
  assert.equal(addressHash('127.0.0.1'), 3_668_918_509)
  assert.equal(addressHash('::ffff:127.0.0.1'), addressHash('127.0.0.1'))
  assert.equal(addressHash('::1'), addressHash('0:0:0:0:0:0:0:1%lo'))
  assert.notEqual(addressHash('::1'), addressHash('::2'))
  assert.deepEqual(splitHostPort('[::1]:53'), { host: '::1', port: '53' })
  assert.deepEqual(splitHostPort('a:1'), { host: 'a', port: '1' })
  assert.deepEqual(splitHostPort('::1'), { host: '::1', port: '' })
})

test('requests that cannot be are refused in upstream’s words', async () => {
  const exporter = exporterOf({ http_2xx: { prober: 'http', http: { headers: { Host: 'a' } } } })
  const rows = [
    [{ module: 'x', target: 'y' }, 'Unknown module "x"'],
    [{ module: 'constructor', target: 'y' }, 'Unknown module "constructor"'],
    [{}, 'Target parameter is missing'],
    [
      { target: 'y', hostname: 'b' },
      "host header defined both in module configuration (a) and with URL-parameter 'hostname' (b)",
    ],
  ] as const
  for (const [query, message] of rows)
    await assert.rejects(
      exporter.probe(new URLSearchParams(query)),
      (error) => error instanceof ParameterError && error.message === message,
    )
  assert.match(formatExposition(await exporter.collect()), /\nblackbox_module_unknown_total 2\n/)
  const answer = await exporter.handle(new Request('http://x/probe?debug=true&module=x&target=y'))
  assert.deepEqual([answer!.status, await answer!.text()], [400, 'Unknown module "x"\n'])
  const ofTimeout = (seconds: string): Promise<Response | null> =>
    exporter.handle(
      new Request('http://x/probe?target=y', { headers: { 'x-prometheus-scrape-timeout-seconds': seconds } }),
    )
  const odd = await ofTimeout('soon')
  assert.deepEqual(
    [odd!.status, await odd!.text()],
    [500, 'Failed to parse timeout from Prometheus header: strconv.ParseFloat: parsing "soon": invalid syntax\n'],
  )
  for (const seconds of ['-1', 'NaN', 'Inf', '1e3', '0']) assert.equal(await ofTimeout(seconds), null, seconds)
  assert.equal(await exporter.handle(new Request('http://x/metrics')), null)
})

test('a probe is told of: its lines, its module without secrets, and later by number and target', async () => {
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const target = `127.0.0.1:${(server.address() as { port: number }).port}`
  const exporter = exporterOf({
    tcp: { prober: 'tcp' },
    web: { prober: 'http', http: { basic_auth: { username: 'u', password: 'hunter2' } } },
    keys: {
      prober: 'http',
      http: { proxy_url: 'http://u:hunter2@p', headers: { 'X-Api-Key': 'hunter2', 'X-One': 'one' } },
    },
    call: { prober: 'grpc', grpc: { metadata: { authorization: ['Bearer hunter2'], other: ['two'] } } },
  })
  assert.match(await pageText(exporter, { module: 'tcp', target }), /\nprobe_success 1\n/)
  assert.match(await pageText(exporter, { module: 'web', target: '127.0.0.1:1' }), /\nprobe_success 0\n/)
  server.close()
  const get = async (path: string): Promise<readonly [number, string]> => {
    const answer = (await exporter.handle(new Request(`http://x${path}`)))!
    return [answer.status, await answer.text()]
  }
  assert.deepEqual(await get('/logs'), [200, `1\tFailure\tweb\t127.0.0.1:1\n0\tSuccess\ttcp\t${target}\n`])
  const [, byId] = await get('/logs?id=1')
  assert.match(byId, /msg="Beginning probe" module=web target=127\.0\.0\.1:1 probe=http/)
  assert.match(byId, /password: <secret>/)
  assert.doesNotMatch(byId, /hunter2/)
  assert.match((await get(`/logs?target=${target}`))[1], /Probe succeeded/)
  assert.deepEqual(await get('/logs?id=7'), [404, 'Probe id not found\n'])
  // As the real 0.28 answers; without any it lists them, which upstream's landing page does.
  for (const id of ['x', '-1'])
    assert.deepEqual(await get(`/logs?id=${id}`), [
      400,
      'Probe id or target must be defined as http query parameters\n',
    ])
  const [, config] = await get('/config')
  assert.match(config, /"password": "<secret>"/)
  assert.doesNotMatch(config, /hunter2/)
  assert.match(config, /"X-One": "one"[\s\S]*"other":\s*\[\s*"two"/)
})

test('what a server says is kept up to a bound, however much it is', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(`${'x'.repeat(60_000)}\n`.repeat(50))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const exporter = exporterOf({ m: { prober: 'tcp', tcp: { query_response: [{ expect: '^never$' }] } } })
  await pageText(exporter, { module: 'm', target: `127.0.0.1:${(server.address() as { port: number }).port}` })
  server.close()
  const answer = await exporter.handle(new Request('http://x/logs?id=0'))
  const text = await answer!.text()
  assert.match(text, /msg="Read line" .* line=x{4096}…\n/)
  assert.ok(text.length < 80_000, String(text.length))
})

test('the history keeps the last ones, and of those before them the failures', () => {
  const history = new History(2)
  for (const [i, isSuccess] of [false, true, true, true].entries())
    history.add({ module: 'm', target: `t${i}`, isSuccess, output: () => String(i) })
  assert.equal(history.listing(), '3\tSuccess\tm\tt3\n2\tSuccess\tm\tt2\n0\tFailure\tm\tt0\n')
  assert.deepEqual([history.get(0)?.output(), history.get(1), history.ofTarget('t3')?.output()], ['0', undefined, '3'])
  const none = new History(0)
  none.add({ module: 'm', target: 't', isSuccess: true, output: () => '' })
  none.add({ module: 'm', target: 't', isSuccess: false, output: () => '' })
  assert.equal(none.listing(), '')
})

test('a reload reads the modules again; a bad file leaves those of before, and is told of', async () => {
  const file = writeFile('reload.yml', 'modules: {a: {prober: tcp}}')
  const env = createEnv({ logLevel: 'error', logFormat: 'logfmt' })
  const options = { ...env, net: probeNet, access: probeAccess(env, {}), version: '1', flags: { 'config.file': file } }
  const exporter = createBlackboxExporter(options)
  const knows = (module: string): Promise<boolean> =>
    exporter.probe(new URLSearchParams({ module, target: '127.0.0.1:1' })).then(
      () => true,
      () => false,
    )
  const own = async (): Promise<string> => formatExposition(await exporter.collect())
  fs.writeFileSync(file, 'modules: {b: {prober: tcp}}')
  exporter.reload()
  assert.deepEqual([await knows('a'), await knows('b')], [false, true])
  fs.writeFileSync(file, 'modules: {c: {prober: x}}')
  assert.throws(() => exporter.reload(), /prober 'x' is not valid/)
  assert.equal(await knows('b'), true)
  assert.match(await own(), /\nblackbox_exporter_config_last_reload_successful 0\n/)
  fs.writeFileSync(file, 'modules: {b: {prober: tcp}}')
  exporter.reload()
  assert.match(await own(), /\nblackbox_exporter_config_last_reload_successful 1\n/)
  assert.throws(
    () => createBlackboxExporter({ ...options, flags: { 'config.file': '/nope.yml' } }),
    (error) => error instanceof FlagError && /error reading config file: .*ENOENT/.test(error.message),
  )
  assert.throws(
    () => createBlackboxExporter({ ...options, flags: { ...options.flags, 'timeout-offset': 'x' } }),
    FlagError,
  )
})

test('ICMP reaches this host where the process may send it, and says why where it may not', {
  timeout: 300_000,
}, async () => {
  for (const [target, family] of [
    ['127.0.0.1', 4],
    ['::1', 6],
  ] as const) {
    const result = await probe({ prober: 'icmp', icmp: { payload_size: 64 } }, target)
    if (result.reason !== '') {
      assert.match(result.text, /operation not permitted|UNAVAILABLE|EAFNOSUPPORT|EADDRNOTAVAIL|Cannot call/)
      continue
    }
    assert.equal(result.metrics.get('probe_ip_protocol'), family)
    assert.equal(result.metrics.get('probe_icmp_reply_hop_limit'), 64)
    const rtt = result.metrics.get('probe_icmp_duration_seconds{phase="rtt"}')!
    assert.ok(rtt > 0 && rtt < 1, String(rtt))
  }
  const from = await probe({ prober: 'icmp', icmp: { source_ip_address: 'x' } }, '127.0.0.1')
  assert.equal(from.reason, 'Error parsing source ip address')
  const late = await probe({ prober: 'icmp', timeout: '150ms', icmp: { source_ip_address: '127.0.0.1' } }, '192.0.2.1')
  assert.notEqual(late.reason, '')
})
