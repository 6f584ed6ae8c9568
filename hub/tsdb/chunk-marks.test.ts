/** Marks in lists of chunks: they change nothing that is found, and keep walks short. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM, type Histogram } from '../../protocol/samples/mod.ts'
import { seededRandom } from '../wal/testing/mod.ts'
import { ChunkMarks } from './chunk-marks.ts'
import { K_BASE_F64, K_LAST_OFFSET, K_META, K_NEXT, Kind } from './layout.ts'
import type { Memory } from './memory.ts'
import { AppendResult, createHead, createSampleBuffer, openReader } from './mod.ts'

const CHUNK_WORDS = 16
const NO_TICKS = () => assert.fail('no chunk is of a group')

/** A list of chunks of own times, in memory that counts how often it is looked at. */
function listed(spans: readonly (readonly [from: number, to: number])[]) {
  const u32 = new Uint32Array((spans.length + 1) * CHUNK_WORDS)
  const f64 = new Float64Array(u32.buffer)
  let looks = 0
  const addressOf = (i: number): number => (i + 1) * CHUNK_WORDS
  const put = (i: number, next: number): void => {
    const [from, to] = spans[i]!
    u32[addressOf(i) + K_NEXT] = next
    u32[addressOf(i) + K_META] = Kind.own
    f64[addressOf(i) / 2 + K_BASE_F64] = from
    u32[addressOf(i) + K_LAST_OFFSET] = to - from
  }
  const mem = {
    get: (at: number) => {
      looks++
      return u32[at]!
    },
    getF64: (at: number, i: number) => f64[at / 2 + i]!,
  } as unknown as Memory
  const found = (hits: readonly number[]): number[] => hits.map((chunk) => chunk / CHUNK_WORDS - 1)
  const wanted = (time: number): number[] =>
    spans
      .flatMap(([from, to], i) => (from <= time && time <= to ? [i] : []))
      .filter((i) => u32[addressOf(i) + K_META] !== 0)
  const looksOf = (run: () => void): number => {
    looks = 0
    run()
    return looks
  }
  return { marks: new ChunkMarks(mem), put, addressOf, found, wanted, looksOf }
}

const COUNT = 2000

test('in-order chunks are found among thousands in a few looks, wherever they are', () => {
  const spans = Array.from({ length: COUNT }, (_, i) => [10 * i, 10 * i + (i % 3 === 0 ? 9 : 5)] as const)
  const { marks, put, addressOf, found, wanted, looksOf } = listed(spans)
  const { float } = seededRandom(1)
  let looks = 0
  for (let i = 0; i < COUNT; i++) {
    put(i, 0)
    if (i > 0) put(i - 1, addressOf(i))
    const hits: number[] = []
    const time = Math.floor(float() * 10 * (i + 2))
    looks += looksOf(() => marks.findInOrder(7, addressOf(0), time, NO_TICKS, hits))
    assert.deepEqual(found(hits), wanted(time), `time ${time} in ${i + 1}`)
  }
  // Without marks they are some 3,000 for each.
  assert.ok(looks < 200 * COUNT, `${looks} looks`)
})

test('late chunks are found among thousands in a few looks when the time is near the newest', () => {
  const { float } = seededRandom(2)
  const spans = Array.from({ length: COUNT }, (_, i) => {
    const from = 10 * i + Math.floor(300 * float())
    return [from, from + Math.floor(200 * float())] as const
  })
  const { marks, put, addressOf, found, wanted, looksOf } = listed(spans)
  for (let i = 0; i < COUNT; i++) {
    put(i, i === 0 ? 0 : addressOf(i - 1))
    const isNear = i % 50 !== 0
    const time = isNear ? 10 * i + Math.floor(500 * float()) - 200 : Math.floor(10 * i * float())
    const hits: number[] = []
    const looks = looksOf(() => marks.findLate(7, addressOf(i), time, hits))
    assert.deepEqual(found(hits).reverse(), wanted(time), `time ${time} in ${i + 1}`)
    assert.ok(!isNear || looks < 1200, `${looks} looks at ${i + 1} chunks`)
  }
})

test('a sample that is there is known as such in series of hundreds of chunks, while the head trims and evicts', () => {
  const { float } = seededRandom(3)
  const head = createHead()
  const ref = head.series(labelsFrom({ __name__: 'm' }))
  const stored = new Map<number, string>()
  const values = new Float64Array(1)
  const histogram = (time: number): Histogram => ({ ...EMPTY_HISTOGRAM, schema: (time >> 2) % 5, sum: time })
  let floor = 0
  const append = (time: number): void => {
    values[0] = time
    // Four floats, then four histograms: a chunk for each.
    const result =
      (time & 4) === 0 ? head.appendFloat(ref, time, values, 0, 0) : head.appendHistogram(ref, time, histogram(time), 0)
    const expected =
      time < floor ? AppendResult.tooOld : stored.has(time) ? AppendResult.duplicate : AppendResult.stored
    assert.equal(result, expected, `time ${time}`)
    if (result === AppendResult.stored) stored.set(time, (time & 4) === 0 ? String(time) : `histogram ${time}`)
  }
  const shown = (): Map<number, string> => {
    head.publish()
    const reader = openReader(head.share())
    const out = createSampleBuffer()
    reader.read(ref, { minTime: -Infinity, maxTime: Infinity }, out)
    reader.release()
    return new Map(
      Array.from({ length: out.count }, (_, i) => [
        out.times[i]!,
        out.flags[i] === 2 ? `histogram ${out.histograms![i]!.sum}` : String(out.values[i]),
      ]),
    )
  }
  const check = (): void =>
    assert.deepEqual(
      [...shown()],
      [...stored].sort(([a], [b]) => a - b),
    )
  for (let now = 1000; now < 9000; now++) {
    // One in three is left out for now.
    if (float() < 0.67) append(now)
    if (float() < 0.6) append(now - Math.floor(400 * float()))
    if (float() < 0.05) append(Math.floor(now * float()))
    if (now % 2500 === 0) {
      check()
      floor = now - 1500
      head.trim(floor)
      for (const time of [...stored.keys()]) if (time < floor) stored.delete(time)
      check()
    }
    if (now === 8000) {
      head.closeBefore(7000)
      head.evict()
      // Blocks have it. What came late before then stays in the head where it shares a chunk with what came after.
      const left = shown()
      for (const [time, text] of left) assert.equal(stored.get(time), text)
      for (const time of stored.keys()) assert.ok(time < 7000 || left.has(time))
      stored.clear()
      for (const [time, text] of left) stored.set(time, text)
    }
  }
  check()
  assert.ok(head.stats().chunks > 200 && head.stats().lateSamples > 1000)
})
