/** What `npm run package` makes, as an operator uses it: beside a real hub, and in a Debian system of its own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Gap, gapsOf } from '../e2e/bad-day/kit.ts'
import { judgeSlots } from '../e2e/bad-day/verdicts.ts'
import { startServiceManager } from '../e2e/service-manager.ts'
import { freePort, queryValue, samples, until, untilHolds, withWorld } from '../e2e/world.ts'
import { openDebianRoot, whyNoDebianRoot } from './debian-root.ts'
import { buildPackages, bunPath, folderOf, type Packages } from './main.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-package-'))
after(() => fs.rmSync(folder, { recursive: true, force: true }))
const noBun = bunPath() === null ? `npm brought no Bun for ${process.arch}` : false
const noDebian = noBun || (whyNoDebianRoot() ?? false)

for (const [argument, wanted] of [
  ['/tmp/x', '/tmp/x'],
  ['--help', null],
  [undefined, path.resolve(import.meta.dirname, '../../dist')],
] as const)
  test(`packages for the argument ${argument} go to ${wanted}`, () => assert.equal(folderOf(argument), wanted))

describe('the package', { skip: noBun }, () => {
  let packages: Packages
  before(() => {
    packages = buildPackages(folder)
  })

  test('the single file runs where nothing else is, and knows its version', async () =>
    withWorld(async (world) => {
      const { code, stdout } = await world.run(packages.singleFile, ['--version'])
      assert.equal(code, 0)
      assert.match(stdout, /^heliograph-agent, version \d.*\n {2}runtime: Bun /)
      const unknown = await world.run(packages.singleFile, ['frobnicate'])
      assert.equal(unknown.code, 2)
    }))

  test('a .env in the folder where it is started configures nothing', async () =>
    withWorld(async (world) => {
      world.file('.env', 'PORT_END=no-number\n')
      const cnf = world.file('my.cnf', '[client]\nuser=u\npassword=p\nport=33${PORT_END}\n')
      const config = world.file('agent.yml', `exporters: { mysql: { config.my-cnf: ${cnf} } }\n`)
      const { code, stderr } = await world.run(packages.singleFile, ['check-config', config])
      assert.equal(code, 0, stderr)
    }))

  test('the single file enrols, delivers what the node exporter says, and loses nothing by kill -9', async () =>
    withWorld(async (world) => {
      const hub = await world.startHub({ config: 'global: { scrape_interval: 1s }' })
      const manager = await startServiceManager(world, 1000)
      const agent = await world.startAgent({
        hub,
        id: 'compiled',
        executable: packages.singleFile,
        env: manager.environment,
        exporters: '{ node: {} }',
      })
      await until('node metrics arrive', () => queryValue(hub, 'node_load1{job="node"}'))
      // System calls go through the embedded koffi.
      const timex = 'node_scrape_collector_success{collector="timex"}'
      await until('timex succeeds', async () => (await queryValue(hub, timex)) === 1)
      await until('the watchdog is fed', async () => manager.notices.filter((each) => each === 'WATCHDOG=1').length > 2)
      const status = await world.run(packages.singleFile, ['status', `--url=${agent.url}`])
      assert.equal(status.code, 0, status.stdout + status.stderr)
      assert.match(status.stdout, /hub: http:.* connected/)
      const killedMs = Date.now()
      await agent.kill()
      await agent.restart()
      const restartedMs = Date.now()
      await until('it delivers again', async () => {
        const rows = await samples(hub, 'node_load1{job="node"}[10m]')
        return rows.some(({ values }) => values.some(([time]) => time * 1000 > restartedMs + 1000))
      })
      // Every second has its sample, but for those in which no agent was there, or the host had no time for it.
      const { slots, gaps } = await untilHolds('every slot is accounted for', async () => {
        const rows = await samples(hub, 'up{job="node"}[10m]')
        assert.equal(rows.length, 1)
        const times = rows[0]!.values.map(([time]) => Math.round(time * 1000))
        const gaps = (await gapsOf(hub, 'compiled')).filter(({ target }) => target.startsWith('node/'))
        const slots = judgeSlots(times, gaps, 1000)
        assert.deepEqual(slots.problems, [])
        assert.equal(slots.reasons['pending'] ?? 0, 0)
        return { slots, gaps }
      })
      const { agent_down: _, suspended: __, overrun: ___, ...others } = slots.reasons
      assert.deepEqual(others, {})
      // What was scraped and not yet committed when the kill came is at most one batch old.
      const isOutage = ({ fromMs, toMs }: Gap): boolean => fromMs > killedMs - 2500 && toMs < restartedMs + 1500
      assert.deepEqual(
        gaps.filter((gap) => gap.reason === 'agent_down' && !isOutage(gap)),
        [],
      )
      const statusAfter = (await (await fetch(`${agent.url}/api/v1/status/agent`)).json()) as {
        data: { ring: { overwrittenSamples: number; lostBatches: number } }
      }
      const { overwrittenSamples, lostBatches } = statusAfter.data.ring
      assert.deepEqual([overwrittenSamples, lostBatches], [0, 0])
    }))

  test('the .deb installs, starts, stops and is purged without a trace in a Debian system', {
    skip: noDebian,
  }, async () => {
    assert.ok(packages.deb, 'dpkg-deb is not installed')
    const debian = openDebianRoot()
    try {
      const inside = (place: string): string => path.join(debian.folder, place)
      const succeed = (...command: string[]): string => {
        const { status, output } = debian.run(command)
        assert.equal(status, 0, `${command.join(' ')}: ${output}`)
        return output
      }
      const before = filesOf(debian.folder)
      fs.copyFileSync(packages.deb, inside('/tmp/agent.deb'))
      succeed('dpkg', '--install', '/tmp/agent.deb')
      assert.match(succeed('getent', 'passwd', 'heliograph'), /:\/var\/lib\/heliograph:\/usr\/sbin\/nologin/)
      assert.ok(
        fs.lstatSync(inside('/etc/systemd/system/multi-user.target.wants/heliograph-agent.service')).isSymbolicLink(),
      )
      assert.equal(succeed('stat', '-c', '%U:%G %a', '/etc/heliograph/agent.yml').trim(), 'root:heliograph 640')
      await runsAsService(debian.folder, packages.singleFile)
      // An operator's change survives the same package again, and its removal.
      fs.appendFileSync(inside('/etc/heliograph/agent.yml'), '# mine\n')
      succeed('dpkg', '--install', '/tmp/agent.deb')
      succeed('dpkg', '--remove', 'heliograph-agent')
      assert.match(fs.readFileSync(inside('/etc/heliograph/agent.yml'), 'utf8'), /# mine\n$/)
      succeed('dpkg', '--purge', 'heliograph-agent')
      fs.rmSync(inside('/tmp/agent.deb'))
      // Bun unpacks koffi there; as a service the agent has a /tmp of its own, which ends with it.
      for (const name of fs.readdirSync(inside('/tmp'))) if (name.startsWith('.bun-')) fs.rmSync(inside(`/tmp/${name}`))
      assert.deepEqual(
        filesOf(debian.folder).filter((file) => !before.includes(file)),
        [],
      )
      assert.equal(debian.run(['getent', 'passwd', 'heliograph']).status, 2)
    } finally {
      debian.close()
    }
  })

  test('install makes account, program, unit and folders of a Debian system, uninstall --purge takes all of it away', {
    skip: noDebian,
  }, () => {
    const debian = openDebianRoot()
    try {
      const before = filesOf(debian.folder)
      const inside = (place: string): string => path.join(debian.folder, place)
      fs.copyFileSync(packages.singleFile, inside('/root/agent'))
      fs.chmodSync(inside('/root/agent'), 0o755)
      fs.writeFileSync(inside('/root/token'), 'one-time\n')
      const command = ['/root/agent', 'install', '--hub=https://hub:9090', '--token-file=/root/token']
      const first = debian.run(command)
      assert.equal(first.status, 0, first.output)
      const installed = debian.run(['stat', '-c', '%U:%G %a %n', ...INSTALLED.map(([place]) => place)])
      assert.equal(installed.output.trim(), INSTALLED.map(([place, access]) => `${access} ${place}`).join('\n'))
      const check = debian.run(['/usr/local/bin/heliograph-agent', 'check-config'])
      assert.equal(check.status, 0, check.output)
      const unit = fs.readFileSync(inside('/etc/systemd/system/heliograph-agent.service'), 'utf8')
      assert.match(
        unit,
        /^ExecStart=\/usr\/local\/bin\/heliograph-agent --config\.file=\/etc\/heliograph\/agent\.yml /m,
      )
      const again = debian.run(command)
      assert.equal(again.status, 0, again.output)
      assert.doesNotMatch(again.output, /^(make|write|update) /m)
      const removed = debian.run(['/root/agent', 'uninstall', '--purge'])
      assert.equal(removed.status, 0, removed.output)
      for (const name of ['agent', 'token']) fs.rmSync(inside(`/root/${name}`))
      assert.deepEqual(
        filesOf(debian.folder).filter((file) => !before.includes(file)),
        [],
      )
      assert.equal(debian.run(['getent', 'passwd', 'heliograph']).status, 2)
    } finally {
      debian.close()
    }
  })
})

const INSTALLED: readonly (readonly [place: string, access: string])[] = [
  ['/usr/local/bin/heliograph-agent', 'root:root 755'],
  ['/etc/heliograph/agent.yml', 'root:heliograph 640'],
  ['/etc/heliograph/credentials', 'root:root 700'],
  ['/etc/heliograph/credentials/token', 'root:root 600'],
  ['/var/lib/heliograph', 'heliograph:heliograph 700'],
]

/** As the unit starts it, but for systemd: the account, the configuration, the signal to stop. */
async function runsAsService(root: string, singleFile: string): Promise<void> {
  const port = await freePort()
  const flags = ['--config.file=/etc/heliograph/agent.yml', `--web.listen-address=127.0.0.1:${port}`]
  const command = ['--userspec=heliograph:heliograph', root, '/usr/bin/heliograph-agent', ...flags]
  const child = spawn('/usr/sbin/chroot', command, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin' },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  try {
    await until(
      'the agent in the chroot is ready',
      async () => {
        const response = await fetch(`http://127.0.0.1:${port}/-/ready`).catch(() => null)
        return response?.ok === true
      },
      { timeoutMs: 60_000, explain: () => output },
    )
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics/node`)).text()
    assert.match(page, /^node_load1 /m)
    await withWorld(async (world) => {
      const status = await world.run(singleFile, ['status', `--url=http://127.0.0.1:${port}`])
      assert.equal(status.code, 0, status.stdout + status.stderr)
    })
  } finally {
    child.kill('SIGTERM')
  }
  assert.equal(await ended, 0, output)
}

/** Of the package system's own records and logs only the agent's are of interest. */
function filesOf(root: string): string[] {
  const out: string[] = []
  const walk = (folder: string): void => {
    for (const entry of fs.readdirSync(path.join(root, folder), { withFileTypes: true })) {
      const place = `${folder}/${entry.name}`
      if (/^\/(proc|sys|dev|var\/log|var\/cache)$/.test(place)) continue
      if (
        /^\/(etc\/(passwd|shadow|group|gshadow|subuid|subgid)-?|var\/lib\/dpkg\/.*-old|etc\/\.pwd\.lock)$/.test(place)
      )
        continue
      if (entry.isDirectory()) walk(place)
      out.push(place)
    }
  }
  walk('')
  return out.sort()
}
