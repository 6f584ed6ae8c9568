/**
 * Binary operators where at least one side is a native histogram, or that exist for histograms only.
 * Semantics: Prometheus promql/engine.go, vectorElemBinop (v3.14).
 */
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import type { BinaryOp, Position } from '../../ast.ts'
import { type Annotated, infoReconciled, warnCollision } from '../functions/range-call.ts'
import { combine, divide, equalHistograms, multiply } from '../histograms/arithmetic.ts'
import { trimHistogram } from '../histograms/trim.ts'

export type Operand = number | Histogram

/** `keep` is false for a comparison that does not hold. */
export type Outcome = { readonly value: Histogram; readonly keep: boolean }

/**
 * Null when the operator does not go with the types, or when counter resets conflict (annotated): the step then has no
 * result.
 */
export function histogramBinary(
  ctx: Annotated,
  op: BinaryOp,
  lhs: Operand,
  rhs: Operand,
  pos: Position,
): Outcome | null {
  const value = apply(ctx, op, lhs, rhs, pos)
  if (value !== undefined) return value
  const type = (operand: Operand) => (typeof operand === 'number' ? 'float' : 'histogram')
  ctx.info(`incompatible sample types encountered for binary operator "${op}": ${type(lhs)} ${op} ${type(rhs)}`, pos)
  return null
}

/** Undefined for types that do not go with the operator. */
function apply(ctx: Annotated, op: BinaryOp, lhs: Operand, rhs: Operand, pos: Position): Outcome | null | undefined {
  if (typeof lhs === 'number') {
    return typeof rhs !== 'number' && op === '*' ? { value: multiply(rhs, lhs), keep: true } : undefined
  }
  if (typeof rhs === 'number') {
    if (op === '*') return { value: multiply(lhs, rhs), keep: true }
    if (op === '/') return { value: divide(lhs, rhs), keep: true }
    if (op === '</' || op === '>/') return { value: trimHistogram(lhs, rhs, op === '</'), keep: true }
    return undefined
  }
  if (op === '==') return { value: lhs, keep: equalHistograms(lhs, rhs) }
  if (op === '!=') return { value: lhs, keep: !equalHistograms(lhs, rhs) }
  if (op !== '+' && op !== '-') return undefined
  const combined = combine(lhs, rhs, op === '+' ? 1 : -1)
  if (combined === null) {
    ctx.warn(`incompatible bucket layout encountered for binary operator ${op}`, pos)
    return null
  }
  const operation = op === '+' ? 'addition' : 'subtraction'
  if (combined.collision) {
    warnCollision({ ctx, pos }, operation)
    return null
  }
  if (combined.reconciled) infoReconciled({ ctx, pos }, operation)
  const value = op === '-' ? { ...combined.h, counterResetHint: CounterResetHint.gauge } : combined.h
  return { value, keep: true }
}
