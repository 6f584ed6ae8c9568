import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { DiskError } from '../../protocol/env/mod.ts'
import { nodeDisk } from './disk.ts'

function scratch(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'helio-disk-'))
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
