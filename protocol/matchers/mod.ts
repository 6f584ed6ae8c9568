/**
 * Label matchers with RE2 semantics: fully anchored, linear time, `.` matches newlines off as in Go's default with
 * (?s) on since Prometheus v3 (FastRegexMatcher compiles `^(?s:…)$`). Literals, alternations of literals, prefixes
 * and what is no more than a glob never reach the regular expression engine.
 * Semantics: Prometheus model/labels/matcher.go and regexp.go.
 */
import { RE2JS } from 're2js'
import { isLegacyLabelName, quote } from '../labels/mod.ts'
import { globPredicate } from './glob.ts'

export const MatchOp = { equal: '=', notEqual: '!=', regexp: '=~', notRegexp: '!~' } as const
export type MatchOp = (typeof MatchOp)[keyof typeof MatchOp]

/** Plain data, so that it crosses threads; `compileMatcher` makes the predicate. */
export type Matcher = { readonly name: string; readonly op: MatchOp; readonly value: string }

export type Predicate = (value: string) => boolean

export class MatcherError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MatcherError'
  }
}

export function compileMatcher(matcher: Matcher): Predicate {
  const { op, value } = matcher
  if (op === '=') return (text) => text === value
  if (op === '!=') return (text) => text !== value
  const matches = compileAnchored(value)
  return op === '=~' ? matches : (text) => !matches(text)
}

/** The values a positive regexp can match when it is a plain alternation (`a|b|c`), else null: postings then need no scan. */
export function literalAlternatives(pattern: string): readonly string[] | null {
  let body = pattern
  while (body.startsWith('(?:') && body.endsWith(')') && !/[()]/.test(body.slice(3, -1))) body = body.slice(3, -1)
  if (body.startsWith('(') && !body.startsWith('(?') && body.endsWith(')') && !/[()]/.test(body.slice(1, -1))) {
    body = body.slice(1, -1)
  }
  if (/[.+*?()[\]{}^$]/.test(body.replace(/\\[.+*?()[\]{}^$|\\-]/g, ''))) return null
  if (/\\[^.+*?()[\]{}^$|\\-]/.test(body)) return null
  const out: string[] = []
  let current = ''
  for (let i = 0; i < body.length; i++) {
    const char = body[i]!
    if (char === '\\') current += body[++i] ?? ''
    else if (char === '|') {
      out.push(current)
      current = ''
    } else current += char
  }
  out.push(current)
  return out
}

/** A predicate for the fully anchored pattern; throws MatcherError with the engine's text. */
export function compileAnchored(pattern: string): Predicate {
  const literals = literalAlternatives(pattern)
  if (literals) {
    if (literals.length === 1) {
      const only = literals[0]
      return (text) => text === only
    }
    const set = new Set(literals)
    return (text) => set.has(text)
  }
  if (pattern === '.*') return () => true
  if (pattern === '.+') return (text) => text !== ''
  const prefix = /^([A-Za-z0-9_\-/ :]+)\.([*+])$/.exec(pattern)
  if (prefix) {
    const head = prefix[1]!
    const min = prefix[2] === '+' ? head.length + 1 : head.length
    return (text) => text.length >= min && text.startsWith(head)
  }
  const suffix = /^\.([*+])([A-Za-z0-9_\-/ :]+)$/.exec(pattern)
  if (suffix) {
    const tail = suffix[2]!
    const min = suffix[1] === '+' ? tail.length + 1 : tail.length
    return (text) => text.length >= min && text.endsWith(tail)
  }
  const engine = (): Predicate => {
    const regex = compileRegex(`^(?s:${pattern})$`, pattern)
    return (text) => regex.matcher(text).find()
  }
  return globPredicate(pattern, engine) ?? engine()
}

/** An RE2 regular expression as written; errors as Go's regexp says them. */
export function compileRegex(source: string, shown: string = source): RE2JS {
  try {
    return RE2JS.compile(source)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new MatcherError(text.startsWith('error parsing regexp') ? text : `error parsing regexp: ${text}`, {
      cause: { error, shown },
    })
  }
}

/** `name="value"` as upstream prints it. */
export function formatMatcher({ name, op, value }: Matcher): string {
  return `${isLegacyLabelName(name) ? name : quote(name)}${op}${quote(value)}`
}
