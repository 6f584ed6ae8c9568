import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc, { type Arbitrary } from 'fast-check'
import type { AggregateOp, AtModifier, BinaryOp, DurationExpr, Expr, Position, VectorSelector } from '../ast.ts'
import { ALL_FEATURES, isComparison, isSetOperator, parseExpr } from '../parser/mod.ts'
import { formatG, prettyExpr, printExpr } from './mod.ts'

const pos: Position = { start: 0, end: 0 }
const label = fc.constantFrom('job', 'instance', 'le', 'a.b', 'ü', '')
const labels = fc.uniqueArray(
  label.filter((name) => name !== ''),
  { maxLength: 3 },
)
const milliseconds = fc.oneof(
  fc.integer({ min: 1, max: 10_000_000 }),
  fc.constantFrom(60_000, 86_400_000, 31_536_000_000),
)

/** As Go's Duration.Seconds, which may differ from the quotient in the last bit. */
const seconds = (ms: number): number => Math.trunc(ms / 1000) + (ms % 1000) / 1000

const number: Arbitrary<Expr> = fc.oneof(
  fc.double({ noNaN: true }).map((value): Expr => ({ kind: 'number', value, duration: false, pos })),
  milliseconds.map((ms): Expr => ({ kind: 'number', value: seconds(ms), duration: true, pos })),
)
/** Upstream takes U+FFFD for broken UTF-8. */
const string = fc
  .string({ unit: 'grapheme' })
  .filter((text) => !text.includes('\ufffd'))
  .map((value): Expr => ({ kind: 'string', value, pos }))

const { duration } = fc.letrec<{ duration: DurationExpr }>((tie) => ({
  duration: fc.oneof(
    { maxDepth: 3 },
    milliseconds.map((ms): DurationExpr => ({ kind: 'duration-literal', seconds: seconds(ms), duration: true, pos })),
    fc
      .constantFrom('step' as const, 'range' as const)
      .map((op): DurationExpr => ({ kind: 'duration-op', op, lhs: null, rhs: null, wrapped: false, pos })),
    fc
      .tuple(fc.constantFrom('+', '-', '*', '/', '%', '^', 'min', 'max'), tie('duration'), tie('duration'))
      .map(
        ([op, lhs, rhs]): DurationExpr => ({ kind: 'duration-op', op, lhs, rhs, wrapped: true, pos }) as DurationExpr,
      ),
  ),
}))
/** As it stands in brackets and after `offset`: never a bare literal, which is a number there. */
const rangeExpression = duration.filter((expr) => expr.kind === 'duration-op')

const at: Arbitrary<AtModifier | null> = fc.oneof(
  fc.constant(null),
  fc.integer({ min: -1e12, max: 1e12 }).map((timestampMs): AtModifier => ({ kind: 'at-timestamp', timestampMs })),
  fc.constantFrom<AtModifier>({ kind: 'at-start' }, { kind: 'at-end' }),
)
const offset = fc.oneof(
  fc.constant({ offsetMs: 0, expr: null }),
  milliseconds.map((offsetMs) => ({ offsetMs: -offsetMs, expr: null })),
  rangeExpression.map((expr) => ({ offsetMs: 0, expr })),
)
const matcher = fc.record({
  name: label,
  op: fc.constantFrom('=' as const, '!=' as const, '=~' as const, '!~' as const),
  value: fc.constantFrom('', 'x', 'a|b', '.+', 'with "quotes"\\n', 'ü'),
})
const selector: Arbitrary<VectorSelector> = fc
  .tuple(
    fc.constantFrom('foo', 'job:rate:5m', 'sum', 'offset', 'step'),
    fc.array(matcher, { maxLength: 3 }),
    offset,
    at,
  )
  .chain(([name, matchers, offset, at]) =>
    fc.constantFrom([false, false], [true, false], [false, true]).map(
      ([anchored = false, smoothed = false]): VectorSelector => ({
        kind: 'vector-selector',
        name,
        matchers: [...matchers, { name: '__name__', op: '=', value: name }],
        offset,
        at,
        anchored,
        smoothed,
        pos,
      }),
    ),
  )

/** Operands that need parentheses: after `offset (…)` an operator would still belong to the duration, as upstream. */
function paren(expr: Expr): Expr {
  const open = 'offset' in expr && expr.offset.expr !== null
  // A sign binds less than `^`.
  const signed = expr.kind === 'number' && /^[+-]/.test(printExpr(expr))
  return open || signed || expr.kind === 'binary' || expr.kind === 'unary' ? { kind: 'paren', expr, pos } : expr
}
const range = fc.oneof(
  milliseconds.map((rangeMs) => ({ rangeMs, rangeExpr: null })),
  rangeExpression.map((rangeExpr) => ({ rangeMs: 0, rangeExpr })),
)

const { vector, scalar } = fc.letrec<{ vector: Expr; scalar: Expr; matrix: Expr }>((tie) => ({
  matrix: fc.oneof(
    fc.tuple(selector, range).map(([selector, range]): Expr => ({ kind: 'matrix-selector', selector, ...range, pos })),
    fc.tuple(tie('vector'), range, fc.option(range), offset, at).map(([expr, range, step, offset, at]): Expr => {
      const { rangeMs: stepMs, rangeExpr: stepExpr } = step ?? { rangeMs: 0, rangeExpr: null }
      return { kind: 'subquery', expr: paren(expr), ...range, stepMs, stepExpr, offset, at, pos }
    }),
  ),
  scalar: fc.oneof(
    { maxDepth: 4 },
    number,
    fc.constantFrom('time', 'step').map((func): Expr => ({ kind: 'call', func, args: [], pos })),
    fc
      .tuple(fc.constantFrom<BinaryOp>('+', '-', '*', '/', '%', '^', 'atan2', '=='), tie('scalar'), tie('scalar'))
      .map(([op, lhs, rhs]): Expr => {
        const sides = { lhs: paren(lhs), rhs: paren(rhs) }
        return { kind: 'binary', op, ...sides, matching: null, returnBool: isComparison(op), pos }
      }),
  ),
  vector: fc.oneof(
    { maxDepth: 4 },
    selector,
    tie('matrix').map((arg): Expr => ({ kind: 'call', func: 'rate', args: [arg], pos })),
    fc
      .tuple(tie('vector'), string, string)
      .map(([v, a, b]): Expr => ({ kind: 'call', func: 'label_replace', args: [v, a, b, a, b], pos })),
    fc
      .tuple(fc.constantFrom('+' as const, '-' as const), tie('vector'))
      .map(([op, expr]): Expr => ({ kind: 'unary', op, expr: paren(expr), pos })),
    fc
      .tuple(
        fc.constantFrom<AggregateOp>('sum', 'topk', 'count_values', 'limitk'),
        tie('vector'),
        tie('scalar'),
        string,
        labels,
        fc.boolean(),
      )
      .map(([op, expr, scalar, string, grouping, without]): Expr => {
        const param = op === 'sum' ? null : op === 'count_values' ? string : scalar
        return { kind: 'aggregate', op, expr, param, grouping, without, pos }
      }),
    fc
      .record({
        op: fc.constantFrom<BinaryOp>('+', '-', '*', '^', '==', '>', '</', '>/', 'and', 'or', 'unless', 'atan2'),
        lhs: tie('vector'),
        rhs: tie('vector'),
        on: labels,
        include: labels,
        card: fc.constantFrom('one-to-one' as const, 'many-to-one' as const, 'one-to-many' as const),
        returnBool: fc.boolean(),
        fill: fc.constantFrom<readonly [number | null, number | null]>([null, null], [1, 1], [-2.5, null], [1e9, 0]),
      })
      .map(({ op, lhs, rhs, on, include, card, returnBool, fill }): Expr => {
        const isSet = isSetOperator(op)
        const grouped = card !== 'one-to-one' && !isSet
        return {
          kind: 'binary',
          op,
          lhs: paren(lhs),
          rhs: paren(rhs),
          matching: {
            card: isSet ? 'many-to-many' : card,
            labels: on,
            on: on.length > 0,
            include: grouped ? include.filter((name) => !on.includes(name)) : [],
            fillLeft: isSet ? null : fill[0],
            fillRight: isSet ? null : fill[1],
          },
          returnBool: returnBool && isComparison(op),
          pos,
        }
      }),
  ),
}))

/** What does not show in the text: positions, the order of matchers. */
function bare(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(bare)
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key]) => key !== 'pos')
      .map(([key, value]) => [
        key,
        key === 'matchers' ? value.map((one: unknown) => JSON.stringify(bare(one))).sort() : bare(value),
      ]),
  )
}

test('parseExpr(printExpr(tree)) is the tree', () => {
  fc.assert(
    fc.property(fc.oneof(vector, scalar), (expr) => {
      const text = printExpr(expr)
      const parsed = parseExpr(text, ALL_FEATURES)
      assert.deepEqual(bare(parsed), bare(expr), text)
      assert.equal(printExpr(parsed), text)
    }),
    { numRuns: 1500 },
  )
})

test('prettyExpr() changes nothing but the layout', () => {
  fc.assert(
    fc.property(vector, fc.integer({ min: 1, max: 60 }), (expr, maxCharactersPerLine) => {
      const pretty = prettyExpr(expr, { maxCharactersPerLine })
      assert.deepEqual(bare(parseExpr(pretty, ALL_FEATURES)), bare(expr), pretty)
    }),
    { numRuns: 500 },
  )
})

const floats: readonly (readonly [number, string])[] = [
  [0, '0'],
  [-0, '-0'],
  [100000, '100000'],
  [1e6, '1e+06'],
  [123456789, '1.23456789e+08'],
  [0.0001, '0.0001'],
  [0.00001234, '1.234e-05'],
  [Infinity, '+Inf'],
  [NaN, 'NaN'],
  [1.5e300, '1.5e+300'],
]
for (const [value, text] of floats) test(`formatG(${value})`, () => assert.equal(formatG(value), text))
