/**
 * The PromQL syntax tree: plain readonly data, unions on `kind`, so that it crosses threads and a missing case is a
 * compile error. Semantics: Prometheus promql/parser/ast.go (v3.14). Positions are byte offsets [start, end) into the
 * UTF-8 text of the query.
 */
import type { Matcher } from '../../protocol/matchers/mod.ts'

export type Position = { readonly start: number; readonly end: number }
export type ValueType = 'none' | 'scalar' | 'vector' | 'matrix' | 'string'

/** A duration that is only known when the query's range is: `step()`, `range()`, arithmetic on durations. */
export type DurationExpr =
  | {
      readonly kind: 'duration-literal'
      readonly seconds: number
      /** Written with a unit (`5s`), not as a bare number of seconds. */
      readonly duration?: boolean
      readonly text?: string
      readonly pos: Position
    }
  | {
      readonly kind: 'duration-op'
      readonly op: '+' | '-' | '*' | '/' | '%' | '^' | 'min' | 'max' | 'step' | 'range'
      readonly lhs: DurationExpr | null
      readonly rhs: DurationExpr | null
      /** Written in parentheses (matters for printing). */
      readonly wrapped: boolean
      readonly pos: Position
    }

/** `@ <seconds>`, `@ start()`, `@ end()`. */
export type AtModifier =
  | { readonly kind: 'at-timestamp'; readonly timestampMs: number }
  | { readonly kind: 'at-start' }
  | { readonly kind: 'at-end' }

export type Offset = {
  /** Milliseconds; 0 when absent; the value of `expr` is added when the query's range is known. */
  readonly offsetMs: number
  readonly expr: DurationExpr | null
}

export type NumberLiteral = {
  readonly kind: 'number'
  readonly value: number /** Written as a duration (`5m`). */
  readonly duration: boolean
  readonly pos: Position
}
export type StringLiteral = { readonly kind: 'string'; readonly value: string; readonly pos: Position }
export type ParenExpr = { readonly kind: 'paren'; readonly expr: Expr; readonly pos: Position }
export type UnaryExpr = { readonly kind: 'unary'; readonly op: '+' | '-'; readonly expr: Expr; readonly pos: Position }

export type VectorSelector = {
  readonly kind: 'vector-selector'
  /** The name before the braces, or ''. A `__name__` matcher for it is in `matchers` too. */
  readonly name: string
  readonly matchers: readonly Matcher[]
  readonly offset: Offset
  readonly at: AtModifier | null
  readonly anchored: boolean
  readonly smoothed: boolean
  /** Set by the engine: of native histograms only count and sum are wanted. */
  readonly statsOnly?: true
  readonly pos: Position
}

export type MatrixSelector = {
  readonly kind: 'matrix-selector'
  readonly selector: VectorSelector
  /** Milliseconds; of `rangeExpr` when that is not null. */
  readonly rangeMs: number
  readonly rangeExpr: DurationExpr | null
  readonly pos: Position
}

export type SubqueryExpr = {
  readonly kind: 'subquery'
  readonly expr: Expr
  readonly rangeMs: number
  readonly rangeExpr: DurationExpr | null
  /** 0 = the default evaluation interval. */
  readonly stepMs: number
  readonly stepExpr: DurationExpr | null
  readonly offset: Offset
  readonly at: AtModifier | null
  readonly pos: Position
}

export type BinaryOp =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '^'
  | 'atan2'
  | '=='
  | '!='
  | '<'
  | '>'
  | '<='
  | '>='
  | 'and'
  | 'or'
  | 'unless'
  | '</'
  | '>/'
export type VectorMatching = {
  readonly card: 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many'
  readonly labels: readonly string[]
  /** `on` (true) or `ignoring` (false). */
  readonly on: boolean
  /** Labels of group_left / group_right. */
  readonly include: readonly string[]
  readonly fillLeft: number | null
  readonly fillRight: number | null
}
export type BinaryExpr = {
  readonly kind: 'binary'
  readonly op: BinaryOp
  readonly lhs: Expr
  readonly rhs: Expr
  /** null unless both sides are vectors. */
  readonly matching: VectorMatching | null
  readonly returnBool: boolean
  readonly pos: Position
}

export type AggregateOp =
  | 'sum'
  | 'avg'
  | 'min'
  | 'max'
  | 'count'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'count_values'
  | 'quantile'
  | 'limitk'
  | 'limit_ratio'
export type AggregateExpr = {
  readonly kind: 'aggregate'
  readonly op: AggregateOp
  readonly expr: Expr
  readonly param: Expr | null
  readonly grouping: readonly string[]
  readonly without: boolean
  readonly pos: Position
}

export type Call = {
  readonly kind: 'call'
  readonly func: string
  readonly args: readonly Expr[]
  readonly pos: Position
}

export type Expr =
  | NumberLiteral
  | StringLiteral
  | ParenExpr
  | UnaryExpr
  | VectorSelector
  | MatrixSelector
  | SubqueryExpr
  | BinaryExpr
  | AggregateExpr
  | Call

export type ParserFeatures = {
  readonly experimentalFunctions: boolean
  readonly durationExpressions: boolean
  readonly extendedRangeSelectors: boolean
  readonly binopFillModifiers: boolean
}
