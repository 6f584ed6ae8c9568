/** An answer about damaged data says so, whole or merged from shards. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Damage } from '../block/mod.ts'
import { openReader } from '../tsdb/mod.ts'
import type { QueryTask, WorkerAnswer } from './contract.ts'
import type { PartTask } from './run-expression.ts'
import { runPart } from './run-task.ts'
import { seededHead } from './testing/head.ts'
import { SETTINGS } from './testing/settings.ts'

const HEAD = seededHead({ seed: 1, series: 4, samples: 10 })
const DAMAGE: Damage = { block: '0-7200000-1', piece: 'run at byte 16', why: 'wrong checksum', cost: 'piece' }
const WARNING = 'samples are missing: block 0-7200000-1 is damaged: run at byte 16: wrong checksum'

function run(task: QueryTask, damages: readonly Damage[], part: PartTask['part'] = WHOLE): WorkerAnswer {
  const reader = openReader(HEAD.share())
  const flags = new Int32Array(3)
  try {
    const given = { task, part, queuedMs: 0, before: null }
    return runPart(given, { reader, flags, now: () => 0, missing: () => damages })
  } finally {
    reader.release()
  }
}

const WHOLE = { kind: 'whole', threads: 1 } as const
const bodyOf = ({ body }: WorkerAnswer): { readonly warnings?: string[] } => JSON.parse(new TextDecoder().decode(body))
const query = 'sum({__name__=~".+"})'
const window = { startMs: 0, endMs: 1e9, limit: 0 }
const matches = ['{__name__=~".+"}']
const TASKS: readonly QueryTask[] = [
  { kind: 'instant', query, timeMs: 60_000, limit: 0, settings: SETTINGS },
  { kind: 'range', query, startMs: 0, endMs: 60_000, stepMs: 15_000, limit: 0, settings: SETTINGS },
  { kind: 'series', matches, ...window },
  { kind: 'labels', matches, ...window },
  { kind: 'values', label: '__name__', matches, ...window },
]

for (const task of TASKS)
  test(`${task.kind}: what is damaged of the data is a warning, and nothing else is`, () => {
    assert.deepEqual(bodyOf(run(task, [DAMAGE])).warnings, [WARNING])
    assert.equal(bodyOf(run(task, [])).warnings, undefined)
  })

test('what shards have met is a warning of the whole, once', () => {
  const [, task] = TASKS
  const partials = [0, 1].map((index) => run(task!, [DAMAGE], { kind: 'shard', index, count: 2 }).partial!)
  assert.deepEqual(bodyOf(run(task!, [], { kind: 'merge', partials })).warnings, [WARNING])
})
