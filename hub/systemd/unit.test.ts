import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'

const NAME = 'heliograph-hub.service'
const skip = spawnSync('systemd-analyze', ['--version']).status === 0 ? false : 'systemd-analyze is not installed'

/** With a program that exists: systemd-analyze would complain of that alone. */
function analyzed(...args: readonly string[]): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heliograph-unit-'))
  try {
    const unit = path.join(folder, NAME)
    const text = fs.readFileSync(path.join(import.meta.dirname, NAME), 'utf8')
    fs.writeFileSync(unit, text.replace('=/opt/heliograph/node_modules/.bin/node', '=/bin/true'))
    const { status, stdout, stderr } = spawnSync('systemd-analyze', [...args, unit], { encoding: 'utf8' })
    assert.equal(status, 0, `${stdout}${stderr}`)
    return `${stdout}${stderr}`
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

test('systemd-analyze verify has nothing to say about the hub’s unit', { skip }, () => {
  assert.equal(analyzed('verify', '--recursive-errors=no'), '')
})

test('systemd-analyze security finds an exposure of 2.0 at most for the hub', { skip }, () => {
  const report = analyzed('security', '--offline=yes', '--no-pager', '--threshold=20')
  const exposure = /Overall exposure level for \S+: ([\d.]+)/.exec(report)
  assert.ok(exposure && Number(exposure[1]) <= 2, report)
})
