/** Label values are kept sorted between queries of a thread: what is added and removed must show at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { STILL_MATCHING } from './contract.ts'
import { createHead, openReader } from './mod.ts'

const EVER = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }

test('label values follow series that come, go and come again', () => {
  const head = createHead({ maxBytes: 2 ** 28 })
  const values = Float64Array.of(1)
  const add = (pod: string, time: number): void => {
    head.appendFloat(head.series(labelsFrom({ __name__: 'x', pod })), time, values, 0, 0)
    head.publish()
  }
  const pods = (range = EVER): readonly string[] => {
    const reader = openReader(head.share())
    try {
      return reader.labelValues('pod', [], range)
    } finally {
      reader.release()
    }
  }
  add('b', 1000)
  assert.deepEqual(pods(), ['b'])
  add('a', 1000)
  assert.deepEqual(pods(), ['a', 'b'])
  add('b', 500_000)
  head.trim(100_000)
  assert.deepEqual(pods(), ['b'])
  // Ids of what was removed are given out again.
  for (let round = 1; round < 20; round++) {
    const time = 500_000 + round * 100_000
    add(`c${round}`, time)
    assert.deepEqual(pods({ minTime: time, maxTime: time }), [`c${round}`])
    head.trim(time)
    assert.deepEqual(pods(), [`c${round}`])
  }
})

test('a value stays as long as any of its series has samples in the range, whichever that is', () => {
  const head = createHead({ maxBytes: 2 ** 28 })
  const values = Float64Array.of(1)
  for (const [i, time] of [3000, 1000, 2000, 4000].entries())
    head.appendFloat(head.series(labelsFrom({ __name__: 'x', pod: 'a', i: String(i) })), time, values, 0, 0)
  head.publish()
  const reader = openReader(head.share())
  const has = (minTime: number, maxTime: number): boolean =>
    reader.labelValues('pod', [], { minTime, maxTime }).length > 0
  for (const time of [1000, 4000, 2000, 3000, 1000]) assert.ok(has(time, time), `at ${time}`)
  assert.ok(!has(4001, 5000))
  assert.ok(has(4000, 5000))
  head.trim(3500)
  assert.ok(!has(0, 3499))
  assert.ok(has(0, 4000))
  reader.release()
})

test('values are put in order in parts and at once alike, while they come and go', () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(400), fc.nat(9), fc.boolean()), { maxLength: 30 }), (changes) => {
      const head = createHead({ maxBytes: 2 ** 28 })
      const one = Float64Array.of(1)
      const last = new Map<string, number>()
      for (const [round, [first, values, isTrimmed]] of changes.entries()) {
        const time = 1000 * (round + 1)
        for (let i = first; i < first + 40; i++) {
          head.appendFloat(head.series(labelsFrom({ __name__: 'x', pod: `p${i}` })), time, one, 0, 0)
          last.set(`p${i}`, time)
        }
        head.publish()
        if (isTrimmed) {
          head.trim(time - 3000)
          head.publish()
          for (const [pod, at] of last) if (at < time - 3000) last.delete(pod)
        }
        const reader = openReader(head.share())
        const wanted = [...last.keys()].sort()
        const limits = { values: 1000, sorted: 1 + 10 * values, looks: 1000 }
        const within = reader.valuesWithin!('pod', EVER, limits)
        if (within !== 'later') assert.deepEqual(within, wanted)
        // Every other time the next part is begun where the last one ended.
        if (round % 2 === 0) {
          const all = reader.labelValues('pod', [], EVER)
          assert.deepEqual(all, wanted)
          if (all.length > 0) assert.equal(reader.valuesWithin!('pod', EVER, { ...limits, looks: 0 }), 'many')
          if (all.length > 50) assert.equal(reader.valuesWithin!('pod', EVER, { ...limits, values: 49 }), 'many')
        }
        reader.release()
      }
    }),
    { numRuns: 50 },
  ))

test('regular expressions see series that come, go and come again', () => {
  const head = createHead({ maxBytes: 2 ** 28 })
  const values = Float64Array.of(1)
  const select = (): number => {
    const reader = openReader(head.share())
    try {
      return reader.select([{ name: 'pod', op: '=~', value: '.*1.*' }], EVER).length
    } finally {
      reader.release()
    }
  }
  assert.equal(select(), 0)
  for (let i = 0; i < 30; i++) {
    head.appendFloat(head.series(labelsFrom({ __name__: 'x', pod: `p${i}` })), 1000 * i, values, 0, 0)
    head.publish()
    const wanted = Array.from({ length: i + 1 }, (_, k) => k).filter((k) => String(k).includes('1')).length
    assert.equal(select(), wanted, `after p${i}`)
  }
  head.trim(15_000)
  assert.equal(select(), 6)
  head.appendFloat(head.series(labelsFrom({ __name__: 'x', pod: 'q1' })), 40_000, values, 0, 0)
  head.publish()
  assert.equal(select(), 7)
})

test('what an expression matches is told in parts and at once alike, while values come and go', () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(1500), fc.boolean()), { maxLength: 30 }), (changes) => {
      const head = createHead({ maxBytes: 2 ** 28 })
      const one = Float64Array.of(1)
      const last = new Map<number, number>()
      const matchers = [{ name: 'pod', op: '=~', value: '.*[17]' }] as const
      for (const [round, [first, isTrimmed]] of changes.entries()) {
        const time = 1000 * (round + 1)
        for (let i = first; i < first + 100; i++) {
          head.appendFloat(head.series(labelsFrom({ __name__: 'x', pod: `p${i}` })), time, one, 0, 0)
          last.set(i, time)
        }
        head.publish()
        if (isTrimmed) {
          head.trim(time - 3000)
          head.publish()
          for (const [i, at] of last) if (at < time - 3000) last.delete(i)
        }
        const reader = openReader(head.share())
        const bound = reader.matchBound!(matchers)
        const wanted = [...last.keys()].filter((i) => /[17]$/.test(String(i))).length
        assert.ok(bound >= wanted, `${bound} of ${wanted}`)
        // Every other time the next part is begun where the last one ended.
        if (round % 2 === 0) assert.equal(reader.select(matchers, EVER).length, wanted)
        reader.release()
      }
    }),
    { numRuns: 30 },
  ))

test('a bound of the matching series is told from postings alone', () => {
  const head = createHead({ maxBytes: 2 ** 28 })
  for (let i = 0; i < 10; i++) head.series(labelsFrom({ __name__: i < 4 ? 'x' : 'y', i: String(i) }))
  for (let i = 0; i < 600; i++) head.series(labelsFrom({ __name__: 'z', many: String(i) }))
  for (let i = 0; i < 100; i++) head.series(labelsFrom({ __name__: 'z', long: `${i}`.padStart(200, 'a') }))
  head.publish()
  const reader = openReader(head.share())
  const bound = (...matchers: readonly Matcher[]): number => reader.matchBound!(matchers)
  assert.equal(bound({ name: '__name__', op: '=', value: 'x' }), 4)
  assert.equal(bound({ name: '__name__', op: '=', value: 'x' }, { name: 'i', op: '!=', value: '1' }), 4)
  assert.equal(bound({ name: '__name__', op: '=~', value: 'x|y' }, { name: 'i', op: '=', value: '7' }), 1)
  assert.equal(bound({ name: '__name__', op: '=', value: 'nothing' }), 0)
  assert.equal(bound({ name: '__name__', op: '=', value: 'x' }, { name: 'i', op: '=~', value: '.*1' }), 1)
  assert.equal(bound({ name: '__name__', op: '=', value: 'x' }, { name: 'i', op: '=~', value: '.*' }), 4)
  const many = [
    { name: '__name__', op: '=', value: 'z' },
    { name: 'many', op: '=~', value: '.*1' },
  ] as const
  // Looked at in parts, and those that are added alone.
  assert.deepEqual([bound(...many), bound(...many), bound(...many)], [STILL_MATCHING, 60, 60])
  for (const i of [601, 602]) head.series(labelsFrom({ __name__: 'z', many: String(i) }))
  head.publish()
  assert.equal(bound(...many), 61)
  assert.equal(bound({ name: '__name__', op: '=', value: 'x' }, { name: 'none', op: '!~', value: '.*1' }), 4)
  assert.equal(bound({ name: 'i', op: '=~', value: '.*1' }), 1)
  assert.equal(bound({ name: 'i', op: '!~', value: '.*1' }), Infinity)
  assert.equal(bound({ name: 'i', op: '=', value: '' }), Infinity)
  // What would be tried on long values, and by how long an expression.
  const ofLong = (value: string): number =>
    bound({ name: '__name__', op: '=', value: 'x' }, { name: 'long', op: '=~', value })
  assert.equal(ofLong('(a|b)+'), 0)
  assert.equal(ofLong('(a?b?c?)+(d?e?f?)+(g?h?i?)+'), STILL_MATCHING)
  assert.equal(ofLong('the beginning of what is long.*'), 0)
  reader.release()
})
