/** The entry points: text in, tree out, or every issue at once. */
import type { Matcher } from '../../../protocol/matchers/mod.ts'
import type { Expr, ParserFeatures } from '../ast.ts'
import { toByteString } from './bytes.ts'
import { checkTypes } from './check.ts'
import { ParseError } from './errors.ts'
import { parseExpression } from './expressions.ts'
import { parseVectorSelector } from './selectors.ts'
import { TokenStream } from './stream.ts'
import { isMetricName } from './tokens.ts'
import { childrenOf } from './walk.ts'

/** Levels of the tree, long operator chains included: what everything that walks trees may rely on. */
export const MAX_DEPTH = 2000

/** What Prometheus 3.14 has without feature flags: duration expressions need none any more. */
export const DEFAULT_FEATURES: ParserFeatures = {
  experimentalFunctions: false,
  durationExpressions: true,
  extendedRangeSelectors: false,
  binopFillModifiers: false,
}
export const ALL_FEATURES: ParserFeatures = {
  experimentalFunctions: true,
  durationExpressions: true,
  extendedRangeSelectors: true,
  binopFillModifiers: true,
}

/**
 * A query as a type-checked tree.
 * @throws ParseError
 * @example parseExpr('rate(http_requests_total{job="api"}[5m])').kind // 'call'
 */
export function parseExpr(text: string, features: ParserFeatures = DEFAULT_FEATURES): Expr {
  const s = new TokenStream(toByteString(text), features)
  const expr = s.run(() => {
    if (s.peek() === 'eof') {
      s.issue({ start: 0, end: 0 }, 'no expression found in input')
      return null
    }
    return parseExpression(s)
  })
  s.failIfIssues()
  if (!expr) throw new Error('BUG: neither a tree nor an issue')
  limitDepth(s, expr)
  checkTypes(s, expr)
  s.failIfIssues()
  return expr
}

/**
 * A series selector, as `match[]` has it.
 * @throws ParseError
 * @example parseMetricSelector('up{job="node"}') // [{ name: 'job', … }, { name: '__name__', … }]
 */
export function parseMetricSelector(text: string): Matcher[] {
  const s = new TokenStream(toByteString(text), DEFAULT_FEATURES)
  const selector = s.run(() => {
    s.settle((type) => type === '{' || isMetricName(type))
    return parseVectorSelector(s, s.peek() === '{' ? null : s.take())
  })
  s.failIfIssues()
  if (!selector) throw new Error('BUG: neither a selector nor an issue')
  return [...selector.matchers]
}

/** Chains such as `a + b + …` are as deep as they are long, and everything after the parser recurses. */
function limitDepth(s: TokenStream, root: Expr): void {
  let level: readonly Expr[] = [root]
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) {
      const { pos } = level[0]!
      throw new ParseError(s.source, [
        {
          message: `expression is too deep: at most ${MAX_DEPTH} levels or chained operators are allowed`,
          position: pos,
        },
      ])
    }
    level = level.flatMap(childrenOf)
  }
}
