import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'
import { createHead } from '../tsdb/mod.ts'
import type { IngestEngine } from './mod.ts'
import { RowLogWriter, RowReader, readDefinitions } from './row-log.ts'
import { NOW, World } from './testing/world.ts'

const bits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const sample = fc.record({
  id: fc.oneof(fc.nat(50), fc.nat(2 ** 30)),
  time: fc.oneof(fc.constantFrom(0, 1.7e12, 1.7e12 + 1), fc.integer({ min: -(2 ** 52), max: 2 ** 52 })),
  bits,
  result: fc.constantFrom(0, 0, 0, 1, 4),
})

test('rows are read as they were written, all bits of all values, without those that were not stored', () => {
  const writer = new RowLogWriter()
  writer.begin(7)
  const reader = new RowReader()
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 300 }), (samples) => {
      const stored = samples.filter(({ result }) => result === 0)
      const record = writer
        .rows(
          Uint32Array.from(samples, ({ id }) => id),
          Float64Array.from(samples, ({ time }) => time),
          new Float64Array(BigUint64Array.from(samples, (each) => each.bits).buffer),
          Uint8Array.from(samples, ({ result }) => result),
          samples.length,
          stored.length,
        )
        .slice()
      // In the log a record begins wherever it begins.
      const moved = new Uint8Array(record.length + 3)
      moved.set(record, 3)
      reader.read(moved.subarray(3))
      assert.equal(reader.life, 7)
      assert.deepEqual(
        [...reader.ids.subarray(0, reader.count)],
        stored.map(({ id }) => id),
      )
      assert.deepEqual(
        [...new BigUint64Array(reader.values.buffer, 0, reader.count)],
        stored.map((each) => each.bits),
      )
      const times: number[] = []
      for (let run = 0; run < reader.runs; run++)
        for (let i = 0; i < reader.lengths[run]!; i++) times.push(reader.times[run]!)
      assert.deepEqual(
        times,
        stored.map(({ time }) => time),
      )
    }),
  )
})

test('an id is defined once in a life, with its label bytes', () => {
  const writer = new RowLogWriter()
  const labels = { labelBytes: (series: number) => Uint8Array.of(10, series) }
  for (const life of [5, 6]) {
    writer.begin(life)
    for (const id of [3, 100_000, 3]) writer.use(id, id & 127, labels)
    assert.deepEqual(readDefinitions(writer.definitions()!), {
      life,
      series: [
        { id: 3, bytes: Uint8Array.of(10, 3) },
        { id: 100_000, bytes: Uint8Array.of(10, 100_000 & 127) },
      ],
    })
    writer.use(3, 3, labels)
    assert.equal(writer.definitions(), null)
  }
})

function write(engine: IngestEngine, step: number, from: number, to: number): void {
  const series = Array.from({ length: to - from }, (_, i) => ({
    labels: labelsFrom({ __name__: 'rows', i: String(from + i) }),
    timestamps: [NOW + 15_000 * step],
    values: Float64Array.of(step * 1000 + from + i),
  }))
  assert.equal(engine.acceptRemoteWrite(snappyCompress(encodeWriteRequest(series))).status, 204)
  assert.ok(engine.commit())
}

test('rows of several lives, before and after checkpoints and removed series, are all there after each restart', async () => {
  const world = new World(21)
  let step = 0
  for (const isCheckpoint of [false, true, true, false]) {
    const engine = await world.open()
    write(engine, step++, 0, 30)
    // Others come first in the next life, so that ids of the two differ.
    write(engine, step++, 20 + 5 * step, 40 + 5 * step)
    if (isCheckpoint) {
      engine.checkpoint()
      write(engine, step++, 10, 35)
      write(engine, step++, 200 + step, 205 + step)
    }
    const before = world.heads.last.dump()
    engine.close()
    const again = await world.open()
    assert.deepEqual(world.heads.last.dump(), before)
    assert.equal(again.counters.replayLost, 0)
    again.close()
  }
})

test('a damaged record of rows costs its own; a damaged definition costs none, for it stands there twice', async () => {
  const world = new World(22)
  const engine = await world.open()
  write(engine, 0, 0, 10)
  write(engine, 1, 0, 10)
  const before = world.heads.last.dump()
  engine.close()
  const pristine = world.disk
  const path = '/data/wal/00000000.wal'
  const { sizeBytes } = pristine.stat(path)!
  let harmless = 0
  for (let at = 4096; at < sizeBytes; at += 13) {
    world.disk = pristine.kill()
    world.disk.rot(path, (bytes) => bytes.with(at, bytes[at]! ^ 4))
    const again = await world.open()
    const rows = world.heads.last.dump().reduce((sum, [, samples]) => sum + samples.length, 0)
    assert.ok(rows === 10 || rows === 20, `byte ${at}: ${rows} of 20 samples`)
    assert.equal(again.counters.replayLost, 0)
    if (rows === 20) {
      harmless++
      assert.deepEqual(world.heads.last.dump(), before)
    }
    again.close()
  }
  assert.ok(harmless > 0)
})

test('with both copies of a definition damaged its samples are lost and counted, and none gets into another series', async () => {
  const world = new World(23)
  const { random } = world
  // Three lives of one log, each with other ids for the same series.
  for (let life = 0, step = 0; life < 3; life++) {
    const engine = await world.open()
    if (life === 1) engine.checkpoint()
    for (let i = 0; i < 3; i++) write(engine, step++, 20 - 10 * life, 45 - 5 * life + 5 * i)
    engine.close()
  }
  const pristine = world.disk
  const wal = pristine.readDirectory('/data/wal').filter((name) => name.endsWith('.wal'))
  let counted = 0
  for (let run = 0; run < 150; run++) {
    world.disk = pristine.kill()
    const path = `/data/wal/${wal[run % wal.length]}`
    const { sizeBytes } = world.disk.stat(path)!
    const from = 4096 + Math.floor(random.float() * Math.max(0, sizeBytes - 4096))
    const to = from + 50 + Math.floor(random.float() * 1500)
    world.disk.rot(path, (bytes) => bytes.map((byte, at) => (at >= from && at < to ? byte ^ 0x55 : byte)))
    const engine = await world.open()
    for (const [labels, samples] of world.heads.last.dump()) {
      const series = Number(labels.split(',').at(-1))
      for (const [time, bits] of samples) {
        const words = bits.split(/[:@]/).map((word) => Number.parseInt(word, 16))
        const value = new Float64Array(Uint32Array.of(words[1]!, words[0]!).buffer)[0]
        assert.equal(value, ((time - NOW) / 15_000) * 1000 + series, `run ${run}: ${labels}`)
      }
    }
    counted += engine.counters.replayLost
    engine.close()
  }
  assert.ok(counted > 0, 'no definition was lost: the test proves nothing')
})

test('the head never gives out a ref again, removed series or not: ids of a life are defined once', () => {
  const head = createHead({})
  const given = new Set<number>()
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 200; i++) {
      const ref = head.series(labelsFrom({ __name__: 'gone', i: String(round % 2 === 0 ? i : 1000 * round + i) }))
      assert.ok(!given.has(ref), `round ${round}: ${ref} comes again`)
      given.add(ref)
      head.appendFloat(ref, NOW + round, Float64Array.of(1), 0, 0)
    }
    head.publish()
    assert.equal(head.trim(NOW + round + 1), 200)
    for (let i = 0; i < 100; i++) head.publish()
  }
})
