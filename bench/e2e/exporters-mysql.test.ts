/** The mysql exporter in a real agent, on a real MariaDB, beside the newest packaged mysqld_exporter. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { COLLECTORS } from '../../exporters/mysql/collectors.ts'
import { peer } from '../peers/peers.ts'
import {
  comparePages,
  type Difference,
  exporterPage,
  MARIADBD,
  type Mariadb,
  pageOf,
  startMariadb,
  startUpstream,
} from './exporters-kit.ts'
import { lacks, lacksCommand, queryValue, until, untilHolds, type World, withWorld } from './world.ts'

const skip = lacksCommand(MARIADBD) || lacks('mysqld-exporter')

const TABLES = `
CREATE DATABASE shop; USE shop;
CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(20), INDEX by_note (note)) ENGINE=InnoDB;
INSERT INTO orders (note) VALUES ('a'), ('b'), ('c');
SELECT * FROM orders WHERE note = 'b';
CREATE DATABASE heartbeat; USE heartbeat;
CREATE TABLE heartbeat (ts VARCHAR(26) NOT NULL, server_id INT UNSIGNED NOT NULL PRIMARY KEY);
INSERT INTO heartbeat VALUES (UTC_TIMESTAMP(6), 7);
`

const KNOWN: readonly Difference[] = [
  { pattern: /mysqld_exporter_config_last_reload/, reason: '0.20 tells it, the packaged 0.19 does not' },
  { pattern: /^mysql_sys_current_memory_bytes\{/, reason: 'below zero it is 0 since then, 0.19 shows it as it is' },
]

/** Counted by the very questions of the two exporters, or gone on between them. */
const MOVING = /duration_seconds|global_status_memory_used|perf_schema_events_waits_\w*total\{event_name="idle"\}/

test('every collector tells of a MariaDB what the real mysqld exporter tells', { skip, timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const mariadb = await startMariadb(world, { flags: ['--log-bin', '--server-id=7'] })
    await mariadb.sql(TABLES)
    const file = world.file('my.cnf', myCnf(mariadb))
    const theirFlags = upstreamCollectors()
    assert.ok(theirFlags.length > 30, `${theirFlags.length} collectors`)
    const flags = Object.fromEntries(theirFlags.map((name) => [`collect.${name}`, 'true']))
    const agent = await world.startAgent({
      exporters: JSON.stringify({ mysql: { ...flags, 'config.my-cnf': file } }),
      scrapeInterval: '1h',
    })
    const upstream = await startUpstream(world, 'mysqld-exporter', [
      `--config.my-cnf=${file}`,
      ...theirFlags.map((name) => `--collect.${name}`),
    ])
    await pageOf(`${upstream.url}/metrics`)
    await pageOf(`${agent.url}/metrics/mysql`)
    // The server goes on between two readings: a gauge may be otherwise for a moment, as it was neither before nor after.
    const { compared } = await untilHolds('both tell the same', async () => {
      const ours = await pageOf(`${agent.url}/metrics/mysql`)
      const theirs = await pageOf(`${upstream.url}/metrics`)
      const bracket = await pageOf(`${agent.url}/metrics/mysql`)
      return comparePages(ours, theirs, { known: KNOWN, moving: MOVING, bracket })
    })
    assert.ok(compared > 1500, `${compared} lines compared`)
  }),
)

test(
  'probes of several servers, as whom a section says, tell what the real one tells',
  { skip, timeout: 300_000 },
  () =>
    withWorld(async (world) => {
      const [first, second] = await Promise.all([startMariadb(world), startMariadb(world, { name: 'second' })])
      const file = world.file('my.cnf', myCnf(first))
      const exporters = JSON.stringify({ mysql: { 'config.my-cnf': file } })
      const agent = await world.startAgent({ exporters, scrapeInterval: '1h' })
      const upstream = await startUpstream(world, 'mysqld-exporter', [`--config.my-cnf=${file}`])
      for (const query of [
        `target=${second.address}`,
        `target=${second.address}&collect[]=global_variables`,
        `target=${second.address}&auth_module=client.socket`,
        `target=${second.address}&auth_module=client.preferred`,
        `target=${second.address}&auth_module=nobody`,
        'target=127.0.0.1:1',
      ])
        await untilHolds(query, async () => {
          const [ours, theirs, bracket] = [
            await pageOf(`${agent.url}/probe?${query}`),
            await pageOf(`${upstream.url}/probe?${query}`),
            await pageOf(`${agent.url}/probe?${query}`),
          ]
          comparePages(ours, theirs, { known: [], moving: MOVING, bracket })
        })
      for (const query of ['', 'target=a:1&auth_module=missing']) {
        const [ours, theirs] = await Promise.all([agent, upstream].map(({ url }) => fetch(`${url}/probe?${query}`)))
        assert.deepEqual([ours!.status, await ours!.text()], [theirs!.status, await theirs!.text()], query)
      }
    }),
)

test(
  'several servers are targets of one agent, with their own labels, users and sockets',
  { skip, timeout: 300_000 },
  () =>
    withWorld(async (world) => {
      const [first, second] = await Promise.all([startMariadb(world), startMariadb(world, { name: 'second' })])
      const hub = await world.startHub({})
      const file = world.file('my.cnf', myCnf(first))
      const exporters = JSON.stringify({
        mysql: {
          'config.my-cnf': file,
          targets: [
            { target: first.address, instance: 'orders', labels: { team: 'shop' } },
            { target: `unix://${second.socket}`, instance: 'billing' },
            { target: first.address, instance: 'refused', auth_module: 'nobody' },
          ],
        },
      })
      const agent = await world.startAgent({ hub, exporters })
      const up = (instance: string) => queryValue(hub, `mysql_up{job="mysql",instance="${instance}"}`)
      await until(
        'both servers are up at the hub',
        async () => (await up('orders')) === 1 && (await up('billing')) === 1,
      )
      await until('the third is known to refuse', async () => (await up('refused')) === 0)
      // A scrape in which the server was up, but too slow for all statements, tells no variables.
      const variables = 'count(mysql_global_variables_max_connections{team="shop"})'
      await until('its variables are there, with its labels', async () => (await queryValue(hub, variables)) === 1)
      await untilHolds('the page tells the same', async () => {
        const page = await exporterPage(agent, 'mysql')
        assert.equal(page.get('mysql_up{instance="orders"}'), '1')
        assert.equal(page.get('mysql_up{instance="refused"}'), '0')
      })
      await first.program.stop()
      await until('the hub knows that one is down', async () => (await up('orders')) === 0)
      await until('the other is up', async () => (await up('billing')) === 1)
      // A password never leaves the file that holds it.
      assert.doesNotMatch(world.tails(1000), /secret/)
    }),
)

test('a scrape waits neither for a lock nor for a server that hangs', { skip, timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const mariadb = await startMariadb(world)
    await mariadb.sql(TABLES)
    const file = world.file('my.cnf', myCnf(mariadb))
    const flags = { 'config.my-cnf': file, 'collect.heartbeat': 'true', 'exporter.lock_wait_timeout': '1' }
    const agent = await world.startAgent({ exporters: JSON.stringify({ mysql: flags }), scrapeInterval: '1h' })
    const success = async (): Promise<string | undefined> =>
      (await exporterPage(agent, 'mysql')).get('mysql_exporter_collector_success{collector="collect.heartbeat"}')
    await until('the heartbeat is told of', async () => (await success()) === '1')
    // Held until it is told to let go: a scrape that waited for it would not come back.
    const holder = mariadb.sql('LOCK TABLES heartbeat.heartbeat WRITE; SELECT SLEEP(600);')
    const released = assert.rejects(holder, /ERROR/)
    const sleeper = await until('the lock is held', async () =>
      /^(\d+)\t.*SLEEP\(600\)/m.exec(await mariadb.sql('SHOW PROCESSLIST')),
    )
    assert.equal(await success(), '0')
    await mariadb.sql(`KILL ${sleeper[1]}`)
    await released
    await until('the heartbeat is told of again', async () => (await success()) === '1')
    mariadb.program.signal('SIGSTOP')
    const headers = { 'x-prometheus-scrape-timeout-seconds': '2' }
    const stopped = performance.now()
    const page = await pageOf(`${agent.url}/metrics/mysql`, headers)
    assert.equal(page.get('mysql_up'), '0')
    // Without the caller's word it would be ten seconds.
    const took = performance.now() - stopped
    assert.ok(took > 1000 && took < 9000, `${took} ms`)
    mariadb.program.signal('SIGCONT')
    await until('the heartbeat is told of after the stop', async () => (await success()) === '1')
  }),
)

test(
  'TLS is checked against the authority and the name',
  { skip: skip || lacksCommand('/usr/bin/openssl'), timeout: 300_000 },
  () =>
    withWorld(async (world) => {
      const folder = world.file('tls/x').replace(/x$/, '')
      await certificates(world, folder)
      const tls = [`--ssl-ca=${folder}ca.pem`, `--ssl-cert=${folder}server.pem`, `--ssl-key=${folder}server.key`]
      const mariadb = await startMariadb(world, { flags: [...tls, '--require-secure-transport=ON'] })
      const section = (name: string, lines: string): string => `[${name}]\nuser=exporter\npassword=secret\n${lines}\n`
      const file = world.file(
        'my.cnf',
        section('client', `ssl-ca=${folder}ca.pem`) +
          section('other', `ssl-ca=${folder}other.pem`) +
          section('lax', `ssl-ca=${folder}other.pem\nssl-skip-verify=true`) +
          section('any', 'tls=skip-verify') +
          section('preferred', 'tls=preferred') +
          section('known', 'tls=true') +
          section('plain', ''),
      )
      const exporters = JSON.stringify({ mysql: { 'config.my-cnf': file } })
      const agent = await world.startAgent({ exporters, scrapeInterval: '1h' })
      const up = async (host: string, module: string): Promise<string | undefined> => {
        const target = mariadb.address.replace('127.0.0.1', host)
        return (await pageOf(`${agent.url}/probe?target=${target}&auth_module=${module}`)).get('mysql_up')
      }
      assert.equal(await up('127.0.0.1', 'client'), '1')
      assert.equal(await up('127.0.0.1', 'other'), '0', 'another authority')
      assert.equal(await up('127.0.0.1', 'lax'), '1')
      assert.equal(await up('127.0.0.1', 'any'), '1', 'any certificate')
      assert.equal(await up('127.0.0.1', 'preferred'), '1', 'any certificate, or none')
      assert.equal(await up('127.0.0.1', 'known'), '0', 'an authority that the system does not know')
      assert.equal(await up('127.0.0.1', 'plain'), '0', 'no TLS')
      assert.equal(await up('localhost', 'client'), '0', 'a name that the certificate does not have')
      assert.match(agent.output, /Error opening connection to database/)
    }),
)

/** An authority, a certificate of 127.0.0.1 by it, and another authority. */
async function certificates(world: World, folder: string): Promise<void> {
  const openssl = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await world.run('/usr/bin/openssl', args)
    assert.equal(code, 0, stderr)
  }
  fs.mkdirSync(folder, { recursive: true })
  for (const name of ['ca', 'other'])
    await openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${folder}${name}.key`,
      '-out',
      `${folder}${name}.pem`,
    )
  await openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=db',
    '-keyout',
    `${folder}server.key`,
    '-out',
    `${folder}server.csr`,
  )
  const extensions = world.file('tls/ext', 'subjectAltName=IP:127.0.0.1\n')
  await openssl(
    'x509',
    '-req',
    '-days',
    '2',
    '-in',
    `${folder}server.csr`,
    '-CA',
    `${folder}ca.pem`,
    '-CAkey',
    `${folder}ca.key`,
    '-CAcreateserial',
    '-extfile',
    extensions,
    '-out',
    `${folder}server.pem`,
  )
}

function myCnf({ address, socket }: Mariadb): string {
  const [host, port] = address.split(':')
  return `[client]\nuser=exporter\npassword=secret\nhost=${host}\nport=${port}\n[client.socket]\nsocket=${socket}\n[client.preferred]\ntls=preferred\n[nobody]\nuser=nobody\npassword=wrong\n`
}

/** Those that both have: the packaged program may be older. */
function upstreamCollectors(): string[] {
  const found = peer('mysqld-exporter')
  const { stdout, stderr } = spawnSync(found.path!, ['--help-long'], { encoding: 'utf8' })
  const flags = [...(stdout + stderr).matchAll(/^ +--(?:\[no-\])?collect\.([\w.]+)/gm)].map((match) => match[1]!)
  return flags.filter((name) => COLLECTORS.has(name))
}
