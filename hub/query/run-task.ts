/** One task in a query worker, from the question to the bytes of the answer. */

import { DiskError } from '../../protocol/env/mod.ts'
import { labelsFromSorted } from '../../protocol/labels/mod.ts'
import { compileMatcher, type Matcher, MatcherError } from '../../protocol/matchers/mod.ts'
import { QueryError } from '../promql/contract.ts'
import { ParseError, parseMetricSelector } from '../promql/parser/mod.ts'
import { StalePagesError } from '../tsdb/mod.ts'
import { ApiError, ERROR_STATUS, JSON_TYPE, type QueryTask, type WorkerAnswer } from './contract.ts'
import { writeCardinality, writeExemplars, writeLabels, writeMetadata, writeSeries } from './discovery.ts'
import { writeFederation } from './federation.ts'
import { type LeadContext, leadParts } from './lead.ts'
import { readSlice } from './remote-read.ts'
import { errorBody } from './results.ts'
import {
  type ExpressionTask,
  interruptedOf,
  isExpression,
  missingTexts,
  type PartContext,
  type PartTask,
  pollOf,
  runExpression,
} from './run-expression.ts'

const MAX_MESSAGE_CHARS = 1500
const FEDERATION_TYPES = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  protobuf: 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited',
} as const
const NO_CONTENT: WorkerAnswer = { status: 204, contentType: '', body: new Uint8Array(0) }

/** Never throws but StalePagesError, and DiskError of a block that is gone: what goes wrong is an answer too. */
export function runPart(given: PartTask, context: PartContext): WorkerAnswer {
  const { task } = given
  try {
    if (!isExpression(task)) return answer(task, context)
    const { part } = given
    if (part.kind === 'lead') return leadParts(part.count, leadContext(given, context))
    if (part.kind === 'help') throw new Error('BUG: a thread that helps has to be told which shard is its')
    return runExpression(task, { ...given, part }, context)
  } catch (error) {
    // Not an answer: the caller has to come again with the pages that were missing, or the blocks that there are now.
    if (error instanceof StalePagesError || (error instanceof DiskError && error.code === 'ENOENT')) throw error
    return errorAnswer(error)
  }
}

function leadContext(given: PartTask, context: PartContext): LeadContext {
  const { shards, now } = context
  if (shards === undefined) throw new Error('BUG: a thread leads nobody')
  return { shards, now, run: (part, before) => runPart({ ...given, part, before }, context) }
}

export function errorAnswer(error: unknown): WorkerAnswer {
  const { type, message: whole } = classify(error)
  // Some quote what they refuse, and that may be a megabyte.
  const more = whole.length - MAX_MESSAGE_CHARS
  const message = more > 0 ? `${whole.slice(0, MAX_MESSAGE_CHARS)}… (${more} more characters)` : whole
  return {
    status: ERROR_STATUS[type],
    contentType: JSON_TYPE,
    body: errorBody(type, message),
    error: { type, message },
  }
}

function classify(error: unknown): NonNullable<WorkerAnswer['error']> {
  // What the engine finds wrong with the text itself, before it evaluates anything.
  if (error instanceof QueryError && error.code === 'bad_data')
    return { type: 'bad_data', message: `invalid parameter "query": ${error.message}` }
  if (error instanceof QueryError) return { type: error.code, message: error.message }
  if (error instanceof ApiError) return { type: error.type, message: error.message }
  if (error instanceof ParseError || error instanceof MatcherError) return { type: 'bad_data', message: error.message }
  if (error instanceof RangeError && /call stack/.test(error.message))
    return { type: 'bad_data', message: 'the query is nested too deeply' }
  if (error instanceof RangeError)
    return { type: 'execution', message: `the query needs more memory than there is: ${error.message}` }
  return { type: 'internal', message: error instanceof Error ? error.message : String(error) }
}

function answer(task: Exclude<QueryTask, ExpressionTask>, context: PartContext): WorkerAnswer {
  const { reader } = context
  const lists = { missing: () => missingTexts(context), poll: pollOf({ interrupted: interruptedOf(context) }) }
  const json = (body: Uint8Array): WorkerAnswer => ({ status: 200, contentType: JSON_TYPE, body })
  switch (task.kind) {
    case 'series':
      return json(writeSeries(reader, narrowSelectors(task.matches, 'invalid parameter "match[]": '), task, lists))
    case 'labels':
      return json(writeLabels(reader, narrowSelectors(task.matches, ''), task, null, lists))
    case 'values':
      return json(writeLabels(reader, narrowSelectors(task.matches, ''), task, task.label, lists))
    case 'exemplars': {
      const body = writeExemplars(reader, task)
      return body === null ? NO_CONTENT : json(body)
    }
    case 'metadata':
      return json(writeMetadata(reader, task))
    case 'cardinality':
      return json(writeCardinality(reader, task.limit))
    case 'remote-read': {
      const { body, ...read } = readSlice(reader, task)
      return { status: 200, contentType: 'application/x-protobuf', body, read }
    }
    case 'federate': {
      const body = writeFederation(reader, selectors(task.matches), {
        ...task,
        externalLabels: labelsFromSorted(task.externalLabels),
      })
      return { status: 200, contentType: `${FEDERATION_TYPES[task.format]}; escaping=${task.escaping}`, body }
    }
  }
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

function selectors(matches: readonly string[]): Matcher[][] {
  return matches.map((text) => named('match[]', () => [...parseMetricSelector(text)]))
}

/**
 * Those of discovery may not ask for everything; `prefix` of the errors, for upstream names the parameter in some only.
 * Semantics: Prometheus web/api/v1/api.go, parseMatchersParam.
 */
export function narrowSelectors(matches: readonly string[], prefix: string): Matcher[][] {
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
