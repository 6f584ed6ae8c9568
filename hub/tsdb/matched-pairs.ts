/**
 * The pairs of a label that a matcher was found to match, kept by a thread: regular expressions over many values cost more
 * than all else of most queries, and dashboards ask again and again. Pairs that are added are looked at alone, and who has
 * little time looks at some of them now and at others the next time.
 *
 * A pair that was removed has no series; an id that is given out anew is a change of generation, which clears all of it.
 */
import { P_NAME, P_NEXT } from './layout.ts'
import { newestPair, type PairId } from './postings.ts'
import type { Index } from './select.ts'

/** Pairs, of a thread; past it all are forgotten. */
const HELD_MAX = 500_000
/** What an expression that matches nothing takes, in pairs; and so many characters of its text take as much as a pair. */
const ENTRY_PAIRS = 32
const CHARS_PER_PAIR = 8

/** Two of one label with one key match the same. */
export type ValueMatcher = {
  readonly name: number
  readonly key: string
  readonly test: (pair: PairId) => boolean
  /** Steps that testing a pair takes. */
  readonly stepsOf: (pair: PairId) => number
}

type Matched = {
  /** Plus 1, as `newestPair` has it: it and all that are older have been looked at. 0: none. */
  newest: number
  pairs: readonly PairId[]
  walk: Walk | null
}

/** From the newest on to those that have been looked at; ids plus 1. */
type Walk = { readonly from: number; next: number; readonly until: number; readonly pairs: PairId[] }

export class MatchedPairs {
  readonly #known = new Map<string, Matched>()
  #held = 0

  /** Pairs, and what takes as much memory. */
  get held(): number {
    return this.#held
  }

  /** @returns null when that takes more steps: they have been done, and the next time begins behind them */
  of(index: Index, matcher: ValueMatcher, stepsMax = Number.POSITIVE_INFINITY): readonly PairId[] | null {
    const { mem, symbolTable } = index
    const key = `${matcher.name} ${matcher.key}`
    let matched = this.#known.get(key)
    if (matched === undefined) {
      matched = { newest: 0, pairs: [], walk: null }
      this.#known.set(key, matched)
      this.#held += weightOf(key, matched)
      this.#bound(key, matched)
    }
    for (let left = stepsMax; ; ) {
      const newest = newestPair(mem, symbolTable, matcher.name)
      if (matched.walk === null && newest === matched.newest) return matched.pairs
      const walk: Walk = matched.walk ?? { from: newest, next: newest, until: matched.newest, pairs: [] }
      matched.walk = walk
      const before = walk.pairs.length
      left = walkOn(index, walk, matcher, left)
      this.#held += walk.pairs.length - before
      if (left < 0) return null
      if (walk.next === BROKEN) this.#startAgain(matched, walk)
      else this.#finish(matched, walk)
      matched.walk = null
      this.#bound(key, matched)
    }
  }

  /** When ids may have been given out anew. */
  clear(): void {
    this.#known.clear()
    this.#held = 0
  }

  #bound(key: string, own: Matched): void {
    if (this.#held <= HELD_MAX) return
    this.clear()
    this.#known.set(key, own)
    this.#held = weightOf(key, own)
  }

  #startAgain(matched: Matched, walk: Walk): void {
    this.#held -= matched.pairs.length + walk.pairs.length
    matched.newest = 0
    matched.pairs = []
  }

  #finish(matched: Matched, { from, next, until, pairs }: Walk): void {
    const meetsKnown = next !== 0 && next === until
    if (!meetsKnown) this.#held -= matched.pairs.length
    matched.pairs = meetsKnown && matched.pairs.length > 0 ? [...pairs, ...matched.pairs] : pairs
    matched.newest = from
  }
}

function weightOf(key: string, { pairs, walk }: Matched): number {
  return ENTRY_PAIRS + Math.ceil(key.length / CHARS_PER_PAIR) + pairs.length + (walk?.pairs.length ?? 0)
}

/** The walk stands on what has become a pair of another label. */
const BROKEN = -1

/** @returns the steps that are left; less than 0 when there are too few to go on */
function walkOn({ mem, pairs: table }: Index, walk: Walk, matcher: ValueMatcher, stepsMax: number): number {
  let left = stepsMax
  while (walk.next !== 0 && walk.next !== walk.until) {
    const pair = walk.next - 1
    const record = table.addr(pair)
    if (mem.get(record + P_NAME) !== matcher.name) {
      walk.next = BROKEN
      return left
    }
    left -= matcher.stepsOf(pair)
    if (left < 0) return left
    if (matcher.test(pair)) walk.pairs.push(pair)
    walk.next = mem.load(record + P_NEXT)
  }
  return left
}
