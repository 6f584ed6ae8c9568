/**
 * How well a name fits a term that was typed, from 0 to 1. Semantics: Prometheus web/api/v1/search_filters.go and
 * util/strutil, SubsequenceMatcher and JaroWinklerMatcher (v3.14); in their order of operations, so that scores are
 * equal to the last bit.
 */

/** null: it does not fit. */
export type Scorer = (name: string) => number | null

export type SearchOptions = {
  readonly terms: readonly string[]
  readonly algorithm: SearchAlgorithm
  /** From 0 to 1: what fits less is left out. */
  readonly threshold: number
  readonly caseSensitive: boolean
}
export const SEARCH_ALGORITHMS = ['subsequence', 'jarowinkler'] as const
export type SearchAlgorithm = (typeof SEARCH_ALGORITHMS)[number]

/** By the term that fits best; without terms everything fits. */
export function scorerOf({ terms, algorithm, threshold, caseSensitive }: SearchOptions): Scorer {
  const cased = (text: string): string => (caseSensitive ? text : text.toLowerCase())
  const fits = algorithm === 'subsequence' ? inOrder : alike
  const scorers = terms.map((term) => fits(cased(term), threshold))
  if (scorers.length === 0) return () => 1
  return (name) => {
    const text = cased(name)
    let best: number | null = null
    for (const scorer of scorers) {
      const score = scorer(text)
      if (score !== null && (best === null || score > best)) best = score
    }
    return best
  }
}

function inOrder(term: string, threshold: number): Scorer {
  return (name) => {
    if (name.startsWith(term)) return 1
    const score = subsequenceScore(term, name)
    return score > 0 && score >= threshold ? score : null
  }
}

function alike(term: string, threshold: number): Scorer {
  return (name) => {
    if (name.includes(term)) return name.startsWith(term) ? 1 : 0.9
    if (threshold === 0) return null
    const score = jaroWinkler(term, name)
    return score >= threshold ? score : null
  }
}

/**
 * 0 where the characters of `term` are not all in `text`, in order. Long runs of them count much, gaps a little.
 * @example subsequenceScore('tex', 'my awesome text') // 247 / 270
 */
export function subsequenceScore(term: string, text: string): number {
  if (term === '' || term === text) return 1
  const [wanted, given] = [[...term], [...text]]
  let best = -1
  for (let start = 0; start + wanted.length <= given.length; start++) {
    if (given[start] !== wanted[0]) continue
    const score = scoreFrom(wanted, given, start)
    // What is not found from here is not found further on.
    if (score === null) break
    best = Math.max(best, score)
  }
  return best < 0 ? 0 : best / (wanted.length * wanted.length)
}

/** Takes each character where it comes first. */
function scoreFrom(wanted: readonly string[], given: readonly string[], start: number): number | null {
  const perCharacter = 1 / given.length
  let score = 0
  let next = 0
  let lastEnd = -1
  let i = start
  while (next < wanted.length) {
    while (i < given.length && given[i] !== wanted[next]) i++
    if (i === given.length) return null
    const from = i
    for (; i < given.length && next < wanted.length && given[i] === wanted[next]; i++) next++
    const gap = from - lastEnd - 1
    if (gap > 0) score -= gap * perCharacter
    score += (i - from) * (i - from)
    lastEnd = i - 1
  }
  return score - (given.length - 1 - lastEnd) * perCharacter * 0.5
}

const PREFIX_WEIGHT = 0.1
const PREFIX_MAX = 4

/** Similarity of two texts by their common characters, more where they begin alike. */
export function jaroWinkler(a: string, b: string): number {
  if (a === b) return 1
  if (a === '' || b === '') return 0
  const [short, long] = [[...a], [...b]].sort((x, y) => x.length - y.length) as [string[], string[]]
  const reach = Math.max(0, Math.floor(long.length / 2) - 1)
  const taken = new Uint8Array(long.length)
  const common: string[] = []
  for (const [i, character] of short.entries()) {
    const end = Math.min(i + reach + 1, long.length)
    for (let j = Math.max(0, i - reach); j < end; j++) {
      if (taken[j] === 1 || long[j] !== character) continue
      taken[j] = 1
      common.push(character)
      break
    }
  }
  if (common.length === 0) return 0
  const swapped = long.filter((_, j) => taken[j] === 1).filter((character, k) => character !== common[k]).length
  const matches = common.length
  const jaro = (matches * (1 / short.length) + matches * (1 / long.length) + (matches - swapped * 0.5) / matches) / 3
  let prefix = 0
  while (prefix < Math.min(PREFIX_MAX, short.length) && short[prefix] === long[prefix]) prefix++
  return jaro + prefix * PREFIX_WEIGHT * (1 - jaro)
}
