/** What the page reads of the hub's columns is what it reads of the hub's JSON. */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM } from '../../../../protocol/samples/mod.ts'
import type { QueryRange, QueryResult, ResultSeries } from '../../../promql/contract.ts'
import { arrowResult, loadArrow } from '../../../query/arrow.ts'
import { writeResult } from '../../../query/results.ts'
import { columnAnswer, jsonAnswer, type RangeSeries } from './align.ts'
import { type RangeColumns, readRangeColumns } from './arrow.ts'

before(loadArrow)

const poll = (): void => {}
const START_MS = 1_700_000_000_123

function rangeOf(steps: number): QueryRange {
  return { startMs: START_MS, endMs: START_MS + (steps - 1) * 250, stepMs: 250, instant: false }
}

function arrowBytes(series: readonly ResultSeries[], steps: number): ArrayBuffer {
  const result: QueryResult = { type: 'matrix', series, annotations: [] }
  const bytes = arrowResult(result, { range: rangeOf(steps), limit: 0, warnings: ['careful'], infos: [], poll })
  return bytes.slice().buffer as ArrayBuffer
}

function jsonSeries(series: readonly ResultSeries[], steps: number): readonly RangeSeries[] {
  const result: QueryResult = { type: 'matrix', series, annotations: [] }
  const body = writeResult(result, { range: rangeOf(steps), text: '', limit: 0, poll, stats: null })
  return JSON.parse(new TextDecoder().decode(body)).data.result
}

const point = fc.record({ value: fc.double(), present: fc.constantFrom(0, 1, 1, 1, 2) })
const histogram = { ...EMPTY_HISTOGRAM, count: 2, sum: 3 }
const answer = fc.integer({ min: 1, max: 40 }).chain((steps) =>
  fc.record({
    steps: fc.constant(steps),
    series: fc.array(fc.tuple(fc.string(), fc.array(point, { minLength: steps, maxLength: steps })), { maxLength: 9 }),
  }),
)

test('columns and JSON of one result are drawn alike', () => {
  fc.assert(
    fc.property(answer, fc.integer({ min: 0, max: 9 }), ({ steps, series: drawn }, limit) => {
      const series = drawn.map(([name, points], i) => ({
        labels: labelsFrom({ __name__: `m${i}`, name: name.toWellFormed() }),
        values: Float64Array.from(points, ({ value }) => value),
        present: Uint8Array.from(points, ({ present }) => present),
        histograms: points.map(({ present }) => (present === 2 ? histogram : undefined)),
      }))
      const columns = readRangeColumns(arrowBytes(series, steps))
      assert.deepEqual(columns.warnings, ['careful'])
      const [ours, theirs] = [columnAnswer(columns), jsonAnswer(jsonSeries(series, steps))]
      assert.equal(ours.seriesCount, theirs.seriesCount)
      const grid = rangeOf(steps)
      assert.deepEqual(ours.aligned(grid, Infinity), theirs.aligned(grid, Infinity))
      // Limits count differently where series hold histograms alone, which are never drawn.
      if (series.every(({ present }) => present.includes(1)))
        assert.deepEqual(ours.aligned(grid, limit).ys, theirs.aligned(grid, limit).ys)
    }),
    { numRuns: 150 },
  )
})

test('bytes that are no such stream are refused, never drawn', () => {
  const labels = labelsFrom({ __name__: 'up' })
  const whole = arrowBytes(
    [{ labels, values: Float64Array.of(1, 2), present: Uint8Array.of(1, 1), histograms: null }],
    2,
  )
  assert.equal(readRangeColumns(whole).floats.length, 1)
  assert.throws(() => readRangeColumns(new TextEncoder().encode('{"status":"error"}').buffer), /no message where/)
  for (const length of [0, 4, 100, whole.byteLength >> 1]) assert.throws(() => readRangeColumns(whole.slice(0, length)))
  fc.assert(
    fc.property(fc.nat(whole.byteLength - 1), fc.nat(255), (at, byte) => {
      const damaged = new Uint8Array(whole.slice(0))
      damaged[at] = byte
      let columns: RangeColumns
      try {
        columns = readRangeColumns(damaged.buffer)
      } catch (error) {
        assert.ok(error instanceof Error)
        return
      }
      assert.ok(columns.floats.every(({ values }) => values.byteLength <= whole.byteLength))
    }),
    { numRuns: 500 },
  )
})
