/** Tools that work while the hub does not run know what was deleted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TOMBSTONES_FILE, TombstoneFile } from '../block/mod.ts'
import { memoryEnv } from '../block/testing/samples.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { openOwnBlocks } from './own-blocks.ts'
import { createProgress } from './progress.ts'
import { verifyData } from './verify.ts'

const silent = createProgress({ isTerminal: false, write: () => {}, nowMs: () => 0 })

test('the deletions of a data directory are where the hub keeps them', () => {
  const env = memoryEnv()
  const log = memoryLogger()
  env.disk.makeDirectory('/data/blocks')
  const ofHub = new TombstoneFile(env.disk, `/data/${TOMBSTONES_FILE}`, log)
  ofHub.add([{ matchers: [], minTime: 0, maxTime: 1000 }])
  const own = openOwnBlocks(env, log, '/data')
  assert.deepEqual(own.tombstones.list(), ofHub.list())
  assert.equal(own.deletes, ofHub.lastId)
})

test('every byte of the list of deletions is verified', () => {
  const env = memoryEnv()
  const path = `/data/${TOMBSTONES_FILE}`
  new TombstoneFile(env.disk, path, memoryLogger()).add([{ matchers: [], minTime: 0, maxTime: 1000 }])
  const findings = () => verifyData(env.disk, env.compressor, '/data', silent).findings.map(({ file }) => file)
  assert.deepEqual(findings(), [])
  for (let at = 0; at < env.disk.stat(path)!.sizeBytes; at++) {
    env.disk.rot(path, (all) => all.with(at, all[at]! ^ 1))
    assert.deepEqual(findings(), [path], `byte ${at}`)
    env.disk.rot(path, (all) => all.with(at, all[at]! ^ 1))
  }
})
