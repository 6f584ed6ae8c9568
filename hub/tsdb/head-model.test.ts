/** The head against a plain Map: any order of appends, reads, trims, snapshots and selects. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Labels, labelsFrom, labelsKey, labelValue } from '../../protocol/labels/mod.ts'
import { compileMatcher, type Matcher, type MatchOp } from '../../protocol/matchers/mod.ts'
import { AppendResult, createHead, createSampleBuffer, type Head, openReader, restoreHead } from './mod.ts'

const ALL = { minTime: -Infinity, maxTime: Infinity }
const SERIES = 6

type Command =
  | { kind: 'column' | 'run'; time: number; from: number; n: number; bits: bigint[] }
  | { kind: 'float'; ref: number; time: number; bits: bigint; start: number }
  | { kind: 'ramp'; from: number; n: number; time: number; step: number; count: number; shape: number; isRun: boolean }
  | { kind: 'trim'; time: number }
  | { kind: 'restore' }

const bits = fc.oneof(
  fc.constantFrom(0x7ff0000000000002n, 0x7ff8000000000001n, 0x8000000000000000n, 0n, 0x3ff0000000000000n),
  fc.integer({ min: -3, max: 1000 }).map((x) => new BigUint64Array(new Float64Array([x]).buffer)[0]!),
  fc.integer({ min: 0, max: 99999 }).map((x) => new BigUint64Array(new Float64Array([x / 100]).buffer)[0]!),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
)
const time = fc.oneof(
  fc.integer({ min: 0, max: 60 }),
  fc.integer({ min: 0, max: 5000 }),
  fc.integer({ min: 0, max: 2 ** 45 }),
)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('column' as const, 'run' as const),
      time,
      from: fc.nat(SERIES - 1),
      n: fc.integer({ min: 1, max: SERIES }),
      bits: fc.array(bits, { minLength: SERIES, maxLength: SERIES }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('float' as const),
      ref: fc.nat(SERIES - 1),
      time,
      bits,
      start: fc.constantFrom(0, 0, 0, 5, 1_700_000_000_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('ramp' as const),
      from: fc.nat(SERIES - 1),
      n: fc.integer({ min: 1, max: SERIES }),
      time,
      step: fc.integer({ min: 1, max: 40 }),
      count: fc.integer({ min: 1, max: 150 }),
      shape: fc.nat(3),
      isRun: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('trim' as const), time: fc.integer({ min: 0, max: 3000 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restore' as const) }) },
)

type Sample = { readonly bits: bigint; readonly start: number }

class Model {
  readonly series: Map<number, Sample>[] = Array.from({ length: SERIES }, () => new Map())
  floor = -Infinity

  append(ref: number, time: number, value: bigint, start: number): AppendResult {
    if (time < this.floor) return AppendResult.tooOld
    const known = this.series[ref]!.get(time)
    if (known) return known.bits === value ? AppendResult.duplicate : AppendResult.conflicting
    this.series[ref]!.set(time, { bits: value, start })
    return AppendResult.stored
  }

  trim(floor: number): void {
    this.floor = Math.max(this.floor, floor)
    for (const samples of this.series) for (const t of [...samples.keys()]) if (t < this.floor) samples.delete(t)
  }
}

/** Refs by series number: a series that retention removed is made anew. */
class Refs {
  head: Head
  refs: number[]
  constructor(head: Head) {
    this.head = head
    this.refs = Array.from({ length: SERIES }, (_, i) => head.series(labelsFrom({ i: String(i) })))
  }
  of(i: number): number {
    if (!this.head.isLive(this.refs[i]!)) this.refs[i] = this.head.series(labelsFrom({ i: String(i) }))
    return this.refs[i]!
  }
}

function shaped(shape: number, k: number, i: number): bigint {
  const value =
    shape === 0 ? 7 : shape === 1 ? k * 15 + ((k * 7) % 3) : shape === 2 ? Math.sin(k + i) : Math.floor(k / 20) / 10
  return new BigUint64Array(new Float64Array([value]).buffer)[0]!
}

function column(refs: Refs, model: Model, at: number, from: number, n: number, values: readonly bigint[]): void {
  const members = Array.from({ length: n }, (_, k) => (from + k) % SERIES)
  const stored = refs.head.appendColumn(
    at,
    new Uint32Array(members.map((i) => refs.of(i))),
    new Float64Array(new BigUint64Array(members.map((i) => values[i]!)).buffer),
    n,
  )
  const wanted = members.filter((i) => model.append(i, at, values[i]!, 0) === AppendResult.stored).length
  assert.equal(stored, wanted)
}

/** As a remote writer's: the refs and values of other samples stand before and behind. */
function appendRun(refs: Refs, model: Model, at: number, from: number, n: number, values: readonly bigint[]): void {
  const members = Array.from({ length: n }, (_, k) => (from + k) % SERIES)
  const results = new Uint8Array(n + 2).fill(99)
  const stored = refs.head.appendRun(
    at,
    new Uint32Array([0, ...members.map((i) => refs.of(i)), 0]),
    new Float64Array(new BigUint64Array([1n, ...members.map((i) => values[i]!), 1n]).buffer),
    1,
    n,
    results,
  )
  const wanted = members.map((i) => model.append(i, at, values[i]!, 0))
  assert.deepEqual([...results], [99, ...wanted, 99])
  assert.equal(stored, wanted.filter((result) => result === AppendResult.stored).length)
}

function run(refs: Refs, model: Model, c: Command): void {
  if (c.kind === 'run') appendRun(refs, model, c.time, c.from, c.n, c.bits)
  else if (c.kind === 'column') column(refs, model, c.time, c.from, c.n, c.bits)
  else if (c.kind === 'float') {
    const values = new Float64Array(new BigUint64Array([0n, c.bits]).buffer)
    const got = refs.head.appendFloat(refs.of(c.ref), c.time, values, 1, c.start)
    assert.equal(got, model.append(c.ref, c.time, c.bits, c.start))
  } else if (c.kind === 'ramp') {
    for (let k = 0; k < c.count; k++) {
      const values = Array.from({ length: SERIES }, (_, i) => shaped(c.shape, k, i))
      const append = c.isRun ? appendRun : column
      append(refs, model, c.time + k * c.step, c.from, c.n, values)
      // Ticks that readers know take later samples as well.
      if (k % 3 === 0) refs.head.publish()
    }
  } else if (c.kind === 'trim') {
    refs.head.trim(c.time)
    model.trim(c.time)
  } else refs.head = restoreHead([...refs.head.serialize()])
}

function compare(refs: Refs, model: Model, range: { minTime: number; maxTime: number }): void {
  refs.head.publish()
  const reader = openReader(refs.head.share())
  const out = createSampleBuffer(1)
  for (let i = 0; i < SERIES; i++) {
    const wanted = [...model.series[i]!]
      .filter(([t]) => t >= range.minTime && t <= range.maxTime)
      .sort(([a], [b]) => a - b)
    if (!refs.head.isLive(refs.refs[i]!)) {
      assert.deepEqual(wanted, [])
      continue
    }
    reader.read(refs.refs[i]!, range, out)
    assert.deepEqual(
      [...out.times.subarray(0, out.count)],
      wanted.map(([t]) => t),
    )
    const got = new BigUint64Array(out.values.buffer).subarray(0, out.count)
    assert.deepEqual(
      [...got],
      wanted.map(([, s]) => s.bits),
    )
    const flags = wanted.map(([, s]) => (s.bits === 0x7ff0000000000002n ? 1 : 0))
    assert.deepEqual([...out.flags.subarray(0, out.count)], flags)
    assert.equal(out.mixed, flags.includes(1))
    const starts = out.startTimes ? [...out.startTimes.subarray(0, out.count)] : wanted.map(() => 0)
    assert.deepEqual(
      starts,
      wanted.map(([, s]) => s.start),
    )
    const isSelected = reader.select([{ name: 'i', op: '=', value: String(i) }], range).length === 1
    assert.ok(isSelected || wanted.length === 0)
  }
  reader.release()
}

test('any order of appends, trims and restarts reads as a Map would', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 1, maxLength: 40 }), time, time, (commands, a, b) => {
      const refs = new Refs(createHead())
      const model = new Model()
      commands.forEach((c, i) => {
        run(refs, model, c)
        if (i % 8 === 0) compare(refs, model, { minTime: Math.min(a, b), maxTime: Math.max(a, b) })
      })
      compare(refs, model, ALL)
      compare(refs, model, { minTime: Math.min(a, b), maxTime: Math.max(a, b) })
    }),
    { numRuns: 250 },
  )
})

const value = fc.constantFrom('', 'a', 'b', 'ab', 'é')
const pattern = fc.constantFrom('', '.*', '.+', 'a|b', 'a.*', '|a', 'b?', '(a|ab)', '[^a]', 'é', 'x|y', 'a|')
const matcher: fc.Arbitrary<Matcher> = fc.oneof(
  fc.record({ name: fc.constantFrom('x', 'y', 'z', 'none'), op: fc.constantFrom<MatchOp>('=', '!='), value }),
  fc.record({ name: fc.constantFrom('x', 'y', 'z', 'none'), op: fc.constantFrom<MatchOp>('=~', '!~'), value: pattern }),
)
const labelSets = fc.array(fc.record({ x: value, y: value, z: value, k: fc.integer({ min: 0, max: 3 }).map(String) }), {
  minLength: 1,
  maxLength: 60,
})

test('select(), labelNames() and labelValues() agree with matching every series', () => {
  fc.assert(
    fc.property(
      labelSets,
      fc.array(matcher, { maxLength: 4 }),
      fc.integer({ min: 1, max: 3 }),
      (sets, matchers, shards) => {
        const head = createHead()
        const byRef = new Map<number, Labels>()
        const distinct = new Map(sets.map((set) => [labelsKey(labelsFrom(set)), labelsFrom(set)]))
        for (const labels of distinct.values()) {
          const ref = head.series(labels)
          assert.equal(head.series(labels), ref)
          head.appendFloat(ref, 1000, new Float64Array([1]), 0, 0)
          byRef.set(ref, labels)
        }
        head.publish()
        const wanted = [...byRef].filter(([, labels]) =>
          matchers.every((m) => compileMatcher(m)(labelValue(labels, m.name))),
        )
        const reader = openReader(head.share())
        assert.deepEqual(
          [...reader.select(matchers, ALL)],
          wanted.map(([ref]) => ref),
        )
        const parts = Array.from({ length: shards }, (_, index) => [
          ...reader.select(matchers, ALL, { index, count: shards }),
        ])
        assert.deepEqual(
          parts.flat().sort((a, b) => a - b),
          wanted.map(([ref]) => ref),
        )
        assert.deepEqual(reader.select(matchers, { minTime: 1001, maxTime: 2000 }).length, 0)
        assert.deepEqual(reader.select(matchers, { minTime: 0, maxTime: 999 }).length, 0)
        for (const [ref, labels] of byRef) assert.deepEqual(reader.labels(ref), labels)
        const names = new Set(wanted.flatMap(([, labels]) => labels.filter((_, i) => i % 2 === 0)))
        assert.deepEqual(reader.labelNames(matchers, ALL), [...names].sort())
        const values = new Set(wanted.map(([, labels]) => labelValue(labels, 'x')).filter((x) => x !== ''))
        assert.deepEqual(reader.labelValues('x', matchers, ALL), [...values].sort())
        reader.release()
      },
    ),
    { numRuns: 400 },
  )
})
