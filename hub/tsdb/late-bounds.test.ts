/** Series that have late samples are listed where they have samples, not everywhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM } from '../../protocol/samples/mod.ts'
import type { Head } from './head-contract.ts'
import { createHead, createSampleBuffer, openReader } from './mod.ts'

const ALL = [{ name: '__name__', op: '=', value: 'x' }] as const
const ONE = Float64Array.of(1)

function append(head: Head, pod: string, time: number): void {
  head.appendFloat(head.series(labelsFrom({ __name__: 'x', pod })), time, ONE, 0, 0)
}

function podsIn(head: Head, minTime: number, maxTime: number): readonly string[] {
  head.publish()
  const reader = openReader(head.share())
  try {
    const values = reader.labelValues('pod', [], { minTime, maxTime })
    assert.deepEqual(reader.labelValues('pod', ALL, { minTime, maxTime }), values, 'by matchers alike')
    return values
  } finally {
    reader.release()
  }
}

test('a series with few late samples is in no range before, between or behind its samples', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  for (const time of [10_000, 5000, 4000]) append(head, 'late', time)
  append(head, 'other', 20_000)
  assert.deepEqual(podsIn(head, 0, 3999), [])
  assert.deepEqual(podsIn(head, 0, 4000), ['late'])
  assert.deepEqual(podsIn(head, 4001, 4999), [])
  assert.deepEqual(podsIn(head, 4001, 5000), ['late'])
  assert.deepEqual(podsIn(head, 5001, 9999), [])
  assert.deepEqual(podsIn(head, 10_001, 30_000), ['other'])
  assert.deepEqual(podsIn(head, 0, 30_000), ['late', 'other'])
})

test('late samples in chunks, and late histograms, have the bounds of their chunks', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  append(head, 'floats', 1_000_000)
  for (let i = 0; i < 32; i++) append(head, 'floats', 50_000 + i)
  for (let i = 0; i < 40; i++) append(head, 'floats', 10_000 + i)
  const histogram = { ...EMPTY_HISTOGRAM, isFloat: false, count: 1, zeroCount: 1 }
  const ref = head.series(labelsFrom({ __name__: 'x', pod: 'histograms' }))
  for (const time of [1_000_000, 20_000, 20_001]) head.appendHistogram(ref, time, histogram, 0)
  assert.deepEqual(podsIn(head, 0, 9999), [])
  assert.deepEqual(podsIn(head, 10_039, 10_039), ['floats'])
  assert.deepEqual(podsIn(head, 20_001, 20_001), ['histograms'])
  assert.deepEqual(podsIn(head, 60_000, 999_999), [])
  assert.deepEqual(podsIn(head, 1_000_000, 1_000_000), ['floats', 'histograms'])
})

test('what is in order has gone to blocks: late samples alone have the say', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  append(head, 'a', 10_000)
  append(head, 'b', 90_000)
  head.closeBefore(50_000)
  append(head, 'a', 5000)
  head.evict()
  assert.deepEqual(podsIn(head, 4000, 6000), ['a'])
  assert.deepEqual(podsIn(head, 7000, 20_000), [], 'the sample of 10 s is in a block, which tells of it')
})

test('no series is missed that has a sample in the range', () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(3), fc.nat(300)), { maxLength: 200 }),
      fc.nat(300),
      fc.nat(60),
      fc.option(fc.nat(200)),
      (samples, from, length, floor) => {
        const head = createHead({ maxBytes: 2 ** 26 })
        for (const [pod, time] of samples) append(head, `p${pod}`, time)
        if (floor !== null) head.trim(floor)
        const range = { minTime: from, maxTime: from + length }
        const listed = podsIn(head, range.minTime, range.maxTime)
        const reader = openReader(head.share())
        const out = createSampleBuffer(16)
        for (let pod = 0; pod < 4; pod++) {
          const ref = head.find(labelsFrom({ __name__: 'x', pod: `p${pod}` }))
          if (ref < 0) continue
          reader.read(ref, range, out)
          if (out.count > 0) assert.ok(listed.includes(`p${pod}`), `p${pod}`)
        }
        reader.release()
      },
    ),
  ))
