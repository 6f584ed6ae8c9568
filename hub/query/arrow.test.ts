import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tableFromIPC } from 'apache-arrow'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM } from '../../protocol/samples/mod.ts'
import type { QueryResult } from '../promql/contract.ts'
import { arrowResult, loadArrow } from './arrow.ts'

const context = {
  range: { startMs: 1000, endMs: 4000, stepMs: 1000, instant: false },
  limit: 0,
  warnings: ['careful'],
  infos: [],
  poll: () => {},
}
const written = async (result: QueryResult, more: Partial<typeof context> = {}) => {
  await loadArrow()
  return tableFromIPC(arrowResult(result, { ...context, ...more }))
}
const histogram = { ...EMPTY_HISTOGRAM, count: 2, sum: 3 }

test('a range query is a time column and one column a series, null at gaps', async () => {
  const series = [
    {
      labels: labelsFrom({ __name__: 'x', job: 'a' }),
      values: Float64Array.of(1, 0, Number.NaN, -0),
      present: Uint8Array.of(1, 0, 1, 1),
      histograms: null,
    },
    {
      labels: labelsFrom({ __name__: 'h' }),
      values: new Float64Array(4),
      present: Uint8Array.of(0, 2, 0, 0),
      histograms: [undefined, histogram],
    },
  ]
  const table = await written({ type: 'matrix', series, annotations: [] })
  assert.deepEqual([...table.getChild('time')!], [1000, 2000, 3000, 4000])
  assert.deepEqual([...table.getChild('{__name__="x", job="a"}')!], [1, null, Number.NaN, -0])
  assert.deepEqual(JSON.parse(table.schema.fields[1]!.metadata.get('labels')!), { __name__: 'x', job: 'a' })
  const shown = [...table.getChild('{__name__="h"} histogram')!]
  assert.deepEqual([shown[0], JSON.parse(shown[1]).count, shown[2]], [null, '2', null])
  assert.equal(table.schema.metadata.get('resultType'), 'matrix')
  assert.deepEqual(JSON.parse(table.schema.metadata.get('warnings')!), ['careful'])
  const first = await written({ type: 'matrix', series, annotations: [] }, { limit: 1 })
  assert.equal(first.numCols, 2)
})

test('a series without any point in the range has no column, and does not count against the limit', async () => {
  const of = (job: string, ...present: number[]) => ({
    labels: labelsFrom({ job }),
    values: new Float64Array(4),
    present: Uint8Array.from(present),
    histograms: null,
  })
  const series = [of('gone', 0, 0, 0, 0), of('a', 0, 0, 0, 1), of('b', 1, 1, 1, 1)]
  const columns = async (limit: number) =>
    (await written({ type: 'matrix', series, annotations: [] }, { limit })).schema.fields.map(({ name }) => name)
  assert.deepEqual(await columns(0), ['time', '{job="a"}', '{job="b"}'])
  assert.deepEqual(await columns(1), ['time', '{job="a"}'])
  const none = await written({ type: 'matrix', series: series.slice(0, 1), annotations: [] })
  assert.deepEqual([none.numCols, none.numRows], [1, 4])
})

test('an instant query is one row a series, its labels in columns', async () => {
  const series = [
    { labels: labelsFrom({ job: 'a' }), values: Float64Array.of(1), present: Uint8Array.of(1), histograms: null },
    {
      labels: labelsFrom({ instance: 'é' }),
      values: Float64Array.of(0),
      present: Uint8Array.of(2),
      histograms: [histogram],
    },
    { labels: labelsFrom({ job: 'gone' }), values: Float64Array.of(0), present: Uint8Array.of(0), histograms: null },
  ]
  const table = await written({ type: 'vector', series, annotations: [] })
  assert.deepEqual(
    table.schema.fields.map(({ name }) => name),
    ['instance', 'job', 'time', 'value', 'histogram'],
  )
  assert.deepEqual([...table.getChild('job')!], ['a', null])
  assert.deepEqual([...table.getChild('instance')!], [null, 'é'])
  assert.deepEqual([...table.getChild('value')!], [1, null])
})

test('raw samples, scalars and strings', async () => {
  const raw = await written({
    type: 'raw-matrix',
    annotations: [],
    series: [
      { labels: labelsFrom({ a: '1' }), times: Float64Array.of(5, 6), values: Float64Array.of(1, 2), histograms: null },
      { labels: labelsFrom({ a: '2' }), times: Float64Array.of(7), values: Float64Array.of(3), histograms: null },
    ],
  })
  assert.deepEqual([...raw.getChild('series')!], [0, 0, 1])
  assert.deepEqual([...raw.getChild('time')!], [5, 6, 7])
  assert.deepEqual(JSON.parse(raw.schema.metadata.get('series')!), [{ a: '1' }, { a: '2' }])
  const scalar = await written({ type: 'scalar', values: Float64Array.of(7, 8), annotations: [] })
  assert.deepEqual([...scalar.getChild('value')!], [7])
  const string = await written({ type: 'string', value: 'é', annotations: [] })
  assert.deepEqual([...string.getChild('value')!], ['é'])
  const empty = await written({ type: 'vector', series: [], annotations: [] })
  assert.equal(empty.numRows, 0)
})
