/**
 * Of what matching has to say at a step, the last alone is told: upstream keeps one for all pairs of a step.
 * Semantics: Prometheus promql/engine.go, VectorBinop (lastErr).
 */
import type { Position } from '../../ast.ts'
import type { Annotated } from '../functions/range-call.ts'

type Note = { readonly level: keyof Annotated; readonly message: string; readonly pos: Position | null }

export class LastNotes implements Annotated {
  /** That notes are of. */
  step = 0
  readonly #bySteps = new Map<number, Note>()

  warn(message: string, pos: Position | null): void {
    this.#bySteps.set(this.step, { level: 'warn', message, pos })
  }

  info(message: string, pos: Position | null): void {
    this.#bySteps.set(this.step, { level: 'info', message, pos })
  }

  tell(to: Annotated): void {
    for (const { level, message, pos } of this.#bySteps.values()) to[level](message, pos)
  }
}
