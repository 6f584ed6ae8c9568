import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskReserve } from './mod.ts'
import { MemoryDisk, manualClock, memoryLogger } from './testing/mod.ts'

const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

async function reserve(freeBytes: number) {
  const disk = new MemoryDisk()
  disk.makeDirectory('/data')
  disk.capacityBytes = freeBytes
  const clock = manualClock(0)
  const log = memoryLogger()
  const it = new DiskReserve({ disk, clock, log, directory: '/data', reserveBytes: 100_000 })
  await it.start()
  return { it, disk, clock, log }
}

test('the reserve is full below its bytes, and has room again only with a quarter more', async () => {
  const { it, disk, clock, log } = await reserve(200_000)
  assert.equal(it.isFull, false)
  for (const [capacityBytes, full] of [
    [99_000, true],
    [101_000, true],
    [124_000, true],
    [126_000, false],
    [101_000, false],
    [99_000, true],
  ] as const) {
    disk.capacityBytes = capacityBytes
    clock.advance(1000)
    await settled()
    assert.equal(it.isFull, full, `${capacityBytes} bytes`)
  }
  assert.equal(log.lines.length, 3)
})

test('while it is full, room is made, whatever becomes of that', async () => {
  const { disk, clock } = await reserve(200_000)
  let asked = 0
  const makeRoom = (): void => {
    asked++
    if (asked === 1) throw new Error('no')
    disk.capacityBytes = 200_000
  }
  const it = new DiskReserve({ disk, clock, log: memoryLogger(), directory: '/data', reserveBytes: 100_000, makeRoom })
  await it.start()
  assert.equal(asked, 0)
  disk.capacityBytes = 99_000
  for (let i = 0; i < 4; i++) {
    clock.advance(1000)
    await settled()
  }
  assert.equal(asked, 2)
  assert.equal(it.isFull, false)
})

test('bytes written between two answers of statfs count at once', async () => {
  const { it } = await reserve(200_000)
  it.wrote(90_000)
  assert.equal(it.isFull, false)
  it.wrote(20_000)
  assert.equal(it.isFull, true)
})

test('a write that found no room closes the reserve until statfs says otherwise', async () => {
  const { it, clock } = await reserve(10_000_000)
  it.sawFull()
  assert.equal(it.isFull, true)
  clock.advance(1000)
  await settled()
  assert.equal(it.isFull, false)
})

test('a statfs that fails is logged and asked again', async () => {
  const { it, disk, clock, log } = await reserve(200_000)
  const statfs = disk.statfs
  disk.statfs = () => Promise.reject(new Error('stale handle'))
  clock.advance(1000)
  await settled()
  assert.equal(log.lines[0]?.level, 'warn')
  disk.statfs = statfs
  disk.capacityBytes = 1
  clock.advance(1000)
  await settled()
  assert.equal(it.isFull, true)
  it.close()
})
