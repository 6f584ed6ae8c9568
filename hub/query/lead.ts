/**
 * The leading thread of a query that several compute together: the shards that nobody else has begun, those that others
 * have put into their mailboxes, and the merging of all.
 */
import type { PartialResult } from '../promql/engine/mod.ts'
import { ApiError, JSON_TYPE, type PartStats, type QueryPart, type WorkerAnswer } from './contract.ts'
import type { SharedShards } from './shard-states.ts'
import { addSteps } from './stats.ts'

export type LeadContext = {
  readonly shards: SharedShards
  /** Monotonic, in ms. */
  readonly now: () => number
  /** Another part of the query, on this thread. */
  readonly run: (part: QueryPart, before: PartStats | null) => WorkerAnswer
}

/** @throws ApiError when a thread that had begun a shard has died */
export function leadParts(count: number, { shards, now, run }: LeadContext): WorkerAnswer {
  const startedMs = now()
  const answers: (WorkerAnswer | null)[] = new Array(count).fill(null)
  // What others have begun is under way meanwhile.
  for (let index = shards.begin(); index >= 0; index = shards.begin()) {
    const own = run({ kind: 'shard', index, count }, null)
    if (own.partial?.cuts.length === 0) return { ...run({ kind: 'whole', threads: 1 }, null), isUncut: true }
    answers[index] = own
  }
  for (let index = 0; index < count; index++) answers[index] ??= fromOther(shards, index)
  const failed = answers.find((answer) => answer !== null && !isShard(answer))
  if (failed) return failed
  if (answers.includes(null)) return { status: 200, contentType: JSON_TYPE, body: new Uint8Array(0), shards: answers }
  const all = answers as WorkerAnswer[]
  return run({ kind: 'merge', partials: partialsOf(all) }, costOfShards(all, now() - startedMs))
}

export const isShard = ({ partial, isStale }: WorkerAnswer): boolean => partial !== undefined && isStale !== true

/** Of answers that all are shards, in the order of these. */
export function partialsOf(answers: readonly WorkerAnswer[]): PartialResult[] {
  return answers.map(({ partial }) => partial!)
}

/** Shards hold their samples at the same time. */
export function costOfShards(shards: readonly WorkerAnswer[], elapsedMs: number): PartStats {
  let samplesTotal = 0
  let samplesRead = 0
  let samplesPeak = 0
  let steps: PartStats['steps']
  for (const { stats } of shards) {
    samplesTotal += stats?.samplesTotal ?? 0
    samplesRead += stats?.samplesRead ?? 0
    samplesPeak += stats?.samplesPeak ?? 0
    steps = addSteps(steps, stats?.steps)
  }
  return { elapsedMs, samplesTotal, samplesRead, samplesPeak, ...(steps && { steps }) }
}

function fromOther(shards: SharedShards, index: number): WorkerAnswer | null {
  const end = shards.wait(index)
  if (end === 'dead') throw new ApiError('execution', 'a thread that computed a part of the query has died')
  return end === 'put' ? shards.take(index) : null
}

/** What the leading thread says is said for all; that one of the others died, too. Those that are late are not waited for. */
export function firstOf(
  leading: Promise<WorkerAnswer>,
  helping: readonly Promise<WorkerAnswer>[],
): Promise<WorkerAnswer> {
  return new Promise((resolve, reject) => {
    leading.then(resolve, reject)
    for (const help of helping) help.catch(reject)
  })
}
