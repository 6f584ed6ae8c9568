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
import { type Shard, STILL_MATCHING, type SymbolId } from './contract.ts'
import { DEAD, P_VALUE, S_LABELS, S_STATE } from './layout.ts'
import type { MatchedPairs } from './matched-pairs.ts'
import type { Memory } from './memory.ts'
import { copyPostings, findPair, markPostings, type PairId, postingsCount, RefList } from './postings.ts'
import type { SymbolReader } from './symbols.ts'
import type { Table } from './table.ts'

export type Index = {
  readonly mem: Memory
  readonly series: Table
  readonly pairs: Table
  readonly symbolTable: Table
  readonly symbols: SymbolReader
  readonly matched: MatchedPairs
}

/** The label pairs of one matcher: series must have one of them (`keep`) or none of them. */
type Terms = { readonly keep: boolean; readonly pairs: readonly PairId[]; readonly postings: number }

/**
 * What may be done before anybody asks whether there is time for it: an expression is tried on some hundred values, or on
 * so many characters, times its weight, as take a few ms, whatever it says.
 */
const STEPS_MAX = 150_000
const STEPS_OF_VALUE = STEPS_MAX / 500

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
    const known = knownOf(matcher)
    const name = index.symbols.id(matcher.name)
    let pairs: readonly PairId[] | null = []
    if (known.literals === null) pairs = name < 0 ? [] : matchedPairs(index, name, known, STEPS_MAX)
    else if (!known.matchesEmpty && known.literals.positive && name >= 0)
      pairs = literalPairs(index, name, known.literals.values)
    if (pairs === null) return STILL_MATCHING
    // Series without the label match, too, or all but those of some values do.
    if (known.matchesEmpty || known.literals?.positive === false) continue
    let postings = 0
    for (const pair of pairs) postings += postingsCount(index.mem, index.pairs, pair)
    least = Math.min(least, postings)
  }
  return least
}

/** Null when some matcher cannot be met by any series. */
function resolve(index: Index, matchers: readonly Matcher[]): Terms[] | null {
  const terms: Terms[] = []
  for (const matcher of matchers) {
    const known = knownOf(matcher)
    const { matchesEmpty } = known
    const name = index.symbols.id(matcher.name)
    const pairs = name < 0 ? [] : pairsOf(index, name, known)
    if (matchesEmpty && pairs.length === 0) continue
    if (!matchesEmpty && pairs.length === 0) return null
    let postings = 0
    for (const pair of pairs) postings += postingsCount(index.mem, index.pairs, pair)
    terms.push({ keep: !matchesEmpty, pairs, postings })
  }
  return terms
}

/** Pairs that match; of a matcher that matches the empty string, those that do not. */
function pairsOf(index: Index, name: SymbolId, known: KnownMatcher): readonly PairId[] {
  const { literals, matchesEmpty } = known
  if (literals !== null && literals.positive !== matchesEmpty) return literalPairs(index, name, literals.values)
  return matchedPairs(index, name, known, Number.POSITIVE_INFINITY)!
}

/** Null when that takes more steps. */
function matchedPairs(
  index: Index,
  name: SymbolId,
  { key, predicate, matchesEmpty, weight }: KnownMatcher,
  stepsMax: number,
): readonly PairId[] | null {
  const { mem, matched, pairs, symbols } = index
  const textOf = (pair: PairId): string => symbols.text(mem.get(pairs.addr(pair) + P_VALUE))
  const test = (pair: PairId): boolean => predicate(textOf(pair)) !== matchesEmpty
  const stepsOf = (pair: PairId): number => STEPS_OF_VALUE + (weight === 0 ? 0 : weight * textOf(pair).length)
  return matched.of(index, { name, key, test, stepsOf }, stepsMax)
}

type Literals = { readonly positive: boolean; readonly values: readonly string[] }

/** Of an operator and its value, whatever the label. */
type KnownMatcher = {
  readonly key: string
  readonly predicate: Predicate
  readonly matchesEmpty: boolean
  /** The values that the matcher lets through (positive) or keeps out, when it names them. */
  readonly literals: Literals | null
  /** As `regexWeight`. */
  readonly weight: number
}

/** Of this thread: an expression of the regular expression engine takes longer to compile than most selections do. */
const knownMatchers = new Map<string, KnownMatcher>()
const KNOWN_MATCHERS_MAX = 500
const KNOWN_CHARS_MAX = 1000

/** @throws MatcherError */
function knownOf(matcher: Matcher): KnownMatcher {
  const { op, value } = matcher
  const isRegex = op === '=~' || op === '!~'
  const key = `${op} ${value}`
  const before = isRegex ? knownMatchers.get(key) : undefined
  if (before !== undefined) return before
  const predicate = compileMatcher(matcher)
  const values = isRegex ? literalAlternatives(value) : [value]
  const known = {
    key,
    predicate,
    matchesEmpty: predicate(''),
    literals: values === null ? null : { positive: op === '=' || op === '=~', values },
    weight: isRegex ? regexWeight(value) : 0,
  }
  if (!isRegex || key.length > KNOWN_CHARS_MAX) return known
  if (knownMatchers.size >= KNOWN_MATCHERS_MAX) knownMatchers.clear()
  knownMatchers.set(key, known)
  return known
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
