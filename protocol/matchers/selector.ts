/**
 * A vector or range selector on its own, for programs that have samples but no query engine: `up{job="a"}`,
 * `up[5m] offset 1h`. Semantics: Prometheus promql/parser (v3.14), of which this is a small part; hubs have the whole.
 */
import { parseDuration } from '../durations/mod.ts'
import { METRIC_NAME } from '../labels/mod.ts'
import { compileMatcher, type Matcher, type MatchOp } from './mod.ts'

export type Selector = {
  readonly matchers: readonly Matcher[]
  /** null: an instant vector. */
  readonly rangeMs: number | null
  readonly offsetMs: number
}

export class SelectorError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SelectorError'
  }
}

const LENGTH_MAX = 10_000
const TOKEN =
  /\s*(?:("(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'|`[^`]*`)|(=~|!~|!=|=)|([{}[\],])|(-?[A-Za-z_:0-9][A-Za-z0-9_:.]*))/y

/**
 * @throws SelectorError that says what stands where a selector should
 * @example parseSelector('up{job="a"}[5m]').rangeMs // 300000
 */
export function parseSelector(text: string): Selector {
  if (text.length > LENGTH_MAX) throw new SelectorError(`the selector is longer than ${LENGTH_MAX} characters`)
  const tokens = tokenize(text)
  let at = 0
  const fail = (wanted: string): never => {
    const found = tokens[at] === undefined ? 'the end' : JSON.stringify(tokens[at])
    throw new SelectorError(`expected ${wanted}, got ${found} in ${JSON.stringify(text)}; other expressions need a hub`)
  }
  const take = (...wanted: readonly string[]): boolean => {
    if (!wanted.includes(tokens[at] ?? '')) return false
    at++
    return true
  }
  const matchers: Matcher[] = []
  if (/^[A-Za-z_:]/.test(tokens[at] ?? '')) matchers.push({ name: METRIC_NAME, op: '=', value: tokens[at++]! })
  if (take('{')) {
    while (!take('}')) {
      const name = tokens[at] ?? ''
      if (!/^[A-Za-z_"'`]/.test(name)) fail('a label name or "}"')
      at++
      if (isQuoted(name) && [',', '}'].includes(tokens[at] ?? ''))
        matchers.push({ name: METRIC_NAME, op: '=', value: unquote(name) })
      else {
        const op = tokens[at] ?? ''
        if (!take('=', '!=', '=~', '!~')) fail('one of = != =~ !~')
        const value = tokens[at] ?? ''
        if (!isQuoted(value)) fail('a quoted value')
        at++
        matchers.push({ name: isQuoted(name) ? unquote(name) : name, op: op as MatchOp, value: unquote(value) })
      }
      if (!take(',') && tokens[at] !== '}') fail('"," or "}"')
    }
  }
  if (matchers.length === 0) fail('a selector')
  if (matchers.every(matchesEmpty))
    throw new SelectorError('vector selector must contain at least one non-empty matcher')
  let rangeMs: number | null = null
  if (take('[')) {
    rangeMs = duration(tokens[at] ?? '')
    at++
    if (!take(']')) fail('"]"')
  }
  let offsetMs = 0
  if (take('offset')) offsetMs = duration(tokens[at++] ?? '')
  if (at < tokens.length) fail('the end')
  return { matchers, rangeMs, offsetMs }
}

function tokenize(text: string): string[] {
  const out: string[] = []
  const end = text.trimEnd().length
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex
    const match = TOKEN.exec(text)
    if (!match) throw new SelectorError(`unexpected ${JSON.stringify(text.slice(from, from + 20))}; a hub is needed`)
    out.push(match[0].trim())
  }
  return out
}

function matchesEmpty(matcher: Matcher): boolean {
  try {
    return compileMatcher(matcher)('')
  } catch (error) {
    throw new SelectorError((error as Error).message, { cause: error })
  }
}

function duration(text: string): number {
  const isNegative = text.startsWith('-')
  try {
    const ms = parseDuration(isNegative ? text.slice(1) : text)
    return isNegative ? -ms : ms
  } catch (error) {
    throw new SelectorError((error as Error).message, { cause: error })
  }
}

const isQuoted = (token: string): boolean => /^["'`]/.test(token)

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }

function unquote(token: string): string {
  const body = token.slice(1, -1)
  if (token[0] === '`') return body
  return body.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\s\S])/g, (_, code: string) =>
    code.length > 1 ? String.fromCodePoint(Number.parseInt(code.slice(1), 16)) : (ESCAPES[code] ?? code),
  )
}
