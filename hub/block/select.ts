/**
 * Which series of a block match: the postings of the matchers that need a label, cut down by the rest.
 * Semantics: Prometheus tsdb/querier.go, PostingsForMatchers (v3): a matcher that matches the empty string also
 * selects series without the label, and so can only take away.
 */
import { compileMatcher, literalAlternatives, type Matcher } from '../../protocol/matchers/mod.ts'
import type { BlockIndex } from './index-reader.ts'

/** Series must have one of the pairs (`keep`), or none of them. */
type Term = { readonly keep: boolean; readonly pairs: readonly number[]; readonly postings: number }

/** Ascending. @throws MatcherError */
export function selectRefs(index: BlockIndex, matchers: readonly Matcher[]): Uint32Array {
  const terms: Term[] = []
  for (const matcher of matchers) {
    const predicate = compileMatcher(matcher)
    const matchesEmpty = predicate('')
    const pairs = pairsOf(index, matcher, predicate, matchesEmpty)
    if (pairs.length === 0) {
      if (matchesEmpty) continue
      return new Uint32Array(0)
    }
    let postings = 0
    for (const pair of pairs) postings += index.postingsCount[pair]!
    terms.push({ keep: !matchesEmpty, pairs, postings })
  }
  // The shortest first: what it leaves is all that the others look at.
  terms.sort((a, b) => Number(b.keep) - Number(a.keep) || a.postings - b.postings)
  const start = terms[0]?.keep ? terms.shift()! : null
  let refs = start ? union(index, start) : allRefs(index.seriesCount)
  for (const term of terms) {
    const bits = mark(index, term)
    refs = refs.filter((ref) => (((bits[ref >>> 5]! >>> (ref & 31)) & 1) !== 0) === term.keep)
  }
  return refs
}

/** Pairs that match; of a matcher that matches the empty string, those that do not. */
function pairsOf(
  index: BlockIndex,
  matcher: Matcher,
  predicate: (value: string) => boolean,
  matchesEmpty: boolean,
): number[] {
  const name = index.symbolId(matcher.name)
  if (name < 0) return []
  const literals = matcher.op === '=' || matcher.op === '!=' ? [matcher.value] : literalAlternatives(matcher.value)
  const isPositive = matcher.op === '=' || matcher.op === '=~'
  // Named values: those let through, or of a negation those kept out.
  if (literals !== null && isPositive !== matchesEmpty) {
    const pairs = new Set<number>()
    for (const value of literals) {
      const id = value === '' ? -1 : index.symbolId(value)
      const pair = id < 0 ? -1 : index.findPair(name, id)
      if (pair >= 0) pairs.add(pair)
    }
    return [...pairs]
  }
  const pairs: number[] = []
  const [from, to] = index.pairRange(name)
  for (let pair = from; pair < to; pair++)
    if (predicate(index.symbols[index.pairValue[pair]!]!) !== matchesEmpty) pairs.push(pair)
  return pairs
}

function union(index: BlockIndex, term: Term): Uint32Array {
  const out = new Uint32Array(term.postings)
  let count = 0
  // The pairs are of one name, so no series is in two lists.
  for (const pair of term.pairs) count = index.copyPostings(pair, out, count)
  return term.pairs.length > 1 ? out.sort() : out
}

function mark(index: BlockIndex, term: Term): Uint32Array {
  const bits = new Uint32Array((index.seriesCount + 31) >>> 5)
  for (const ref of union(index, term)) bits[ref >>> 5]! |= 1 << (ref & 31)
  return bits
}

function allRefs(count: number): Uint32Array {
  return new Uint32Array(count).map((_, i) => i)
}
