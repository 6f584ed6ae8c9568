/** All exporters in one agent: their pages, ports, formats and targets; other Node processes; upstream's answers. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import fs from 'node:fs'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { parseExposition } from '../../protocol/exposition/mod.ts'
import {
  exporterPage,
  HAPROXY,
  MARIADBD,
  MEMCACHED,
  pageOf,
  parsePage,
  startHaproxy,
  startMariadb,
  startMemcached,
  startUpstream,
} from './exporters-kit.ts'
import { freePort, lacks, lacksCommand, PROMTOOL, queryValue, until, untilHolds, withWorld } from './world.ts'

const lacksServers = lacksCommand(MARIADBD) || lacksCommand(HAPROXY) || lacksCommand(MEMCACHED)

test(
  'one agent scrapes everything at once, and its page is one that Prometheus takes',
  { skip: lacksServers, timeout: 300_000 },
  () =>
    withWorld(async (world) => {
      const [mariadb, haproxy, memcached] = await Promise.all([
        startMariadb(world),
        startHaproxy(world),
        startMemcached(world),
      ])
      const [statsd, ...ports] = await Promise.all(Array.from({ length: 6 }, () => freePort()))
      const [node, haproxyPort, statsdPort, mysqldPort, memcachedPort] = ports.map((port) => `127.0.0.1:${port}`)
      const hub = await world.startHub({})
      const config = world.file(
        'my.cnf',
        `[client]\nuser=exporter\npassword=secret\nhost=127.0.0.1\nport=${mariadb.address.split(':')[1]}\n`,
      )
      const exporters = JSON.stringify({
        node: { listen: node },
        nodejs: {},
        haproxy: { listen: haproxyPort, 'haproxy.scrape-uri': haproxy.csvUri },
        statsd: { listen: statsdPort, 'statsd.listen-udp': `127.0.0.1:${statsd}`, 'statsd.listen-tcp': '' },
        mysql: { listen: mysqldPort, 'config.my-cnf': config },
        memcached: { listen: memcachedPort, 'memcached.address': memcached.address },
      })
      const agent = await world.startAgent({ hub, exporters })
      const socket = createSocket('udp4')
      socket.send('clicks:1|c', statsd!, '127.0.0.1', () => socket.close())
      for (const query of [
        'mysql_up',
        'haproxy_up',
        'memcached_up',
        'clicks',
        'count(node_load1)',
        'count(nodejs_version_info)',
      ])
        await until(query, async () => (await queryValue(hub, query)) === 1)
      for (const job of ['mysql', 'haproxy', 'memcached', 'statsd', 'node', 'nodejs'])
        await until(`${job} is up`, async () => (await queryValue(hub, `up{job="${job}"}`)) === 1)
      // One page of all: no family and no series twice, as the parser of Prometheus demands.
      const text = await (await fetch(`${agent.url}/metrics`)).text()
      const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
      assert.equal(new Set(series.map((line) => line.slice(0, line.lastIndexOf(' ')))).size, series.length)
      const types = text.split('\n').filter((line) => line.startsWith('# TYPE '))
      assert.equal(new Set(types.map((line) => line.split(' ')[2])).size, types.length)
      if (fs.existsSync(PROMTOOL)) {
        const checked = await world.run(PROMTOOL, ['check', 'metrics'], { input: text })
        // 3 is lint: upstream's names have their faults.
        assert.ok(checked.code === 0 || checked.code === 3, checked.stderr)
        assert.doesNotMatch(checked.stderr, /error while linting|parsing error/)
      }
      // Each on the port of its own.
      for (const [address, series] of [
        [node, 'node_load1'],
        [haproxyPort, 'haproxy_up'],
        [statsdPort, 'clicks'],
        [mysqldPort, 'mysql_up'],
        [memcachedPort, 'memcached_up'],
      ] as const) {
        const page = await pageOf(`http://${address}/metrics`)
        assert.ok(page.has(series), `${series} at ${address}`)
        assert.ok(page.has('process_resident_memory_bytes'), `process_resident_memory_bytes at ${address}`)
        const others = ['node_load1', 'haproxy_up', 'mysql_up', 'memcached_up'].filter(
          (name) => name !== series && page.has(name),
        )
        assert.deepEqual(others, [])
      }
    }),
)

test('formats and encodings are as the client takes them', { timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const own = await freePort()
    const agent = await world.startAgent({
      exporters: JSON.stringify({
        node: {
          listen: `127.0.0.1:${own}`,
          'collector.disable-defaults': 'true',
          'collector.time': 'true',
          'collector.loadavg': 'true',
        },
      }),
      scrapeInterval: '1h',
    })
    const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
    const TEXT = 'text/plain; version=0.0.4; charset=utf-8'
    const rows: readonly (readonly [accept: string, type: string])[] = [
      ['', TEXT],
      ['*/*', TEXT],
      ['application/json', TEXT],
      ['application/openmetrics-text', OPENMETRICS],
      ['application/openmetrics-text;version=1.0.0, text/plain;q=0', OPENMETRICS],
      // As Prometheus asks: upstream's exporters have OpenMetrics switched off.
      ['application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.3', TEXT],
    ]
    for (const url of [`${agent.url}/metrics`, `${agent.url}/metrics/node`, `http://127.0.0.1:${own}/metrics`])
      for (const [accept, type] of rows) {
        const response = await fetch(url, { headers: { accept, 'accept-encoding': 'identity' } })
        assert.equal(response.headers.get('content-type'), type, `${url} ${accept}`)
        assert.equal(response.headers.get('content-encoding'), null)
        const body = new Uint8Array(await response.arrayBuffer())
        const entries = [...parseExposition(body, type === TEXT ? { format: 'text' } : { format: 'openmetrics' })]
        assert.ok(entries.length > 8, `${entries.length} entries`)
        const text = Buffer.from(body).toString()
        assert.equal(text.endsWith('# EOF\n'), type === OPENMETRICS)
        assert.match(
          text,
          type === OPENMETRICS ? /# TYPE process_cpu_seconds counter/ : /# TYPE process_cpu_seconds_total counter/,
        )
      }
    // fetch inflates by itself: the bytes are what counts.
    const { request } = await import('node:http')
    const raw = await new Promise<{ encoding: string | undefined; body: Buffer }>((resolve, reject) => {
      const headers = { 'accept-encoding': 'deflate, gzip;q=0.5' }
      request(`${agent.url}/metrics/node`, { headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () =>
          resolve({ encoding: response.headers['content-encoding'], body: Buffer.concat(chunks) }),
        )
      })
        .on('error', reject)
        .end()
    })
    assert.equal(raw.encoding, 'gzip')
    assert.ok(parsePage(gunzipSync(raw.body).toString()).has('node_load1'))
  }),
)

test(
  'a port of its own answers what the real program answers',
  { skip: lacks('node-exporter'), timeout: 300_000 },
  () =>
    withWorld(async (world) => {
      const port = await freePort()
      await world.startAgent({
        exporters: JSON.stringify({ node: { listen: `127.0.0.1:${port}` } }),
        scrapeInterval: '1h',
      })
      const upstream = await startUpstream(world, 'node-exporter', [])
      const [ours, theirs] = [`http://127.0.0.1:${port}`, upstream.url]
      for (const path of ['/metrics?collect[]=nothing', '/nowhere']) {
        const [mine, real] = await Promise.all([fetch(ours + path), fetch(theirs + path)])
        assert.equal(mine.status, path === '/nowhere' ? 404 : real.status, path)
        if (path !== '/nowhere') assert.equal((await mine.text()).trim(), (await real.text()).trim())
      }
      const landing = await fetch(ours)
      assert.match(landing.headers.get('content-type')!, /^text\/html/)
      assert.match(await landing.text(), /<a href="\/metrics">Metrics<\/a>/)
      assert.equal((await fetch(`${ours}/metrics`, { method: 'POST' })).status, 405)
    }),
)

test('a port that is taken is named, keeps nothing else, and is had once it is free', { timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const [page, tcp, free] = [await freePort(), await freePort(), await freePort()]
    const holders = [page, tcp].map((port) => createServer().listen(port, '127.0.0.1'))
    await Promise.all(holders.map((holder) => once(holder, 'listening')))
    const agent = await world.startAgent({
      exporters: JSON.stringify({
        memcached: { listen: `127.0.0.1:${page}` },
        statsd: { listen: `127.0.0.1:${free}`, 'statsd.listen-udp': '', 'statsd.listen-tcp': `127.0.0.1:${tcp}` },
      }),
      scrapeInterval: '1h',
    })
    const named = (exporter: string, port: number): RegExp =>
      new RegExp(`exporter=${exporter} err="Cannot listen on 127.0.0.1:${port}: address already in use`)
    await until(
      'the ports are named',
      () => named('memcached', page).test(agent.output) && named('statsd', tcp).test(agent.output),
      {
        explain: () => agent.tail(),
      },
    )
    const refused = await fetch(`http://127.0.0.1:${free}/metrics`)
    assert.equal(refused.status, 503)
    assert.match(await refused.text(), new RegExp(`^Cannot listen on 127.0.0.1:${tcp}: address already in use`))
    for (const holder of holders) holder.close()
    await until('its page is had', async () => {
      const answer = await fetch(`http://127.0.0.1:${page}/metrics`).catch(() => null)
      return answer?.status === 200
    })
    connect(tcp, '127.0.0.1').end('late:1|c\n')
    await until('its packets are counted', async () => (await exporterPage(agent, 'statsd')).get('late') === '1')
    await agent.stop()
  }),
)

test('another Node process is measured through its diagnostics socket', { timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const port = await freePort()
    const script =
      'const keep = []; setInterval(() => { keep.push(Buffer.alloc(1000)); if (keep.length > 1000) keep.length = 0 }, 1)'
    const other = world.program({
      name: 'other',
      file: process.execPath,
      args: [`--inspect=127.0.0.1:${port}`, '-e', script],
    })
    other.spawn()
    const agent = await world.startAgent({
      exporters: JSON.stringify({ nodejs: { inspect: `127.0.0.1:${port}` } }),
      scrapeInterval: '1h',
    })
    const label = `inspect="127.0.0.1:${port}"`
    const page = await until('it answers', async () => {
      const now = await exporterPage(agent, 'nodejs')
      return now.get(`nodejs_inspect_up{${label}}`) === '1' && now
    })
    const ownNames = [...page.keys()]
      .filter((line) => !line.startsWith('#') && !line.includes('inspect='))
      .map((line) => line.replace(/\{.*/, ''))
    const otherNames = new Set(
      [...page.keys()].filter((line) => line.includes(label)).map((line) => line.replace(/\{.*/, '')),
    )
    // What prom-client tells of a process by default, of the other as of our own.
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_heap_size_used_bytes',
      'nodejs_eventloop_lag_seconds',
      'nodejs_active_handles_total',
      'nodejs_version_info',
      'nodejs_heap_space_size_used_bytes',
      'nodejs_external_memory_bytes',
    ]) {
      assert.ok(ownNames.includes(name), `${name} of its own`)
      assert.ok(otherNames.has(name), `${name} of the other`)
    }
    await untilHolds('its memory is that of the other process', async () => {
      const resident = Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${other.pid}/status`, 'utf8'))![1]) * 1024
      const told = Number((await exporterPage(agent, 'nodejs')).get(`process_resident_memory_bytes{${label}}`))
      assert.ok(Math.abs(told - resident) < 0.3 * resident, `${told} told, ${resident} now`)
    })
    await other.stop()
    assert.equal((await exporterPage(agent, 'nodejs')).get(`nodejs_inspect_up{${label}}`), '0')
  }),
)
