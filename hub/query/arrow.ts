/**
 * Results as an Apache Arrow IPC stream, columns instead of text: for the page, notebooks and data frames.
 *
 *     range query    time (ms) | one float column a series, null where it has no point; none for a series without any
 *     instant query  one row a series: its labels, a text column a name (null where it lacks it) | time | value
 *     raw samples    series (row number in the metadata's `series`) | time | value
 *     scalar, string time | value
 *
 * Columns of series are named by their labels as PromQL writes them and carry them as JSON in the field's metadata
 * (`labels`). Native histograms are JSON in text columns (`histogram`, or beside a series' column with ` histogram`).
 * The schema's metadata: `resultType`, `warnings`, `infos` (JSON lists), and `series` of raw samples.
 */
import type { Field, Vector } from 'apache-arrow'
import { formatLabels, type Labels, labelsToObject } from '../../protocol/labels/mod.ts'
import type { Histogram } from '../../protocol/samples/mod.ts'
import type { QueryRange, QueryResult, ResultSeries } from '../promql/contract.ts'
import { JsonWriter } from './json.ts'

export const ARROW_TYPE = 'application/vnd.apache.arrow.stream'

type Arrow = typeof import('apache-arrow')
let arrow: Arrow | null = null

/** The library is large, and most threads are never asked for columns: it is loaded when the first one is. */
export async function loadArrow(): Promise<void> {
  arrow ??= await import('apache-arrow')
}

export type ArrowContext = {
  readonly range: QueryRange
  /** Series; 0 = all. */
  readonly limit: number
  readonly warnings: readonly string[]
  readonly infos: readonly string[]
  /** Called now and then; throws to end the query. */
  readonly poll: () => void
}

/** `loadArrow` comes first. */
export function arrowResult(result: QueryResult, context: ArrowContext): Uint8Array {
  if (arrow === null) throw new Error('BUG: loadArrow() has not been awaited')
  const writer = new ArrowWriter(arrow, context)
  const { range, limit } = context
  switch (result.type) {
    case 'matrix':
      return writer.matrix(
        limited(
          result.series.filter(({ present }) => present.some((each) => each !== 0)),
          limit,
        ),
      )
    case 'vector':
      return writer.vector(
        limited(
          result.series.filter(({ present }) => present[0] !== 0),
          limit,
        ),
      )
    case 'raw-matrix':
      return writer.raw(limited(result.series, limit))
    case 'scalar':
      return writer.values('scalar', Float64Array.of(range.startMs), arrow.makeVector(result.values.slice(0, 1)))
    case 'string':
      return writer.values('string', Float64Array.of(range.startMs), texts(arrow, [result.value]))
  }
}

const limited = <T>(series: readonly T[], limit: number): readonly T[] => (limit > 0 ? series.slice(0, limit) : series)

type Column = { readonly name: string; readonly vector: Vector; readonly labels?: Labels }
type RawSeries = Extract<QueryResult, { readonly type: 'raw-matrix' }>['series']

class ArrowWriter {
  readonly #arrow: Arrow
  readonly #context: ArrowContext

  constructor(library: Arrow, context: ArrowContext) {
    this.#arrow = library
    this.#context = context
  }

  matrix(series: readonly ResultSeries[]): Uint8Array {
    const { startMs, stepMs, endMs } = this.#context.range
    const steps = series[0]?.present.length ?? Math.floor((endMs - startMs) / stepMs) + 1
    const times = Float64Array.from({ length: steps }, (_, i) => startMs + i * stepMs)
    const columns: Column[] = [{ name: 'time', vector: this.#arrow.makeVector(times) }]
    for (const { labels, values, present, histograms } of series) {
      this.#context.poll()
      const name = formatLabels(labels)
      let floats = 0
      let others = 0
      for (const each of present) {
        if (each === 1) floats++
        else if (each === 2) others++
      }
      if (floats > 0) columns.push({ name, labels, vector: this.#floats(values, present, steps - floats) })
      if (others > 0) {
        const shown = Array.from(present, (each, i) => (each === 2 ? histogramText(histograms![i]!) : null))
        columns.push({ name: `${name} histogram`, labels, vector: texts(this.#arrow, shown) })
      }
    }
    return this.#stream('matrix', columns)
  }

  vector(series: readonly ResultSeries[]): Uint8Array {
    const maps = series.map(({ labels }) => labelsToObject(labels))
    const names = [...new Set(maps.flatMap((map) => Object.keys(map)))].sort()
    const columns: Column[] = names.map((name) => ({
      name,
      vector: texts(
        this.#arrow,
        maps.map((map) => map[name] ?? null),
      ),
    }))
    const n = series.length
    columns.push({
      name: 'time',
      vector: this.#arrow.makeVector(new Float64Array(n).fill(this.#context.range.startMs)),
    })
    const values = Float64Array.from(series, (each) => each.values[0]!)
    const present = Uint8Array.from(series, (each) => each.present[0]!)
    const others = present.filter((each) => each === 2).length
    columns.push({ name: 'value', vector: this.#floats(values, present, others) })
    if (others > 0) {
      const shown = series.map((each) => (each.present[0] === 2 ? histogramText(each.histograms![0]!) : null))
      columns.push({ name: 'histogram', vector: texts(this.#arrow, shown) })
    }
    return this.#stream('vector', columns)
  }

  raw(series: RawSeries): Uint8Array {
    const total = series.reduce((sum, { times }) => sum + times.length, 0)
    const rows = new Uint32Array(total)
    const times = new Float64Array(total)
    const values = new Float64Array(total)
    const present = new Uint8Array(total).fill(1)
    const histograms: (string | null)[] = []
    let at = 0
    series.forEach((each, row) => {
      this.#context.poll()
      rows.fill(row, at, at + each.times.length)
      times.set(each.times, at)
      values.set(each.values.subarray(0, each.times.length), at)
      each.histograms?.forEach((histogram, i) => {
        if (!histogram) return
        present[at + i] = 2
        histograms[at + i] = histogramText(histogram)
      })
      at += each.times.length
    })
    const others = present.filter((each) => each === 2).length
    const columns: Column[] = [
      { name: 'series', vector: this.#arrow.makeVector(rows) },
      { name: 'time', vector: this.#arrow.makeVector(times) },
      { name: 'value', vector: this.#floats(values, present, others) },
    ]
    if (others > 0)
      columns.push({
        name: 'histogram',
        vector: texts(
          this.#arrow,
          Array.from({ length: total }, (_, i) => histograms[i] ?? null),
        ),
      })
    return this.#stream(
      'raw-matrix',
      columns,
      series.map(({ labels }) => labelsToObject(labels)),
    )
  }

  values(resultType: string, times: Float64Array, vector: Vector): Uint8Array {
    return this.#stream(resultType, [
      { name: 'time', vector: this.#arrow.makeVector(times) },
      { name: 'value', vector },
    ])
  }

  /** Null where the point is none or no float; without nulls the values are taken as they are. */
  #floats(values: Float64Array, present: Uint8Array, nullCount: number): Vector {
    const library = this.#arrow
    const length = present.length
    const bitmap = new Uint8Array((length + 7) >> 3)
    for (let i = 0; i < length; i++) if (present[i] === 1) bitmap[i >> 3]! |= 1 << (i & 7)
    const data = library.makeData({
      type: new library.Float64(),
      length,
      nullCount,
      data: values.subarray(0, length),
      ...(nullCount > 0 && { nullBitmap: bitmap }),
    })
    return library.makeVector(data)
  }

  #stream(resultType: string, columns: readonly Column[], series: readonly unknown[] = []): Uint8Array {
    const library = this.#arrow
    const { warnings, infos } = this.#context
    const fields = columns.map(
      ({ name, vector, labels }): Field =>
        new library.Field(
          name,
          vector.type,
          true,
          labels && new Map([['labels', JSON.stringify(labelsToObject(labels))]]),
        ),
    )
    const metadata = new Map([
      ['resultType', resultType],
      ['warnings', JSON.stringify(warnings)],
      ['infos', JSON.stringify(infos)],
      ...(series.length > 0 ? ([['series', JSON.stringify(series)]] as const) : []),
    ])
    const length = columns[0]!.vector.length
    const struct = library.makeData({
      type: new library.Struct(fields),
      length,
      nullCount: 0,
      children: columns.map(({ vector }) => vector.data[0]!),
    })
    const schema = new library.Schema(fields, metadata)
    const table = new library.Table(schema, [new library.RecordBatch(schema, struct)])
    return library.tableToIPC(table, 'stream')
  }
}

function texts(library: Arrow, values: readonly (string | null)[]): Vector {
  const builder = library.makeBuilder({ type: new library.Utf8(), nullValues: [null] })
  for (const value of values) builder.append(value)
  return builder.finish().toVector()
}

/** As in the JSON answer. */
function histogramText(histogram: Histogram): string {
  const [, text = ''] =
    /^\[0,([\s\S]*)\]$/.exec(new TextDecoder().decode(new JsonWriter().histogramPoint(0, histogram).finish())) ?? []
  return text
}
