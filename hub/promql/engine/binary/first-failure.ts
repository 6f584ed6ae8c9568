/**
 * Of all that is wrong with a match, what upstream meets first: it goes step by step, and at each looks for duplicates on
 * the one side, then matches, then looks at the labels of the results.
 * Semantics: Prometheus promql/engine.go, VectorBinop and rangeEval (v3.14).
 */
import { QueryError } from '../../contract.ts'

export const FailureRank = { duplicates: 0, matches: 1, results: 2 } as const
export type FailureRank = (typeof FailureRank)[keyof typeof FailureRank]

type Failure = { readonly step: number; readonly rank: FailureRank; readonly message: () => string }

export class FirstFailure {
  #first: Failure | null = null

  /** @throws QueryError execution when nothing can come before it */
  note(step: number, rank: FailureRank, message: () => string): void {
    const first = this.#first
    if (first === null || step < first.step || (step === first.step && rank < first.rank))
      this.#first = { step, rank, message }
    if (step === 0 && rank === FailureRank.duplicates) this.raise()
  }

  /** @throws QueryError execution when anything was noted */
  raise(): void {
    if (this.#first !== null) throw new QueryError('execution', this.#first.message())
  }
}
