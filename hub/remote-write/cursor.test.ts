import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk, memoryLogger } from '../wal/testing/mod.ts'
import { CursorFile } from './cursor.ts'

function world() {
  const disk = new MemoryDisk()
  disk.makeDirectory('/data')
  disk.syncDirectory('/')
  const log = memoryLogger()
  return { disk, log, open: () => new CursorFile(disk, log, '/data', 'k') }
}

test('the newer of what was saved and noted counts; after a loss of power at least what was saved', () => {
  const { disk, open, log } = world()
  assert.equal(open().load(), null)
  const cursor = open()
  cursor.save(2 ** 32 + 5000)
  cursor.note(3 * 2 ** 32 + 4096)
  assert.equal(open().load(), 3 * 2 ** 32 + 4096)
  assert.equal(cursor.saved, 2 ** 32 + 5000)
  for (let seed = 0; seed < 20; seed++) {
    const crashed = disk.crash(() => seed / 20)
    const found = new CursorFile(crashed, log, '/data', 'k').load()
    assert.ok(found === 2 ** 32 + 5000 || found === 3 * 2 ** 32 + 4096, String(found))
  }
})

test('a note that is torn says nothing; a cursor that cannot be read is said so', () => {
  const { disk, open, log } = world()
  const cursor = open()
  cursor.save(2 ** 32 + 5000)
  cursor.note(2 ** 32 + 6000)
  const file = disk.open('/data/remote-write/k.recent', 'r+')
  file.write(Uint8Array.of(9), 4)
  assert.equal(open().load(), 2 ** 32 + 5000)
  disk.writeFileAtomic('/data/remote-write/k.json', 'nonsense')
  assert.equal(open().load(), 0)
  assert.equal(log.lines.at(-1)?.level, 'error')
  open().note(2 ** 32 + 7000)
  assert.equal(open().load(), 2 ** 32 + 7000)
})
