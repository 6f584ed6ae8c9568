/** Damage is told of and counted once, though each thread comes upon it by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Damage, encodeShared } from '../block/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { FoundDamage } from './found-damage.ts'

const run = (at: number): Damage => ({ block: '0-1-1', piece: `run at byte ${at}`, why: 'cut off', cost: 'piece' })
const lost: Damage = { block: '1-2-2', piece: 'index', why: 'wrong checksum', cost: 'block' }

test('a piece that several threads find is one', () => {
  const log = memoryLogger()
  const found = new FoundDamage(log)
  const ofThread = encodeShared([run(1), lost])
  for (const at of [1, 2, 2, 2]) found.saw(run(at))
  assert.deepEqual(found.all(ofThread), [run(1), lost, run(2)])
  assert.equal(found.count(ofThread, 0), 3)
  assert.equal(log.lines.length, 2)
  assert.deepEqual(found.lost(ofThread), [lost])
  assert.deepEqual(found.lost(encodeShared([])), [])
})

test('beyond what is shown damage is counted', () => {
  const found = new FoundDamage(memoryLogger())
  for (let at = 0; at < 1500; at++) found.saw(run(at))
  const none = encodeShared<readonly Damage[]>([])
  assert.equal(found.all(none).length, 1000)
  assert.equal(found.count(none, 0), 1500)
})

test('what is forgotten with its block stays counted', () => {
  const found = new FoundDamage(memoryLogger())
  assert.equal(found.count(encodeShared([lost]), 0), 1)
  assert.equal(found.count(encodeShared<readonly Damage[]>([]), 1), 1)
})
