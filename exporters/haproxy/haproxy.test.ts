import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { createLogger, createNet, nodeDisk, systemClock } from '../../agent/env/mod.ts'
import { peer } from '../../bench/peers/peers.ts'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { FlagError, type Flags } from '../contract.ts'
import { runHaproxyCases } from './conformance.ts'
import { parseCsv } from './csv.ts'
import { createHaproxyExporter, DEFAULT_STAT_OPTIONS, haproxyFamilies } from './mod.ts'

const kit = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance')
const folder = path.join(kit, 'exporters/haproxy')
const absent = !fs.existsSync(folder) && 'kit is absent'
const BINARY = '/usr/sbin/haproxy'
const net = createNet()
after(() => net.close())
const log = createLogger({ level: 'error', format: 'logfmt', now: () => 0, write: () => {} })
const exporterWith = (flags: Flags) => createHaproxyExporter({ net, disk: nodeDisk, clock: systemClock, log, flags })
const readText = (name: string): string => fs.readFileSync(path.join(folder, name), 'utf8')

test('the kit: pages, states, URIs', { skip: absent }, async () => {
  const results = await runHaproxyCases(readText, { disk: nodeDisk, clock: systemClock, log })
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
      () => exporterWith(flags),
      (error) => error instanceof FlagError && message.test(error.message),
    )
  })

test('credentials of the URI are sent as basic authentication, failures add up over scrapes', async () => {
  const server = createServer((request, response) => {
    const known = request.headers.authorization === `Basic ${btoa('admin:s3:cret')}`
    response.writeHead(known && request.url === '/stats;csv' ? 200 : 401).end('too,few\n')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const uri = `http://admin:s3%3Acret@127.0.0.1:${port}/stats;csv`
    const exporter = exporterWith({ 'haproxy.scrape-uri': uri })
    await exporter.collect()
    const text = formatExposition(await exporter.collect())
    assert.match(text, /haproxy_up 1\n/)
    assert.match(text, /haproxy_exporter_scrapes_total 2\n/)
    assert.match(text, /haproxy_exporter_csv_parse_failures_total 2\n/)
    const refused = exporterWith({ 'haproxy.scrape-uri': `http://127.0.0.1:${port}/stats;csv` })
    assert.match(formatExposition(await refused.collect()), /haproxy_up 0\n/)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

const absentBinary = !fs.existsSync(BINARY) && `${BINARY} is absent`

test('a real HAProxy, over its socket and over HTTP', { skip: absentBinary }, () =>
  withHaproxy(async ({ socket, port }) => {
    const overSocket = exporterWith({ 'haproxy.scrape-uri': `unix:${socket}` })
    const page = formatExposition(await overSocket.collect())
    assert.match(page, /haproxy_up 1\n/)
    assert.match(page, /haproxy_version_info\{release_date="\d{4}\/\d\d\/\d\d",version="\d[^"]*"\} 1\n/)
    assert.match(page, /haproxy_process_idle_time_percent \d+\n/)
    assert.match(page, /haproxy_exporter_csv_parse_failures_total 0\n/)
    assert.match(page, /haproxy_server_up\{backend="things",server="unchecked"\} 1\n/)
    const overHttp = exporterWith({ 'haproxy.scrape-uri': `http://127.0.0.1:${port}/stats;csv` })
    const names = (text: string): string[] => text.match(/^# TYPE \S+/gm)!
    const onlySocket = ['haproxy_process_idle_time_percent', 'haproxy_version_info']
    assert.deepEqual(
      names(formatExposition(await overHttp.collect())),
      names(page).filter((line) => !onlySocket.some((name) => line.includes(name))),
    )
  }),
)

const upstream = peer('haproxy-exporter')
const skipUpstream = absentBinary || (upstream.path === null && upstream.reason)

test('the packaged haproxy_exporter says the same of the same HAProxy, line by line', { skip: skipUpstream }, () =>
  withHaproxy(async ({ socket, folder: temporary }) => {
    const uri = `unix:${socket}`
    const port = await freePort()
    const pidFile = path.join(temporary, 'pid')
    const child = spawn(
      upstream.path!,
      [`--web.listen-address=127.0.0.1:${port}`, `--haproxy.scrape-uri=${uri}`, `--haproxy.pid-file=${pidFile}`],
      { stdio: 'ignore' },
    )
    try {
      let theirs = ''
      for (let i = 0; i < 200 && theirs === ''; i++) {
        await systemClock.sleep(25)
        theirs = await fetch(`http://127.0.0.1:${port}/metrics`).then(
          (response) => response.text(),
          () => '',
        )
      }
      const exporter = exporterWith({ 'haproxy.scrape-uri': uri, 'haproxy.pid-file': pidFile })
      const ours = formatExposition(await exporter.collect())
      // What the clock moves keeps its name and help.
      const comparable = (text: string): string[] =>
        text
          .split('\n')
          .filter(
            (line) => /^(?:# (?:HELP|TYPE) )?haproxy_/.test(line) && !line.includes('haproxy_exporter_build_info'),
          )
          .map((line) =>
            line.replace(/^(haproxy_(?:process_(?:cpu|idle|resident|open)|server_check_duration)\S*) .*/, '$1'),
          )
          // The newer client library also counts the bytes of the network namespace.
          .filter((line) => !line.includes('haproxy_process_network_'))
      assert.ok(comparable(theirs).length > 150)
      assert.deepEqual(comparable(ours).sort(), comparable(theirs).sort())
    } finally {
      child.kill()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
  }),
)

type Running = { readonly socket: string; readonly port: number; readonly folder: string }

async function withHaproxy(check: (running: Running) => Promise<void>): Promise<void> {
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-haproxy-'))
  const socket = path.join(temporary, 'admin.sock')
  const port = await freePort()
  const config = path.join(temporary, 'haproxy.cfg')
  fs.writeFileSync(
    config,
    `global
  stats socket ${socket} mode 600 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 2s
  timeout server 2s
frontend stats
  bind 127.0.0.1:${port}
  stats enable
  stats uri /stats
  default_backend things
backend things
  server nobody 127.0.0.1:1 check inter 100
  server unchecked 127.0.0.1:2
`,
  )
  const child = spawn(BINARY, ['-db', '-f', config], { stdio: 'ignore' })
  fs.writeFileSync(path.join(temporary, 'pid'), `${child.pid}\n`)
  try {
    for (let i = 0; i < 200 && !fs.existsSync(socket); i++) await systemClock.sleep(25)
    await check({ socket, port, folder: temporary })
  } finally {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    fs.rmSync(temporary, { recursive: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
