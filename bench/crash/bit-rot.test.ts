/**
 * Bytes of the log and of its checkpoints flipped one at a time, through the real engine and head: noticed every time,
 * named, counted, never a wrong sample, and what is lost is what the damaged record held. Method: reliability.md R4.
 * (The log alone: hub/wal/wal.test.ts; blocks: hub/block/damage.test.ts.) HELIO_LONG=1 flips every byte.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk, seededRandom } from '../../hub/wal/testing/mod.ts'
import { DIRECTORY, Journal, judge, Storage } from './storage.ts'

const IS_LONG = process.env['HELIO_LONG'] === '1'
/** Samples that one write or batch brings. */
const SAMPLES_PER_RECORD = 6
const WAL = `${DIRECTORY}/wal`

async function filled(checkpoints: number): Promise<{ readonly disk: MemoryDisk; readonly journal: Journal }> {
  const { float: random } = seededRandom(6)
  const journal = new Journal()
  const disk = new MemoryDisk()
  const storage = await Storage.open(disk, journal, { seed: 3, segmentBytes: checkpoints === 0 ? 16_000 : 7000 })
  const write = (count: number): void => {
    for (let i = 0; i < count; i++) {
      storage.send(i % 2 === 0 ? 'write' : 'agent', random)
      storage.commit()
    }
  }
  write(checkpoints === 0 ? 70 : 10)
  for (let i = 0; i < checkpoints; i++) {
    storage.engine.checkpoint()
    write(4)
  }
  for (const sequence of [...journal.open.keys()]) storage.deliver(sequence)
  storage.commit()
  storage.close()
  return { disk, journal }
}

type Flip = { readonly storage: Storage; readonly lost: readonly string[]; readonly where: string }

/** A start on the disk with one bit flipped; what every such start must hold is asserted here. */
async function startWithFlip(disk: MemoryDisk, journal: Journal, path: string, at: number): Promise<Flip> {
  const where = `${path}, byte ${at}`
  const rotten = disk.kill()
  rotten.rot(path, (bytes) => {
    bytes[at]! ^= 1 << (at % 8)
    return bytes
  })
  const storage = await Storage.open(rotten, journal, { seed: 1000 + at })
  const { problems, lost } = judge(storage.export(), journal)
  assert.deepEqual(problems, [], where)
  const { damages } = storage.engine.replayReport
  assert.ok(damages.length > 0, `${where}: nobody noticed`)
  assert.ok(
    damages.some(({ file }) => file === path),
    `${where}: it is not named`,
  )
  assert.ok(
    storage.log.lines.some(({ level, fields }) => level === 'error' && fields['file'] === path),
    `${where}: it is not in the log`,
  )
  return { storage, lost, where }
}

test('a flipped byte of a segment is noticed and costs at most its own record', async (t) => {
  const { disk, journal } = await filled(0)
  const path = `${WAL}/00000000.wal`
  assert.ok(disk.readDirectory(WAL).includes('00000001.wal'), 'the segment is closed')
  const sizeBytes = disk.stat(path)!.sizeBytes
  let flips = 0
  let costly = 0
  // The header page is mostly padding: fewer of its bytes.
  for (let at = 0; at < sizeBytes; at += IS_LONG ? 1 : at < 4096 ? 211 : 53) {
    const { storage, lost, where } = await startWithFlip(disk, journal, path, at)
    assert.ok(lost.length <= SAMPLES_PER_RECORD, `${where}: ${lost.length} samples are gone`)
    if (at < 4096) assert.equal(lost.length, 0, where)
    if (lost.length > 0) costly++
    storage.close()
    flips++
  }
  assert.ok(costly > 0, 'no flip has cost anything: the test proves nothing')
  t.diagnostic(`${flips} of ${sizeBytes} bytes flipped, ${costly} cost a record, none more`)
})

test('a flipped byte of a checkpoint costs nothing: the generation before it stands in', async (t) => {
  const { disk, journal } = await filled(2)
  const names = disk.readDirectory(WAL).filter((name) => name.startsWith('checkpoint'))
  assert.equal(names.length, 2)
  const path = `${WAL}/${names[1]}`
  const sizeBytes = disk.stat(path)!.sizeBytes
  const stride = Math.ceil(sizeBytes / (IS_LONG ? 5000 : 120))
  let flips = 0
  for (let at = 4096; at < sizeBytes; at += stride) {
    const { storage, lost, where } = await startWithFlip(disk, journal, path, at)
    assert.deepEqual(lost, [], where)
    storage.close()
    flips++
  }
  t.diagnostic(`${flips} of ${sizeBytes} bytes flipped`)
})

test('with both checkpoints damaged what the log holds since is served, and nothing wrong', async () => {
  const { disk, journal } = await filled(2)
  for (const name of disk.readDirectory(WAL).filter((each) => each.startsWith('checkpoint')))
    disk.rot(`${WAL}/${name}`, (bytes) => bytes.with(9000, bytes[9000]! ^ 1))
  const storage = await Storage.open(disk, journal, { seed: 9 })
  const { problems, stored } = judge(storage.export(), journal)
  assert.deepEqual(problems, [])
  assert.ok(stored.size > 0)
  assert.ok(storage.engine.replayReport.damages.length >= 2)
})
