/** The haproxy exporter beside a real HAProxy, without an agent around it, and beside the packaged haproxy_exporter. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { after, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { createNet } from '../../../agent/env/mod.ts'
import type { Flags } from '../../../exporters/contract.ts'
import { createHaproxyExporter } from '../../../exporters/haproxy/mod.ts'
import { temporaryFolder, testEnv } from '../../../exporters/testing/env.ts'
import { formatExposition } from '../../../protocol/exposition/mod.ts'
import { peer } from '../../peers/peers.ts'
import { freePort, until } from '../world.ts'

const BINARY = '/usr/sbin/haproxy'
const net = createNet()
after(() => net.close())
const exporterWith = (flags: Flags) => createHaproxyExporter({ ...testEnv, net, flags })

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
      const exporter = exporterWith({ 'haproxy.scrape-uri': uri, 'haproxy.pid-file': pidFile })
      const url = `http://127.0.0.1:${port}/metrics`
      // Checks go on: both are asked until nothing has moved for theirs around ours.
      let before: string[] = []
      let ours: string[] = []
      let after: string[] = ['unlike']
      for (let i = 0; i < 1000 && !isDeepStrictEqual(before, after); i++) {
        await testEnv.clock.sleep(25)
        before = comparable(await textOf(url))
        ours = comparable(formatExposition(await exporter.collect()))
        after = comparable(await textOf(url))
        if (after.length === 0) after = ['unlike']
      }
      assert.ok(ours.length > 150)
      assert.deepEqual(ours, after)
    } finally {
      child.kill()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
  }),
)

const textOf = (url: string): Promise<string> =>
  fetch(url).then(
    (response) => response.text(),
    () => '',
  )

/** Sorted lines; what the clock or a scrape moves keeps its name and help. */
function comparable(text: string): string[] {
  const moving = /^(haproxy_(?:process_(?:cpu|idle|resident|open)|server_check_duration|exporter_scrapes_total)\S*) .*/
  const lines = text
    .split('\n')
    .filter((line) => /^(?:# (?:HELP|TYPE) )?haproxy_/.test(line) && !line.includes('haproxy_exporter_build_info'))
    .map((line) => line.replace(moving, '$1'))
  // The newer client library also counts the bytes of the network namespace.
  return lines.filter((line) => !line.includes('haproxy_process_network_')).sort()
}

type Running = { readonly socket: string; readonly port: number; readonly folder: string }

async function withHaproxy(check: (running: Running) => Promise<void>): Promise<void> {
  const temporary = temporaryFolder()
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
    await until('haproxy answers', async () => (await fetch(`http://127.0.0.1:${port}/stats;csv`)).ok)
    await check({ socket, port, folder: temporary })
  } finally {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}
