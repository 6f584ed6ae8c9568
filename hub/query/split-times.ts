/**
 * What it has taken to answer a text on one thread, and on several together: of those that come again and again the
 * quicker way is taken. What a split costs depends on the groups, the series and the machine; measured, it is known.
 */
import type { QueryTask } from './contract.ts'
import { isExpression } from './run-expression.ts'

/** `unknown`: on one thread, which says when much is to be read. */
export type Way = 'unknown' | 'whole' | 'together'

const REMEMBERED_MAX = 1000
/** What is shorter is not worth the other threads' time. */
const SHORT_MS = 1
/** Of what is longer several threads are expected to be worth it, of the rest that is to be seen: by so much. */
const LONG_MS = 5
const SHORT_GAIN = 0.9
const LONG_GAIN = 1.15
/** What takes longer together is not tried on one thread. */
const TRIED_MAX_MS = 50
/** The first runs of code that is not compiled, over memory that is not near, say nothing. */
const TRIES = 6
/** After so many runs the way that was slower is tried again. */
const AGAIN = 40
/** Of the shortest time, with each run: it was of less data, perhaps. */
const FORGETTING = 1.02

type Known = {
  wholeMs: number
  togetherMs: number
  wholes: number
  togethers: number
  /** Runs since the other way was last tried. */
  since: number
  canSplit: boolean
}

export class SplitTimes {
  readonly #known = new Map<string, Known>()

  wayOf(task: QueryTask): Way {
    const key = keyOf(task)
    const known = key === null ? undefined : this.#known.get(key)
    if (known === undefined) return 'unknown'
    const { wholeMs, togetherMs, wholes, togethers, since, canSplit } = known
    if (!canSplit || wholeMs < SHORT_MS) return 'whole'
    if (wholes === 0 && togetherMs > TRIED_MAX_MS) return 'together'
    // In turn, for what else the machine does is not the same at all times.
    if (Math.min(wholes, togethers) < TRIES) return wholes < togethers ? 'whole' : 'together'
    const better = betterOf(known)
    if (since < AGAIN) return better
    return better === 'whole' ? 'together' : 'whole'
  }

  /** @param way that was taken while nothing else ran */
  note(task: QueryTask, way: Exclude<Way, 'unknown'>, tookMs: number): void {
    const known = this.#of(task)
    if (known === null) return
    known.since = way === betterOf(known) ? known.since + 1 : 0
    if (way === 'whole') {
      known.wholeMs = Math.min(known.wholeMs * FORGETTING, tookMs)
      known.wholes++
    } else {
      known.togetherMs = Math.min(known.togetherMs * FORGETTING, tookMs)
      known.togethers++
    }
  }

  /** Nothing of it can be computed in shards. */
  cannot(task: QueryTask): void {
    const known = this.#of(task)
    if (known !== null) known.canSplit = false
  }

  #of(task: QueryTask): Known | null {
    const key = keyOf(task)
    if (key === null) return null
    let known = this.#known.get(key)
    if (known === undefined) {
      if (this.#known.size >= REMEMBERED_MAX) this.#known.clear()
      known = {
        wholeMs: Number.POSITIVE_INFINITY,
        togetherMs: Number.POSITIVE_INFINITY,
        wholes: 0,
        togethers: 0,
        since: 0,
        canSplit: true,
      }
      this.#known.set(key, known)
    }
    return known
  }
}

function betterOf({ wholeMs, togetherMs }: Known): 'whole' | 'together' {
  return togetherMs < wholeMs * (wholeMs < LONG_MS ? SHORT_GAIN : LONG_GAIN) ? 'together' : 'whole'
}

const TEXT_MAX_CHARS = 2000

function keyOf(task: QueryTask): string | null {
  if (!isExpression(task) || task.query.length > TEXT_MAX_CHARS) return null
  return task.kind === 'range' ? `${task.endMs - task.startMs} ${task.stepMs} ${task.query}` : task.query
}
