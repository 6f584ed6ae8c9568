/** PromQL text to trees and back to what the HTTP API says about them. */
export { exprToApi } from './api-ast.ts'
/** For series-description, which shares tokens and error recovery. */
export { toByteString } from './bytes.ts'
export { lineColumn, ParseError, type ParseIssue } from './errors.ts'
export { LiteralError, parseNumber } from './literals.ts'
export { ALL_FEATURES, DEFAULT_FEATURES, MAX_DEPTH, parseExpr, parseMetricSelector } from './parse.ts'
export { unquoteToken } from './selectors.ts'
export { rangeOf, TokenStream } from './stream.ts'
export { HISTOGRAM_KEYS, isMetricName, type Token, type TokenType } from './tokens.ts'
export { isComparison, isSetOperator, typeOf } from './types.ts'
export { childrenOf, extractSelectors, unwrap, withChildren } from './walk.ts'
