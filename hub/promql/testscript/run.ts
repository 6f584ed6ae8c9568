/** Runs a script on a storage and an engine, and reports every evaluation that is not as expected. */
import type { QueryResult } from '../contract.ts'
import { atVariants } from './at-variants.ts'
import { checkAnnotations, checkFailure, checkRangeRun, checkResult, type Problem } from './check.ts'
import { parseBlock, splitBlocks } from './read.ts'
import { type Command, type EvalCommand, ScriptError, type ScriptTarget } from './types.ts'

export type RunOptions = {
  /** Run instant queries as range queries, too. Default true. */
  readonly rangeRuns?: boolean
  /** Run instant queries pinned with `@` at other times, too. Default true. */
  readonly atVariants?: boolean
}

export type ScriptFailure = { readonly line: number; readonly message: string }

export type ScriptReport = {
  /** `eval` commands, and commands that could not be read or loaded. */
  readonly total: number
  readonly passed: number
  /** At most one for each command. */
  readonly failures: readonly ScriptFailure[]
}

const MINUTE_MS = 60_000

/** Starts with an empty storage. Errors of the target other than those of evaluations are failures of their command. */
export async function runScript(text: string, target: ScriptTarget, options: RunOptions = {}): Promise<ScriptReport> {
  const failures: ScriptFailure[] = []
  let total = 0
  await target.clear()
  for (const block of splitBlocks(text)) {
    let command: Command
    let problem: Problem
    try {
      command = parseBlock(block)
      problem = await runCommand(command, target, options)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      const message = error instanceof ScriptError ? error.message : (error.stack ?? error.message)
      failures.push({ line: block.line, message })
      total++
      continue
    }
    if (command.kind === 'eval') total++
    if (problem !== null) failures.push({ line: block.line, message: problem })
  }
  return { total, passed: total - failures.length, failures }
}

async function runCommand(command: Command, target: ScriptTarget, options: RunOptions): Promise<Problem> {
  switch (command.kind) {
    case 'clear':
      await target.clear()
      return null
    case 'load':
      await target.append(command.series)
      return null
    case 'eval':
      return runEval(command, target, options)
  }
}

/** @returns the first problem of the command's evaluations */
export async function runEval(
  command: EvalCommand,
  target: ScriptTarget,
  { rangeRuns = true, atVariants: variants = true }: RunOptions = {},
): Promise<Problem> {
  const { times, query } = command
  if (times.kind === 'range') {
    const { startMs, endMs, stepMs } = times
    const run = await attempt(() => target.range(query, startMs, endMs, stepMs))
    return at(query, checkRun(command, query, run))
  }
  const queries = [{ query, timeMs: times.timeMs }]
  if (variants) queries.push(...atVariants(query, times.timeMs))
  for (const { query, timeMs } of queries) {
    const run = await attempt(() => target.instant(query, timeMs))
    const problem = checkRun(command, query, run)
    if (problem !== null) return at(`${query} (at ${timeMs} ms)`, problem)
    if (!rangeRuns || run.error !== null || !runsAsRange(command, query)) continue
    const range = await attempt(() => target.range(query, timeMs - MINUTE_MS, timeMs + MINUTE_MS, MINUTE_MS))
    const rangeProblem =
      range.error !== null
        ? `failed: ${range.error.message}`
        : checkRangeRun(command.result, command.expects.ordered, range.result, 1)
    if (rangeProblem !== null) return at(`${query} (as a range query around ${timeMs} ms)`, rangeProblem)
  }
  return null
}

function at(query: string, problem: Problem): Problem {
  return problem === null ? null : `${query}: ${problem}`
}

/** Strings and range vectors have no range form; functions of the query's range differ in it. */
function runsAsRange({ result }: EvalCommand, query: string): boolean {
  if (result.kind === 'string' || result.kind === 'range-vector') return false
  return !['start()', 'end()', 'range()', 'step()'].some((call) => query.includes(call))
}

type Run = { readonly result: QueryResult; readonly error: null } | { readonly result: null; readonly error: Error }

async function attempt(evaluate: () => QueryResult | Promise<QueryResult>): Promise<Run> {
  try {
    return { result: await evaluate(), error: null }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { result: null, error }
  }
}

function checkRun({ expects, result, times }: EvalCommand, query: string, run: Run): Problem {
  if (run.error) {
    if (expects.fail === null) return `failed: ${run.error.stack ?? run.error.message}`
    return checkFailure(expects.fail, run.error.message)
  }
  if (expects.fail !== null) return 'expected the query to fail, but it did not'
  return (
    checkAnnotations(expects, query, run.result.annotations) ?? checkResult(result, times, expects.ordered, run.result)
  )
}
