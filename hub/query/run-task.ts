/** One task in a query worker, from the question to the bytes of the answer. */
import { labelsFromSorted } from '../../protocol/labels/mod.ts'
import { compileMatcher, type Matcher, MatcherError } from '../../protocol/matchers/mod.ts'
import type { Expr } from '../promql/ast.ts'
import { type EngineOptions, QueryError, type QueryResult } from '../promql/contract.ts'
import { evaluate, evaluatePartial, mergePartials, type Query } from '../promql/engine/mod.ts'
import { ParseError, parseExpr, parseMetricSelector, typeOf } from '../promql/parser/mod.ts'
import { type SeriesReader, StalePagesError } from '../tsdb/mod.ts'
import {
  ApiError,
  ERROR_STATUS,
  FLAG_CANCELED,
  FLAG_TIMEOUT,
  type QuerySettings,
  type QueryTask,
  type WorkerAnswer,
  type WorkerTask,
} from './contract.ts'
import { writeCardinality, writeExemplars, writeLabels, writeMetadata, writeSeries } from './discovery.ts'
import { parserFeatures } from './features.ts'
import { writeFederation } from './federation.ts'
import { LimitedReader } from './limited-reader.ts'
import { errorBody, writeResult } from './results.ts'
import { paysToSplit } from './split-cost.ts'

const JSON_TYPE = 'application/json'

/** Never throws but StalePagesError: what goes wrong is an answer too. */
export function runPart(
  { task, part }: Pick<WorkerTask, 'task' | 'part'>,
  reader: SeriesReader,
  flags: Int32Array,
): WorkerAnswer {
  try {
    const given = { task, reader, flags }
    switch (part.kind) {
      case 'whole':
        if (isExpression(task)) {
          const query = queryOf(task, given)
          if (part.threads > 1 && paysToSplit(query))
            return { status: 200, contentType: JSON_TYPE, body: new Uint8Array(0), split: true }
          return resultAnswer(task, query, evaluate(query))
        }
        return answer(task, reader)
      case 'shard': {
        const query = queryOf(expression(task), given)
        const { index, count } = part
        return {
          status: 200,
          contentType: JSON_TYPE,
          body: new Uint8Array(0),
          partial: evaluatePartial({ ...query, shard: { index, count } }),
        }
      }
      case 'merge': {
        const query = queryOf(expression(task), given)
        return resultAnswer(expression(task), query, mergePartials(query, part.partials) ?? evaluate(query))
      }
    }
  } catch (error) {
    // Not an answer: the caller has to come again with the pages that were missing.
    if (error instanceof StalePagesError) throw error
    return errorAnswer(error)
  }
}

export function errorAnswer(error: unknown): WorkerAnswer {
  const { type, message } = classify(error)
  return {
    status: ERROR_STATUS[type],
    contentType: JSON_TYPE,
    body: errorBody(type, message),
    error: { type, message },
  }
}

function classify(error: unknown): NonNullable<WorkerAnswer['error']> {
  if (error instanceof QueryError) return { type: error.code, message: error.message }
  if (error instanceof ApiError) return { type: error.type, message: error.message }
  if (error instanceof ParseError || error instanceof MatcherError) return { type: 'bad_data', message: error.message }
  if (error instanceof RangeError && /call stack/.test(error.message))
    return { type: 'bad_data', message: 'the query is nested too deeply' }
  if (error instanceof RangeError)
    return { type: 'execution', message: `the query needs more memory than there is: ${error.message}` }
  return { type: 'internal', message: error instanceof Error ? error.message : String(error) }
}

type Given = { readonly task: QueryTask; readonly reader: SeriesReader; readonly flags: Int32Array }
type ExpressionTask = Extract<QueryTask, { settings: QuerySettings }>

const isExpression = (task: QueryTask): task is ExpressionTask => 'settings' in task

function expression(task: QueryTask): ExpressionTask {
  if (!isExpression(task)) throw new Error(`BUG: a task of kind ${task.kind} is not split`)
  return task
}

/** As `ValueType`s are called in errors. */
const TYPE_NAMES = { matrix: 'range vector', string: 'string', none: 'none' } as const

function queryOf(task: ExpressionTask, { reader, flags }: Given): Query & { readonly reader: LimitedReader } {
  const expr = parse(task.query, task.settings)
  const type = typeOf(expr)
  if (task.kind === 'range' && type !== 'scalar' && type !== 'vector') {
    throw new ApiError(
      'bad_data',
      `invalid parameter "query": invalid expression type "${TYPE_NAMES[type]}" for range query, must be Scalar or instant Vector`,
    )
  }
  return {
    expr,
    text: task.query,
    range:
      task.kind === 'range'
        ? { startMs: task.startMs, endMs: task.endMs, stepMs: task.stepMs, instant: false }
        : { startMs: task.timeMs, endMs: task.timeMs, stepMs: 1, instant: true },
    options: engineOptions(task.settings, flags),
    reader: new LimitedReader(reader, task.settings.maxSeries),
  }
}

function resultAnswer(task: ExpressionTask, { range, text, options }: Query, result: QueryResult): WorkerAnswer {
  if (task.kind === 'vector')
    return { status: 200, contentType: JSON_TYPE, body: new Uint8Array(0), vector: vectorOf(result) }
  return {
    status: 200,
    contentType: JSON_TYPE,
    body: writeResult(result, { range, text, limit: task.limit, poll: pollOf(options) }),
  }
}

/** @throws QueryError as the engine does */
function pollOf({ interrupted }: EngineOptions): () => void {
  return () => {
    const reason = interrupted()
    if (reason === 'canceled') throw new QueryError('canceled', 'query was canceled in result encoding')
    if (reason === 'timeout') throw new QueryError('timeout', 'query timed out in result encoding')
  }
}

function answer(task: Exclude<QueryTask, ExpressionTask>, reader: SeriesReader): WorkerAnswer {
  const json = (body: Uint8Array): WorkerAnswer => ({ status: 200, contentType: JSON_TYPE, body })
  switch (task.kind) {
    case 'series':
      return json(writeSeries(reader, narrowSelectors(task.matches, 'invalid parameter "match[]": '), task))
    case 'labels':
      return json(writeLabels(reader, narrowSelectors(task.matches, ''), task, null))
    case 'values':
      return json(writeLabels(reader, narrowSelectors(task.matches, ''), task, task.label))
    case 'exemplars':
      return json(writeExemplars(reader, task))
    case 'metadata':
      return json(writeMetadata(reader, task))
    case 'cardinality':
      return json(writeCardinality(reader, task.limit))
    case 'federate': {
      const body = writeFederation(reader, selectors(task.matches), {
        ...task,
        externalLabels: labelsFromSorted(task.externalLabels),
      })
      return { status: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8', body }
    }
  }
}

function parse(query: string, settings: QuerySettings): Expr {
  return named('query', () => parseExpr(query, parserFeatures(settings.features)))
}

/** Complaints about a parameter name it, as upstream's invalidParamError does. */
function named<T>(parameter: string, fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    if (error instanceof ParseError)
      throw new ApiError('bad_data', `invalid parameter "${parameter}": ${error.message}`, { cause: error })
    throw error
  }
}

function engineOptions(settings: QuerySettings, flags: Int32Array): EngineOptions {
  return {
    lookbackMs: settings.lookbackMs,
    defaultSubqueryStepMs: settings.defaultSubqueryStepMs,
    maxSamples: settings.maxSamples,
    delayedNameRemoval: settings.features.includes('promql-delayed-name-removal'),
    useStartTimestamps: settings.features.includes('use-start-timestamps'),
    typeAndUnitLabels: settings.features.includes('type-and-unit-labels'),
    interrupted: () => {
      // Pairs with the main thread's Atomics.store in QueryService.
      const flag = Atomics.load(flags, 0)
      return flag === FLAG_CANCELED ? 'canceled' : flag === FLAG_TIMEOUT ? 'timeout' : null
    },
  }
}

function vectorOf(result: QueryResult): NonNullable<WorkerAnswer['vector']> {
  if (result.type === 'scalar') return [{ labels: [], value: result.values[0]! }]
  if (result.type !== 'vector') throw new ApiError('bad_data', 'rule result is not a vector or scalar')
  return result.series.flatMap(({ labels, values, present }) =>
    present[0] === 1 ? [{ labels: [...labels], value: values[0]! }] : [],
  )
}

function selectors(matches: readonly string[]): Matcher[][] {
  return matches.map((text) => named('match[]', () => [...parseMetricSelector(text)]))
}

/**
 * Those of discovery may not ask for everything; `prefix` of the errors, for upstream names the parameter in some only.
 * Semantics: Prometheus web/api/v1/api.go, parseMatchersParam.
 */
function narrowSelectors(matches: readonly string[], prefix: string): Matcher[][] {
  const all = matches.map((text) => {
    try {
      return [...parseMetricSelector(text)]
    } catch (error) {
      if (error instanceof ParseError) throw new ApiError('bad_data', prefix + error.message, { cause: error })
      throw error
    }
  })
  if (all.some((matchers) => matchers.every((matcher) => compileMatcher(matcher)(''))))
    throw new ApiError('bad_data', `${prefix}match[] must contain at least one non-empty matcher`)
  return all
}
