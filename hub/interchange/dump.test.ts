/** OpenMetrics text that goes out is read by a parser of it, with all that the head knows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExposition } from '../../protocol/exposition/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { createHead, openReader } from '../tsdb/mod.ts'
import { dump } from './mod.ts'

const EVER = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }

async function textOf(fill: (head: ReturnType<typeof createHead>) => void): Promise<string> {
  const head = createHead()
  fill(head)
  head.publish()
  const reader = openReader(head.share())
  let text = ''
  await dump({ reader, selectors: [], range: EVER, format: 'openmetrics', write: (part) => void (text += part) })
  reader.release()
  return text
}

test('families have their metadata before their first series, and samples their exemplars', async () => {
  const text = await textOf((head) => {
    const add = (labels: Record<string, string>, ...times: number[]): number => {
      const ref = head.series(labelsFrom(labels))
      for (const time of times) head.appendFloat(ref, time, Float64Array.of(time / 1000), 0, 0)
      return ref
    }
    const ref = add({ __name__: 'requests_total', path: '/' }, 1000, 2000, 3000)
    for (const [id, timestampMs] of [
      ['a', 900],
      ['b', 1500],
      ['c', 1600],
      ['late', 9000],
    ] as const)
      head.appendExemplar(ref, { labels: ['trace_id', id], value: 0.5, timestampMs })
    add({ __name__: 'requests_total', path: '/b' }, 1000)
    add({ __name__: 'time_seconds_bucket', le: '1' }, 1000)
    add({ __name__: 'time_seconds_count' }, 1000)
    add({ __name__: 'über.all' }, 1000)
    add({ __name__: 'plain' }, 1000)
    head.setMetadata('requests_total', { type: 'counter', help: 'Of "all"\nkinds \\ ways.', unit: '' })
    head.setMetadata('time_seconds', { type: 'histogram', help: '', unit: 'seconds' })
    head.setMetadata('über.all', { type: 'gauge', help: 'Höhe', unit: 'meters' })
  })
  assert.deepEqual(text.split('\n'), [
    'plain 1 1.000',
    '# TYPE requests counter',
    '# HELP requests Of \\"all\\"\\nkinds \\\\ ways.',
    'requests_total{path="/"} 1 1.000 # {trace_id="a"} 0.5 0.900',
    'requests_total{path="/"} 2 2.000 # {trace_id="c"} 0.5 1.600',
    'requests_total{path="/"} 3 3.000',
    'requests_total{path="/b"} 1 1.000',
    '# TYPE time_seconds histogram',
    '# UNIT time_seconds seconds',
    'time_seconds_bucket{le="1"} 1 1.000',
    'time_seconds_count 1 1.000',
    '# TYPE "über.all" gauge',
    '# HELP "über.all" Höhe',
    '{"über.all"} 1 1.000',
    '# EOF',
    '',
  ])
  const entries = parseExposition(new TextEncoder().encode(text), { format: 'openmetrics', startTimestamps: false })
  const helps = entries.flatMap((entry) => (entry.kind === 'help' ? [entry.help] : []))
  assert.deepEqual(helps, ['Of "all"\nkinds \\ ways.', 'Höhe'])
  const exemplars = entries.flatMap((entry) => (entry.kind === 'series' ? entry.exemplars : []))
  assert.deepEqual(
    exemplars.map(({ labels, timestampMs }) => [...labels, timestampMs]),
    [
      ['trace_id', 'a', 900],
      ['trace_id', 'c', 1600],
    ],
  )
})
