import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { planRows, readExplained } from './plan.ts'

const leaf = (operator: string, timeMs: number) => ({ operator, expression: operator, timeMs, selfMs: timeMs })
const PLAN = {
  operator: 'binary /',
  timeMs: 10,
  selfMs: 2,
  inputs: [
    {
      ...leaf('aggregate sum', 6),
      selfMs: 1,
      isCut: true,
      shards: [
        { series: 3, samples: 30, timeMs: 6 },
        { series: 2, samples: 20, timeMs: 1 },
      ],
      inputs: [leaf('vector-selector', 5)],
    },
    leaf('number', 2),
  ],
}

test('planRows() lists operators top-down with their shares of the work', () => {
  const { plan, threads } = readExplained({ threads: 2, plan: PLAN })!
  assert.equal(threads, 2)
  const rows = planRows(plan!, new Set())
  assert.deepEqual(
    rows.map(({ node, id, level, selfShare, timeShare }) => [node.operator, id, level, selfShare, timeShare]),
    [
      ['binary /', '0', 1, 0.2, 1],
      ['aggregate sum', '0.0', 2, 0.1, 0.6],
      ['vector-selector', '0.0.0', 3, 0.5, 0.5],
      ['number', '0.1', 2, 0.2, 0.2],
    ],
  )
  assert.deepEqual(rows[1]!.node.shards[1], { series: 2, samples: 20, timeMs: 1 })
})

test('planRows() hides what a closed node reads, and keeps the shares', () => {
  const rows = planRows(readExplained({ threads: 2, plan: PLAN })!.plan!, new Set(['0.0']))
  assert.deepEqual(
    rows.map(({ node, isOpen, selfShare }) => [node.operator, isOpen, selfShare]),
    [
      ['binary /', true, 0.2],
      ['aggregate sum', false, 0.1],
      ['number', true, 0.2],
    ],
  )
})

test('readExplained() tells a server without plans from one with a strange plan', () => {
  assert.equal(readExplained(undefined), null)
  assert.deepEqual(readExplained({}), { threads: 0, plan: null })
  const { plan } = readExplained({ plan: { operator: 7, timeMs: 'long', inputs: [null, 3, {}], shards: {} } })!
  assert.deepEqual([plan!.operator, plan!.timeMs, plan!.inputs.length, plan!.shards], ['', 0, 1, []])
  fc.assert(
    fc.property(fc.anything(), (value) => {
      const read = readExplained({ plan: value })
      if (read?.plan) planRows(read.plan, new Set())
    }),
  )
})
