/** `eval` blocks: the query, its times, and what it must give. */
import { parseDuration } from '../../../protocol/durations/mod.ts'
import { ALL_FEATURES, LiteralError, parseExpr, parseNumber } from '../parser/mod.ts'
import { parseSeriesDescription } from '../series-description/mod.ts'
import type { Block } from './read.ts'
import { guard } from './read-load.ts'
import {
  type EvalCommand,
  type EvalTimes,
  type Expectation,
  type ExpectedResult,
  type ExpectedSeries,
  type Expects,
  ScriptError,
} from './types.ts'

const INSTANT = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$/i
const RANGE = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$/i
const EXPECT = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/
const EXPECT_RANGE = /^expect\s+range\s+vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$/
const EXPECT_STRING = /^expect\s+string\s+(.+)$/

const ANY: Expectation = { kind: 'any' }

/** @throws ScriptError */
export function parseEval({ line, lines }: Block): EvalCommand {
  const header = parseHeader(line, lines[0]!)
  const body = new Body(header.variant, header.times)
  for (const [i, text] of lines.slice(1).entries()) {
    const at = line + 1 + i
    if (guard(at, () => body.read(text, at)) === 'done') break
  }
  const { fail, warn, info, noWarn, noInfo, ordered } = body
  if (warn.length > 0 && noWarn) throw new ScriptError(line, 'expect warn and expect no_warn exclude each other')
  if (info.length > 0 && noInfo) throw new ScriptError(line, 'expect info and expect no_info exclude each other')
  if (ordered && header.times.kind === 'range') {
    throw new ScriptError(line, 'expect ordered does not go with a range query, whose result is a matrix')
  }
  const { query, times } = header
  const expects: Expects = { fail, warn, info, noWarn, noInfo, ordered }
  return { kind: 'eval', line, query, times, expects, result: body.result() }
}

type Header = { readonly variant: string; readonly query: string; readonly times: EvalTimes }

function parseHeader(line: number, text: string): Header {
  const instant = INSTANT.exec(text)
  if (instant) {
    const [, variant = '', at = '0', query = ''] = instant
    const timeMs = guard(line, () => parseOffset(at))
    checkQuery(line, query)
    return { variant: variant.toLowerCase(), query, times: { kind: 'instant', timeMs } }
  }
  const range = RANGE.exec(text)
  if (!range) {
    throw new ScriptError(line, 'invalid eval command, must be "eval instant …" or "eval range from … to … step …"')
  }
  const [, variant = '', from = '', to = '', step = '', query = ''] = range
  const times = guard(line, () => parseRange(from, to, step))
  checkQuery(line, query)
  return { variant: variant.toLowerCase(), query, times: { kind: 'range', ...times } }
}

/** A query that is meant to fail still parses. */
function checkQuery(line: number, query: string): void {
  guard(line, () => parseExpr(query, ALL_FEATURES))
}

function parseRange(from: string, to: string, step: string) {
  const range = { startMs: parseOffset(from), endMs: parseOffset(to), stepMs: parseDuration(step) }
  if (range.endMs < range.startMs) throw new SyntaxError(`the end ${to} is before the start ${from}`)
  if (range.stepMs <= 0) throw new SyntaxError(`step must be above 0, got "${step}"`)
  return range
}

const parseOffset = (text: string): number => parseDuration(text.trim())

/** Reads the lines after the header, each by the first rule that fits. */
class Body {
  readonly warn: Expectation[] = []
  readonly info: Expectation[] = []
  fail: Expectation | null
  noWarn = false
  noInfo = false
  ordered: boolean
  private readonly legacyFail: boolean
  private readonly times: EvalTimes
  private readonly series: ExpectedSeries[] = []
  private single: ExpectedResult | null = null
  private rangeVector: { startMs: number; endMs: number; stepMs: number } | null = null

  constructor(variant: string, times: EvalTimes) {
    this.times = times
    this.legacyFail = variant === 'fail'
    this.fail = this.legacyFail ? ANY : null
    this.ordered = variant === 'ordered'
    if (variant === 'warn') this.warn.push(ANY)
    if (variant === 'info') this.info.push(ANY)
  }

  /** @returns 'done' when the rest of the block means nothing */
  read(text: string, line: number): 'done' | 'next' {
    if (this.legacyFail) {
      const legacy = /^expected_fail_(message|regexp)\s+(.+)$/.exec(text)
      if (legacy) {
        this.fail = { kind: legacy[1] === 'message' ? 'msg' : 'regex', text: legacy[2]!.trim() }
        return 'done'
      }
    }
    const range = EXPECT_RANGE.exec(text)
    if (range) {
      if (this.times.kind === 'range') throw new SyntaxError('expect range vector does not go with a range query')
      this.rangeVector = parseRange(range[1]!, range[2]!, range[3]!)
      return 'next'
    }
    const string = EXPECT_STRING.exec(text)
    if (string) {
      this.single = { kind: 'string', value: parseString(string[1]!.trim()) }
      return 'next'
    }
    if (/^[^ ]*/.exec(text)![0] === 'expect') {
      this.readExpect(text)
      return 'next'
    }
    const scalar = parseScalar(text)
    if (scalar !== null) {
      this.single = { kind: 'scalar', value: scalar }
      return 'done'
    }
    this.readSeries(text, line)
    return 'next'
  }

  result(): ExpectedResult {
    if (this.single) return this.single
    const { series } = this
    return this.rangeVector ? { kind: 'range-vector', ...this.rangeVector, series } : { kind: 'series', series }
  }

  private readExpect(text: string): void {
    const match = EXPECT.exec(text)
    if (!match) throw new SyntaxError(`invalid expect line ${JSON.stringify(text)}`)
    const [, what, kind, message] = match
    const expectation: Expectation = kind === undefined ? ANY : { kind: kind as 'msg' | 'regex', text: message!.trim() }
    if (expectation.kind === 'regex') new RegExp(expectation.text)
    if (what === 'fail') {
      if (this.fail) throw new SyntaxError('more than one expect fail')
      this.fail = expectation
    } else if (what === 'warn') this.warn.push(expectation)
    else if (what === 'info') this.info.push(expectation)
    else if (what === 'no_warn') this.noWarn = true
    else if (what === 'no_info') this.noInfo = true
    else this.ordered = true
  }

  private readSeries(text: string, line: number): void {
    const series = parseSeriesDescription(text)
    const { times } = this
    const { length } = series.values
    if (times.kind === 'instant' && !this.rangeVector && length !== 1) {
      throw new ScriptError(line, `an instant query wants one value a series, got ${length}`)
    }
    const range = times.kind === 'range' ? times : this.rangeVector
    const most = range ? Math.floor((range.endMs - range.startMs) / range.stepMs) + 1 : 1
    if (length > most) throw new ScriptError(line, `expected ${length} values, but the range has ${most} steps`)
    this.series.push(series)
  }
}

/** Unlike in series, hexadecimal is allowed here. */
function parseScalar(text: string): number | null {
  try {
    return parseNumber(text)
  } catch (error) {
    if (error instanceof LiteralError) return null
    throw error
  }
}

function parseString(literal: string): string {
  const expr = parseExpr(literal)
  if (expr.kind !== 'string') throw new SyntaxError(`expect string wants a quoted string, got ${literal}`)
  return expr.value
}
