/**
 * Which series match: postings of the matchers that need a label, cut down by the rest.
 * Semantics: Prometheus tsdb/querier.go, PostingsForMatchers (v3): a matcher that matches the empty string also
 * selects series without the label, and so can only take away.
 */
import {
  compileMatcher,
  literalAlternatives,
  type Matcher,
  type Predicate,
  regexWeight,
} from '../../protocol/matchers/mod.ts'
import type { Shard, SymbolId } from './contract.ts'
import { DEAD, P_NEXT, P_VALUE, S_LABELS, S_STATE } from './layout.ts'
import type { Memory } from './memory.ts'
import {
  copyPostings,
  findPair,
  forEachPair,
  markPostings,
  newestPair,
  type PairId,
  postingsCount,
  RefList,
} from './postings.ts'
import type { SymbolReader } from './symbols.ts'
import type { Table } from './table.ts'

export type Index = {
  readonly mem: Memory
  readonly series: Table
  readonly pairs: Table
  readonly symbolTable: Table
  readonly symbols: SymbolReader
  /** Of a thread that asks more than once. */
  readonly matched?: MatchedPairs
}

/** The label pairs of one matcher: series must have one of them (`keep`) or none of them. */
type Terms = { readonly keep: boolean; readonly pairs: readonly PairId[]; readonly postings: number }

const MATCHED_PAIRS_MAX = 500_000
/** An expression is soon tried on so many, and what it matched is kept then. */
const VALUES_LOOKED_AT_MAX = 500
/** Characters of all values that an expression is tried on, times its weight: a few ms, whatever it says. */
const STEPS_MAX = 150_000

/**
 * What a matcher was found to match among all values of its label, until another pair of that label is added: regular
 * expressions over many values cost more than all else of most queries, and dashboards ask again and again.
 */
export class MatchedPairs {
  readonly #known = new Map<string, { readonly newest: number; readonly pairs: readonly PairId[] }>()
  #held = 0

  of(key: string, newest: number, find: () => readonly PairId[]): readonly PairId[] {
    const known = this.#known.get(key)
    if (known?.newest === newest) return known.pairs
    const pairs = find()
    this.#held += pairs.length + 1 - (known === undefined ? 0 : known.pairs.length + 1)
    this.#known.set(key, { newest, pairs })
    if (this.#held > MATCHED_PAIRS_MAX) this.clear()
    return pairs
  }

  /** When ids may have been given out anew. */
  clear(): void {
    this.#known.clear()
    this.#held = 0
  }
}

/** Looking into a series' labels costs about as much as this many steps through postings. */
const LABEL_CHECK_COST = 8

/**
 * Live and dead refs of the series that match, ascending; the caller drops the dead.
 * @throws MatcherError
 */
export function selectRefs(index: Index, matchers: readonly Matcher[], shard: Shard | undefined): Uint32Array {
  const terms = resolve(index, matchers)
  if (terms === null) return new Uint32Array(0)
  let start: Terms | null = null
  for (const term of terms) if (term.keep && (start === null || term.postings < start.postings)) start = term
  let refs = start === null ? allRefs(index.series.count) : union(index, start)
  if (shard && shard.count > 1) refs = refs.filter((ref) => ref % shard.count === shard.index)
  const rest = terms.filter((term) => term !== start)
  // The terms that are cheap or cut deep first.
  rest.sort((a, b) => (a.keep ? a.postings : Infinity) - (b.keep ? b.postings : Infinity))
  for (const term of rest) refs = reduce(index, refs, term)
  return refs
}

/** See `SeriesReader.matchBound`. */
export function matchBound(index: Index, matchers: readonly Matcher[]): number {
  let least = Infinity
  for (const matcher of matchers) {
    const literals = literalsOf(matcher)
    const name = index.symbols.id(matcher.name)
    if (literals === null) {
      if (isMuchToMatch(index, name, regexWeight(matcher.value))) return Infinity
      continue
    }
    if (!literals.positive || literals.values.includes('')) continue
    let postings = 0
    const pairs = name < 0 ? [] : literalPairs(index, name, literals.values)
    for (const pair of pairs) postings += postingsCount(index.mem, index.pairs, pair)
    least = Math.min(least, postings)
  }
  return least
}

/** @param weight of the expression, in steps a character */
function isMuchToMatch(index: Index, name: SymbolId, weight: number): boolean {
  const { mem, symbolTable, symbols, pairs } = index
  let count = 0
  let steps = 0
  for (let next = name < 0 ? 0 : newestPair(mem, symbolTable, name); next !== 0; ) {
    const pair = pairs.addr(next - 1)
    if (weight > 0) steps += weight * symbols.text(mem.get(pair + P_VALUE)).length
    if (++count > VALUES_LOOKED_AT_MAX || steps > STEPS_MAX) return true
    next = mem.load(pair + P_NEXT)
  }
  return false
}

/** Null when some matcher cannot be met by any series. */
function resolve(index: Index, matchers: readonly Matcher[]): Terms[] | null {
  const terms: Terms[] = []
  for (const matcher of matchers) {
    const predicate = compileMatcher(matcher)
    const matchesEmpty = predicate('')
    const name = index.symbols.id(matcher.name)
    const pairs = name < 0 ? [] : pairsOf(index, matcher, name, predicate, matchesEmpty)
    if (matchesEmpty && pairs.length === 0) continue
    if (!matchesEmpty && pairs.length === 0) return null
    let postings = 0
    for (const pair of pairs) postings += postingsCount(index.mem, index.pairs, pair)
    terms.push({ keep: !matchesEmpty, pairs, postings })
  }
  return terms
}

/** Pairs that match; of a matcher that matches the empty string, those that do not. */
function pairsOf(
  index: Index,
  matcher: Matcher,
  name: SymbolId,
  predicate: Predicate,
  matchesEmpty: boolean,
): readonly PairId[] {
  const literals = literalsOf(matcher)
  if (literals !== null && literals.positive !== matchesEmpty) return literalPairs(index, name, literals.values)
  const { mem, symbolTable } = index
  const key = `${matcher.op}${name} ${matcher.value}`
  const find = (): readonly PairId[] => {
    const pairs: PairId[] = []
    forEachPair(mem, symbolTable, index.pairs, name, (pair) => {
      const value = index.symbols.text(mem.get(index.pairs.addr(pair) + P_VALUE))
      if (predicate(value) !== matchesEmpty) pairs.push(pair)
    })
    return pairs
  }
  return index.matched?.of(key, newestPair(mem, symbolTable, name), find) ?? find()
}

type Literals = { readonly positive: boolean; readonly values: readonly string[] }

/** The values that the matcher lets through (positive) or keeps out, when it names them. */
function literalsOf(matcher: Matcher): Literals | null {
  if (matcher.op === '=') return { positive: true, values: [matcher.value] }
  if (matcher.op === '!=') return { positive: false, values: [matcher.value] }
  const values = literalAlternatives(matcher.value)
  return values === null ? null : { positive: matcher.op === '=~', values }
}

function literalPairs(index: Index, name: SymbolId, values: readonly string[]): PairId[] {
  const pairs = new Set<PairId>()
  for (const value of values) {
    const id = value === '' ? -1 : index.symbols.id(value)
    const pair = id < 0 ? -1 : findPair(index.mem, index.pairs, name, id)
    if (pair >= 0) pairs.add(pair)
  }
  return [...pairs]
}

function allRefs(count: number): Uint32Array {
  const refs = new Uint32Array(count)
  for (let i = 0; i < count; i++) refs[i] = i
  return refs
}

function union(index: Index, term: Terms): Uint32Array {
  if (term.pairs.length === 1) {
    const list = new RefList(term.postings)
    copyPostings(index.mem, index.pairs, term.pairs[0]!, list)
    return list.refs.subarray(0, list.count)
  }
  const bits = mark(index, term)
  const out = new RefList(term.postings)
  const found = out.refs
  let count = 0
  for (let word = 0; word < bits.length; word++) {
    for (let rest = bits[word]!; rest !== 0; rest &= rest - 1) {
      const ref = word * 32 + 31 - Math.clz32(rest & -rest)
      if (count < found.length) found[count++] = ref
    }
  }
  return found.subarray(0, count)
}

function mark(index: Index, term: Terms): Uint32Array {
  const bits = new Uint32Array((index.series.count + 31) >>> 5)
  for (const pair of term.pairs) markPostings(index.mem, index.pairs, pair, bits)
  return bits
}

function reduce(index: Index, refs: Uint32Array, term: Terms): Uint32Array {
  const byLabels = refs.length * LABEL_CHECK_COST < term.postings
  return byLabels ? filterByLabels(index, refs, term) : filterByBits(refs, mark(index, term), term.keep)
}

function filterByBits(refs: Uint32Array, bits: Uint32Array, keep: boolean): Uint32Array {
  let count = 0
  for (let i = 0; i < refs.length; i++) {
    const ref = refs[i]!
    if (ref >>> 5 >= bits.length) continue // newer than the query
    const isSet = ((bits[ref >>> 5]! >>> (ref & 31)) & 1) !== 0
    if (isSet === keep) refs[count++] = ref
  }
  return refs.subarray(0, count)
}

function filterByLabels(index: Index, refs: Uint32Array, term: Terms): Uint32Array {
  const { mem, series } = index
  const wanted = term.pairs.length === 1 ? null : new Set(term.pairs)
  const only = term.pairs[0]!
  let count = 0
  for (let i = 0; i < refs.length; i++) {
    const record = series.addr(refs[i]!)
    // A dead series' labels may already be something else.
    const block = record === 0 || (mem.get(record + S_STATE) & DEAD) !== 0 ? 0 : mem.get(record + S_LABELS)
    const pairCount = block === 0 ? 0 : mem.get(block)
    let found = false
    for (let p = 1; p <= pairCount && !found; p++) {
      const pair = mem.get(block + p)
      found = wanted === null ? pair === only : wanted.has(pair)
    }
    if (found === term.keep) refs[count++] = refs[i]!
  }
  return refs.subarray(0, count)
}
