/** Matchers of alerts, in the syntax of today, of before, and as configuration files may mix them. */
import { parseClassicMatcher, parseClassicMatchers } from './classic.ts'
import { type AlertMatcher, MatcherSyntaxError } from './matcher.ts'
import { parseUtf8Matchers } from './utf8.ts'

export { parseClassicMatchers } from './classic.ts'
export {
  type AlertMatcher,
  formatAlertMatcher,
  formatMatcherSet,
  MatcherSyntaxError,
  matchesAll,
  newMatcher,
} from './matcher.ts'
export { parseUtf8Matchers } from './utf8.ts'

/** @throws MatcherSyntaxError */
export function parseUtf8Matcher(input: string): AlertMatcher {
  return single(parseUtf8Matchers(input))
}

/**
 * Both syntaxes: what only one takes is that one's; where they differ, the classic one is right, so that a
 * configuration does not change its meaning. Semantics: Alertmanager matcher/compat (v0.34).
 * @throws MatcherSyntaxError
 */
export function parseMatchers(input: string): AlertMatcher[] {
  return fallback(
    () => parseUtf8Matchers(input),
    () => parseClassicMatchers(input),
  )
}

/** @throws MatcherSyntaxError */
export function parseMatcher(input: string): AlertMatcher {
  if (input.startsWith('{') || input.endsWith('}'))
    throw new MatcherSyntaxError(`unexpected open or close brace: ${input}`)
  const [only] = fallback(
    () => [parseUtf8Matcher(input)],
    () => [parseClassicMatcher(input)],
  )
  return only!
}

type Parse = () => AlertMatcher[]

function fallback(utf8: Parse, classic: Parse): AlertMatcher[] {
  let modern: AlertMatcher[] | null = null
  try {
    modern = utf8()
  } catch (error) {
    if (!(error instanceof MatcherSyntaxError)) throw error
  }
  try {
    return classic()
  } catch (error) {
    if (modern !== null && error instanceof MatcherSyntaxError) return modern
    throw error
  }
}

function single(matchers: AlertMatcher[]): AlertMatcher {
  if (matchers.length === 0) throw new MatcherSyntaxError('no matchers')
  if (matchers.length > 1) throw new MatcherSyntaxError(`expected 1 matcher, found ${matchers.length}`)
  return matchers[0]!
}
