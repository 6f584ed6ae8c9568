import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { DiskError } from '../../protocol/env/mod.ts'
import { nodeDisk } from './disk.ts'

function scratch(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'helio-disk-'))
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 8000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('lock() refuses a second owner while the first lives, and follows a dead one', () => {
  const dir = scratch()
  const file = path.join(dir, 'lock')
  const lock = nodeDisk.lock(file)
  assert.ok(lock)
  assert.equal(nodeDisk.lock(file), null)
  lock.release()
  const dead = spawnSync(process.execPath, ['-e', 'console.log(process.pid)']).stdout.toString().trim()
  fs.symlinkSync(`${dead}-12345`, file)
  const taken = nodeDisk.lock(file)
  assert.ok(taken, 'a lock left by a killed process is taken over')
  taken.release()
  fs.symlinkSync(`${process.pid}-12345`, file)
  assert.ok(nodeDisk.lock(file), 'a process that has the id of a dead one is not its owner')
  fs.rmSync(dir, { recursive: true })
})

test('lock() follows a killed owner whose parent has not asked about its end', async () => {
  const dir = scratch()
  const file = path.join(dir, 'lock')
  // `sleep` never asks about the child that the shell left it; the shell itself would.
  const parent = spawn('sh', ['-c', 'sleep 20 & echo $!; exec sleep 20'], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const pid = await new Promise<string>((resolve) =>
      parent.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())),
    )
    const fields = (): string[] => {
      const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    }
    await until(() => fs.readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n')
    process.kill(Number(pid), 'SIGKILL')
    await until(() => fields()[0] === 'Z')
    assert.equal(fields()[0], 'Z')
    fs.symlinkSync(`${pid}-${fields()[19]}`, file)
    assert.ok(nodeDisk.lock(file))
  } finally {
    parent.kill('SIGKILL')
    fs.rmSync(dir, { recursive: true })
  }
})

test('writeFileAtomic() replaces the file and sets its mode, and leaves nothing beside it', () => {
  const dir = scratch()
  const file = path.join(dir, 'secret')
  nodeDisk.writeFileAtomic(file, 'one')
  nodeDisk.writeFileAtomic(file, 'two', { mode: 0o600 })
  assert.equal(nodeDisk.readText(file), 'two')
  assert.equal(fs.statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(nodeDisk.readDirectory(dir), ['secret'])
  fs.rmSync(dir, { recursive: true })
})

test('errors carry the POSIX code and the path', () => {
  assert.throws(
    () => nodeDisk.readFile('/nonexistent/file'),
    (error) => error instanceof DiskError && error.code === 'ENOENT' && error.path === '/nonexistent/file',
  )
  assert.equal(nodeDisk.stat('/nonexistent/file'), null)
})
