/**
 * What EXPLAIN knows: of every operator of a plan how many series it gave, how many samples, and how long it took.
 * Operators stream, so that one's time contains that of its receivers: what passes in `emit` is taken off again.
 */
import type { Expr } from '../ast.ts'
import { childrenOf, unwrap } from '../parser/mod.ts'
import { columnSamples } from './context.ts'
import type { Emit } from './types.ts'

/** Of one operator; plain data, which crosses threads. */
export type OperatorFigures = {
  series: number
  /** Given, or of a range selector: read. */
  samples: number
  /** With its inputs, without its receivers. */
  ms: number
  /** Evaluations: a part that is the same at every step is evaluated once, one inside a subquery once for it all. */
  calls: number
}

export class Trace {
  /** Monotonic, in ms. */
  readonly now: () => number
  readonly #figures = new Map<Expr, OperatorFigures>()

  constructor(now: () => number) {
    this.now = now
  }

  /** Runs the operator of `expr`, which gives its series to the `emit` that it is handed. */
  streamed(expr: Expr, emit: Emit, run: (emit: Emit) => void): void {
    const { now } = this
    const figures = this.#of(expr)
    const started = now()
    let elsewhere = 0
    run((series) => {
      figures.series++
      figures.samples += columnSamples(series)
      const before = now()
      emit(series)
      elsewhere += now() - before
    })
    figures.ms += now() - started - elsewhere
  }

  /** As `streamed`, of what gives windows or columns: `visit` is the receiver, `size` tells the samples. */
  visited<Args extends readonly unknown[]>(
    expr: Expr,
    visit: (...args: Args) => void,
    size: (...args: Args) => number,
    run: (visit: (...args: Args) => void) => void,
  ): void {
    const { now } = this
    const figures = this.#of(expr)
    const started = now()
    let elsewhere = 0
    run((...args) => {
      figures.series++
      figures.samples += size(...args)
      const before = now()
      visit(...args)
      elsewhere += now() - before
    })
    figures.ms += now() - started - elsewhere
  }

  /** Of what gives all at once: `size` tells how many series, and samples in each. */
  whole<T>(expr: Expr, run: () => T, size: (result: T) => readonly [series: number, steps: number]): T {
    const { now } = this
    const figures = this.#of(expr)
    const started = now()
    const result = run()
    figures.ms += now() - started
    const [series, steps] = size(result)
    figures.series += series
    figures.samples += series * steps
    return result
  }

  /** In the order of `operators`; null of what was not evaluated here. */
  figures(root: Expr): (OperatorFigures | null)[] {
    return operators(root).map((expr) => this.#figures.get(expr) ?? null)
  }

  #of(node: Expr): OperatorFigures {
    const expr = unwrap(node)
    let figures = this.#figures.get(expr)
    if (figures === undefined) {
      figures = { series: 0, samples: 0, ms: 0, calls: 0 }
      this.#figures.set(expr, figures)
    }
    figures.calls++
    return figures
  }
}

/** All nodes, parents first: the same for the same query in every thread. */
export function operators(root: Expr): Expr[] {
  const expr = unwrap(root)
  return [expr, ...operatorInputs(expr).flatMap(operators)]
}

/** Neither parentheses nor the selector inside of a range selector are operators of their own. */
export function operatorInputs(expr: Expr): readonly Expr[] {
  return expr.kind === 'matrix-selector' ? [] : childrenOf(expr).map(unwrap)
}
