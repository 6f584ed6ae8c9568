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
  const rest = body.replace(/\\[.+*?()[\]{}^$|\\-]/g, '')
  // A backslash at the end escapes nothing: the engine says so.
  if (/[.+*?()[\]{}^$]/.test(rest) || rest.endsWith('\\')) return null
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
  const simple = affixPredicate(pattern)
  if (simple !== null) return simple
  const engine = (): Predicate => {
    // Wrapped, it would escape the bracket.
    if (pattern.endsWith('\\')) compileRegex(pattern)
    const regex = compileRegex(`^(?s:${pattern})$`, pattern)
    return (text) => regex.matcher(text).find()
  }
  return globPredicate(pattern, engine) ?? engine()
}

/** Of all texts, or those that begin or end with what the pattern says; null for all others. */
function affixPredicate(pattern: string): Predicate | null {
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
  return null
}

/**
 * About how many steps a character of a text takes that is matched with the pattern. Counted repetitions count as they are
 * written: they can be of any weight.
 */
export function regexWeight(pattern: string): number {
  if (literalAlternatives(pattern) !== null || affixPredicate(pattern) !== null) return 0
  const isGlob = globPredicate(pattern, () => () => false) !== null
  return isGlob ? pattern.length / GLOB_STEPS : pattern.length
}

/** What a glob looks at in the time of a step of the regular expression engine. */
const GLOB_STEPS = 8

/** An RE2 regular expression as written; errors as Go's regexp says them. */
export function compileRegex(source: string, shown: string = source): RE2JS {
  try {
    return RE2JS.compile(source)
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    // Go shows what is left of the expression: nothing.
    const text = said.endsWith('trailing backslash at end of expression') ? `${said}: \`\`` : said
    if (text.includes('duplicate capture group name')) return compileRegex(withOwnNames(source), shown)
    throw new MatcherError(text.startsWith('error parsing regexp') ? text : `error parsing regexp: ${text}`, {
      cause: { error, shown },
    })
  }
}

/** Escapes, classes, and the beginnings of named groups. */
const NAMED_GROUP = /\\[\s\S]|\[\]?(?:\\[\s\S]|[^\]\\])*\]|\(\?P?<(\w+)>/g

/**
 * Go allows groups of one name, `(?P<a>x)|(?P<a>y)`: the first that took part is what the name stands for. Those after the
 * first are called as `sameGroups` says.
 */
function withOwnNames(source: string): string {
  const seen = new Map<string, number>()
  return source.replace(NAMED_GROUP, (whole, name?: string) => {
    if (name === undefined) return whole
    const before = seen.get(name) ?? 0
    seen.set(name, before + 1)
    return before === 0 ? whole : `(?P<${againName(name, before)}>`
  })
}

const againName = (name: string, before: number): string => `${name}__again${before}`

/** What a group's name stands for in a match of `compileRegex`; null when no such group took part. */
export function namedGroup(match: { group(name: string): string | null }, name: string): string | null {
  try {
    for (let before = 0; ; before++) {
      const text = match.group(before === 0 ? name : againName(name, before))
      if (text !== null) return text
    }
  } catch {
    return null // There is no further group of that name.
  }
}

/** `name="value"` as upstream prints it. */
export function formatMatcher({ name, op, value }: Matcher): string {
  return `${isLegacyLabelName(name) ? name : quote(name)}${op}${quote(value)}`
}
