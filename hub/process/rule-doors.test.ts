import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../agent/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { CounterResetHint, type Histogram, isStaleAt } from '../../protocol/samples/mod.ts'
import type { RuleResults } from '../ingest/mod.ts'
import { type QueryPool, QueryService, runPart } from '../query/mod.ts'
import { SETTINGS } from '../query/testing/settings.ts'
import { createHead, type Head, openReader } from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { askForRule, writeOfRule } from './rule-doors.ts'

const HISTOGRAM: Histogram = {
  isFloat: true,
  isStale: false,
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 3,
  sum: 4,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveBuckets: [1, 2],
  negativeSpans: [],
  negativeBuckets: [],
  customValues: [],
  counterResetHint: CounterResetHint.gauge,
}

function serviceOver(head: Head): QueryService {
  const pool: QueryPool = {
    threads: 1,
    run: async (task) => {
      const reader = openReader(head.share())
      try {
        return runPart(task, { reader, flags: new Int32Array(task.flags), now: () => 0 })
      } finally {
        reader.release()
      }
    },
    close: async () => {},
  }
  return new QueryService({
    pool,
    clock: systemClock,
    log: memoryLogger(),
    share: () => head.share(),
    releaseOwner: () => {},
    maxConcurrency: 1,
  })
}

test('a rule is answered with native histograms, and writes them', async () => {
  const head = createHead()
  head.appendHistogram(head.series(labelsFrom({ __name__: 'h', x: '1' })), 1000, HISTOGRAM, 0)
  head.appendFloat(head.series(labelsFrom({ __name__: 'h', x: '2' })), 1000, Float64Array.of(5), 0, 0)
  const service = serviceOver(head)
  const written: RuleResults[] = []
  try {
    const vector = await askForRule(service, 'h', 1000, SETTINGS)
    await assert.rejects(askForRule(service, '(', 1000, SETTINGS), {
      message: '1:2: parse error: unclosed left parenthesis',
    })
    assert.deepEqual(
      vector.map(({ value, histogram }) => [value, histogram?.count, histogram?.sum]),
      [
        [0, 3, 4],
        [5, undefined, undefined],
      ],
    )
    const samples = vector.map((sample) => ({ ...sample, stale: false }))
    const ended = { labels: labelsFrom({ __name__: 'gone' }), value: Number.NaN, stale: true }
    const appendRuleResults = async (results: RuleResults): Promise<boolean> => written.push(results) > 0
    await writeOfRule({ appendRuleResults }, 2000, [...samples, ended])
  } finally {
    await service.close()
  }
  const [{ labels, values, histograms }] = written as [RuleResults]
  assert.equal(labels.length, 3)
  assert.deepEqual([...histograms!.keys()], [0])
  assert.deepEqual(histograms!.get(0)!.positiveBuckets, [1, 2])
  assert.equal(values[1], 5)
  assert.ok(isStaleAt(new Uint32Array(values.buffer), 2))
})
