import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { FlagError, type Flags } from '../contract.ts'
import { KIT, logTo, temporaryFolder, testDisk, testEnv } from '../testing/env.ts'
import { COLLECTORS } from './collectors.ts'
import { runNodeCases } from './conformance.ts'
import { createNodeExporter } from './mod.ts'

const folder = path.join(KIT, 'exporters/node')
const absent = fs.existsSync(folder) ? false : `${folder} is absent`

async function page(flags: Flags, disk = testDisk): Promise<string> {
  return formatExposition(await createNodeExporter({ ...testEnv, disk, flags, version: 't' }).collect())
}

test("on the fixtures every line is upstream's, and every unit case passes", { skip: absent }, async () => {
  const root = temporaryFolder()
  execFileSync('tar', ['-xzf', path.join(folder, 'fixtures.tar.gz'), '-C', root])
  const cases = JSON.parse(fs.readFileSync(path.join(folder, 'e2e.json'), 'utf8'))
  const expected = fs.readFileSync(path.join(folder, 'e2e-output.txt'), 'utf8')
  const results = await runNodeCases(cases, expected, root, testEnv, folder)
  assert.ok(results.length > 5000, `${results.length} cases`)
  assert.deepEqual(
    results.filter(({ error }) => error !== null),
    [],
  )
})

test("defaults are upstream's", { skip: absent }, () => {
  const { defaultEnabled } = JSON.parse(fs.readFileSync(path.join(folder, 'e2e.json'), 'utf8')) as {
    defaultEnabled: Record<string, boolean>
  }
  const differing = Object.entries(defaultEnabled).filter(([name, on]) => COLLECTORS[name]?.on !== on)
  assert.deepEqual(differing, [])
})

test('a file system mounted ro with other options is read-only', async () => {
  const line = '28 27 0:25 / /opt ro,nosuid,relatime - tmpfs none rw,size=4k'
  const disk = {
    ...testDisk,
    readText: (file: string) => (file.endsWith('/1/mountinfo') ? line : testDisk.readText(file)),
  }
  assert.match(await page({}, disk), /node_filesystem_readonly\{[^}]*mountpoint="\/opt"\} 1/)
})

const refused: readonly [flag: string, message: RegExp][] = [
  ['collector.oracle', /collectors are arp, bcache,.*zoneinfo/],
  ['collector.cpu.oracle', /cpu takes collector\.cpu\.guest, collector\.cpu\.info/],
  ['collector.perf.oracle', /perf takes collector\.perf\.cpus/],
  ['collector.loadavg.oracle', /loadavg takes no flags/],
  ['web.listen-address', /path\.procfs/],
]
for (const [flag, message] of refused) {
  test(`the flag ${flag} is refused with what would do`, () => {
    assert.throws(
      () => createNodeExporter({ ...testEnv, flags: { [flag]: 'true' }, version: 't' }),
      (error) => error instanceof FlagError && error.flag === flag && message.test(error.message),
    )
  })
}

for (const prefix of ['diskstats.device', 'netdev.device', 'filesystem.mount-points', 'filesystem.fs-types']) {
  test(`${prefix}-include and -exclude together are refused`, () => {
    const flags = { [`collector.${prefix}-include`]: 'a', [`collector.${prefix}-exclude`]: 'b' }
    assert.throws(() => createNodeExporter({ ...testEnv, flags, version: 't' }), /give one of the two/)
  })
}

test('a device that is included counts although the default would exclude it', async () => {
  const disk = {
    ...testDisk,
    readText: (file: string) =>
      file.endsWith('/diskstats') ? '7 0 loop0 1 2 3 4 5 6 7 8 9 10 11' : testDisk.readText(file),
  }
  assert.doesNotMatch(await page({}, disk), /device="loop0"/)
  assert.match(
    await page({ 'collector.diskstats.device-include': '^loop' }, disk),
    /reads_completed_total\{device="loop0"\} 1/,
  )
})

test('the old name of a flag is taken', async () => {
  const text = await page({ 'collector.filesystem.ignored-mount-points': '.' })
  assert.doesNotMatch(text, /^node_filesystem_size_bytes/m)
  const both = { 'collector.diskstats.ignored-devices': 'a', 'collector.diskstats.device-exclude': 'b' }
  assert.throws(() => createNodeExporter({ ...testEnv, flags: both, version: 't' }), FlagError)
})

test('a sysctl that would leave /proc/sys is refused', () => {
  const flags = { 'collector.sysctl': 'true', 'collector.sysctl.include': '../../etc/shadow' }
  assert.throws(() => createNodeExporter({ ...testEnv, flags, version: 't' }), FlagError)
})

test('a collector without its files fails alone', async () => {
  const text = await page({ 'path.procfs': '/nonexistent' })
  assert.match(text, /node_scrape_collector_success\{collector="cpu"\} 0/)
  assert.match(text, /node_scrape_collector_success\{collector="time"\} 1/)
})

test('a collector that needs system calls or sockets says so where it gets none', async () => {
  const names = [
    'timex',
    'qdisc',
    'ethtool',
    'network_route',
    'perf',
    'wifi',
    'systemd',
    'logind',
    'ntp',
    'supervisord',
  ]
  const said: string[] = []
  const log = logTo((line) => said.push(line))
  const flags = Object.fromEntries(names.map((name) => [`collector.${name}`, 'true']))
  const exporter = createNodeExporter({ ...testEnv, log, flags, version: 't' })
  const text = formatExposition(await exporter.collect())
  for (const name of names) {
    assert.match(text, new RegExp(`node_scrape_collector_success\\{collector="${name}"\\} 0`))
    assert.match(said.join(''), new RegExp(`collector=${name} err="[^"]*not available to this process`))
  }
})

const chosen: readonly [query: string, collectors: readonly string[]][] = [
  ['collect[]=loadavg&collect[]=time', ['loadavg', 'time']],
  ['collect[]=time&collect[]=time', ['time']],
  ['exclude[]=loadavg', ['time']],
  ['exclude[]=loadavg&exclude[]=time', []],
  ['other=1', ['loadavg', 'time']],
]
for (const [query, collectors] of chosen) {
  test(`of loadavg and time, ?${query} runs ${collectors.join(', ') || 'none'}`, async () => {
    const flags = { 'collector.disable-defaults': 'true', 'collector.loadavg': 'true', 'collector.time': 'true' }
    const families = await createNodeExporter({ ...testEnv, flags, version: 't' }).collect(new URLSearchParams(query))
    const success = families.find(({ name }) => name === 'node_scrape_collector_success')!
    assert.deepEqual(
      success.metrics.map(({ labels }) => labels[1]),
      collectors,
    )
  })
}

const unusable: readonly [query: string, message: RegExp][] = [
  ['collect[]=time&exclude[]=loadavg', /^Combined collect and exclude queries are not allowed\.$/],
  [
    'collect[]=oracle',
    /^Couldn't create filtered metrics handler: couldn't create collector: missing collector: oracle$/,
  ],
  ['collect[]=cpu', /disabled collector: cpu$/],
]
for (const [query, message] of unusable) {
  test(`?${query} is refused`, async () => {
    const flags = { 'collector.disable-defaults': 'true', 'collector.loadavg': 'true', 'collector.time': 'true' }
    const exporter = createNodeExporter({ ...testEnv, flags, version: 't' })
    await assert.rejects(exporter.collect(new URLSearchParams(query)), { name: 'ParameterError', message })
  })
}

test('a textfile cannot repeat a family of a collector with another type', async () => {
  const directory = temporaryFolder()
  fs.writeFileSync(path.join(directory, 'a.prom'), '# TYPE node_load1 counter\nnode_load1 7\nmine 1\n')
  const text = await page({ 'collector.textfile.directory': directory })
  assert.equal(text.match(/^# TYPE node_load1 /gm)?.length, 1)
  assert.doesNotMatch(text, /^node_load1 7$/m)
  assert.match(text, /^mine 1$/m)
})

const badTextfiles: readonly [name: string, text: string][] = [
  ['a line that is cut off', 'complete 1\ncut 12'],
  ['a syntax error', 'fine 1\nnot a metric\n'],
  ['a repeated sample', 'twice 1\ntwice 2\n'],
  ['more than 16 MiB', `complete 1\n${'# filler\n'.repeat(2 * 1024 * 1024)}`],
]
for (const [name, text] of badTextfiles) {
  test(`a textfile with ${name} is left out whole`, async () => {
    const directory = temporaryFolder()
    fs.writeFileSync(path.join(directory, 'bad.prom'), text)
    fs.writeFileSync(path.join(directory, 'good.prom'), 'good 1\n')
    const got = await page({ 'collector.textfile.directory': directory })
    assert.match(got, /^node_textfile_scrape_error 1$/m)
    assert.match(got, /^good 1$/m)
    assert.match(got, /node_textfile_mtime_seconds\{file="[^"]*good\.prom"\} 1\.\d+e\+09/)
    assert.doesNotMatch(got, /^(?:complete|cut|fine|twice) |bad\.prom"\}/m)
  })
}

test('runit services: state, wish and the time of the last change', async () => {
  const services = temporaryFolder()
  const status = Buffer.alloc(20)
  status.writeBigUInt64BE(4611686018427387914n + 1700000000n)
  status[17] = 'd'.charCodeAt(0)
  status[19] = 1
  fs.mkdirSync(path.join(services, 'web/supervise'), { recursive: true })
  fs.writeFileSync(path.join(services, 'web/supervise/status'), status)
  const text = await page({ 'collector.runit': 'true', 'collector.runit.servicedir': services })
  assert.match(text, /^node_service_state\{service="web"\} 1$/m)
  assert.match(text, /^node_service_desired_state\{service="web"\} 0$/m)
  assert.match(text, /^node_service_normal_state\{service="web"\} 1$/m)
  assert.match(text, /^node_service_state_last_change_timestamp_seconds\{service="web"\} 1\.7e\+09$/m)
})

test('NVMe subsystems: their namespaces, paths, and which of them live', async () => {
  const sysfs = temporaryFolder()
  const files: Record<string, string> = {
    iopolicy: 'numa\n',
    model: 'Fast Disk   \n',
    subsysnqn: 'nqn.2014-08.org:x\n',
    serial: 'S1\n',
    'nvme0/state': 'live\n',
    'nvme0/transport': 'tcp\n',
    'nvme1/state': 'connecting\n',
    'nvme1/transport': 'tcp\n',
    'nvme0n1/size': '1\n',
    'power/control': 'auto\n',
  }
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(sysfs, 'class/nvme-subsystem/nvme-subsys0', name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, text)
  }
  const text = await page({
    'path.sysfs': sysfs,
    'collector.disable-defaults': 'true',
    'collector.nvmesubsystem': 'true',
  })
  for (const line of [
    'node_nvmesubsystem_info{iopolicy="numa",model="Fast Disk",nqn="nqn.2014-08.org:x",serial="S1",subsystem="nvme-subsys0"} 1',
    'node_nvmesubsystem_namespace_info{device="nvme0n1",subsystem="nvme-subsys0"} 1',
    'node_nvmesubsystem_path_state{controller="nvme0",state="live",subsystem="nvme-subsys0",transport="tcp"} 1',
    'node_nvmesubsystem_path_state{controller="nvme1",state="live",subsystem="nvme-subsys0",transport="tcp"} 0',
    'node_nvmesubsystem_paths{subsystem="nvme-subsys0"} 2',
    'node_nvmesubsystem_paths_live{subsystem="nvme-subsys0"} 1',
  ])
    assert.ok(text.includes(`${line}\n`), line)
})
