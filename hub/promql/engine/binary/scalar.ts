/** A binary operator between two scalars; comparisons give 1 or 0. */
import type { BinaryOp } from '../../ast.ts'
import { QueryError } from '../../contract.ts'
import { ARITHMETIC, COMPARISON } from './operators.ts'

/** The result is written into `lhs`. */
export function scalarBinary(op: BinaryOp, lhs: Float64Array, rhs: Float64Array): Float64Array {
  const arithmetic = ARITHMETIC[op]
  const compare = COMPARISON[op]
  if (arithmetic !== undefined) for (let i = 0; i < lhs.length; i++) lhs[i] = arithmetic(lhs[i]!, rhs[i]!)
  else if (compare !== undefined) for (let i = 0; i < lhs.length; i++) lhs[i] = compare(lhs[i]!, rhs[i]!) ? 1 : 0
  else throw new QueryError('execution', `operator "${op}" not allowed for Scalar operations`)
  return lhs
}
