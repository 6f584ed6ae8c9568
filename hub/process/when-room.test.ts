/** What waits for room on the disk. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskError } from '../../protocol/env/mod.ts'
import { manualClock, memoryLogger } from '../wal/testing/mod.ts'
import { WhenRoom } from './when-room.ts'

function world() {
  const clock = manualClock(0)
  const log = memoryLogger()
  const room = new WhenRoom({ clock, log })
  let code = ''
  let tries = 0
  const write = (): void => {
    tries++
    if (code !== '') throw new DiskError(code, '/data/file', code)
  }
  return { clock, log, room, write, tries: () => tries, fail: (next: string) => void (code = next) }
}

test('what finds no room is written once there is some, and not again', () => {
  const { clock, log, room, write, tries, fail } = world()
  fail('ENOSPC')
  room.write('a token', write)
  clock.advance(25_000)
  assert.equal(tries(), 3)
  fail('')
  clock.advance(60_000)
  assert.equal(tries(), 4)
  assert.deepEqual(new Set(log.lines.map(({ level }) => level)), new Set(['warn']))
})

test('another failure is the caller’s at first, and logged later', () => {
  const { clock, log, room, write, tries, fail } = world()
  fail('EIO')
  assert.throws(() => room.write('a token', write), DiskError)
  fail('EDQUOT')
  room.write('a token', write)
  fail('EIO')
  clock.advance(60_000)
  assert.equal(tries(), 3)
  assert.equal(log.lines.at(-1)!.level, 'error')
})

test('nothing is written after the stop', () => {
  const { clock, room, write, tries, fail } = world()
  fail('ENOSPC')
  room.write('a token', write)
  room.stop()
  clock.advance(60_000)
  assert.equal(tries(), 1)
})
