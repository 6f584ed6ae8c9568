/**
 * The agent's node exporter beside the real one on this host, with every collector that the real one knows, and with
 * real peers for those that ask a daemon: a D-Bus daemon with made-up units and sessions, chronyd, supervisord.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { createEnv } from '../../agent/env/mod.ts'
import { COLLECTORS } from '../../exporters/node/collectors.ts'
import { createNodeExporter } from '../../exporters/node/mod.ts'
import { peer } from '../peers/peers.ts'
import { freePort, lacks, lacksCommand, until, untilHolds, type World, withWorld } from './world.ts'

type Flags = Readonly<Record<string, string>>

const PYTHON = '/usr/bin/python3'
const missing = lacks('node-exporter')
/** Debian's package has other defaults than upstream. */
const COMMON: Flags = { 'collector.filesystem.mount-points-exclude': '^/(dev|proc|sys|run)($|/)' }

/** What node_exporter 1.12 has and the packaged 1.11 not: collectors, families, helps. */
const NEWER =
  /dmmultipath|nvmesubsystem|node_ksmd|node_exporter_build_info|node_timex_offset_overflow|^node_drm_card_info/
/** It reads `ro` only as the sole option of a mount, and takes a disk without all queue attributes as not rotating. */
const KNOWN_BUGS = /^node_(?:filesystem_readonly|disk_info)/
/** Counted since each program began, or of the moment, or of the programs themselves. */
const MOVING =
  /duration_seconds|node_perf_|node_procs_|_queued_bytes|node_softnet|node_slabinfo|node_zoneinfo|node_memory|node_vmstat|node_buddyinfo|node_processes|node_sockstat|_connection_states|node_entropy|node_filefd/

test('every collector tells what the real node exporter tells', { skip: missing }, () =>
  withWorld(async (world) => {
    const { stdout, stderr } = spawnSync(program(), ['--help-long'], { encoding: 'utf8' })
    const known = stdout + stderr
    const names = Object.keys(COLLECTORS).filter(
      (name) => known.includes(`--collector.${name} `) || known.includes(`--collector.${name}\n`),
    )
    assert.ok(names.length >= 77, `the real one knows ${names.length} collectors`)
    const flags = { ...COMMON, ...Object.fromEntries(names.map((name) => [`collector.${name}`, 'true'])) }
    const [ours, theirs] = await bothSame(world, flags)
    assert.ok(theirs.size > 2000, `${theirs.size} lines`)
    for (const name of ['timex', 'qdisc', 'ethtool', 'network_route', 'perf', 'netclass'])
      assert.equal(ours.get(`node_scrape_collector_success{collector="${name}"}`), '1', name)
  }),
)

test('collect[] and exclude[] choose as with the real node exporter', { skip: missing }, () =>
  withWorld(async (world) => {
    const agent = await world.startAgent({
      exporters: '{ node: { web.disable-exporter-metrics: true } }',
      scrapeInterval: '1h',
    })
    const port = await freePort()
    const args = [`--web.listen-address=127.0.0.1:${port}`, '--web.disable-exporter-metrics']
    world.program({ name: 'node-exporter', file: program(), args }).spawn()
    await until('the node exporter answers', async () => (await fetch(`http://127.0.0.1:${port}/`)).ok)
    for (const query of [
      'collect[]=time&collect[]=loadavg',
      'collect[]=oracle',
      'collect[]=perf',
      'collect[]=cpu&exclude[]=cpu',
    ]) {
      await untilHolds(query, async () => {
        const [ours, theirs] = await Promise.all(
          [`${agent.url}/metrics/node`, `http://127.0.0.1:${port}/metrics`].map((url) => fetch(`${url}?${query}`)),
        )
        assert.equal(ours!.status, theirs!.status, query)
        const [mine, upstream] = [await ours!.text(), await theirs!.text()]
        if (ours!.ok) compare(parse(mine), parse(upstream))
        else assert.equal(mine.trim(), upstream.trim())
      })
    }
  }),
)

test('the exporter tells of its own process what the real one tells of its', { skip: missing }, () =>
  withWorld(async (world) => {
    const port = await freePort()
    const args = [`--web.listen-address=127.0.0.1:${port}`, '--collector.disable-defaults', '--collector.time']
    world.program({ name: 'node-exporter', file: program(), args }).spawn()
    await until('the node exporter answers', async () => (await fetch(`http://127.0.0.1:${port}/`)).ok)
    const exporters = JSON.stringify({ node: { 'collector.disable-defaults': 'true', 'collector.time': 'true' } })
    const agent = await world.startAgent({ exporters, scrapeInterval: '1h' })
    const lines = async (url: string): Promise<string[]> =>
      (await (await fetch(url)).text()).split('\n').filter((line) => /^# \w+ process_/.test(line))
    assert.deepEqual(await lines(`${agent.url}/metrics/node`), await lines(`http://127.0.0.1:${port}/metrics`))
  }),
)

test('every flag of the real node exporter that concerns collecting is taken', { skip: missing }, () => {
  const { stdout, stderr } = spawnSync(program(), ['--help-long'], { encoding: 'utf8' })
  const flags = [...(stdout + stderr).matchAll(/^ +--((?:collector|path)\.[\w.-]+)/gm)].map((match) => match[1]!)
  assert.ok(flags.length > 140, `${flags.length} flags`)
  const env = createEnv({ logLevel: 'error', logFormat: 'logfmt' })
  const unknown = [...new Set(flags)].filter((flag) => {
    try {
      createNodeExporter({ ...env, flags: { [flag]: 'false' }, version: 't' })
      return false
    } catch (error) {
      return (error as Error).message.includes(': unknown;')
    }
  })
  assert.deepEqual(unknown, [])
})

test('interfaces over netlink are those of the real node exporter', { skip: missing }, () =>
  withWorld(async (world) => {
    const on = ['netclass', 'netclass.netlink', 'netclass_rtnl.with-stats']
    const flags = {
      'collector.disable-defaults': 'true',
      ...Object.fromEntries(on.map((n) => [`collector.${n}`, 'true'])),
    }
    // An unknown speed is 2^32 - 1 megabits a second for upstream's library.
    const known = (page: Page): Page => new Map([...page].filter(([series]) => !/network_speed_bytes/.test(series)))
    await bothSame(world, flags, {}, (ours, theirs) => compare(known(ours), known(theirs)))
  }),
)

test('addresses of interfaces are those of the real node exporter', { skip: missing }, () =>
  withWorld(async (world) => {
    const flags = {
      'collector.disable-defaults': 'true',
      'collector.netdev': 'true',
      'collector.netdev.address-info': 'true',
    }
    const [, theirs] = await bothSame(world, flags)
    assert.ok([...theirs.keys()].some((series) => series.startsWith('node_network_address_info{')))
  }),
)

const lacksBus =
  missing || lacksCommand('/usr/bin/dbus-daemon') || lacksPython('import dbus, dbus.mainloop.glib, gi.repository.GLib')

test('units and sessions over D-Bus are those of the real node exporter', { skip: lacksBus }, () =>
  withWorld(async (world) => {
    const address = `unix:path=${world.file('bus')}`
    const config = world.file(
      'bus.conf',
      `<busconfig><type>system</type><listen>${address}</listen><auth>EXTERNAL</auth><policy context="default">
       <allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow eavesdrop="true"/></policy></busconfig>`,
    )
    world.program({ name: 'dbus', file: '/usr/bin/dbus-daemon', args: ['--nofork', `--config-file=${config}`] }).spawn()
    const script = new URL('system-bus.py', import.meta.url).pathname
    const daemons = world.program({ name: 'systemd', file: PYTHON, args: [script, address] })
    await until('the bus has names', async () => {
      if (!daemons.isRunning) daemons.spawn()
      return daemons.output.includes('ready')
    })
    const on = ['logind', 'systemd', 'systemd.enable-task-metrics', 'systemd.enable-restarts-metrics']
    const names = [...on, 'systemd.enable-start-time-metrics']
    const flags = {
      'collector.disable-defaults': 'true',
      'collector.systemd.unit-exclude': '.+\\.slice',
      ...Object.fromEntries(names.map((name) => [`collector.${name}`, 'true'])),
    }
    const [ours] = await bothSame(world, flags, { DBUS_SYSTEM_BUS_ADDRESS: address })
    assert.equal(ours.get('node_systemd_unit_state{name="ssh@a-b.service",state="failed",type="notify"}'), '1')
    assert.equal(ours.get('node_logind_sessions{class="user",remote="true",seat="",type="tty"}'), '2')
  }),
)

test(
  'processes of a supervisord are those of the real node exporter',
  {
    skip: missing || lacksCommand('/usr/bin/supervisord'),
  },
  () =>
    withWorld(async (world) => {
      const socket = world.file('s.sock')
      const port = await freePort()
      const config = world.file(
        'supervisord.conf',
        [
          `[unix_http_server]\nfile=${socket}\n[inet_http_server]\nport=127.0.0.1:${port}`,
          `[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=${world.file('pid')}`,
          '[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface',
          '[program:sleeper]\ncommand=/bin/sleep 600\nstartsecs=0\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)d',
          '[program:broken]\ncommand=/bin/false\nstartretries=0\nstartsecs=0\nautorestart=false',
          '',
        ].join('\n'),
      )
      world.program({ name: 'supervisord', file: '/usr/bin/supervisord', args: ['-c', config] }).spawn()
      await until('supervisord answers', async () => (await fetch(`http://127.0.0.1:${port}/`)).ok)
      for (const url of [`unix://${socket}`, `http://127.0.0.1:${port}/RPC2`]) {
        const on = { 'collector.disable-defaults': 'true', 'collector.supervisord': 'true' }
        const [ours] = await bothSame(world, { ...on, 'collector.supervisord.url': url })
        assert.equal(ours.get('node_supervisord_up{group="sleeper",name="sleeper_1"}'), '1', url)
        assert.equal(ours.get('node_supervisord_exit_status{group="broken",name="broken"}'), '1', url)
      }
    }),
)

test(
  'an NTP daemon is described as by the real node exporter',
  { skip: missing || lacksCommand('/usr/sbin/chronyd') },
  () =>
    withWorld(async (world) => {
      const port = await freePort()
      const config = world.file(
        'chrony.conf',
        `port ${port}\nlocal stratum 5\nallow 127.0.0.1\nbindaddress 127.0.0.1\ncmdport 0\nbindcmdaddress /\npidfile ${world.file('pid')}\n`,
      )
      const args = ['-x', '-d', '-U', '-u', 'root', '-f', config]
      world.program({ name: 'chronyd', file: '/usr/sbin/chronyd', args }).spawn()
      const flags = {
        'collector.disable-defaults': 'true',
        'collector.ntp': 'true',
        'collector.ntp.server-port': String(port),
      }
      const [ours, theirs] = await bothSame(world, flags, {}, (ours, theirs) =>
        assert.ok(ours.has('node_ntp_stratum') && theirs.has('node_ntp_stratum'), 'both have an answer'),
      )
      const series = (page: ReadonlyMap<string, string>): string[] =>
        [...page.keys()].filter((key) => /node_ntp/.test(key))
      assert.deepEqual(series(ours), series(theirs))
      for (const exact of ['stratum', 'leap'])
        assert.equal(ours.get(`node_ntp_${exact}`), theirs.get(`node_ntp_${exact}`))
      // One clock asked twice: the answer is within what the loopback and a loaded host explain.
      assert.ok(Math.abs(Number(ours.get('node_ntp_offset_seconds'))) < 1)
    }),
)

function program(): string {
  const real = peer('node-exporter')
  if (real.path === null) throw new Error(real.reason)
  return real.path
}

function lacksPython(statement: string): string | false {
  try {
    execFileSync(PYTHON, ['-c', statement], { stdio: 'ignore' })
    return false
  } catch {
    return `${PYTHON} cannot "${statement}"`
  }
}

type Page = Map<string, string>

/**
 * Both exporters' pages of one moment, with the same flags and environment. What they are read of moves meanwhile (other
 * tests mount file systems): they are read again until they hold against each other.
 */
async function bothSame(
  world: World,
  flags: Flags,
  env: Record<string, string> = {},
  check: (ours: Page, theirs: Page) => void = compare,
): Promise<readonly [Page, Page]> {
  const port = await freePort()
  const words = Object.entries(flags).map(([name, value]) => (value === 'true' ? `--${name}` : `--${name}=${value}`))
  const args = [`--web.listen-address=127.0.0.1:${port}`, '--web.disable-exporter-metrics', ...words]
  const real = world.program({ name: 'node-exporter', file: program(), args, env })
  real.spawn()
  const agent = await world.startAgent({
    exporters: JSON.stringify({ node: { ...flags, 'web.disable-exporter-metrics': 'true' } }),
    scrapeInterval: '1h',
    env,
  })
  const read = async (url: string): Promise<Page> => parse(await (await fetch(url)).text())
  try {
    await until('the node exporter answers', async () => (await fetch(`http://127.0.0.1:${port}/`)).ok)
    // Once before: counters of perf begin with the first reading.
    await read(`${agent.url}/metrics/node`)
    return await untilHolds('both tell the same', async () => {
      const pages = await Promise.all([read(`${agent.url}/metrics/node`), read(`http://127.0.0.1:${port}/metrics`)])
      check(...pages)
      return pages
    })
  } finally {
    await Promise.all([real.stop(), agent.stop()])
  }
}

/** Series with their values, and HELP and TYPE lines. */
function parse(text: string): Page {
  const out: Page = new Map()
  for (const line of text.split('\n')) {
    const meta = /^(# (?:HELP|TYPE) \S+) (.*)$/.exec(line)
    if (meta) out.set(meta[1]!, meta[2]!)
    else if (line !== '') out.set(line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1))
  }
  return out
}

/** Same families, types, helps and series; the same values, but for those that move between the two readings. */
function compare(ours: Page, theirs: Page): void {
  const isShown = (series: string): boolean => !NEWER.test(series) && !KNOWN_BUGS.test(series)
  const missing = [...theirs.keys()].filter((series) => isShown(series) && !ours.has(series))
  const extra = [...ours.keys()].filter((series) => isShown(series) && !theirs.has(series))
  // A state that one process was in at one of the two moments.
  const brief = /^node_(?:processes_state|processes_threads_state|tcp_connection_states)\{/
  const lasting = (series: string): boolean => !brief.test(series)
  assert.deepEqual({ missing: missing.filter(lasting), extra: extra.filter(lasting) }, { missing: [], extra: [] })
  const differing: string[] = []
  for (const [series, value] of theirs) {
    if (!isShown(series) || !ours.has(series)) continue
    const mine = ours.get(series)!
    if (mine === value || (!series.startsWith('#') && (MOVING.test(series) || isClose(Number(mine), Number(value)))))
      continue
    differing.push(`${series}: ours ${mine}, theirs ${value}`)
  }
  const exact = differing.filter((line) => line.startsWith('#'))
  assert.deepEqual(exact, [])
  // A host that works hard may move a few gauges a lot between two readings.
  assert.ok(differing.length <= 0.01 * theirs.size, differing.join('\n'))
}

function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) <= Math.max(0.05 * Math.abs(b), 1000)
}
