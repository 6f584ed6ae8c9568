/**
 * The values of a label in order, as a thread keeps them between queries: sorting costs more than all else. Values that are
 * added are sorted in, and who has little time sorts some of them now and others the next time.
 *
 * A pair that was removed has no series; an id that is given out anew is a change of generation, which clears all of it.
 */
import { compareStrings, sortStrings } from '../../protocol/labels/mod.ts'
import type { SymbolId } from './contract.ts'
import { P_NAME, P_NEXT, P_VALUE } from './layout.ts'
import { newestPair } from './postings.ts'
import type { Index } from './select.ts'

/** Of a thread, all names together; what has more is sorted for each query. */
const HELD_MAX = 200_000

/**
 * Pairs of a name, and their values in order. `witnesses` are refs + 1 of series that have the pairs and had samples when
 * last looked for; 0 is none. Whoever has found one writes it there.
 */
export type SortedPairs = {
  readonly texts: readonly string[]
  readonly pairs: Uint32Array
  readonly witnesses: Uint32Array
}

const NOTHING: SortedPairs = { texts: [], pairs: new Uint32Array(0), witnesses: new Uint32Array(0) }

type Kept = {
  /** Plus 1, as `newestPair` has it: it and all that are older are in order. 0: none. */
  newest: number
  sorted: SortedPairs
  walk: Walk | null
}

/** From the newest on to those that are kept; ids plus 1. */
type Walk = { readonly from: number; next: number; readonly until: number; sorted: SortedPairs }

export class SortedValues {
  readonly #kept = new Map<SymbolId, Kept>()

  /**
   * The same object as before when nothing was added.
   * @param valuesMax to be looked at now
   * @param allMax of what is put in order
   * @returns 'later' when there are more to look at: those have been sorted, and the next time begins behind them
   */
  of(
    index: Index,
    name: SymbolId,
    valuesMax = Number.POSITIVE_INFINITY,
    allMax = Number.POSITIVE_INFINITY,
  ): SortedPairs | 'later' | 'many' {
    let kept = this.#kept.get(name)
    if (kept === undefined) this.#kept.set(name, (kept = { newest: 0, sorted: NOTHING, walk: null }))
    for (let left = valuesMax; ; ) {
      const newest = newestPair(index.mem, index.symbolTable, name)
      if (Math.max(kept.sorted.texts.length, kept.walk?.sorted.texts.length ?? 0) > allMax) return 'many'
      if (kept.walk === null && newest === kept.newest) return kept.sorted
      const walk: Walk = kept.walk ?? { from: newest, next: newest, until: kept.newest, sorted: NOTHING }
      kept.walk = walk
      left -= walkOn(index, name, walk, left)
      if (walk.next > 0 && walk.next !== walk.until) return 'later'
      kept.walk = null
      kept.newest = walk.next < 0 ? 0 : walk.from
      const isRest = walk.next > 0
      kept.sorted = walk.next < 0 ? NOTHING : isRest ? merged(walk.sorted, kept.sorted) : walk.sorted
      this.#bound(name, kept)
    }
  }

  /** When ids may have been given out anew. */
  clear(): void {
    this.#kept.clear()
  }

  #bound(name: SymbolId, own: Kept): void {
    let held = 0
    for (const { sorted } of this.#kept.values()) held += sorted.texts.length
    if (held <= HELD_MAX) return
    this.#kept.clear()
    if (own.sorted.texts.length <= HELD_MAX) this.#kept.set(name, own)
  }
}

/** The walk stands on what has become a pair of another label. */
const BROKEN = -1

/** @returns how many were looked at */
function walkOn({ mem, pairs: table, symbols }: Index, name: SymbolId, walk: Walk, max: number): number {
  const byText = new Map<string, number>()
  let count = 0
  for (; walk.next !== 0 && walk.next !== walk.until && count < max; count++) {
    const pair = walk.next - 1
    const record = table.addr(pair)
    if (mem.get(record + P_NAME) !== name) {
      walk.next = BROKEN
      return count
    }
    const text = symbols.text(mem.get(record + P_VALUE))
    // Of two with one value the newer one lives.
    if (!byText.has(text)) byText.set(text, pair)
    walk.next = mem.load(record + P_NEXT)
  }
  const texts = sortStrings([...byText.keys()])
  const pairs = Uint32Array.from(texts, (text) => byText.get(text)!)
  walk.sorted = merged(walk.sorted, { texts, pairs, witnesses: new Uint32Array(pairs.length) })
  return count
}

/** Of two with one value, the newer one. */
function merged(newer: SortedPairs, older: SortedPairs): SortedPairs {
  if (newer.texts.length === 0) return older
  if (older.texts.length === 0) return newer
  const texts: string[] = []
  const pairs = new Uint32Array(newer.texts.length + older.texts.length)
  const witnesses = new Uint32Array(pairs.length)
  for (let i = 0, j = 0; i < newer.texts.length || j < older.texts.length; ) {
    const order =
      i === newer.texts.length ? 1 : j === older.texts.length ? -1 : compareStrings(newer.texts[i]!, older.texts[j]!)
    const [from, at] = order <= 0 ? [newer, i] : [older, j]
    pairs[texts.length] = from.pairs[at]!
    witnesses[texts.length] = from.witnesses[at]!
    texts.push(from.texts[at]!)
    if (order <= 0) i++
    if (order >= 0) j++
  }
  return { texts, pairs: pairs.subarray(0, texts.length), witnesses: witnesses.subarray(0, texts.length) }
}
