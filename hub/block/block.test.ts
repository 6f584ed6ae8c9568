/** A block against the head it was cut from. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsKey } from '../../protocol/labels/mod.ts'
import type { Matcher, MatchOp } from '../../protocol/matchers/mod.ts'
import { openReader } from '../tsdb/mod.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { ColumnEncoder, decodeColumn } from './column.ts'
import { openBlock, writeBlock } from './mod.ts'
import { ALL, anyBits, anySeries, contents, fillHead, memoryEnv, sorted } from './testing/samples.ts'

const MAX_TIME = 3 * 7_200_000
const PATH = '/data/blocks'

test('a column of any doubles comes back bit for bit', () => {
  const walk = fc
    .record({
      from: fc.integer({ min: -1e9, max: 1e9 }),
      steps: fc.oneof(
        fc.array(fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: -(2 ** 40), max: 2 ** 40 })), {
          minLength: 1,
          maxLength: 700,
        }),
        // As counters and slow gauges move: mostly not at all, by a little, and now and then far.
        fc.array(
          fc.oneof(
            { weight: 12, arbitrary: fc.constant(0) },
            { weight: 6, arbitrary: fc.nat(9) },
            { weight: 3, arbitrary: fc.integer({ min: -(2 ** 13), max: 2 ** 13 }).map((x) => 4096 * x) },
            { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 47 }) },
          ),
          { minLength: 2, maxLength: 700 },
        ),
      ),
      scale: fc.constantFrom(1, 100, 1e9, 3, 4096 ** -1),
      odd: fc.array(fc.tuple(fc.nat(699), anyBits), { maxLength: 5 }),
    })
    .map(({ from, steps, scale, odd }) => {
      let value = from
      const values = Float64Array.from(steps, (step) => (value += step) / scale)
      const bits = new BigUint64Array(values.buffer)
      for (const [at, each] of odd) if (at < bits.length) bits[at] = each
      return bits
    })
  const column = fc.oneof(
    walk,
    fc.array(anyBits, { minLength: 1, maxLength: 300 }).map((bits) => BigUint64Array.from(bits)),
  )
  const encoder = new ColumnEncoder()
  fc.assert(
    fc.property(column, fc.nat(9), (bits, to) => {
      const values = new Float64Array(bits.buffer)
      const out = new ByteWriter()
      encoder.encode(values, new Uint32Array(bits.buffer), values.length, out)
      const bytes = new Uint8Array(out.length + 16)
      bytes.set(out.written())
      const reader = new ByteReader(bytes)
      const decoded = new Float64Array(values.length + to)
      decodeColumn(reader, values.length, decoded, new Uint32Array(decoded.buffer), to)
      assert.deepEqual(new BigUint64Array(decoded.buffer, 8 * to), bits)
      assert.equal(reader.at, out.length)
    }),
    { numRuns: 2000 },
  )
})

test('a block holds what its head has in the range, bit for bit', () => {
  fc.assert(
    fc.property(
      anySeries(MAX_TIME),
      fc.tuple(fc.nat(MAX_TIME), fc.nat(MAX_TIME)),
      fc.tuple(fc.nat(MAX_TIME), fc.nat(MAX_TIME)),
      (series, cut, asked) => {
        const range = { minTime: Math.min(...cut), maxTime: Math.max(...cut) + 1 }
        const head = openReader(fillHead(series).share())
        const env = memoryEnv()
        const meta = writeBlock(env, PATH, head, { range, sequence: 1, level: 1, sources: [] })
        const expected = contents(head, { minTime: range.minTime, maxTime: range.maxTime - 1 })
        if (meta === null) return assert.equal(expected.size, 0)
        const block = openBlock(env, `${PATH}/${meta.id}`)
        assert.deepEqual(sorted(contents(block)), sorted(expected))
        assert.equal(meta.stats.samples, [...expected.values()].flat().length)
        const part = { minTime: Math.min(...asked), maxTime: Math.max(...asked) }
        const both = {
          minTime: Math.max(part.minTime, range.minTime),
          maxTime: Math.min(part.maxTime, range.maxTime - 1),
        }
        assert.deepEqual(sorted(contents(block, part)), sorted(contents(head, both)))
        head.release()
      },
    ),
    { numRuns: 150 },
  )
})

const matcher: fc.Arbitrary<Matcher> = fc.record({
  name: fc.constantFrom('__name__', 'job', 'instance', 'missing'),
  op: fc.constantFrom<MatchOp>('=', '!=', '=~', '!~'),
  value: fc.constantFrom('up', 'node', 'a', '', 'a|b', '.*', '.+', 'u.*', 'größe|up', '[^n].*', '(a|)'),
})

test('select, labelNames and labelValues answer as the head does', () => {
  fc.assert(
    fc.property(anySeries(7_000_000), fc.array(matcher, { maxLength: 3 }), (series, matchers) => {
      const head = openReader(fillHead(series.filter(({ samples }) => samples.length > 0)).share())
      const env = memoryEnv()
      const range = { minTime: 0, maxTime: 4 * 7_200_000 }
      const meta = writeBlock(env, PATH, head, { range, sequence: 1, level: 1, sources: [] })
      if (meta === null) return
      const block = openBlock(env, `${PATH}/${meta.id}`)
      const keys = (reader: typeof head, shard?: { index: number; count: number }) =>
        [...reader.select(matchers, ALL, shard)].map((ref) => labelsKey(reader.labels(ref)))
      assert.deepEqual(keys(block).sort(), keys(head).sort())
      const shards = [0, 1, 2].flatMap((index) => keys(block, { index, count: 3 }))
      assert.deepEqual(shards.sort(), keys(block).sort())
      assert.deepEqual(block.labelNames(matchers, ALL), head.labelNames(matchers, ALL))
      for (const name of ['job', 'instance', 'missing'])
        assert.deepEqual(block.labelValues(name, matchers, ALL), head.labelValues(name, matchers, ALL))
      for (const ref of block.select([], ALL)) {
        const texts = [...block.labelIds(ref)].map((id) => block.symbol(id))
        assert.deepEqual(texts, [...block.labels(ref)])
        for (const text of texts) assert.equal(block.symbol(block.symbolId(text)), text)
      }
      head.release()
    }),
    { numRuns: 200 },
  )
})
