import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DirectoryLockedError, DiskFullError, FatalDiskError, openWal, type ReplayReport, type Wal } from './mod.ts'
import { type FaultPoint, MemoryDisk, memoryLogger, seededRandom } from './testing/mod.ts'

const DIRECTORY = '/data'
type Row = readonly [type: number, text: string]

function open(disk: MemoryDisk, options: { segmentBytes?: number; seed?: number } = {}) {
  const log = memoryLogger()
  if (!disk.directories.has(DIRECTORY)) disk.makeDirectory(DIRECTORY)
  const wal = openWal({
    disk,
    log,
    random: seededRandom(options.seed ?? 1),
    directory: DIRECTORY,
    segmentBytes: options.segmentBytes ?? 1 << 20,
  })
  const rows: Row[] = []
  const report: ReplayReport = wal.replay(
    (type, payload) => void rows.push([type, new TextDecoder().decode(payload)]),
    () => void rows.splice(0),
  )
  return { wal, rows, report, log }
}

function add(wal: Wal, ...rows: Row[]): void {
  for (const [type, text] of rows) wal.append(type, [new TextEncoder().encode(text)])
}

function texts(rows: readonly Row[]): string[] {
  return rows.map(([, text]) => text)
}

test('records come back in order with their types, over groups, segments and restarts', () => {
  const disk = new MemoryDisk()
  const written: Row[] = []
  for (let life = 0; life < 3; life++) {
    const { wal, rows } = open(disk, { segmentBytes: 5000, seed: life })
    assert.deepEqual(rows, written)
    for (let group = 0; group < 20; group++) {
      for (let i = 0; i < 3; i++) {
        const row: Row = [i, `${life}/${group}/${i} ${'x'.repeat(group * 7)}`]
        add(wal, row)
        written.push(row)
      }
      wal.commit()
    }
    wal.close()
  }
  assert.deepEqual(open(disk).rows, written)
  assert.ok(disk.readDirectory(`${DIRECTORY}/wal`).length > 6)
})

test('close() commits what is pending and releases the lock; a second opener is refused until then', () => {
  const disk = new MemoryDisk()
  const { wal } = open(disk)
  assert.throws(() => open(disk), DirectoryLockedError)
  add(wal, [1, 'last words'])
  wal.close()
  assert.deepEqual(open(disk).rows, [[1, 'last words']])
})

test('a torn tail is cut at every byte of the last record, with a log line, and appending goes on', () => {
  const disk = new MemoryDisk()
  const { wal } = open(disk)
  add(wal, [1, 'first'], [1, 'second'])
  wal.commit()
  const path = `${DIRECTORY}/wal/00000000.wal`
  const before = disk.stat(path)!.sizeBytes
  add(wal, [1, 'the last record, which is torn'])
  wal.commit()
  const after = disk.stat(path)!.sizeBytes
  for (let size = before; size < after; size++) {
    const torn = disk.kill()
    torn.rot(path, (bytes) => bytes.slice(0, size))
    const { wal: again, rows, report, log } = open(torn, { seed: size })
    assert.deepEqual(texts(rows), ['first', 'second'], `size ${size}`)
    assert.equal(report.tornBytes, size - before)
    assert.equal(report.damages.length, 0)
    assert.equal(log.lines.length, size === before ? 0 : 1)
    add(again, [1, 'next'])
    again.close()
    assert.deepEqual(texts(open(torn, { seed: size + 1 }).rows), ['first', 'second', 'next'])
  }
})

test('every flipped byte of a segment is detected, and only its own record is lost', () => {
  const disk = new MemoryDisk()
  const first = open(disk)
  const rows: Row[] = ['a', 'bb', 'ccc', 'dddd', 'eeeee'].map((text, i) => [i, text.repeat(5)])
  for (const row of rows) {
    add(first.wal, row)
    first.wal.commit()
  }
  first.wal.close()
  disk
    .open(`${DIRECTORY}/wal/00000001.wal`, 'wx')
    .write(disk.readFile(`${DIRECTORY}/wal/00000000.wal`).slice(0, 4096), 0) // with a segment behind it, segment 0 cannot have a torn tail
  const path = `${DIRECTORY}/wal/00000000.wal`
  const sizeBytes = disk.stat(path)!.sizeBytes
  for (let at = 4096; at < sizeBytes; at++) {
    const rotten = disk.kill()
    rotten.rot(path, (bytes) => {
      bytes[at]! ^= 1 << (at % 8)
      return bytes
    })
    const { rows: found, report } = open(rotten, { seed: 3 })
    assert.equal(report.damages.length, 1, `byte ${at}`)
    assert.equal(found.length, rows.length - 1, `byte ${at}`)
    for (const row of found) assert.ok(rows.some((good) => good[0] === row[0] && good[1] === row[1]))
    const aside = report.damages[0]!.quarantine
    assert.ok(aside !== null && rotten.stat(aside)!.sizeBytes > 0)
  }
})

test('a damaged header page costs nothing while one of its copies is sound', () => {
  const disk = new MemoryDisk()
  const { wal } = open(disk)
  add(wal, [1, 'kept'])
  wal.close()
  const path = `${DIRECTORY}/wal/00000000.wal`
  const damage = (disk: MemoryDisk, from: number, to: number): MemoryDisk => {
    disk.rot(path, (bytes) => bytes.fill(0xee, from, to))
    return disk
  }
  for (const from of [0, 2048]) {
    const { rows, report } = open(damage(disk.kill(), from, from + 512))
    assert.deepEqual(texts(rows), ['kept'])
    assert.deepEqual(
      report.damages.map(({ isHarmless }) => isHarmless),
      [true],
    )
  }
  const { rows, report } = open(damage(disk.kill(), 0, 4096))
  assert.deepEqual(rows, [])
  assert.equal(report.damages[0]?.what, 'header page is unreadable')
  assert.equal(report.damages[0]?.isHarmless, undefined)
})

test('a payload that imitates a record is not taken for one when its own record is damaged', () => {
  const disk = new MemoryDisk()
  const { wal } = open(disk)
  add(wal, [7, 'genuine'])
  wal.commit()
  const path = `${DIRECTORY}/wal/00000000.wal`
  const genuine = disk.readFile(path).slice(4096)
  wal.append(1, [genuine.slice(4)]) // the imitation lacks the sync word, which its author cannot know
  add(wal, [1, 'behind'])
  wal.close()
  const recordAt = 4096 + genuine.length
  disk.rot(path, (bytes) => bytes.fill(0, recordAt + 4, recordAt + 8))
  const { rows, report } = open(disk, { seed: 2 })
  assert.deepEqual(texts(rows), ['genuine', 'behind'])
  assert.equal(report.damages.length, 1)
})

test('a checkpoint replaces what came before; the generation before it is kept for the day it is damaged', () => {
  const disk = new MemoryDisk()
  const { wal } = open(disk)
  const state: string[] = []
  const say = (text: string): void => {
    add(wal, [1, text])
    wal.commit()
    state.push(text)
  }
  const checkpoint = (): void =>
    wal.checkpoint((addRecord) => {
      for (const text of state) addRecord(2, [new TextEncoder().encode(text)])
    })
  for (let round = 0; round < 4; round++) {
    say(`round ${round}`)
    checkpoint()
    say(`after ${round}`)
  }
  assert.deepEqual(
    disk.readDirectory(`${DIRECTORY}/wal`).filter((name) => name.endsWith('.wal')),
    ['00000003.wal', '00000004.wal', 'checkpoint-00000003.wal', 'checkpoint-00000004.wal'],
  )
  wal.close()
  const sound = open(disk.kill(), { seed: 2 })
  assert.deepEqual(texts(sound.rows), state)
  assert.equal(sound.report.checkpoint, 4)

  const path = `${DIRECTORY}/wal/checkpoint-00000004.wal`
  const sizeBytes = disk.stat(path)!.sizeBytes
  for (let at = 4096; at < sizeBytes; at += 5) {
    const rotten = disk.kill()
    rotten.rot(path, (bytes) => {
      bytes[at]! ^= 0x10
      return bytes
    })
    const { rows, report } = open(rotten, { seed: 3 })
    assert.deepEqual(texts(rows), state, `byte ${at}`)
    assert.equal(report.checkpoint, 3)
    assert.equal(report.damages.length, 1)
  }
})

test('damage to the first checkpoint falls back to the segments, all of which are still there', () => {
  const disk = new MemoryDisk()
  const { wal } = open(disk)
  add(wal, [1, 'a'])
  wal.checkpoint((addRecord) => addRecord(2, [new TextEncoder().encode('a')]))
  add(wal, [1, 'b'])
  wal.close()
  disk.rot(`${DIRECTORY}/wal/checkpoint-00000001.wal`, (bytes) => bytes.slice(0, -20))
  assert.deepEqual(open(disk, { seed: 2 }).rows, [
    [1, 'a'],
    [1, 'b'],
  ])
})

test('a missing segment is reported and the others are served', () => {
  const disk = new MemoryDisk()
  for (let life = 0; life < 3; life++) {
    const { wal } = open(disk, { seed: life })
    add(wal, [1, `life ${life}`])
    wal.close()
  }
  disk.unlink(`${DIRECTORY}/wal/00000001.wal`)
  const { rows, report } = open(disk)
  assert.deepEqual(texts(rows), ['life 0', 'life 2'])
  assert.equal(report.damages[0]?.what, 'segment is missing')
})

for (const point of ['write', 'datasync'] as const)
  test(`an input/output error in ${point} is fatal and stays fatal`, () => {
    const disk = new MemoryDisk()
    const { wal } = open(disk)
    add(wal, [1, 'acknowledged'])
    wal.commit()
    let failed = false
    disk.fault = (at: FaultPoint) => {
      if (at !== point || failed) return null
      failed = true
      return 'EIO'
    }
    add(wal, [1, 'lost'])
    assert.throws(() => wal.commit(), FatalDiskError)
    // The disk works again, but what it holds is unknown: no later call may succeed.
    assert.throws(() => wal.commit(), FatalDiskError)
    assert.throws(() => add(wal, [1, 'never']), FatalDiskError)
    assert.deepEqual(texts(open(disk.kill(), { seed: 2 }).rows).slice(0, 1), ['acknowledged'])
  })

test('a full disk keeps the group pending; once there is room it is committed, once', () => {
  const disk = new MemoryDisk()
  const { wal } = open(disk)
  add(wal, [1, 'fits'])
  wal.commit()
  disk.capacityBytes = disk.usedBytes() + 100
  add(wal, [1, 'x'.repeat(300)])
  for (let i = 0; i < 3; i++) assert.throws(() => wal.commit(), DiskFullError)
  assert.ok(wal.pendingBytes > 300)
  assert.deepEqual(texts(open(disk.kill(), { seed: 2 }).rows), ['fits'])
  disk.capacityBytes = Number.POSITIVE_INFINITY
  wal.commit()
  assert.deepEqual(texts(open(disk.kill(), { seed: 2 }).rows), ['fits', 'x'.repeat(300)])
})

test('a full disk in a checkpoint or a new segment changes nothing', () => {
  const disk = new MemoryDisk()
  const { wal } = open(disk, { segmentBytes: 4200 })
  add(wal, [1, 'x'.repeat(200)])
  wal.commit()
  disk.capacityBytes = disk.usedBytes() + 10
  assert.throws(() => wal.checkpoint((addRecord) => addRecord(2, [new Uint8Array(9)])), DiskFullError)
  add(wal, [1, 'second'])
  assert.throws(() => wal.commit(), DiskFullError)
  disk.capacityBytes = disk.usedBytes() + 4096 + 100 // the segment, but not the checkpoint behind it
  assert.throws(() => wal.checkpoint((addRecord) => addRecord(2, [new Uint8Array(9)])), DiskFullError)
  disk.capacityBytes = Number.POSITIVE_INFINITY
  wal.commit()
  assert.deepEqual(texts(open(disk.kill(), { seed: 2 }).rows), ['x'.repeat(200), 'second'])
})

test('after a loss of power all that was committed is there, in order, and nothing that was not written', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = seededRandom(seed)
    let disk = new MemoryDisk()
    let acknowledged: string[] = []
    for (let life = 0; life < 3; life++) {
      const { wal, rows, report } = open(disk, { segmentBytes: 6000, seed: seed * 10 + life })
      const found = texts(rows)
      assert.deepEqual(
        report.damages.filter((damage) => damage.what !== 'checksum of a record does not match'),
        [],
        `seed ${seed}`,
      )
      assert.deepEqual(found.slice(0, acknowledged.length), acknowledged, `seed ${seed} life ${life}`)
      const state = [...found]
      acknowledged = [...found]
      const steps = Math.floor(random.float() * 30)
      for (let i = 0; i < steps; i++) {
        const text = `${life}.${i}.${'y'.repeat(Math.floor(random.float() * 900))}`
        add(wal, [1, text])
        state.push(text)
        if (random.float() < 0.6) {
          wal.commit()
          acknowledged = [...state]
        } else if (random.float() < 0.2) {
          wal.checkpoint((addRecord) => {
            for (const each of state) addRecord(2, [new TextEncoder().encode(each)])
          })
          acknowledged = [...state]
        }
      }
      // The power goes in the middle of a commit: written, not synced.
      if (random.float() < 0.7) {
        add(wal, [1, `${life}.torn.${'z'.repeat(Math.floor(random.float() * 3000))}`])
        add(wal, [1, `${life}.torn`])
        disk.fault = (point) => (point === 'datasync' ? 'EIO' : null)
        assert.throws(() => wal.commit(), FatalDiskError)
      }
      disk = disk.crash(() => random.float())
    }
  }
})
