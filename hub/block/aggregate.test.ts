/** Rows made of samples, joined, laid over one another, written and read: never anything but what the samples say. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import {
  type AggregateBuffer,
  AggregateColumn,
  ALL_AGGREGATES,
  createAggregateBuffer,
  createSampleBuffer,
  openReader,
  type SampleBuffer,
  type SeriesReader,
} from '../tsdb/mod.ts'
import { aggregate, joinRows } from './aggregate.ts'
import { NO_EXPIRY } from './hiding.ts'
import { openBlock, writeBlock } from './mod.ts'
import { ALL, anySeries, fillHead, memoryEnv } from './testing/samples.ts'

const M5 = 300_000
const H = 3_600_000
const C = AggregateColumn

const FLOAT_COLUMNS = [C.sum, C.min, C.max, C.first, C.last, C.firstTime, C.lastTime, C.resets]
const SUMS: ReadonlySet<number> = new Set([C.sum, C.resets])

/** Of each row the columns that mean something. */
function linesOf(rows: AggregateBuffer, sums: (sum: number) => unknown = (sum) => sum): unknown[] {
  return Array.from({ length: rows.count }, (_, i) => {
    const of = (column: AggregateColumn): number => rows.columns[column]![i]!
    const line: unknown[] = [rows.times[i], rows.widths[i], of(C.samples), of(C.histograms), of(C.staleTime)]
    if (of(C.samples) > 0)
      line.push(...FLOAT_COLUMNS.map((column) => (SUMS.has(column) ? sums(of(column)) : of(column))))
    if (of(C.histograms) > 0) line.push(of(C.histogramTime), rows.histograms![i])
    return line
  })
}

function samplesOf(reader: SeriesReader, ref: number, range = ALL): SampleBuffer {
  const out = createSampleBuffer()
  reader.read(ref, range, out)
  return out
}

function aggregated(samples: SampleBuffer, width: number): AggregateBuffer {
  const out = createAggregateBuffer()
  aggregate(samples, width, out)
  return out
}

/** The plain oracle: lists instead of columns. */
function plainRow(samples: SampleBuffer, end: number, width: number): Record<string, unknown> {
  const floats: [number, number][] = []
  let histograms = 0
  for (let i = 0; i < samples.count; i++) {
    if (samples.times[i]! > end || samples.times[i]! <= end - width) continue
    if (samples.flags[i] === 0) floats.push([samples.times[i]!, samples.values[i]!])
    else if (samples.flags[i] === 2 && !samples.histograms![i]!.isStale) histograms++
  }
  const values = floats.map(([, value]) => value)
  const numbers = values.filter((value) => !Number.isNaN(value))
  return {
    samples: values.length,
    histograms,
    min: numbers.length > 0 ? Math.min(...numbers) : Number.NaN,
    max: numbers.length > 0 ? Math.max(...numbers) : Number.NaN,
    first: values[0],
    last: values.at(-1),
    firstTime: floats[0]?.[0],
    lastTime: floats.at(-1)?.[0],
    resets: values.reduce((sum, value, i) => (i > 0 && value < values[i - 1]! ? sum + values[i - 1]! : sum), 0),
  }
}

/** What resets add is a sum, too: of fractions, it depends on what is added first by as much as is rounded. */
function assertResets(got: AggregateBuffer, wanted: AggregateBuffer, { values, flags, count }: SampleBuffer): void {
  const added = values.subarray(0, count).reduce((sum, value, i) => (flags[i] === 0 ? sum + Math.abs(value) : sum), 0)
  // Beyond what a number holds nothing can be said.
  if (!Number.isFinite(added)) return
  for (let i = 0; i < wanted.count; i++) {
    if (wanted.columns[C.samples]![i] === 0) continue
    const [a, b] = [got.columns[C.resets]![i]!, wanted.columns[C.resets]![i]!]
    assert.ok(Math.abs(a - b) <= 1e-12 * added, `${a} in parts, ${b} in the whole`)
  }
}

test('rows are what lists of the samples in their windows give', () => {
  fc.assert(
    fc.property(anySeries(3 * H), fc.constantFrom(M5, H, 7000), (series, width) => {
      const head = openReader(fillHead(series).share())
      for (const ref of head.select([], ALL)) {
        const samples = samplesOf(head, ref)
        const rows = aggregated(samples, width)
        const ends = new Set(Array.from(samples.times.subarray(0, samples.count), (t) => width * Math.ceil(t / width)))
        assert.deepEqual([...rows.times.subarray(0, rows.count)], [...ends])
        for (let i = 0; i < rows.count; i++) {
          const { samples: count, histograms, ...rest } = plainRow(samples, rows.times[i]!, width)
          assert.deepEqual([rows.columns[C.samples]![i], rows.columns[C.histograms]![i]], [count, histograms])
          if (count === 0) continue
          // Which of the zeros is the least is not asked here.
          for (const [name, value] of Object.entries(rest))
            assert.ok(
              Object.is((rows.columns[C[name as keyof typeof C]]![i] ?? 0) + 0, (value as number) + 0),
              `${name}: ${rows.columns[C[name as keyof typeof C]]![i]}, not ${value}`,
            )
        }
      }
      head.release()
    }),
    { numRuns: 60 },
  )
})

test('rows of two stretches of time, joined, are those of the whole', () => {
  fc.assert(
    fc.property(anySeries(3 * H), fc.integer({ min: 0, max: 3 * H }), (series, at) => {
      const head = openReader(fillHead(series).share())
      for (const ref of head.select([], ALL)) {
        const whole = aggregated(samplesOf(head, ref), M5)
        const parts = aggregated(samplesOf(head, ref, { minTime: -Infinity, maxTime: at }), M5)
        joinRows(parts, aggregated(samplesOf(head, ref, { minTime: at + 1, maxTime: Infinity }), M5))
        // Random bits cancel out in any way they like; what a sum must be is tested with the engine.
        const noSums = (): null => null
        assert.deepEqual(linesOf(parts, noSums), linesOf(whole, noSums))
        assertResets(parts, whole, samplesOf(head, ref))
      }
      head.release()
    }),
    { numRuns: 60 },
  )
})

test('what is read from a block is what was made, for any columns and range', () => {
  fc.assert(
    fc.property(
      anySeries(30 * H),
      fc.integer({ min: 1, max: ALL_AGGREGATES }),
      fc.tuple(fc.integer({ min: 0, max: 30 * H }), fc.integer({ min: 0, max: 30 * H })),
      (series, columns, [from, length]) => {
        const env = memoryEnv()
        const head = openReader(fillHead(series.filter(({ samples }) => samples.length > 0)).share())
        const range = { minTime: 0, maxTime: 40 * H }
        const tiers = { widths: [M5, H], expiry: NO_EXPIRY, goneBefore: undefined }
        const meta = writeBlock(env, '/data/blocks', head, { range, sequence: 1, level: 1, sources: [], tiers })
        if (meta === null) return
        const block = openBlock(env, `/data/blocks/${meta.id}`)
        const byLabels = new Map([...head.select([], ALL)].map((ref) => [JSON.stringify(head.labels(ref)), ref]))
        const out = createAggregateBuffer()
        for (const ref of block.select([], ALL)) {
          const samples = samplesOf(head, byLabels.get(JSON.stringify(block.labels(ref)))!)
          for (const width of [M5, H]) {
            const made = aggregated(samples, width)
            assert.ok(block.stored!.read(ref, ALL, width, ALL_AGGREGATES, out))
            assert.deepEqual(linesOf(out), linesOf(made))
            const within = { minTime: from, maxTime: from + length }
            assert.ok(block.stored!.read(ref, within, width, columns, out))
            const kept = linesOf(made).filter((line) => {
              const [end] = line as [number]
              return end >= within.minTime && end <= within.maxTime
            })
            assert.equal(out.count, kept.length)
            const offset = made.times.indexOf(out.times[0]!)
            for (let column = 0; column < made.columns.length; column++) {
              if ((columns & (1 << column)) === 0) continue
              for (let i = 0; i < out.count; i++) {
                if (column >= C.sum && column <= C.resets && made.columns[C.samples]![offset + i] === 0) continue
                if (column === C.histogramTime && made.columns[C.histograms]![offset + i] === 0) continue
                assert.equal(out.columns[column]![i], made.columns[column]![offset + i], `column ${column}`)
              }
            }
          }
        }
        block.close()
        head.release()
      },
    ),
    { numRuns: 100 },
  )
})

test('a block without windows is written as ever', () => {
  const env = memoryEnv()
  const head = openReader(
    fillHead([{ labels: labelsFrom({ __name__: 'x' }), samples: [{ time: 1, bits: 0n, start: 0, kind: 0 }] }]).share(),
  )
  const meta = writeBlock(env, '/data/blocks', head, {
    range: { minTime: 0, maxTime: 2 * H },
    sequence: 1,
    level: 1,
    sources: [],
  })!
  const index = env.disk.readFile(`/data/blocks/${meta.id}/index`)
  assert.equal(new DataView(index.buffer, index.byteOffset).getUint32(8, true), 1)
  assert.equal(openBlock(env, `/data/blocks/${meta.id}`).stored ?? null, null)
})
