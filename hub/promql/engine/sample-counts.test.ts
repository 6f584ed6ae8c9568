/** The figures are those of a real Prometheus 3.5 over the same samples; `read` follows 3.14's tests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import type { SampleCounts } from '../contract.ts'
import { parseExpr } from '../parser/mod.ts'
import { evaluate } from './evaluate.ts'
import { MemoryReader } from './testing/memory-reader.ts'
import { ENGINE_OPTIONS } from './testing/options.ts'

/** A sample every 10 s, from 0 to 600 s. */
const TIMES = Float64Array.from({ length: 61 }, (_, i) => i * 10_000)

function readerOf(): MemoryReader {
  const reader = new MemoryReader()
  reader.append([
    {
      labels: labelsFrom({ __name__: 'm' }),
      times: TIMES,
      values: TIMES.map((_, i) => i),
      kinds: new Uint8Array(TIMES.length),
      histograms: null,
      startTimes: null,
    },
  ])
  return reader
}

function countsOf(text: string, isRange: boolean): SampleCounts {
  let counts: SampleCounts | null = null
  const range = isRange
    ? { startMs: 200_000, endMs: 260_000, stepMs: 20_000, instant: false }
    : { startMs: 200_000, endMs: 200_000, stepMs: 1, instant: true }
  const onSamples = (_: number, all: SampleCounts): void => {
    counts = all
  }
  const options = { ...ENGINE_OPTIONS, countSteps: true, onSamples }
  evaluate({ expr: parseExpr(text), text, range, options, reader: readerOf() })
  return counts!
}

const rows: readonly (readonly [string, boolean, readonly number[], readonly number[]])[] = [
  ['m', false, [1], [1]],
  ['m[60s]', false, [6], [6]],
  ['rate(m[60s])', false, [6], [6]],
  ['m[60s:10s]', false, [6], [6]],
  ['max_over_time(m[60s:10s])', false, [6], [12]],
  ['1', false, [0], [0]],
  ['m', true, [1, 1, 1, 1], [1, 1, 1, 1]],
  ['rate(m[60s])', true, [6, 6, 6, 6], [6, 2, 2, 2]],
  ['rate(m[10s])', true, [1, 1, 1, 1], [1, 1, 1, 1]],
  ['rate(m[60s] offset 30s)', true, [6, 6, 6, 6], [6, 2, 2, 2]],
  ['m @ 100', true, [1, 1, 1, 1], [1, 0, 0, 0]],
  ['sum_over_time(m[60s] @ 100)', true, [6, 6, 6, 6], [6, 0, 0, 0]],
  ['predict_linear(m[60s] @ 100, 1)', true, [6, 6, 6, 6], [6, 0, 0, 0]],
  ['rate(m[60s]) / rate(m[60s])', true, [12, 12, 12, 12], [12, 4, 4, 4]],
  ['sum(m) / count(m)', true, [2, 2, 2, 2], [2, 2, 2, 2]],
  ['max_over_time(m[60s:10s])', true, [6, 6, 6, 6], [12, 4, 4, 4]],
  ['scalar(m)', true, [1, 1, 1, 1], [1, 1, 1, 1]],
]
for (const [text, isRange, total, read] of rows) {
  test(`${text} ${isRange ? 'over a range' : 'at an instant'}: samples of each step`, () => {
    const counts = countsOf(text, isRange)
    assert.deepEqual([...counts.steps!.total], total)
    assert.deepEqual([...counts.steps!.read], read)
    const sum = (all: readonly number[]): number => all.reduce((a, b) => a + b, 0)
    assert.deepEqual([counts.total, counts.read], [sum(total), sum(read)])
  })
}
