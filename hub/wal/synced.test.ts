import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  byteOf,
  decodeHeaderPage,
  HEADER_PAGE_BYTES,
  listFiles,
  MAX_HELD_BYTES,
  openWal,
  SyncedEnd,
  scanRange,
  segmentName,
  segmentOf,
  startOf,
} from './mod.ts'
import { droppable } from './retained.ts'
import { MemoryDisk, memoryLogger, seededRandom } from './testing/mod.ts'

function open(disk: MemoryDisk, synced: SyncedEnd, segmentBytes = 1 << 20) {
  if (!disk.directories.has('/data')) disk.makeDirectory('/data')
  const wal = openWal({ disk, log: memoryLogger(), random: seededRandom(1), directory: '/data', segmentBytes, synced })
  wal.replay(() => {})
  return wal
}

const add = (wal: ReturnType<typeof open>, text: string): void => wal.append(1, [new TextEncoder().encode(text)])

test('the end moves with each commit, not with what is pending; a restart finds it where it was', () => {
  const disk = new MemoryDisk()
  const synced = new SyncedEnd()
  const wal = open(disk, synced)
  assert.equal(synced.end, 0)
  add(wal, 'one')
  assert.equal(synced.end, 0)
  wal.commit()
  const first = synced.end
  assert.ok(first > startOf(0) && segmentOf(first) === 0)
  add(wal, 'two')
  wal.commit()
  assert.ok(synced.end > first)
  wal.close()
  const again = new SyncedEnd()
  open(disk, again)
  assert.equal(again.end, synced.end)
})

test('what is read between two ends is what was committed between them', () => {
  const disk = new MemoryDisk()
  const synced = new SyncedEnd()
  const wal = open(disk, synced)
  add(wal, 'before')
  wal.commit()
  const from = synced.end
  for (const text of ['a', 'b', 'c']) add(wal, text)
  wal.commit()
  add(wal, 'pending')
  const file = disk.open(`/data/wal/${segmentName(segmentOf(from))}`, 'r')
  const page = new Uint8Array(HEADER_PAGE_BYTES)
  file.read(page, 0, page.length, 0)
  const { key } = decodeHeaderPage(page)!
  const texts: string[] = []
  const read = (fromByte: number, most: number) =>
    scanRange(file, key, { fromByte, toByte: byteOf(synced.end) }, (_, payload) => {
      texts.push(new TextDecoder().decode(payload))
      return texts.length < most
    })
  const { soundBytes } = read(byteOf(from), 2)
  assert.deepEqual(texts, ['a', 'b'])
  assert.equal(read(soundBytes, 10).soundBytes, byteOf(synced.end))
  assert.deepEqual(texts, ['a', 'b', 'c'])
})

test('checkpoints leave what a follower needs: its segments, and the checkpoint before them', () => {
  const disk = new MemoryDisk()
  const synced = new SyncedEnd()
  synced.need(2)
  const wal = open(disk, synced)
  const life = (): void => {
    add(wal, 'x')
    wal.commit()
    wal.checkpoint((add) => add(2, []))
  }
  for (let i = 0; i < 6; i++) life()
  const files = () => listFiles(disk.readDirectory('/data/wal'))
  assert.deepEqual(files().checkpoints, [2, 5, 6])
  assert.equal(files().segments[0], 2)
  synced.need(null)
  life()
  assert.deepEqual(files().checkpoints, [6, 7])
  assert.equal(files().segments[0], 6)
})

test('what a follower has let go of can go before the next checkpoint, and nothing else does', () => {
  const disk = new MemoryDisk()
  const synced = new SyncedEnd()
  synced.need(1)
  let wal = open(disk, synced)
  const names = () => disk.readDirectory('/data/wal')
  wal.dropReleased()
  for (let i = 0; i < 6; i++) {
    add(wal, 'x')
    wal.commit()
    wal.checkpoint((add) => add(2, []))
  }
  const held = names()
  wal.dropReleased()
  assert.deepEqual(names(), held)
  synced.need(5)
  wal.dropReleased()
  assert.deepEqual([listFiles(names()).checkpoints, listFiles(names()).segments[0]], [[5, 6], 5])
  add(wal, 'y')
  wal.commit()
  wal.close()
  // A restart has no checkpoint of its own yet.
  wal = open(disk, synced)
  synced.need(null)
  wal.dropReleased()
  assert.deepEqual([listFiles(names()).checkpoints, listFiles(names()).segments[0]], [[5, 6], 5])
})

test('droppable() keeps no more for a follower than its bound', () => {
  const files = { checkpoints: [3, 6, 7], segments: [3, 4, 5, 6, 7] }
  assert.deepEqual(
    droppable(files, 7, 4, () => 1),
    { checkpoints: [], segments: [], isOverdrawn: false },
  )
  assert.deepEqual(
    droppable(files, 7, 4, () => MAX_HELD_BYTES),
    {
      checkpoints: [3],
      segments: [3, 4, 5],
      isOverdrawn: true,
    },
  )
  assert.deepEqual(
    droppable(files, 7, 6, () => 1),
    { checkpoints: [3], segments: [3, 4, 5], isOverdrawn: false },
  )
  // There is only one: all stays.
  assert.deepEqual(droppable({ checkpoints: [3], segments: [1, 2, 3] }, 3, null, () => 1).segments, [])
})

test('for a follower that is always some way behind no more is kept than that, and a little', () => {
  const segmentBytes = 128 * 2 ** 20
  const behind = 24
  let files: { checkpoints: number[]; segments: number[] } = { checkpoints: [], segments: [0] }
  for (let newest = 1; newest <= 500; newest++) {
    files = { ...files, segments: [...files.segments, newest] }
    if (newest % 2 > 0) continue
    const checkpoints = [...files.checkpoints, newest]
    const needed = Math.max(0, newest - behind)
    const drop = droppable({ ...files, checkpoints }, newest, needed, () => segmentBytes)
    assert.equal(drop.isOverdrawn, false, `at ${newest}`)
    files = {
      checkpoints: checkpoints.filter((each) => !drop.checkpoints.includes(each)),
      segments: files.segments.filter((each) => !drop.segments.includes(each)),
    }
    // What it stands on: the beginning of the log, or a checkpoint.
    assert.ok(files.segments[0] === 0 || files.checkpoints[0]! <= needed)
    assert.ok(files.segments.length <= behind + 8, `${files.segments.length} segments at ${newest}`)
    assert.ok(files.checkpoints.length <= 10, `${files.checkpoints.length} checkpoints at ${newest}`)
  }
})
