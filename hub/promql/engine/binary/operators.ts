/** Binary operators on numbers. Semantics: Prometheus promql/engine.go, scalarBinop and vectorElemBinop. */
import type { BinaryOp } from '../../ast.ts'
import { goPow } from '../functions/math.ts'

export const ARITHMETIC: Readonly<Partial<Record<BinaryOp, (a: number, b: number) => number>>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': goPow,
  atan2: Math.atan2,
}

export const COMPARISON: Readonly<Partial<Record<BinaryOp, (a: number, b: number) => boolean>>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
}
