import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { counter, gauge, histogramLines, type Metric, type MetricFamily } from './family.ts'
import { FamilyLayout } from './family-layout.ts'
import { PageReader } from './page-reader.ts'
import { writeExposition } from './write.ts'

const OPTIONS = { format: 'text', ignoreTimestamps: false, startTimestamps: false, typeAndUnitLabels: false } as const

/** What the text says, by line. */
function readText(families: readonly MetricFamily[]): number[] {
  const reader = new PageReader()
  reader.read(writeExposition(families), OPTIONS)
  return [...reader.values.subarray(0, reader.count)]
}

const labels = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 })
  .chain((names) =>
    fc.tuple(...names.sort().map((name) => fc.tuple(fc.constant(name), fc.constantFrom('x', 'y', 'z')))),
  )
  .map((pairs) => pairs.flat())
const series = fc.uniqueArray(labels, { maxLength: 8, selector: (each) => each.join() })
const shape = fc.uniqueArray(fc.tuple(fc.constantFrom('m', 'n', 'o', 'p', 'q'), series), {
  maxLength: 5,
  selector: ([name]) => name,
})
const withValues = (families: readonly (readonly [string, readonly string[][]])[], values: () => number) =>
  families.map(([name, all]) =>
    gauge(
      name,
      `Of ${name}.`,
      all.map((own): Metric => ({ labels: own, value: values() })),
    ),
  )

test('the numbers of a page with the same lines stand where its text has them', () => {
  fc.assert(
    fc.property(shape, fc.infiniteStream(fc.double()), (families, stream) => {
      const values = (): number => stream.next().value as number
      const layout = FamilyLayout.of(withValues(families, values))!
      const next = withValues(families, values)
      const filled = new Float64Array(layout.count)
      assert.equal(layout.fill(next, filled), true)
      assert.deepEqual([...filled], readText(next))
    }),
  )
})

const before = [
  counter('c', 'C.', [
    { labels: ['x', '2'], value: 1 },
    { labels: ['x', '1'], value: 2 },
  ]),
  { name: 'h', help: 'H.', type: 'histogram', metrics: histogramLines([], [1, 2], 3, 4) } as const,
]
const changed: readonly (readonly [what: string, families: readonly MetricFamily[]])[] = [
  ['a family more', [...before, gauge('g', '', [])]],
  ['a family less', before.slice(1)],
  ['another name', [{ ...before[0]!, name: 'd' }, before[1]!]],
  ['another help', [{ ...before[0]!, help: 'D.' }, before[1]!]],
  ['another type', [{ ...before[0]!, type: 'gauge' }, before[1]!]],
  ['a series less', [{ ...before[0]!, metrics: before[0]!.metrics.slice(1) }, before[1]!]],
  ['another order', [{ ...before[0]!, metrics: [...before[0]!.metrics].reverse() }, before[1]!]],
  ['another bound', [before[0]!, { ...before[1]!, metrics: histogramLines([], [1.5, 2], 3, 4) }]],
  ['a label more', [{ ...before[0]!, metrics: [{ labels: ['x', '2', 'y', '1'], value: 1 }, before[0]!.metrics[1]!] }]],
  ['a time', [{ ...before[0]!, metrics: [{ ...before[0]!.metrics[0]!, timestampMs: 1 }, before[0]!.metrics[1]!] }]],
]
for (const [what, families] of changed)
  test(`a page with ${what} is another`, () => {
    const layout = FamilyLayout.of(before)!
    assert.equal(layout.fill(families, new Float64Array(layout.count)), false)
  })

test('what a collector does to its own lists afterwards changes nothing', () => {
  const metrics: Metric[] = [{ labels: ['x', '1'], value: 1 }]
  const family = gauge('g', '', metrics)
  const layout = FamilyLayout.of([family])!
  metrics.push({ labels: ['x', '2'], value: 2 })
  assert.equal(layout.count, 1)
  assert.equal(layout.fill([family], new Float64Array(4)), false)
})

test('a page with times of its own, or with one metric twice, has no layout', () => {
  const metric: Metric = { labels: [], value: 1 }
  assert.equal(FamilyLayout.of([gauge('a', '', [{ ...metric, timestampMs: 5 }])]), null)
  assert.equal(FamilyLayout.of([gauge('a', '', [metric]), gauge('b', '', [metric])]), null)
})
