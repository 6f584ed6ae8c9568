/** Reads that find chunks decoded against reads that decode them, while the head grows, and gives memory away and back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM, setStaleAt } from '../../protocol/samples/mod.ts'
import { ChunkTarget } from './chunk-reader.ts'
import { KeptChunks } from './kept-chunks.ts'
import { GROUPS, KIND_MASK, Kind, S_FIRST, S_GROUP, S_STATE, SERIES } from './layout.ts'
import { Memory } from './memory.ts'
import { createHead, createSampleBuffer, type Head, openReader, type SampleBuffer, type TimeRange } from './mod.ts'
import { SeriesDecoder } from './series-reader.ts'
import { Table } from './table.ts'
import { TimesTrail } from './times-key.ts'

const COUNT = 4
const ALL = { minTime: -Infinity, maxTime: Infinity }

type Append = { kind: 'own' | 'column' | 'late'; series: number; count: number; every: number; shape: number }
type Drop = { kind: 'evict' | 'trim'; share: number }
type Step = Append | Drop

const anySteps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constantFrom('own' as const, 'own' as const, 'column' as const, 'column' as const, 'late' as const),
        series: fc.nat(COUNT - 1),
        count: fc.integer({ min: 1, max: 300 }),
        every: fc.constantFrom(15_000, 15_000, 1000, 7),
        shape: fc.nat(5),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom('evict' as const, 'evict' as const, 'trim' as const),
        share: fc.double({ min: 0, max: 1.1, noNaN: true }),
      }),
    },
  ),
  { minLength: 1, maxLength: 14 },
)

/** Counters, constants, decimals, and what is no number now and then. */
function setValue(shape: number, i: number, values: Float64Array): void {
  values[0] = shape === 0 ? 7 : shape === 1 ? (i % 50) * 3 : shape === 2 ? i / 3 : i * 10
  if (shape === 4 && i % 20 === 5) setStaleAt(new Uint32Array(values.buffer), 0)
  if (shape === 5 && i % 30 === 7) values[0] = Number.NaN
}

class Grown {
  readonly head: Head = createHead({ maxBytes: 2 ** 26 })
  time = 1_000_000
  #refs = new Uint32Array(COUNT)
  #written = 0

  refs(): Uint32Array {
    for (let i = 0; i < COUNT; i++) this.#refs[i] = this.head.series(labelsFrom({ __name__: 'x', i: String(i) }))
    return this.#refs
  }

  apply(step: Step): void {
    if (step.kind === 'evict') {
      this.head.closeBefore(Math.floor(this.time * step.share))
      this.head.evict()
    } else if (step.kind === 'trim') this.head.trim(Math.floor(this.time * step.share))
    else this.#append(step as Append)
    this.head.publish()
  }

  #append({ kind, series, count, every, shape }: Append): void {
    const refs = this.refs()
    const values = new Float64Array(COUNT)
    for (let i = 0; i < count; i++) {
      const time = kind === 'late' ? this.time - 3 - i * every : (this.time += every)
      setValue(shape, this.#written++, values)
      if (kind === 'column') this.head.appendColumn(time, refs, values.fill(values[0]!, 1), COUNT)
      else if (shape === 3 && i === 9 && kind === 'own')
        this.head.appendHistogram(refs[series]!, time, { ...EMPTY_HISTOGRAM, count: i }, 0)
      else this.head.appendFloat(refs[series]!, time, values, 0, shape === 3 && kind === 'late' ? 5 : 0)
    }
  }
}

function contents(out: SampleBuffer): unknown {
  const { count, times, flags, mixed, histograms, startTimes, before } = out
  const words = new Uint32Array(out.values.buffer, out.values.byteOffset, 2 * count)
  return {
    times: [...times.subarray(0, count)],
    words: [...words],
    flags: [...flags.subarray(0, count)],
    mixed,
    histograms: histograms?.map((h) => h?.count),
    startTimes: startTimes && [...startTimes.subarray(0, count)],
    before: before?.count,
  }
}

/** As a reader that keeps nothing has them. */
function decoded(head: Head, ref: number, { minTime, maxTime }: TimeRange): unknown {
  const { control, pages } = head.share()
  const mem = new Memory(control, pages)
  const record = new Table(mem, SERIES).addr(ref)
  const out = createSampleBuffer()
  new SeriesDecoder(mem, new Table(mem, GROUPS), true).read(record, minTime, maxTime, out)
  return contents(out)
}

test('what was decoded before is what is read, whatever was appended and taken away since', () => {
  const timesOf = new Map<number, string>()
  fc.assert(
    fc.property(
      anySteps,
      fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(4)), { maxLength: 4 }),
      (steps, asked) => {
        const grown = new Grown()
        const buffer = createSampleBuffer()
        for (const step of steps) {
          grown.apply(step)
          const reader = openReader(grown.head.share())
          const parts = asked.map(([share, hours]) => {
            const minTime = Math.floor(grown.time * share)
            return { minTime, maxTime: minTime + hours * 3_600_000 }
          })
          // The second time some are kept, the third time they are found.
          for (const range of [ALL, ALL, ...parts, ...parts, ALL]) {
            for (const ref of reader.select([], range)) {
              reader.read(ref, range, buffer)
              assert.deepEqual(contents(buffer), decoded(grown.head, ref, range))
              const { count, timesKey = 0, rising = 0, times, values, flags } = buffer
              if (timesKey !== 0) {
                const text = times.subarray(0, count).join()
                assert.equal(timesOf.get(timesKey) ?? text, text)
                timesOf.set(timesKey, text)
              }
              assert.ok(rising <= count)
              for (let i = 0; i < rising; i++) assert.ok(flags[i] === 0 && values[i]! >= (values[i - 1] ?? -Infinity))
            }
          }
          reader.release()
        }
      },
    ),
    { numRuns: 60 },
  )
  assert.ok(timesOf.size > 50)
})

test('series that are sampled together have one number for their times, which says nothing of others', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  const refs = ['a', 'b', 'c'].map((instance) => head.series(labelsFrom({ __name__: 'up', instance })))
  const values = Float64Array.of(1)
  for (let i = 0; i < 500; i++) {
    for (const ref of refs.slice(0, 2)) head.appendFloat(ref, i * 15_000, values, 0, 0)
    head.appendFloat(refs[2]!, i * 15_000 + 1, values, 0, 0)
  }
  head.publish()
  const reader = openReader(head.share())
  const buffer = createSampleBuffer()
  const read = (): [number, number, number][] =>
    refs.map((ref) => {
      reader.read(ref, ALL, buffer)
      return [buffer.timesKey!, buffer.rising!, buffer.count]
    })
  assert.deepEqual(
    read().map(([key, , count]) => [key, count]),
    [
      [0, 500],
      [0, 500],
      [0, 500],
    ],
  )
  const [first, second, third] = read()
  assert.ok(first![0] > 1)
  assert.deepEqual(second, first)
  assert.ok(third![0] > 1 && third![0] !== first![0])
  // All but the open run.
  assert.ok(first![1] >= 480)
  reader.release()
})

test('an address that is given out anew is another chunk, however alike the two are', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  // An odd number: what is freed last is given out first, so the one in the middle gets what was its own.
  const refs = Uint32Array.from({ length: 9 }, (_, i) => head.series(labelsFrom({ __name__: 'x', i: String(i) })))
  const values = new Float64Array(refs.length)
  const buffer = createSampleBuffer()
  let time = 0
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 304; i++) {
      time += 15_000
      head.appendColumn(time, refs, values.fill(1_000_000 * round + 3 * i), refs.length)
    }
    head.publish()
    const reader = openReader(head.share())
    for (let again = 0; again < 3; again++) {
      for (const ref of refs) {
        reader.read(ref, ALL, buffer)
        assert.deepEqual(contents(buffer), decoded(head, ref, ALL))
      }
    }
    reader.release()
    // All but the newest: the series stay what they are.
    head.closeBefore(time)
    head.evict()
    head.publish()
  }
})

test('what is kept is bounded, of series too that are sampled each at times of its own', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  const values = new Float64Array(1)
  const refs = Array.from({ length: 2000 }, (_, i) => head.series(labelsFrom({ __name__: 'x', i: String(i) })))
  // Constants: the chunks are as long as chunks get.
  for (const ref of refs) for (let i = 0; i < 1000; i++) head.appendFloat(ref, i * 15_000 + ref, values, 0, 0)
  head.publish()
  const { control, pages } = head.share()
  const mem = new Memory(control, pages)
  const series = new Table(mem, SERIES)
  const kept = new KeptChunks(mem, 2 << 20)
  const [trail, buffer] = [new TimesTrail(), createSampleBuffer(2000)]
  const target = new ChunkTarget(buffer)
  target.minTime = -Infinity
  target.maxTime = Infinity
  let found = 0
  for (const ref of refs) {
    const record = series.addr(ref)
    for (let again = 0; again < 3; again++) {
      kept.begin()
      buffer.count = 0
      if (!kept.append(record, mem.get(record + S_FIRST), null, target, trail)) continue
      found++
      assert.ok(buffer.count > 100)
      for (let i = 0; i < buffer.count; i++) assert.equal(buffer.times[i], i * 15_000 + ref)
    }
  }
  assert.ok(found > 1500, `${found} were found`)
  assert.ok(kept.bytes < 8.5 * 2 ** 20, `${kept.bytes} bytes`)
})

test('a range may end between two milliseconds', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  const ref = head.series(labelsFrom({ __name__: 'x' }))
  for (let time = 0; time < 200; time++) head.appendFloat(ref, time, Float64Array.of(time), 0, 0)
  head.publish()
  const reader = openReader(head.share())
  const buffer = createSampleBuffer()
  for (let again = 0; again < 3; again++) {
    reader.read(ref, { minTime: 9.5, maxTime: 20.5 }, buffer)
    assert.deepEqual([buffer.times[0], buffer.times[buffer.count - 1], buffer.count], [10, 20, 11])
  }
  reader.release()
})

test('a group that gets the id of another has its own times, though no reader was opened in between', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  const { control, pages } = head.share()
  const mem = new Memory(control, pages)
  const [series, buffer] = [new Table(mem, SERIES), createSampleBuffer()]
  const decoder = new SeriesDecoder(mem, new Table(mem, GROUPS))
  const groups = new Set<number>()
  const timesOf = new Map<number, string>()
  for (let round = 1; round <= 6; round++) {
    const refs = Uint32Array.from({ length: 4 }, (_, i) =>
      head.series(labelsFrom({ __name__: 'x', id: `${round} ${i}` })),
    )
    const times = Array.from({ length: 10 }, (_, i) => round * 1_000_000 + i * (1000 + round))
    for (const time of times) head.appendColumn(time, refs, new Float64Array(4), 4)
    head.publish()
    const record = series.addr(refs[0]!)
    decoder.read(record, -Infinity, Infinity, buffer)
    assert.deepEqual([...buffer.times.subarray(0, buffer.count)], times)
    assert.ok(buffer.timesKey! > 1)
    assert.equal(timesOf.get(buffer.timesKey!), undefined)
    timesOf.set(buffer.timesKey!, times.join())
    assert.equal(mem.get(record + S_STATE) & KIND_MASK, Kind.group)
    groups.add(mem.get(record + S_GROUP))
    for (let again = 0; again < 2; again++) head.trim(round * 1_000_000 + 100_000)
  }
  assert.ok(groups.size < 6, 'ids of groups were given out anew')
})

test('a thread that reads once keeps nothing', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  const ref = head.series(labelsFrom({ __name__: 'x' }))
  for (let time = 0; time < 200; time++) head.appendFloat(ref, time, Float64Array.of(time), 0, 0)
  head.publish()
  const buffer = createSampleBuffer()
  const isKept = (readsOnce: boolean): boolean => {
    const reader = openReader(head.share(), { readsOnce })
    for (let again = 0; again < 3; again++) reader.read(ref, ALL, buffer)
    reader.release()
    assert.equal(buffer.count, 200)
    // Of a chunk of own times that is decoded anew, nothing is known of the times.
    return buffer.timesKey !== 0
  }
  assert.deepEqual([isKept(true), isKept(false), isKept(true)], [false, true, false])
})
