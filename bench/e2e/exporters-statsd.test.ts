/** The statsd exporter in a real agent: sockets, reload of mappings, and a load of 100,000 packets a second. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { watchShare } from './bad-day/kit.ts'
import { exporterPage, type Page, pageOf } from './exporters-kit.ts'
import { type Agent, freePort, queryValue, ROOT, until, type World, withWorld } from './world.ts'

/** Long enough that a stall of the machine does not decide; the kernel keeps what waits. */
const LOAD_SECONDS = process.env['HELIO_LONG'] ? 20 : 5
const PER_SECOND = 100_000

async function startStatsd(
  world: World,
  flags: Readonly<Record<string, string>> = {},
  more = {},
): Promise<{ agent: Agent; port: number }> {
  const port = await freePort()
  const listen = { 'statsd.listen-udp': `127.0.0.1:${port}`, 'statsd.listen-tcp': '' }
  const exporters = JSON.stringify({ statsd: { ...listen, ...flags } })
  return { agent: await world.startAgent({ exporters, scrapeInterval: '1s', ...more }), port }
}

function send(port: number, ...packets: readonly string[]): Promise<void> {
  const socket = createSocket('udp4')
  return new Promise((resolve, reject) => {
    let left = packets.length
    for (const packet of packets)
      socket.send(packet, port, '127.0.0.1', (error) => {
        if (error) reject(error)
        if (--left > 0) return
        socket.close()
        resolve()
      })
  })
}

const numberOf = (page: Page, series: string): number => Number(page.get(series) ?? Number.NaN)

test(`${PER_SECOND} packets a second from another process are counted to the last`, { timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const { agent, port } = await startStatsd(world)
    const count = LOAD_SECONDS * PER_SECOND
    const sender = path.join(ROOT, 'bench/agent/statsd-sender.ts')
    const args = [sender, '127.0.0.1', String(port), String(count), String(PER_SECOND)]
    const shareOfCpu = watchShare(agent)
    const { code, stdout, stderr } = await world.run(process.execPath, args, { timeoutMs: 100_000 })
    const share = shareOfCpu()
    assert.equal(code, 0, stderr)
    const { sent, perSecond } = JSON.parse(stdout) as { sent: number; perSecond: number }
    assert.equal(sent, count)
    const received = (page: Page): number => numberOf(page, 'statsd_exporter_udp_packets_total')
    const dropped = (page: Page): number => numberOf(page, 'statsd_exporter_udp_packet_drops_total')
    const page = await until(
      'every packet is accounted for',
      async () => {
        const now = await exporterPage(agent, 'statsd')
        return received(now) + dropped(now) === sent && now
      },
      { timeoutMs: 120_000 },
    )
    // Every packet is one line, one sample and one event; each is in exactly one series.
    for (const series of [
      'statsd_exporter_lines_total',
      'statsd_exporter_samples_total',
      'statsd_exporter_events_unmapped_total',
    ])
      assert.equal(numberOf(page, series), received(page), series)
    const sum = (pattern: RegExp): number =>
      [...page].reduce((total, [series, value]) => total + (pattern.test(series) ? Number(value) : 0), 0)
    const events = sum(/^statsd_exporter_events_total\{/)
    assert.equal(events, received(page))
    const counted = sum(/^load_(?:requests_route\d+$|tagged\{)/)
    const observed = sum(/^load_latency_route\d+_count$/)
    const gauges = numberOf(page, 'statsd_exporter_events_total{type="gauge"}')
    assert.equal(counted + observed + gauges, received(page))
    if (dropped(page) === 0) assert.equal(counted, (sent * 30) / 50)
    console.log(
      `${Math.round(perSecond)} packets/s sent, ${received(page)} received, ${dropped(page)} dropped by the kernel; it had a CPU for ${share.toFixed(2)} of the time that it wanted one`,
    )
    // Half of them at least, of what the host gave it time for.
    assert.ok(received(page) >= 0.5 * sent * share, `${dropped(page)} of ${sent} were dropped, with ${share} of a CPU`)
  }),
)

test('its samples arrive at a hub, and its own page is where upstream has it', { timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const hub = await world.startHub({})
    const web = await freePort()
    const { port } = await startStatsd(world, { listen: `127.0.0.1:${web}` }, { hub })
    await send(port, 'orders.placed:3|c\norders.open:7|g', 'orders.took:250|ms')
    await until('they are there', async () => (await queryValue(hub, 'orders_placed{job="statsd"}')) === 3)
    await until('the gauge, too', async () => (await queryValue(hub, 'orders_open{job="statsd"}')) === 7)
    await until('the timer, too', async () => (await queryValue(hub, 'orders_took_sum{job="statsd"}')) === 0.25)
    const page = await pageOf(`http://127.0.0.1:${web}/metrics`)
    assert.equal(page.get('orders_placed'), '3')
    assert.equal(await (await fetch(`http://127.0.0.1:${web}/-/healthy`)).text(), 'StatsD Exporter is Healthy.\n')
  }),
)

test('a reload reads mappings and keeps counters, sockets and series', { timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const file = world.file('mapping.yml', 'mappings: [{match: "a.*", name: "before", labels: {xx: "$1"}}]')
    const web = await freePort()
    const { agent, port } = await startStatsd(world, { 'statsd.mapping-config': file, listen: `127.0.0.1:${web}` })
    const value = async (series: string): Promise<string | undefined> =>
      (await exporterPage(agent, 'statsd')).get(series)
    await send(port, 'a.b:1|c')
    await until('it is mapped', async () => (await value('before{xx="b"}')) === '1')
    fs.writeFileSync(file, 'mappings: [{match: "a.*", name: "after", labels: {yy: "$1"}}]')
    const reload = (url: string): Promise<Response> => fetch(`${url}/-/reload`, { method: 'POST' })
    const reloaded = async (url: string): Promise<void> => {
      const answer = await reload(url)
      assert.equal(answer.status, 200, await answer.text())
    }
    assert.equal(await (await reload(`http://127.0.0.1:${web}`)).text(), 'Requesting reload')
    await send(port, 'a.b:2|c')
    await until('it is mapped anew', async () => (await value('after{yy="b"}')) === '2')
    assert.equal(await value('before{xx="b"}'), '1')
    fs.writeFileSync(file, 'mappings: [{match: "a.[", name: 5')
    await reloaded(agent.url)
    await send(port, 'a.c:1|c')
    await until('the mappings of before stay', async () => (await value('after{yy="c"}')) === '1')
    assert.equal(await value('statsd_exporter_config_reloads_total{outcome="failure"}'), '1')
    // Another configuration of something else touches nothing here.
    const text = fs.readFileSync(agent.configFile, 'utf8')
    fs.writeFileSync(agent.configFile, text.replace('scrape_interval: 1s', 'scrape_interval: 2s'))
    await reloaded(agent.url)
    assert.equal(await value('before{xx="b"}'), '1')
    // One of its own flags: it begins anew, on the same ports, once all its files are good.
    const changed = text.replace('"statsd.listen-tcp":""', '"statsd.listen-tcp":"","statsd.cache-size":"10"')
    fs.writeFileSync(agent.configFile, changed)
    assert.equal((await reload(agent.url)).status, 500)
    assert.equal(await value('before{xx="b"}'), '1')
    fs.writeFileSync(file, 'mappings: []')
    await reloaded(agent.url)
    assert.equal(await value('before{xx="b"}'), undefined)
    await send(port, 'fresh:1|c')
    await until('it listens again', async () => (await value('fresh')) === '1')
    assert.equal((await pageOf(`http://127.0.0.1:${web}/metrics`)).get('fresh'), '1')
  }),
)

test(
  'a socket of the file system takes packets',
  { timeout: 300_000, skip: !fs.existsSync('/usr/bin/python3') && 'no python3' },
  () =>
    withWorld(async (world) => {
      const file = world.file('statsd.sock')
      const { agent } = await startStatsd(world, { 'statsd.listen-unixgram': file })
      const script = `import socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\nfor i in range(1000): s.sendto(b'unix.hits:1|c', ${JSON.stringify(file)})`
      assert.equal(spawnSync('/usr/bin/python3', ['-c', script]).status, 0)
      await until('all are there', async () => (await exporterPage(agent, 'statsd')).get('unix_hits') === '1000')
    }),
)
