/**
 * The blackbox exporter in a real agent: probes through `scrape_configs` with the relabelling of upstream's README, on
 * the agent's own port and on upstream's, beside an exporter that has the same path.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { comparePages, type Difference, exporterPage, pageOf, startUpstream } from './exporters-kit.ts'
import { freePort, lacks, queryValue, until, untilHolds, withWorld } from './world.ts'

const MODULES = `modules:
  http_2xx:
    prober: http
    http: { preferred_ip_protocol: ip4, fail_if_body_not_matches_regexp: [healthy] }
  ssh_banner:
    prober: tcp
    tcp: { query_response: [{ expect: "^SSH-2.0-([^ ]+)", labels: [{ name: version, value: "\${1}" }] }] }
  icmp: { prober: icmp, icmp: { preferred_ip_protocol: ip4 } }
`

test('targets of a scrape job are probed, as upstream’s README shows', { timeout: 300_000 }, () =>
  withWorld(async (world) => {
    let health = 'healthy'
    const web = createServer((_, response) => response.end(health))
    const ssh = createTcpServer((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.9\r\n'))
    for (const server of [web, ssh])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port
    const file = world.file('blackbox.yml', MODULES)
    const own = await freePort()
    const hub = await world.startHub({})
    const target = `127.0.0.1:${portOf(web)}`
    const config = `scrape_configs:
- job_name: blackbox
  metrics_path: /probe
  params: { module: [http_2xx] }
  static_configs: [{ targets: ["${target}", "127.0.0.1:1"] }]
  relabel_configs:
  - { source_labels: [__address__], target_label: __param_target }
  - { source_labels: [__param_target], target_label: instance }
  - { target_label: __address__, replacement: "127.0.0.1:${own}" }
`
    const exporters = JSON.stringify({
      blackbox: { listen: `127.0.0.1:${own}`, 'config.file': file },
      mysql: { 'mysqld.address': '127.0.0.1:1' },
    })
    const agent = await world.startAgent({ hub, exporters, config })
    const good = `probe_success{job="blackbox",instance="${target}"}`
    await until('the probe succeeds', async () => (await queryValue(hub, good)) === 1)
    await untilHolds('the other target is told of, too', async () => {
      assert.equal(await queryValue(hub, 'probe_success{job="blackbox",instance="127.0.0.1:1"}'), 0)
      assert.equal(await queryValue(hub, 'up{job="blackbox",instance="127.0.0.1:1"}'), 1)
      assert.equal(await queryValue(hub, `probe_http_status_code{instance="${target}"}`), 200)
    })
    health = 'down'
    await until('it fails', async () => (await queryValue(hub, good)) === 0)
    // The agent's own port: two exporters have this path, the module tells which is meant.
    const banner = await pageOf(`${agent.url}/probe?module=ssh_banner&target=127.0.0.1:${portOf(ssh)}`)
    assert.equal(banner.get('probe_expect_info{version="OpenSSH_9.9"}'), '1')
    const mysql = await pageOf(`${agent.url}/probe?target=127.0.0.1:1`)
    assert.equal(mysql.get('mysql_up'), '0')
    const debug = await (
      await fetch(`http://127.0.0.1:${own}/probe?module=http_2xx&target=${target}&debug=true`)
    ).text()
    assert.match(debug, /Logs for the probe:\n.*reason="Body did not match regular expression" regexp=healthy/s)
    const unknown = await fetch(`http://127.0.0.1:${own}/probe?module=nothing&target=x`)
    assert.deepEqual([unknown.status, await unknown.text()], [400, 'Unknown module "nothing"\n'])
    const page = await exporterPage(agent, 'blackbox')
    assert.equal(page.get('blackbox_module_unknown_total'), '1')
    assert.equal(page.get('blackbox_exporter_config_last_reload_successful'), '1')
    // A reload reads the modules; a bad file leaves those of before.
    const reload = (): Promise<Response> => fetch(`http://127.0.0.1:${own}/-/reload`, { method: 'POST' })
    fs.writeFileSync(file, `${MODULES}  bad: { prober: carrier_pigeon }\n`)
    const failed = await reload()
    assert.deepEqual(
      [failed.status, await failed.text()],
      [500, "failed to reload config: error parsing config file: prober 'carrier_pigeon' is not valid\n"],
    )
    fs.writeFileSync(file, MODULES.replace('[healthy]', '[down]'))
    assert.equal((await reload()).status, 200)
    await until('it succeeds by the new module', async () => (await queryValue(hub, good)) === 1)
    web.close()
    ssh.close()
  }),
)

type Row = readonly [module: object, target: (ports: { web: number; ssh: number }) => string]
const http = (rules: object = {}): object => ({
  prober: 'http',
  timeout: '30s',
  http: { preferred_ip_protocol: 'ip4', ...rules },
})
const tcp = (rules: object = {}): object => ({
  prober: 'tcp',
  timeout: '30s',
  tcp: { preferred_ip_protocol: 'ip4', ...rules },
})
const BESIDE: Readonly<Record<string, Row>> = {
  good: [http(), ({ web }) => `127.0.0.1:${web}`],
  status: [http(), ({ web }) => `127.0.0.1:${web}/500`],
  redirect: [http(), ({ web }) => `http://127.0.0.1:${web}/moved`],
  unfollowed: [http({ follow_redirects: false }), ({ web }) => `127.0.0.1:${web}/moved`],
  zipped: [http({ compression: 'gzip' }), ({ web }) => `127.0.0.1:${web}/zipped`],
  unzippable: [http({ compression: 'gzip', fail_if_body_matches_regexp: ['x'] }), ({ web }) => `127.0.0.1:${web}`],
  limited: [http({ body_size_limit: '5B' }), ({ web }) => `127.0.0.1:${web}`],
  matches: [http({ fail_if_body_matches_regexp: ['hell+o'] }), ({ web }) => `127.0.0.1:${web}`],
  header: [http({ fail_if_header_not_matches: [{ header: 'x-a', regexp: '^b$' }] }), ({ web }) => `127.0.0.1:${web}`],
  version: [http({ valid_http_versions: ['HTTP/2.0'] }), ({ web }) => `127.0.0.1:${web}`],
  plain: [http({ fail_if_not_ssl: true }), ({ web }) => `127.0.0.1:${web}`],
  refused: [http(), () => '127.0.0.1:1'],
  family: [http({ preferred_ip_protocol: 'ip6', ip_protocol_fallback: false }), ({ web }) => `127.0.0.1:${web}`],
  connects: [tcp(), ({ ssh }) => `127.0.0.1:${ssh}`],
  closed: [tcp(), () => '127.0.0.1:1'],
  portless: [tcp(), () => '127.0.0.1'],
  banner: [
    tcp({ query_response: [{ expect: '^SSH-2.0-([^ ]+)', labels: [{ name: 'version', value: '${1}' }] }] }),
    ({ ssh }) => `127.0.0.1:${ssh}`,
  ],
  unexpected: [tcp({ query_response: [{ expect: '^220 ' }] }), ({ ssh }) => `127.0.0.1:${ssh}`],
  grpc: [{ prober: 'grpc', timeout: '1s', grpc: { preferred_ip_protocol: 'ip4' } }, () => '127.0.0.1:1'],
  dns: [
    { prober: 'dns', dns: { query_name: 'a', transport_protocol: 'tcp', preferred_ip_protocol: 'ip4' } },
    () => '127.0.0.1:1',
  ],
}
const MOVING = /_seconds(?:\{|$)/
const KNOWN: readonly Difference[] = [{ pattern: /probe_timeout_seconds/, reason: 'newer than the packaged version' }]

test('each prober beside the real blackbox exporter', { skip: lacks('blackbox-exporter'), timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const web = createServer(({ url }, response) => {
      response.setHeader('x-a', 'b')
      if (url === '/moved') response.writeHead(302, { location: '/' })
      if (url === '/500') response.writeHead(500)
      response.end(url === '/zipped' ? gzipSync('hello') : 'hello world')
    })
    const ssh = createTcpServer((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.9\r\n'))
    for (const server of [web, ssh])
      await new Promise<void>((resolve) => server.unref().listen(0, '127.0.0.1', () => resolve()))
    const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port
    const ports = { web: portOf(web), ssh: portOf(ssh) }
    const modules = Object.fromEntries(Object.entries(BESIDE).map(([name, [module]]) => [name, module]))
    const file = world.file('beside.yml', JSON.stringify({ modules }))
    const upstream = await startUpstream(world, 'blackbox-exporter', [`--config.file=${file}`])
    const agent = await world.startAgent({ exporters: JSON.stringify({ blackbox: { 'config.file': file } }) })
    for (const [module, [, target]] of Object.entries(BESIDE)) {
      const query = new URLSearchParams({ module, target: target(ports) })
      const { compared } = await untilHolds(module, async () => {
        const [ours, theirs] = await Promise.all([
          pageOf(`${agent.url}/probe?${query}`),
          pageOf(`${upstream.url}/probe?${query}`),
        ])
        return comparePages(ours, theirs, { known: KNOWN, moving: MOVING })
      })
      assert.ok(compared >= 6, `${module}: ${compared} lines compared`)
    }
    web.close()
    ssh.close()
  }),
)
