import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { loadAgentConfig } from '../../protocol/config/mod.ts'
import { nodeDisk } from '../env/disk.ts'
import { createHostTools } from '../env/host.ts'
import {
  applySysctl,
  carryOut,
  DROP_INS,
  defaultConfig,
  dropInText,
  installSteps,
  type Step,
  SYSCTL_NAME,
  SYSCTL_TEXT,
  UNIT_NAME,
  uninstallSteps,
  unitText,
} from './mod.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-install-'))
after(() => fs.rmSync(folder, { recursive: true, force: true }))

const tools = createHostTools('/opt/heliograph/agent/main.ts')
const options = { hubUrl: '', token: '', proposals: '', dropIns: [], isStarted: true }

function carriedOut(root: string, steps: readonly Step[], isDryRun = false): string[] {
  const said: string[] = []
  carryOut(steps, { disk: nodeDisk, tools, root, isDryRun, say: (line) => said.push(line) })
  return said
}

const filesOf = (root: string): string[] =>
  fs
    .readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name).slice(root.length))
    .sort()

function rootFolder(name: string): string {
  const root = path.join(folder, name)
  fs.mkdirSync(root)
  return root
}

test('an installation into a folder makes configuration, defaults and unit, and a second one changes nothing', () => {
  const root = rootFolder('fresh')
  carriedOut(root, installSteps(options, tools))
  const files = filesOf(root)
  assert.deepEqual(files, [
    '/etc/default/heliograph-agent',
    '/etc/heliograph/agent.yml',
    `/etc/sysctl.d/${SYSCTL_NAME}`,
    `/etc/systemd/system/${UNIT_NAME}`,
  ])
  assert.equal(fs.statSync(`${root}/etc/heliograph/agent.yml`).mode & 0o777, 0o640)
  assert.equal(fs.statSync(`${root}/etc/heliograph/credentials`).mode & 0o777, 0o700)
  assert.equal(fs.statSync(`${root}/var/lib/heliograph`).mode & 0o777, 0o700)
  const again = carriedOut(root, installSteps(options, tools))
  assert.deepEqual(
    again.filter((line) => !/^(keep|leave) /.test(line)),
    [],
  )
})

test('a configuration and a unit that were changed by hand stay as they are; our own old unit is renewed', () => {
  const root = rootFolder('edited')
  carriedOut(root, installSteps(options, tools))
  const config = `${root}/etc/heliograph/agent.yml`
  const unit = `${root}/etc/systemd/system/${UNIT_NAME}`
  fs.appendFileSync(config, '# mine\n')
  fs.appendFileSync(unit, '# of an older version\n')
  carriedOut(root, installSteps({ ...options, hubUrl: 'https://other:9090' }, tools))
  assert.match(fs.readFileSync(config, 'utf8'), /# mine\n$/)
  assert.doesNotMatch(fs.readFileSync(unit, 'utf8'), /of an older version/)
  fs.writeFileSync(unit, '[Service]\nExecStart=/bin/true\n')
  carriedOut(root, installSteps(options, tools))
  assert.equal(fs.readFileSync(unit, 'utf8'), '[Service]\nExecStart=/bin/true\n')
})

test('a dry run says what would be done and does nothing', () => {
  const root = rootFolder('dry')
  const said = carriedOut(root, installSteps({ ...options, token: 'abc', dropIns: ['perf'] }, tools), true)
  assert.deepEqual(filesOf(root), [])
  assert.ok(said.every((line) => line.startsWith('would ')))
  assert.ok(said.some((line) => line.includes(`write ${root}/etc/heliograph/credentials/token (mode 0600)`)))
  assert.ok(said.some((line) => line.includes(`${UNIT_NAME}.d/perf.conf`)))
})

test('a token is laid where only root and the unit can read it', () => {
  const root = rootFolder('token')
  carriedOut(root, installSteps({ ...options, token: 'secret' }, tools))
  const file = `${root}/etc/heliograph/credentials/token`
  assert.equal(fs.readFileSync(file, 'utf8'), 'secret\n')
  assert.equal(fs.statSync(file).mode & 0o777, 0o600)
})

test('uninstalling keeps configuration and state, purging removes everything', () => {
  const root = rootFolder('removed')
  carriedOut(root, installSteps({ ...options, dropIns: ['icmp'] }, tools))
  fs.writeFileSync(`${root}/var/lib/heliograph/agent.nk`, 'key')
  carriedOut(root, uninstallSteps({ isPurged: false }))
  assert.deepEqual(filesOf(root), [
    '/etc/default/heliograph-agent',
    '/etc/heliograph/agent.yml',
    '/var/lib/heliograph/agent.nk',
  ])
  assert.equal(fs.existsSync(`${root}/etc/sysctl.d`), false, 'nothing else was in it')
  carriedOut(root, uninstallSteps({ isPurged: true }))
  assert.deepEqual(filesOf(root), [])
})

test("a folder that has others' files too stays", () => {
  const root = rootFolder('shared')
  carriedOut(root, installSteps(options, tools))
  const file = `${root}/etc/sysctl.d/99-own.conf`
  fs.writeFileSync(file, 'vm.swappiness = 1\n')
  carriedOut(root, uninstallSteps({ isPurged: true }))
  assert.equal(fs.existsSync(file), true)
})

test('the queue of datagrams is made as long as the agent wants it, and never shorter than it was', () => {
  const file = path.join(folder, SYSCTL_NAME)
  fs.writeFileSync(file, SYSCTL_TEXT)
  const limit = path.join(folder, 'rmem_max')
  const load = path.join(folder, 'sysctl')
  fs.writeFileSync(load, `#!/bin/sh\nsed -n 's/^net.core.rmem_max = //p' "\${2#--load=}" > ${limit}\n`, { mode: 0o755 })
  const applied = (present: number): number => {
    fs.writeFileSync(limit, `${present}\n`)
    const command = applySysctl(file).replace('/proc/sys/net/core/rmem_max', limit).replace('sysctl ', `${load} `)
    assert.equal(spawnSync('sh', ['-ec', command]).status, 0)
    return Number(fs.readFileSync(limit, 'utf8'))
  }
  assert.equal(applied(212_992), 83_886_080)
  assert.equal(applied(134_217_728), 134_217_728)
})

test('the first configuration can be loaded, with and without a hub', () => {
  const plain = loadAgentConfig(defaultConfig({ hubUrl: '' }), { file: 'agent.yml' })
  assert.deepEqual([plain.hub, plain.exporters.map(({ name }) => name)], [null, ['node']])
  const withHub = loadAgentConfig(defaultConfig({ hubUrl: 'https://hub:9090' }), { file: 'agent.yml' })
  assert.equal(withHub.hub?.url, 'https://hub:9090')
})

test('words of the command line survive systemd as they are', () => {
  const unit = unitText({ command: ['/opt/my agent/node', '/opt/50%/$x.ts'] })
  assert.match(unit, /^ExecStart="\/opt\/my agent\/node" "?\/opt\/50%%\/\$\$x\.ts"? --config/m)
})

const noAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0 ? false : 'systemd-analyze is not installed'

/** With programs that exist, or systemd-analyze would complain of them alone. */
function analyzed(args: readonly string[], dropIns: readonly string[]): string {
  const units = fs.mkdtempSync(path.join(folder, 'units-'))
  const unit = path.join(units, UNIT_NAME)
  fs.writeFileSync(unit, unitText({ command: ['/bin/true'] }))
  fs.mkdirSync(`${unit}.d`)
  for (const name of dropIns) fs.writeFileSync(`${unit}.d/${name}.conf`, dropInText(name))
  const { status, stdout, stderr } = spawnSync('systemd-analyze', [...args, unit], { encoding: 'utf8' })
  assert.equal(status, 0, `${stdout}${stderr}`)
  return `${stdout}${stderr}`
}

for (const dropIns of [[], Object.keys(DROP_INS)])
  test(`systemd-analyze verify has nothing to say about the unit with ${dropIns.join(', ') || 'no drop-ins'}`, {
    skip: noAnalyze,
  }, () => {
    assert.equal(analyzed(['verify', '--recursive-errors=no'], dropIns), '')
  })

test('systemd-analyze security finds an exposure of 2.0 at most', { skip: noAnalyze }, () => {
  const report = analyzed(['security', '--offline=yes', '--no-pager', '--threshold=20'], [])
  const exposure = /Overall exposure level for \S+: ([\d.]+)/.exec(report)
  assert.ok(exposure && Number(exposure[1]) <= 2, report)
})
