/** closeBefore(), a cut, evict(): between what was cut and what the head still has, no sample is ever missing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import {
  AppendResult,
  createHead,
  createSampleBuffer,
  evictedUntil,
  type Head,
  openReader,
  restoreHead,
} from './mod.ts'

const SERIES = 5
const LABELS = Array.from({ length: SERIES }, (_, i) => labelsFrom({ __name__: 'm', i: String(i) }))

type Model = Map<number, number>[]
type Command =
  | { kind: 'column'; time: number; value: number }
  | { kind: 'one'; series: number; time: number; value: number }
  | { kind: 'run'; series: number; time: number; count: number }
  | { kind: 'round'; closed: number; meanwhile: { series: number; time: number; value: number }[]; isLost: boolean }
  | { kind: 'restore' }

const time = fc.integer({ min: 0, max: 2000 })
const one = { series: fc.nat(SERIES - 1), time, value: fc.integer({ min: 0, max: 9 }) }
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('column' as const), time, value: one.value }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('one' as const), ...one }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      series: one.series,
      time,
      count: fc.integer({ min: 1, max: 400 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('round' as const),
      closed: time,
      meanwhile: fc.array(fc.record(one), { maxLength: 6 }),
      isLost: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restore' as const) }) },
)

function readAll(head: Head, minTime: number, maxTime: number): Model {
  const reader = openReader(head.share())
  const out = createSampleBuffer(16)
  try {
    return LABELS.map((_, i) => {
      const found = new Map<number, number>()
      const matchers = [{ name: 'i', op: '=' as const, value: String(i) }]
      for (const ref of reader.select(matchers, { minTime, maxTime })) {
        reader.read(ref, { minTime, maxTime }, out)
        for (let k = 0; k < out.count; k++) found.set(out.times[k]!, out.values[k]!)
        for (let k = 1; k < out.count; k++) assert.ok(out.times[k]! > out.times[k - 1]!, 'ascending')
      }
      return found
    })
  } finally {
    reader.release()
  }
}

class World {
  head = createHead()
  /** All that was stored, and what blocks hold of it. */
  readonly stored: Model = LABELS.map(() => new Map())
  readonly cut: Model = LABELS.map(() => new Map())

  append(series: number, at: number, value: number): void {
    const ref = this.head.series(LABELS[series]!)
    const result = this.head.appendFloat(ref, at, Float64Array.of(value), 0, 0)
    // A time that a block holds is stored again: readers take the head's word for it.
    if (result === AppendResult.stored) this.stored[series]!.set(at, value)
  }

  column(at: number, value: number): void {
    const refs = Uint32Array.from(LABELS, (labels) => this.head.series(labels))
    const before = readAll(this.head, at, at)
    this.head.appendColumn(at, refs, new Float64Array(SERIES).fill(value), SERIES)
    this.head.publish()
    for (let s = 0; s < SERIES; s++) if (!before[s]!.has(at)) this.stored[s]!.set(at, value)
  }

  round(closed: number, meanwhile: readonly { series: number; time: number; value: number }[], isLost: boolean): void {
    this.head.publish()
    const before = this.head.closeBefore(closed)
    assert.ok(before >= closed)
    const block = readAll(this.head, -Infinity, before - 1)
    for (const { series, time: at, value } of meanwhile) this.append(series, at, value)
    this.head.publish()
    // A cut that failed: nothing is evicted, and the next round is to find everything still there.
    if (isLost) return
    block.forEach((found, s) => {
      for (const [at, value] of found) this.cut[s]!.set(at, value)
    })
    this.head.evict()
    assert.equal(evictedUntil(this.head.share()), before)
  }

  check(): void {
    this.head.publish()
    const inHead = readAll(this.head, -Infinity, Infinity)
    this.stored.forEach((wanted, s) => {
      assert.deepEqual(
        new Map([...new Map([...this.cut[s]!, ...inHead[s]!])].sort(([a], [b]) => a - b)),
        new Map([...wanted].sort(([a], [b]) => a - b)),
        `series ${s}`,
      )
    })
  }
}

test('what was cut and what the head keeps are together all that was stored', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 1, maxLength: 40 }), (commands) => {
      const world = new World()
      for (const each of commands) {
        if (each.kind === 'column') world.column(each.time, each.value)
        else if (each.kind === 'one') world.append(each.series, each.time, each.value)
        else if (each.kind === 'run')
          for (let i = 0; i < each.count; i++) world.append(each.series, each.time + 3 * i, i % 7)
        else if (each.kind === 'round') world.round(each.closed, each.meanwhile, each.isLost)
        else world.head = restoreHead(world.head.serialize())
        world.check()
      }
    }),
    { numRuns: 100 },
  )
})

test('what is evicted gives its memory back, and series that are over go', () => {
  const head = createHead()
  const all = Array.from({ length: 200 }, (_, i) => labelsFrom({ __name__: 'm', i: String(i) }))
  const values = new Float64Array(200)
  const fill = (from: number, to: number): void => {
    for (let at = from; at < to; at += 15_000) {
      const refs = Uint32Array.from(all, (labels) => head.series(labels))
      for (let i = 0; i < 200; i++) values[i] = Math.sin(at + i)
      head.appendColumn(at, refs, values, 200)
    }
    head.publish()
  }
  const hour = 3_600_000
  const round = (closed: number): void => {
    head.closeBefore(closed)
    head.evict()
    for (let i = 0; i < 64; i++) head.publish()
  }
  fill(0, 3 * hour)
  const before = head.stats().usedBytes
  round(2 * hour)
  assert.ok(head.stats().usedBytes < 0.55 * before, `${head.stats().usedBytes} of ${before} bytes`)
  for (let i = 1; i < 10; i++) {
    fill((2 * i + 1) * hour, (2 * i + 3) * hour)
    round((2 * i + 2) * hour)
  }
  assert.ok(head.stats().usedBytes < 0.6 * before, 'memory does not creep')
  assert.equal(head.stats().series, 200)
  round(1000 * hour)
  assert.equal(head.stats().series, 0)
})

test('what a head without series takes keeps nothing out, though the cap is lower than when it had many', () => {
  const fill = (head: Head, count: number): void => {
    for (let i = 0; i < count; i++) {
      const ref = head.series(labelsFrom({ __name__: 's', i: String(i), pod: `pod-${7 * i}` }))
      head.appendFloat(ref, 1000, Float64Array.of(i), 0, 0)
    }
    head.publish()
  }
  const options = { maxBytes: 2 << 20 }
  const restored = (head: Head): Head => {
    const next = restoreHead(head.serialize(), options)
    next.hasLimits = false
    next.hasLimits = true
    return next
  }
  const large = createHead()
  fill(large, 20_000)
  const head = restored(large)
  assert.ok(head.isAlmostFull)
  assert.equal(head.stats().maxBytes, options.maxBytes)
  const reader = openReader(head.share())
  head.closeBefore(2000)
  head.evict()
  const whileRead = head.stats()
  reader.release()
  for (let i = 0; i < 64; i++) head.publish()
  const { usedBytes } = head.stats()
  assert.ok(usedBytes > options.maxBytes, 'or the test is none')
  assert.ok(whileRead.usedBytes > 2 * usedBytes && whileRead.maxBytes < 3 * usedBytes, 'what readers held back goes')
  for (const each of [head, restored(head)]) {
    assert.ok(!each.isAlmostFull)
    assert.ok(each.stats().maxBytes <= 4 * usedBytes)
    fill(each, 100)
    assert.equal(each.stats().series, 100)
    assert.equal(each.stats().drops.memoryLimit, 0)
  }
})
