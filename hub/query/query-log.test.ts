import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { nodeDisk } from '../../agent/env/mod.ts'
import { DiskError, type DiskFile, type Logger } from '../../protocol/env/mod.ts'
import type { QueryTask, WorkerAnswer } from './contract.ts'
import { QueryLog } from './query-log.ts'
import { ManualClock } from './testing/manual-clock.ts'

const settings = {
  lookbackMs: 300_000,
  maxSamples: 1,
  maxSeries: 1,
  defaultSubqueryStepMs: 60_000,
  features: [],
  stats: false,
}
const TASK: QueryTask = {
  kind: 'range',
  query: 'sum("\n")',
  startMs: 1_700_000_000_000,
  endMs: 1_700_000_060_000,
  stepMs: 15_000,
  limit: 0,
  settings,
}
const ANSWER: WorkerAnswer = {
  status: 200,
  contentType: 'application/json',
  body: new Uint8Array(0),
  stats: { preparationS: 0.25, evaluationS: 1, queueS: 0.5, samplesTotal: 7, samplesRead: 5, samplesPeak: 3 },
}
const errors: string[] = []
const log = { error: (message: string) => void errors.push(message) } as Logger

test('each expression is a line of JSON, and a file that was moved away is opened anew', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-query-log-'))
  try {
    const file = path.join(folder, 'query.log')
    const clock = new ManualClock()
    const queries = new QueryLog({ disk: nodeDisk, clock, log })
    queries.write(TASK, ANSWER, null)
    assert.equal(fs.existsSync(file), false, 'without a file nothing is written')
    const [durations, samples] = queries.times.families()
    assert.deepEqual(
      durations!.metrics
        .filter(({ suffix }) => suffix === '_sum')
        .map(({ labels: [, slice], value }) => [slice, value]),
      [
        ['inner_eval', 0.75],
        ['prepare_time', 0.25],
        ['queue_time', 0.5],
      ],
    )
    assert.equal(samples!.metrics[0]!.value, 7)
    queries.apply(file)
    queries.write(TASK, ANSWER, { httpRequest: { clientIP: '127.0.0.1', method: 'GET', path: '/api/v1/query_range' } })
    queries.write({ kind: 'labels', matches: [], startMs: 0, endMs: 1, limit: 0 }, ANSWER, null)
    fs.renameSync(file, `${file}.1`)
    queries.apply(file)
    const failed = { ...ANSWER, status: 422, error: { type: 'execution' as const, message: 'no' } }
    queries.write({ kind: 'instant', query: 'up', timeMs: 1500, limit: 0, settings }, failed, null)
    queries.close()
    const lines = fs.readFileSync(`${file}.1`, 'utf8').trimEnd().split('\n')
    assert.equal(lines.length, 1)
    assert.deepEqual(JSON.parse(lines[0]!), {
      time: '1970-01-01T00:00:00.000Z',
      level: 'INFO',
      msg: 'promql query logged',
      params: { end: '2023-11-14T22:14:20.000Z', query: 'sum("\n")', start: '2023-11-14T22:13:20.000Z', step: 15 },
      stats: {
        timings: {
          evalTotalTime: 1,
          resultSortTime: 0,
          queryPreparationTime: 0.25,
          innerEvalTime: 0.75,
          execQueueTime: 0.5,
          execTotalTime: 1.5,
        },
        samples: { totalQueryableSamples: 7, samplesRead: 5, peakSamples: 3 },
      },
      httpRequest: { clientIP: '127.0.0.1', method: 'GET', path: '/api/v1/query_range' },
    })
    const next = JSON.parse(fs.readFileSync(file, 'utf8')) as { error: string; params: object }
    assert.equal(next.error, 'no')
    assert.deepEqual(next.params, {
      end: '1970-01-01T00:00:01.500Z',
      query: 'up',
      start: '1970-01-01T00:00:01.500Z',
      step: 0,
    })
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

test('a full disk is reported once, and counted', () => {
  const file = {
    write: () => {
      throw new DiskError('ENOSPC', '/somewhere', 'no space left on device')
    },
    close: () => {},
  } as unknown as DiskFile
  const queries = new QueryLog({ disk: { ...nodeDisk, open: () => file }, clock: new ManualClock(), log })
  queries.apply('/somewhere')
  queries.write(TASK, ANSWER, null)
  queries.write(TASK, ANSWER, null)
  assert.deepEqual([queries.dropped, errors], [2, ['Cannot write the query log; queries go on']])
})
