import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { loadAgentConfig } from '../../protocol/config/mod.ts'
import { createHostTools } from '../env/host.ts'
import { createEnv } from '../env/mod.ts'
import type { AgentStatus } from '../process/operation-api.ts'
import { proposal } from './detect.ts'
import { readHostServices } from './host-services.ts'
import { COMMANDS, runCommand } from './mod.ts'
import { downLines, isWell } from './status.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-commands-'))
after(() => fs.rmSync(folder, { recursive: true, force: true }))
const env = createEnv({ logLevel: 'error', logFormat: 'logfmt' })

async function run(...argv: string[]): Promise<{ status: number; said: string; complained: string }> {
  const said: string[] = []
  const complained: string[] = []
  const status = await runCommand(argv, {
    env,
    tools: createHostTools('/opt/heliograph/agent/main.ts'),
    environment: {},
    version: '0',
    say: (line) => said.push(line),
    complain: (line) => complained.push(line),
  })
  return { status, said: said.join('\n'), complained: complained.join('\n') }
}

function file(name: string, text: string): string {
  const place = path.join(folder, name)
  fs.mkdirSync(path.dirname(place), { recursive: true })
  fs.writeFileSync(place, text)
  return place
}

test('an unknown command and an unknown flag are usage errors', async () => {
  const unknown = await run('frobnicate')
  assert.equal(unknown.status, 2)
  assert.match(unknown.complained, /unknown command "frobnicate", known are install, uninstall, status/)
  assert.equal((await run('status', '--frobnicate')).status, 2)
  assert.equal((await run('check-config', 'a', 'b')).status, 2)
  assert.equal((await run('install', '--with=frob', '--dry-run')).status, 2)
})

for (const name of Object.keys(COMMANDS))
  test(`${name} --help shows its flags`, async () => {
    const { status, said } = await run(name, '--help')
    assert.equal(status, 0)
    assert.match(said, new RegExp(`^usage: heliograph-agent ${name}`))
  })

const broken: readonly (readonly [what: string, text: string, place: string])[] = [
  ['a key that is none', 'global:\n  scrape_intervall: 15s\n', ':2:3: '],
  ['a value of the wrong kind', 'scrape_configs:\n  - job_name: a\n    scrape_interval: often\n', ':3:22: '],
  ['YAML that is none', 'global: [\n', ':2:1: '],
  ['an exporter that is none', 'exporters:\n  nod: {}\n', ':2:3: '],
]
for (const [what, text, place] of broken)
  test(`check-config tells file, line and column of ${what}`, async () => {
    const config = file('broken.yml', text)
    const { status, complained } = await run('check-config', config)
    assert.equal(status, 2)
    assert.ok(complained.startsWith(config + place), complained)
  })

test('check-config tells all that is wrong, in the order of the file, each with its place', async () => {
  const config = file(
    'all.yml',
    `global:
  scrape_intervall: 15s
budget: { bytes_per_second: 200 }
exporters:
  node:
    collector.frob: true
    path.procfs: /proc
    no-collector.nothing: true
    listen: 127.0.0.1:9100
  nod: {}
  memcached:
    listen: 127.0.0.1:9100
    memcached.timeout: often
    targets: [a:1, {target: 'b:1', memcached.tls.enable: perhaps}]
  statsd: { web.telemetry-path: metrics, statsd.mapping-config: /none.yml }
scrape_configs:
  - job_name: a
    scrape_interval: often
  - job_name: b
    metrics_pat: /m
  - job_name: c
  - job_name: c
`,
  )
  const { status, complained } = await run('check-config', config)
  assert.equal(status, 2)
  const places = complained.split('\n').map((line) => {
    assert.ok(line.startsWith(`${config}:`), line)
    return line.slice(config.length + 1).replace(/^(\d+:\d+: [^:]*): .*/, '$1')
  })
  assert.deepEqual(places, [
    '2:3: global.scrape_intervall',
    '3:29: budget.bytes_per_second',
    '6:5: exporters.node.collector.frob',
    '8:5: exporters.node.no-collector.nothing',
    '10:3: exporters.nod',
    '12:5: exporters.memcached.listen',
    '13:5: exporters.memcached.memcached.timeout',
    '14:36: exporters.memcached.targets[1].memcached.tls.enable',
    '15:13: exporters.statsd.web.telemetry-path',
    '15:42: exporters.statsd.statsd.mapping-config',
    '18:22: scrape_configs[0].scrape_interval',
    '20:5: scrape_configs[1].metrics_pat',
  ])
  const other = file('jobs.yml', 'scrape_configs:\n  - job_name: c\n  - job_name: c\n  - job_name: c\n')
  assert.equal((await run('check-config', other)).complained.split('\n').length, 2)
})

test('check-config takes a good file, and refuses flags that an exporter does not know and files that are not there', async () => {
  const good = await run('check-config', file('good.yml', 'exporters: { node: {}, statsd: {} }\n'))
  assert.deepEqual([good.status, good.complained], [0, ''])
  assert.match(good.said, /valid \(0 scrape jobs, exporters: node, statsd\)/)
  const flag = await run('check-config', file('flag.yml', 'exporters: { node: { collector.frob: "true" } }\n'))
  assert.equal(flag.status, 2)
  assert.match(flag.complained, /flag\.yml:1:22: exporters\.node\.collector\.frob: unknown/)
  assert.equal((await run('check-config', path.join(folder, 'none.yml'))).status, 2)
})

test('status and errors tell that no agent answers', async () => {
  const status = await run('status', '--url=http://127.0.0.1:1')
  assert.deepEqual([status.status, status.said], [3, 'agent: not running'])
  assert.equal((await run('errors', '--url=http://127.0.0.1:1')).status, 3)
})

test('status does not call an agent stopped whose certificate it cannot trust', async () => {
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')]
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', [...make, ...name, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const tls = { cert: fs.readFileSync(cert, 'utf8'), key: fs.readFileSync(key, 'utf8') }
  const handler = () => Response.json({ status: 'success', data: [] })
  const listener = await env.net.serveHttp({ host: '127.0.0.1', port: 0, tls, handler })
  const url = `--url=https://127.0.0.1:${listener.address.port}`
  const { status, said, complained } = await run('status', url)
  assert.deepEqual([status, said], [1, ''])
  assert.match(complained, /x509: certificate signed by unknown authority; give its authority by --ca-file/)
  assert.equal((await run('errors', url, `--ca-file=${cert}`)).said, 'no errors since the start')
  await listener.close()
})

const TCP_HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const tcpLine = (address: string, state: string, inode = 1): string =>
  `   0: ${address} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  0 0 ${inode} 1 0000000000000000 100 0 0 10 0\n`
const v6 = (tail: string): string => `00000000000000000000000000000000`.slice(tail.length) + tail

test('detect reads listening sockets of both families, sockets of the file system and names of processes', () => {
  file('proc/net/tcp', TCP_HEADER + tcpLine('0100007F:0CEA', '0A') + tcpLine('0100007F:1F90', '01'))
  file('proc/net/tcp6', TCP_HEADER + tcpLine(`${v6('01000000')}:2CEB`, '0A') + tcpLine(`${v6('')}:24E3`, '0A'))
  file(
    'proc/net/unix',
    'Num       RefCount Protocol Flags    Type St Inode Path\n0000: 00000002 00000000 00010000 0001 01 1 /run/haproxy/admin.sock\n0000: 00000003 00000000 00000000 0001 03 2 /run/other.sock\n',
  )
  file('proc/12/comm', 'mariadbd\n')
  file('proc/13/comm', 'haproxy\n')
  const services = readHostServices(env.disk, path.join(folder, 'proc'))
  assert.deepEqual(services.tcp, [
    { host: '127.0.0.1', port: 3306 },
    { host: '::1', port: 11499 },
    { host: '::', port: 9443 },
  ])
  assert.deepEqual(
    [services.unix, [...services.commands]],
    [[{ path: '/run/haproxy/admin.sock' }], ['mariadbd', 'haproxy']],
  )
})

test('detect finds a server at an unusual place by the sockets that its process holds', () => {
  const root = 'unusual/net'
  file(`${root}/tcp`, TCP_HEADER + tcpLine('0100007F:8124', '0A', 41) + tcpLine('0100007F:0FA0', '0A', 42))
  file(
    `${root}/unix`,
    `Num       RefCount Protocol Flags    Type St Inode Path
0000: 00000002 00000000 00010000 0001 01 43 /srv/lb/stats.1201.tmp
0000: 00000002 00000000 00010000 0001 01 44 /srv/db/a.socket
`,
  )
  for (const [pid, command, inodes] of [
    ['7', 'mariadbd', [41, 44]],
    ['8', 'memcached', [42]],
    ['9', 'haproxy', [43]],
  ] as const) {
    file(`unusual/${pid}/comm`, `${command}\n`)
    fs.mkdirSync(path.join(folder, `unusual/${pid}/fd`))
    for (const inode of inodes) fs.symlinkSync(`socket:[${inode}]`, path.join(folder, `unusual/${pid}/fd/${inode}`))
  }
  const text = proposal(
    readHostServices(env.disk, path.join(folder, 'unusual'), new Set(['mariadbd', 'memcached', 'haproxy'])),
  )
  const { exporters } = loadAgentConfig(text, { file: 'proposal' })
  const flags = Object.fromEntries(exporters.map(({ name, flags }) => [name, flags]))
  // 33060 is the X protocol's.
  assert.equal(flags['mysql']!['mysqld.address'], 'unix:///srv/db/a.socket')
  assert.equal(flags['memcached']!['memcached.address'], '127.0.0.1:4000')
  assert.equal(flags['haproxy']!['haproxy.scrape-uri'], 'unix:/srv/lb/stats')
})

test('what detect proposes is a configuration that loads, and names why', () => {
  const text = proposal({
    tcp: [
      { host: '0.0.0.0', port: 11211 },
      { host: '::1', port: 9121 },
      { host: '127.0.0.1', port: 9229 },
    ],
    unix: [{ path: '/run/mysqld/mysqld.sock' }, { path: '/run/haproxy/admin.sock' }],
    commands: new Set(['mariadbd', 'memcached', 'haproxy']),
  })
  const config = loadAgentConfig(text, { file: 'proposal' })
  assert.deepEqual(
    config.exporters.map(({ name }) => name),
    ['node', 'mysql', 'memcached', 'haproxy', 'nodejs'],
  )
  const flags = Object.fromEntries(config.exporters.map(({ name, flags }) => [name, flags]))
  assert.equal(flags['mysql']!['mysqld.address'], 'unix:///run/mysqld/mysqld.sock')
  assert.equal(flags['memcached']!['memcached.address'], '127.0.0.1:11211')
  assert.equal(flags['haproxy']!['haproxy.scrape-uri'], 'unix:/run/haproxy/admin.sock')
  assert.deepEqual(
    config.scrapeConfigs.map(({ jobName }) => jobName),
    ['redis'],
  )
  assert.match(text, /# mariadbd is running, \/run\/mysqld\/mysqld\.sock accepts connections/)
})

const WELL: AgentStatus = {
  version: '0',
  agent: 'a',
  publicKey: 'U',
  isReady: true,
  startedMs: 0,
  nowMs: 0,
  hub: { url: 'http://hub', isConnected: true, inFlightBatches: 0 },
  ring: {
    sizeBytes: 0,
    fileBytes: 0,
    capBytes: 1,
    unacknowledgedBatches: 0,
    unacknowledgedBytes: 0,
    oldestUnacknowledgedMs: null,
    overwrittenBatches: 0,
    overwrittenSamples: 0,
    lostBatches: 0,
  },
  targets: { up: 1, down: 0, unknown: 0 },
  errors: [],
}
const verdicts: readonly (readonly [what: string, status: AgentStatus, isWell: boolean])[] = [
  ['a connected agent', WELL, true],
  ['an agent without a hub', { ...WELL, hub: null }, true],
  ['an agent that cannot reach its hub', { ...WELL, hub: { ...WELL.hub!, isConnected: false } }, false],
  ['an agent that overwrote samples', { ...WELL, ring: { ...WELL.ring!, overwrittenSamples: 1 } }, false],
  ['an agent that is starting', { ...WELL, isReady: false }, false],
]
for (const [what, status, expected] of verdicts)
  test(`${what} is ${expected ? 'well' : 'not well'}`, () => assert.equal(isWell(status), expected))

test('status names the targets that are down and why, the first five', () => {
  const target = (instance: number, health: string) => ({
    labels: { job: 'app', instance: `h${instance}` },
    health,
    lastError: health === 'down' ? 'no answer' : '',
  })
  const down = Array.from({ length: 7 }, (_, i) => target(i, 'down'))
  assert.deepEqual(downLines({ activeTargets: [target(9, 'up'), target(0, 'down')] }), ['app h0 down: no answer'])
  assert.deepEqual(downLines({ activeTargets: down }).slice(4), [
    'app h4 down: no answer',
    'and 2 more: GET /api/v1/targets of the agent',
  ])
})
