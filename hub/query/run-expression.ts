/** An expression in a query worker: whole, one shard of it, or the merging of all; and what that cost. */

import type { Damage } from '../block/mod.ts'
import {
  type Annotation,
  type EngineOptions,
  QueryError,
  type QueryRange,
  type QueryResult,
  type SampleCounts,
} from '../promql/contract.ts'
import { evaluate, evaluatePartial, mergePartials, type PlanNode, type Query } from '../promql/engine/mod.ts'
import { ParseError, typeOf } from '../promql/parser/mod.ts'
import type { SeriesReader } from '../tsdb/mod.ts'
import { ARROW_TYPE, arrowResult } from './arrow.ts'
import {
  ApiError,
  FLAG_CANCELED,
  FLAG_TIMEOUT,
  JSON_TYPE,
  type PartStats,
  type QueryPart,
  type QuerySettings,
  type QueryTask,
  type WorkerAnswer,
  type WorkerTask,
} from './contract.ts'
import { LimitedReader } from './limited-reader.ts'
import { ParsedQueries } from './parsed-queries.ts'
import { annotationTexts, writeResult } from './results.ts'
import type { SharedShards } from './shard-states.ts'
import { paysToSplit } from './split-cost.ts'
import { addSteps, type QueryStats } from './stats.ts'

export type ExpressionTask = Extract<QueryTask, { settings: QuerySettings }>

export const isExpression = (task: QueryTask): task is ExpressionTask => 'settings' in task

/** As `ValueType`s are called in errors. */
const TYPE_NAMES = { matrix: 'range vector', string: 'string', none: 'none' } as const
const NO_BYTES = new Uint8Array(0)
/** Of this thread. */
const parsedQueries = new ParsedQueries()

export type PartTask = Pick<WorkerTask, 'task' | 'part' | 'queuedMs' | 'before'>
/** What one thread does alone. */
type OnePart = PartTask & { readonly part: Exclude<QueryPart, { kind: 'lead' | 'help' }> }
/** What a part of a task runs with; `now` is monotonic, in ms. */
export type PartContext = {
  readonly reader: SeriesReader
  readonly flags: Int32Array
  readonly now: () => number
  /** Asked where the flags are: true ends the query as a deadline does. */
  readonly isLate?: () => boolean
  /** Of a query that other threads compute, too. */
  readonly shards?: SharedShards
  /** What is damaged of all that was read so far, each once. */
  readonly missing?: () => readonly Damage[]
}

export function missingTexts({ missing }: Pick<PartContext, 'missing'>): string[] {
  return (missing?.() ?? []).map(
    ({ block, piece, why }) => `samples are missing: block ${block} is damaged: ${piece}: ${why}`,
  )
}

/** @throws QueryError, ApiError, StalePagesError */
export function runExpression(task: ExpressionTask, given: OnePart, context: PartContext): WorkerAnswer {
  const { part } = given
  const meter = new Meter(given, context.now)
  const query = meter.prepared({ ...queryOf(task, context, meter), onPlan: (plan) => meter.explained(plan) })
  switch (part.kind) {
    case 'whole': {
      if (part.threads > 1 && paysToSplit(query))
        return { status: 200, contentType: JSON_TYPE, body: NO_BYTES, split: true, stats: meter.stats() }
      return resultAnswer(task, query, warned(evaluate(query), context), meter)
    }
    case 'shard': {
      const { index, count } = part
      const partial = warned(evaluatePartial({ ...query, shard: { index, count } }), context)
      return { status: 200, contentType: JSON_TYPE, body: NO_BYTES, partial, stats: meter.stats() }
    }
    case 'merge': {
      const merged = mergePartials(query, part.partials)
      // The shards were of no use: what the whole looks at is all that the query looks at.
      if (merged === null) meter.startAgain()
      return resultAnswer(task, query, warned(merged ?? evaluate(query), context), meter)
    }
  }
}

function warned<Result extends { readonly annotations: readonly Annotation[] }>(
  result: Result,
  context: PartContext,
): Result {
  const texts = missingTexts(context)
  if (texts.length === 0) return result
  return {
    ...result,
    annotations: [
      ...result.annotations,
      ...texts.map((message) => ({ level: 'warning', message, pos: null }) as const),
    ],
  }
}

type LimitedQuery = Query & { readonly reader: LimitedReader }

/** Adds up what this part costs and what those before it did. */
class Meter {
  peak = 0
  counts: SampleCounts = { total: 0, read: 0, steps: null }
  range: QueryRange | null = null
  plan: PlanNode | null = null
  readonly #given: PartTask
  #before: PartStats | null
  readonly #now: () => number
  readonly #startedMs: number
  #preparedMs = 0

  constructor(given: PartTask, now: () => number) {
    this.#given = given
    this.#before = given.before
    this.#now = now
    this.#startedMs = now()
  }

  prepared(query: LimitedQuery): LimitedQuery {
    this.#preparedMs = this.#now() - this.#startedMs
    this.range = query.range
    return query
  }

  /** Nothing that was done before is part of the answer; it has taken its time and its memory all the same. */
  startAgain(): void {
    if (this.#before === null) return
    const { elapsedMs, samplesPeak } = this.#before
    this.#before = { elapsedMs, samplesPeak, samplesTotal: 0, samplesRead: 0 }
  }

  explained(plan: PlanNode): void {
    this.plan = plan
  }

  get threads(): number {
    const { part } = this.#given
    return part.kind === 'merge' ? part.partials.length : part.kind === 'whole' ? Math.min(1, part.threads) : 1
  }

  stats(): QueryStats {
    const { queuedMs } = this.#given
    const before = this.#before
    const { steps: own } = this.counts
    const steps = addSteps(before?.steps, own && this.range ? { ...this.range, ...own } : undefined)
    return {
      preparationS: this.#preparedMs / 1000,
      evaluationS: ((before?.elapsedMs ?? 0) + this.#now() - this.#startedMs) / 1000,
      queueS: queuedMs / 1000,
      samplesTotal: (before?.samplesTotal ?? 0) + this.counts.total,
      samplesRead: (before?.samplesRead ?? 0) + this.counts.read,
      samplesPeak: Math.max(before?.samplesPeak ?? 0, this.peak),
      ...(steps && { steps }),
    }
  }
}

function queryOf(task: ExpressionTask, context: PartContext, meter: Meter): LimitedQuery {
  const { query, settings } = task
  const expr = parse(query, settings, task.kind === 'vector' ? '' : 'invalid parameter "query": ')
  const type = typeOf(expr)
  if (task.kind === 'range' && type !== 'scalar' && type !== 'vector') {
    throw new ApiError(
      'bad_data',
      `invalid parameter "query": invalid expression type "${TYPE_NAMES[type]}" for range query, must be Scalar or instant Vector`,
    )
  }
  return {
    expr,
    text: query,
    range:
      task.kind === 'range'
        ? { startMs: task.startMs, endMs: task.endMs, stepMs: task.stepMs, instant: false }
        : { startMs: task.timeMs, endMs: task.timeMs, stepMs: 1, instant: true },
    options: engineOptions(settings, context, meter),
    reader: new LimitedReader(context.reader, settings.maxSeries),
  }
}

/** @param prefix of complaints: rules have no parameters */
function parse(query: string, settings: QuerySettings, prefix: string): Query['expr'] {
  try {
    return parsedQueries.parse(query, settings.features)
  } catch (error) {
    if (error instanceof ParseError) throw new ApiError('bad_data', `${prefix}${error.message}`, { cause: error })
    throw error
  }
}

/** Why the task is to end. */
export function interruptedOf({ flags, isLate }: PartContext): EngineOptions['interrupted'] {
  return () => {
    // Pairs with the main thread's Atomics.store in QueryService.
    const flag = Atomics.load(flags, 0)
    if (flag === FLAG_CANCELED) return 'canceled'
    return flag === FLAG_TIMEOUT || isLate?.() ? 'timeout' : null
  }
}

function engineOptions(settings: QuerySettings, context: PartContext, meter: Meter): EngineOptions {
  return {
    lookbackMs: settings.lookbackMs,
    defaultSubqueryStepMs: settings.defaultSubqueryStepMs,
    maxSamples: settings.maxSamples,
    delayedNameRemoval: settings.features.includes('promql-delayed-name-removal'),
    useStartTimestamps: settings.features.includes('use-start-timestamps'),
    typeAndUnitLabels: settings.features.includes('type-and-unit-labels'),
    interrupted: interruptedOf(context),
    ...(settings.explain === true && { explainClock: context.now }),
    countSteps: settings.stepStats === true,
    onSamples: (held, counts) => {
      meter.peak = held
      meter.counts = counts
    },
  }
}

function resultAnswer(task: ExpressionTask, query: Query, result: QueryResult, meter: Meter): WorkerAnswer {
  const stats = meter.stats()
  if (task.kind === 'vector')
    return { status: 200, contentType: JSON_TYPE, body: NO_BYTES, vector: vectorOf(result), stats }
  const { range, text, options } = query
  if (task.settings.arrow) {
    const notes = annotationTexts(result.annotations, text)
    const body = arrowResult(result, { range, limit: task.limit, ...notes, poll: pollOf(options) })
    return { status: 200, contentType: ARROW_TYPE, body, stats }
  }
  const body = writeResult(result, {
    range,
    text,
    limit: task.limit,
    poll: pollOf(options),
    stats: task.settings.stats ? stats : null,
    notice: task.settings.notice ?? '',
    explain: task.settings.explain === true ? { threads: meter.threads, plan: meter.plan } : null,
  })
  return { status: 200, contentType: JSON_TYPE, body, stats }
}

/** @throws QueryError as the engine does */
export function pollOf({ interrupted }: Pick<EngineOptions, 'interrupted'>): () => void {
  return () => {
    const reason = interrupted()
    if (reason === 'canceled') throw new QueryError('canceled', 'query was canceled in result encoding')
    if (reason === 'timeout') throw new QueryError('timeout', 'query timed out in result encoding')
  }
}

function vectorOf(result: QueryResult): NonNullable<WorkerAnswer['vector']> {
  if (result.type === 'scalar') return [{ labels: [], value: result.values[0]! }]
  if (result.type !== 'vector') throw new ApiError('bad_data', 'rule result is not a vector or scalar')
  return result.series.flatMap(({ labels, values, present, histograms }) => {
    if (present[0] === 1) return [{ labels: [...labels], value: values[0]! }]
    return present[0] === 2 ? [{ labels: [...labels], value: 0, histogram: histograms![0]! }] : []
  })
}
