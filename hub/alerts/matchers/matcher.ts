/**
 * One matcher of routes, inhibitions and silences. Unlike Prometheus's, `.` does not match a newline.
 * Semantics: Alertmanager pkg/labels/matcher.go (v0.34).
 */
import { compareStrings } from '../../../protocol/labels/mod.ts'
import { compileRegex, type MatchOp, type Predicate } from '../../../protocol/matchers/mod.ts'

export class MatcherSyntaxError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MatcherSyntaxError'
  }
}

export type AlertMatcher = {
  readonly name: string
  readonly op: MatchOp
  readonly value: string
  readonly matches: Predicate
}

/** @throws MatcherSyntaxError for a bad regular expression */
export function newMatcher(name: string, op: MatchOp, value: string): AlertMatcher {
  if (op === '=') return { name, op, value, matches: (text) => text === value }
  if (op === '!=') return { name, op, value, matches: (text) => text !== value }
  try {
    const regex = compileRegex(`^(?:${value})$`)
    const found: Predicate = (text) => regex.matcher(text).find()
    return { name, op, value, matches: op === '=~' ? found : (text) => !found(text) }
  } catch (error) {
    throw new MatcherSyntaxError((error as Error).message, { cause: error })
  }
}

/** Such as `foo="bar"`; a name with reserved characters stands in quotes. */
export function formatAlertMatcher({ name, op, value }: AlertMatcher): string {
  if (/[\s{}!=~,\\"'`]/u.test(name)) return `${JSON.stringify(name)}${op}${JSON.stringify(value)}`
  const escaped = value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
  return `${name}${op}"${escaped}"`
}

/** Sorted by name, value and operator, in braces: a part of route keys. */
export function formatMatcherSet(matchers: readonly AlertMatcher[]): string {
  const sorted = matchers.toSorted(
    (a, b) => compareStrings(a.name, b.name) || compareStrings(a.value, b.value) || compareStrings(a.op, b.op),
  )
  return `{${sorted.map(formatAlertMatcher).join(',')}}`
}

export function matchesAll(matchers: readonly AlertMatcher[], value: (name: string) => string): boolean {
  return matchers.every((matcher) => matcher.matches(value(matcher.name)))
}
