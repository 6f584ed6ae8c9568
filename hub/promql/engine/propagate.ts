/**
 * Matchers go across vector matching: `a{x="1"} * on (x) sum by (x) (b)` needs no series of `b` but those with x="1",
 * as what is matched has equal labels. The rewriting changes no result:
 * - a label goes across only when it is matched on, and down only where it is still the one that is stored;
 * - where a side may have two series for one match, which is an error even when nothing matches them, nothing does;
 * - `unless` narrows its right side alone, fills keep the side that they do not fill, `or` is left as it is;
 * - functions that could give two series the same labels (also an error), or that say something of series which then
 *   match nothing, are not narrowed. Differs: what an operator says of series with floats and histograms in turn is said
 *   of the series that can match only.
 */
import { METRIC_NAME } from '../../../protocol/labels/mod.ts'
import type { Matcher } from '../../../protocol/matchers/mod.ts'
import type { AggregateExpr, BinaryExpr, Call, Expr, VectorSelector } from '../ast.ts'
import { childrenOf, unwrap } from '../parser/mod.ts'
import { DATE_FUNCTIONS } from './functions/dates.ts'
import { HISTOGRAM_FUNCTIONS } from './functions/histogram-functions.ts'
import { FLOAT_FUNCTIONS } from './functions/math.ts'
import { COUNTER_NAME, RANGE_FUNCTIONS } from './functions/range-functions.ts'
import { METADATA_LABELS } from './labels.ts'
import { hasOneName } from './unique.ts'
import { isScalar } from './vector.ts'

type Matchers = readonly Matcher[]

const NONE: Matchers = []

/** Chains of joins that nobody writes by hand are left as they are: what each side knows of all others adds up. */
const NODES_MAX = 300

export function propagateMatchers(root: Expr): Expr {
  return isLargerThan(root, NODES_MAX) ? root : narrowed(root, NONE)
}

export function isLargerThan(root: Expr, nodes: number): boolean {
  let left = nodes
  const visit = (node: Expr): boolean => --left < 0 || childrenOf(node).some(visit)
  return visit(root)
}

function directions(expr: BinaryExpr): { readonly toLeft: boolean; readonly toRight: boolean } {
  if (expr.op === 'and') return { toLeft: true, toRight: true }
  if (expr.op === 'unless') return { toLeft: false, toRight: true }
  if (expr.op === 'or' || !hasUniqueSide(expr)) return { toLeft: false, toRight: false }
  // What a fill stands in for shows that the other side has no partner.
  return { toLeft: isUnfilled(expr, 'fillRight'), toRight: isUnfilled(expr, 'fillLeft') }
}

function isUnfilled({ matching }: BinaryExpr, side: 'fillLeft' | 'fillRight'): boolean {
  return matching === null || matching[side] === null
}

/** Equal on both sides of every match. */
function matchesOn({ matching }: BinaryExpr): (label: string) => boolean {
  const labels = new Set(matching?.labels)
  if (matching?.on) return (label) => labels.has(label) && !METADATA_LABELS.has(label)
  return (label) => !labels.has(label) && !METADATA_LABELS.has(label)
}

/** The side that must have one series for each match cannot have two. */
function hasUniqueSide(expr: BinaryExpr): boolean {
  const one = unwrap(expr.matching?.card === 'one-to-many' ? expr.lhs : expr.rhs)
  const on = expr.matching?.on ?? false
  const labels = expr.matching?.labels ?? []
  if (one.kind === 'aggregate') {
    if (SELECTIONS.has(one.op) || one.op === 'count_values') return false
    if (!one.without) return one.grouping.every((label) => on === labels.includes(label) && label !== METRIC_NAME)
    return !on && labels.every((label) => one.grouping.includes(label) || METADATA_LABELS.has(label))
  }
  return !on && labels.length === 0 && isOneMetric(one)
}

/** Series as they are stored, all of one name: no two are alike without it. */
function isOneMetric(expr: Expr): boolean {
  switch (expr.kind) {
    case 'vector-selector':
    case 'matrix-selector':
      return hasOneName(expr)
    case 'paren':
    case 'unary':
    case 'subquery':
      return isOneMetric(expr.expr)
    case 'binary':
      return !isBetweenVectors(expr) && isOneMetric(vectorSide(expr))
    case 'call': {
      const arg = vectorArg(expr)
      return arg !== null && isOneMetric(arg)
    }
    default:
      return false
  }
}

const SELECTIONS: ReadonlySet<string> = new Set(['topk', 'bottomk', 'limitk', 'limit_ratio'])

/** What the labels of every series of the result match. */
function guaranteed(expr: Expr): Matchers {
  switch (expr.kind) {
    case 'vector-selector':
      return expr.matchers.filter(({ name }) => !METADATA_LABELS.has(name))
    case 'matrix-selector':
      return guaranteed(expr.selector)
    case 'paren':
    case 'unary':
    case 'subquery':
      return guaranteed(expr.expr)
    case 'call': {
      const arg = vectorArg(expr)
      return arg === null ? NONE : guaranteed(arg)
    }
    case 'aggregate':
      if (expr.op === 'count_values') return NONE
      return guaranteed(expr.expr).filter(({ name }) => SELECTIONS.has(expr.op) || isGroupedBy(expr, name))
    case 'binary':
      return isBetweenVectors(expr) ? guaranteedByMatch(expr) : guaranteed(vectorSide(expr))
    default:
      return NONE
  }
}

/** Of joins: each is asked for by all that it is joined with. */
const known = new WeakMap<Expr, Matchers>()

function guaranteedByMatch(expr: BinaryExpr): Matchers {
  let matchers = known.get(expr)
  if (matchers === undefined) known.set(expr, (matchers = withoutRepeats(ofBothSides(expr))))
  return matchers
}

function ofBothSides(expr: BinaryExpr): Matchers {
  if (expr.op === 'or' || !isUnfilled(expr, 'fillLeft') || !isUnfilled(expr, 'fillRight')) return NONE
  const isMatched = matchesOn(expr)
  const [lhs, rhs] = [guaranteed(expr.lhs), guaranteed(expr.rhs)]
  const matched = (of: Matchers): Matchers => of.filter(({ name }) => isMatched(name))
  if (expr.op === 'unless') return lhs
  if (expr.op === 'and') return [...lhs, ...matched(rhs)]
  const { card, include } = expr.matching ?? { card: 'one-to-one', include: [] }
  if (card === 'one-to-one') return matched([...lhs, ...rhs])
  const ofMany = card === 'one-to-many' ? [...rhs, ...matched(lhs)] : [...lhs, ...matched(rhs)]
  return ofMany.filter(({ name }) => !include.includes(name))
}

/** The expression, and all that is joined in it, without the series that do not match; `by` goes down as far as it may. */
function narrowed(expr: Expr, by: Matchers): Expr {
  switch (expr.kind) {
    case 'vector-selector':
      return withMatchers(expr, by)
    case 'matrix-selector':
      return { ...expr, selector: withMatchers(expr.selector, by) }
    case 'paren':
    case 'subquery':
      return { ...expr, expr: narrowed(expr.expr, by) }
    case 'unary':
      return { ...expr, expr: narrowed(expr.expr, ifOneName(expr.expr, by)) }
    case 'call': {
      const arg = vectorArg(expr)
      const below = arg !== null && isQuiet(expr, arg) ? ifOneName(arg, by) : NONE
      return { ...expr, args: expr.args.map((each) => narrowed(each, each === arg ? below : NONE)) }
    }
    case 'aggregate': {
      const goesDown = ({ name }: Matcher): boolean => expr.op === 'limit_ratio' || isGroupedBy(expr, name)
      const below = expr.op === 'count_values' ? NONE : by.filter(goesDown)
      const param = expr.param === null ? null : narrowed(expr.param, NONE)
      return { ...expr, expr: narrowed(expr.expr, below), param }
    }
    case 'binary':
      return narrowedBinary(expr, by)
    default:
      return expr
  }
}

/** Dropping names could give two series the same labels: that is an error, which must not go. */
const ifOneName = (expr: Expr, by: Matchers): Matchers => (hasOneName(expr) ? by : NONE)

function narrowedBinary(expr: BinaryExpr, by: Matchers): BinaryExpr {
  const { lhs, rhs } = expr
  if (!isBetweenVectors(expr)) {
    const vector = vectorSide(expr)
    const below = ifOneName(vector, by)
    return {
      ...expr,
      lhs: narrowed(lhs, lhs === vector ? below : NONE),
      rhs: narrowed(rhs, rhs === vector ? below : NONE),
    }
  }
  const { toLeft, toRight } = directions(expr)
  const isMatched = matchesOn(expr)
  const across = (from: Matchers): Matchers => from.filter(({ name }) => isMatched(name))
  // Series of the left side come through these as they are; other operators may be in error over them.
  const below = expr.op === 'and' || expr.op === 'unless' ? by : NONE
  return {
    ...expr,
    lhs: narrowed(lhs, toLeft ? [...across(guaranteed(rhs)), ...below] : below),
    rhs: narrowed(rhs, toRight ? across([...guaranteed(lhs), ...below]) : NONE),
  }
}

function withMatchers(selector: VectorSelector, by: Matchers): VectorSelector {
  const { matchers } = selector
  if (by.length === 0) return selector
  const isNew = (one: Matcher): boolean => !matchers.some((other) => isSame(one, other))
  const more = withoutRepeats(by.filter(isNew))
  return more.length === 0 ? selector : { ...selector, matchers: [...matchers, ...more] }
}

function withoutRepeats(all: Matchers): Matchers {
  return all.length < 2 ? all : all.filter((one, i) => all.findIndex((other) => isSame(one, other)) === i)
}

const isSame = (a: Matcher, b: Matcher): boolean => a.name === b.name && a.op === b.op && a.value === b.value

function isGroupedBy({ grouping, without }: AggregateExpr, label: string): boolean {
  return grouping.includes(label) !== without && !METADATA_LABELS.has(label)
}

const KEEPS_LABELS: ReadonlySet<string> = new Set([
  'clamp',
  'clamp_max',
  'clamp_min',
  'round',
  'sort',
  'sort_desc',
  'start_timestamp',
  'timestamp',
])

/** The vector whose series the function gives, one for one with the same labels but the name; null for other functions. */
function vectorArg({ func, args }: Call): Expr | null {
  if (func === 'absent_over_time') return null
  const isKeeping =
    func in RANGE_FUNCTIONS ||
    func in FLOAT_FUNCTIONS ||
    func in HISTOGRAM_FUNCTIONS ||
    func in DATE_FUNCTIONS ||
    KEEPS_LABELS.has(func)
  return isKeeping ? (args.find((arg) => arg.kind !== 'string' && !isScalar(arg)) ?? null) : null
}

/** Says nothing of floats, whichever of its series are there. */
export function isQuiet({ func, args }: Call, arg: Expr): boolean {
  if (func === 'quantile_over_time') return isQuantile(unwrap(args[0]!))
  if (func !== 'rate' && func !== 'increase') return true
  const inner = unwrap(arg)
  if (inner.kind !== 'matrix-selector') return false
  const name = inner.selector.matchers.find((matcher) => matcher.name === METRIC_NAME && matcher.op === '=')
  return name !== undefined && COUNTER_NAME.test(name.value)
}

const isQuantile = (expr: Expr): boolean => expr.kind === 'number' && expr.value >= 0 && expr.value <= 1

const isBetweenVectors = ({ lhs, rhs }: BinaryExpr): boolean => !isScalar(lhs) && !isScalar(rhs)

const vectorSide = ({ lhs, rhs }: BinaryExpr): Expr => (isScalar(lhs) ? rhs : lhs)
