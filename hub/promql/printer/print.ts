/**
 * Trees to text: one canonical spelling for every query.
 * Semantics: Prometheus promql/parser/printer.go (v3.14).
 */
import { formatDuration } from '../../../protocol/durations/mod.ts'
import { compareStrings, isLegacyLabelName, quote } from '../../../protocol/labels/mod.ts'
import { formatMatcher } from '../../../protocol/matchers/mod.ts'
import { formatFloat } from '../../../protocol/samples/mod.ts'
import type {
  AggregateExpr,
  AtModifier,
  BinaryExpr,
  DurationExpr,
  Expr,
  MatrixSelector,
  Offset,
  SubqueryExpr,
  VectorSelector,
} from '../ast.ts'
import { formatG } from './go-float.ts'

/** @example printExpr(parseExpr('sum(rate(up[5m]))by(job)')) // 'sum by (job) (rate(up[5m]))' */
export function printExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return expr.duration ? printSeconds(expr.value) : formatFloat(expr.value)
    case 'string':
      return quote(expr.value)
    case 'paren':
      return `(${printExpr(expr.expr)})`
    case 'unary':
      return expr.op + printExpr(expr.expr)
    case 'binary':
      return `${printExpr(expr.lhs)} ${printOperator(expr)} ${printExpr(expr.rhs)}`
    case 'aggregate': {
      const param = expr.param ? `${printExpr(expr.param)}, ` : ''
      return `${printAggregation(expr)}(${param}${printExpr(expr.expr)})`
    }
    case 'call':
      return `${expr.func}(${expr.args.map(printExpr).join(', ')})`
    case 'subquery':
      return printExpr(expr.expr) + printSubquerySuffix(expr)
    case 'matrix-selector':
      return printMatrix(expr)
    case 'vector-selector':
      return printVector(expr)
  }
}

/** `sum by (job) `, without the arguments. */
export function printAggregation({ op, grouping, without }: AggregateExpr): string {
  if (without) return `${op} without (${printLabels(grouping)}) `
  return grouping.length > 0 ? `${op} by (${printLabels(grouping)}) ` : op
}

/** The operator of a binary expression with its modifiers. */
export function printOperator({ op, returnBool, matching }: BinaryExpr): string {
  let out: string = returnBool ? `${op} bool` : op
  if (!matching) return out
  const { card, labels, on, include, fillLeft, fillRight } = matching
  const grouped = card === 'many-to-one' || card === 'one-to-many'
  if (labels.length > 0 || on || grouped) out += ` ${on ? 'on' : 'ignoring'} (${printLabels(labels)})`
  if (grouped) out += ` group_${card === 'many-to-one' ? 'left' : 'right'} (${printLabels(include)})`
  if (fillLeft !== null && Object.is(fillLeft, fillRight)) return `${out} fill (${formatG(fillLeft)})`
  if (fillLeft !== null) out += ` fill_left (${formatG(fillLeft)})`
  if (fillRight !== null) out += ` fill_right (${formatG(fillRight)})`
  return out
}

/** `[range:step]` and the modifiers after it. */
export function printSubquerySuffix(expr: SubqueryExpr): string {
  const step = expr.stepExpr ? printDuration(expr.stepExpr) : expr.stepMs !== 0 ? formatDuration(expr.stepMs) : ''
  return `[${printRange(expr)}:${step}]${printAt(expr.at)}${printOffset(expr.offset)}`
}

function printMatrix(expr: MatrixSelector): string {
  const { selector } = expr
  const extended = selector.anchored ? ' anchored' : selector.smoothed ? ' smoothed' : ''
  const modifiers = extended + printAt(selector.at) + printOffset(selector.offset)
  return `${printSelector(selector)}[${printRange(expr)}]${modifiers}`
}

function printVector(expr: VectorSelector): string {
  const extended = expr.anchored ? ' anchored' : expr.smoothed ? ' smoothed' : ''
  return printSelector(expr) + printAt(expr.at) + extended + printOffset(expr.offset)
}

function printSelector({ name, matchers }: VectorSelector): string {
  const parts = matchers
    .filter((m) => !(m.name === '__name__' && m.op === '=' && m.value === name && name !== ''))
    .map(formatMatcher)
    .sort(compareStrings)
  // A selector of everything (`info()` takes one) has nothing but its braces.
  return parts.length > 0 || name === '' ? `${name}{${parts.join(',')}}` : name
}

function printRange({ rangeMs, rangeExpr }: Pick<SubqueryExpr, 'rangeMs' | 'rangeExpr'>): string {
  return rangeExpr ? printDuration(rangeExpr) : formatDuration(rangeMs)
}

function printOffset({ offsetMs, expr }: Offset): string {
  if (expr) return ` offset ${printDuration(expr)}`
  return offsetMs === 0 ? '' : ` offset ${formatDuration(offsetMs)}`
}

function printAt(at: AtModifier | null): string {
  if (at === null) return ''
  if (at.kind === 'at-timestamp') return ` @ ${(at.timestampMs / 1000).toFixed(3)}`
  return at.kind === 'at-start' ? ' @ start()' : ' @ end()'
}

/** `1h + step()` */
export function printDuration(expr: DurationExpr): string {
  if (expr.kind === 'duration-literal') {
    return expr.duration ? printSeconds(expr.seconds) : formatFloat(expr.seconds)
  }
  const text = printDurationOp(expr)
  return expr.wrapped ? `(${text})` : text
}

function printDurationOp({ op, lhs, rhs }: Extract<DurationExpr, { kind: 'duration-op' }>): string {
  const left = lhs && printDuration(lhs)
  const right = rhs ? printDuration(rhs) : ''
  switch (op) {
    case 'step':
    case 'range':
      return `${op}()`
    case 'min':
    case 'max':
      return `${op}_of(${left}, ${right})`
    default:
      if (left !== null) return `${left} ${op} ${right}`
      return op === '-' ? `-${right}` : right
  }
}

const printSeconds = (seconds: number): string => formatDuration(Math.trunc(Math.round(seconds * 1e9) / 1e6))

function printLabels(labels: readonly string[]): string {
  return labels.map((label) => (isLegacyLabelName(label) ? label : quote(label))).join(', ')
}
