/**
 * The memcached exporter in a real agent, on a real memcached. Upstream's exporter is not packaged: its metrics are in
 * the conformance kit; here is what needs a server: counts that are known, TCP, unix socket, TLS, scrapes by target.
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { exporterPage, MEMCACHED, pageOf, startMemcached } from './exporters-kit.ts'
import { freePort, lacksCommand, queryValue, until, untilHolds, withWorld } from './world.ts'

const skip = lacksCommand(MEMCACHED)

/** Sends commands and waits for as many lines of answers. */
function command(
  target: { readonly port: number } | { readonly path: string },
  text: string,
  lines: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = 'path' in target ? target : { ...target, host: '127.0.0.1' }
    const socket = connect(options, () => socket.write(text))
    let answer = ''
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      answer += chunk
      if (answer.split('\r\n').length > lines) {
        socket.end()
        resolve(answer)
      }
    })
  })
}

const WORK = 'set a 0 0 3\r\nabc\r\nget a\r\nget b\r\ndelete b\r\nincr a 1\r\n'

test('counts are those of what was done, over TCP and a unix socket', { skip, timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const { address, port } = await startMemcached(world)
    const path = world.file('memcached.sock')
    world.program({ name: 'memcached-unix', file: MEMCACHED, args: ['-u', 'root', '-s', path, '-m', '64'] }).spawn()
    await until('the socket listens', () => command({ path }, 'version\r\n', 1))
    for (const target of [{ port }, { path }]) await command(target, WORK, 7)
    const exporters = JSON.stringify({
      memcached: {
        targets: [
          { target: address, instance: 'tcp' },
          { target: path, instance: 'unix' },
          { target: '127.0.0.1:1', instance: 'gone' },
        ],
      },
    })
    const agent = await world.startAgent({ exporters, scrapeInterval: '1h' })
    for (const [series, value] of [
      ['memcached_up{instance="tcp"}', '1'],
      ['memcached_up{instance="unix"}', '1'],
      ['memcached_up{instance="gone"}', '0'],
      ['memcached_commands_total{command="get",instance="tcp",status="hit"}', '1'],
      ['memcached_commands_total{command="get",instance="unix",status="miss"}', '1'],
      ['memcached_commands_total{command="set",instance="unix",status="hit"}', '1'],
      ['memcached_commands_total{command="delete",instance="tcp",status="miss"}', '1'],
      ['memcached_current_items{instance="tcp"}', '1'],
      ['memcached_slab_current_items{instance="tcp",slab="1"}', '1'],
      ['memcached_limit_bytes{instance="tcp"}', '3.3554432e+07'],
      ['memcached_limit_bytes{instance="unix"}', '6.7108864e+07'],
    ] as const)
      await untilHolds(series, async () => {
        assert.equal((await exporterPage(agent, 'memcached')).get(series), value, series)
      })
    const page = await exporterPage(agent, 'memcached')
    const version = [...page.keys()].filter((series) => series.startsWith('memcached_version{'))
    assert.equal(version.length, 2)
    assert.match(version[0]!, /version="1\.\d+\.\d+"/)
    const scraped = await pageOf(`${agent.url}/scrape?target=${address}`)
    assert.equal(scraped.get('memcached_up'), '1')
    assert.equal(scraped.get('memcached_commands_total{command="get",status="hit"}'), '1')
    const refused = await fetch(`${agent.url}/scrape`)
    assert.deepEqual([refused.status, await refused.text()], [400, "'target' parameter must be specified\n"])
  }),
)

test(
  'TLS is checked against the authority and the name',
  { skip: skip || lacksCommand('/usr/bin/openssl'), timeout: 300_000 },
  () =>
    withWorld(async (world) => {
      const port = await freePort()
      const [key, cert] = [world.file('key.pem'), world.file('cert.pem')]
      const subject = ['-subj', '/CN=cache', '-addext', 'subjectAltName=DNS:cache.example']
      const made = await world.run('/usr/bin/openssl', [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        ...subject,
        '-keyout',
        key,
        '-out',
        cert,
      ])
      assert.equal(made.code, 0, made.stderr)
      const args = [
        '-u',
        'root',
        '-l',
        '127.0.0.1',
        '-p',
        String(port),
        '-Z',
        '-o',
        `ssl_chain_cert=${cert},ssl_key=${key}`,
      ]
      const program = world.program({ name: 'memcached-tls', file: MEMCACHED, args })
      program.spawn()
      const tls = { 'memcached.address': `127.0.0.1:${port}`, 'memcached.tls.enable': 'true' }
      const ca = { 'memcached.tls.ca-file': cert }
      const targets = [
        { instance: 'unchecked', 'memcached.tls.insecure-skip-verify': 'true' },
        { instance: 'unknown' },
        { instance: 'right', ...ca, 'memcached.tls.server-name': 'cache.example' },
        { instance: 'wrong', ...ca, 'memcached.tls.server-name': 'other.example' },
      ]
      const exporters = JSON.stringify({ memcached: { ...tls, targets } })
      const agent = await world.startAgent({ exporters, scrapeInterval: '1h' })
      const up = async (): Promise<readonly (string | undefined)[]> => {
        const page = await exporterPage(agent, 'memcached')
        return targets.map(({ instance }) => page.get(`memcached_up{instance="${instance}"}`))
      }
      await until('it answers over TLS', async () => (await up())[0] === '1', { explain: () => program.tail() })
      await untilHolds('what is trusted is up', async () => assert.deepEqual(await up(), ['1', '0', '1', '0']))
    }),
)

test('its samples arrive at a hub', { skip, timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const { address, port } = await startMemcached(world)
    const hub = await world.startHub({})
    await world.startAgent({ hub, exporters: JSON.stringify({ memcached: { 'memcached.address': address } }) })
    await until('it is up', async () => (await queryValue(hub, 'memcached_up{job="memcached"}')) === 1)
    await command({ port }, WORK, 7)
    const hits = 'memcached_commands_total{job="memcached",command="get",status="hit"}'
    await until('the hit is counted', async () => (await queryValue(hub, hits)) === 1)
  }),
)
