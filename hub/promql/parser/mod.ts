/** PromQL text to trees and back to what the HTTP API says about them. */
export { exprToApi } from './api-ast.ts'
export { lineColumn, ParseError, type ParseIssue } from './errors.ts'
export { ALL_FEATURES, DEFAULT_FEATURES, MAX_DEPTH, parseExpr, parseMetricSelector } from './parse.ts'
export { isComparison, isSetOperator, typeOf } from './types.ts'
export { childrenOf, extractSelectors } from './walk.ts'
