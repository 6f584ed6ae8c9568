/**
 * Regular expressions that say no more than a shell pattern does: alternatives of literal text, `.`, `.*`, `.+` and
 * classes of one range. Most of those that people write in selectors are, and a walk over the text, linear in its
 * length, answers them an order of magnitude sooner than the regular expression engine.
 *
 * Each alternative is a list of segments with gaps of any length between them. A segment is taken where it first fits:
 * if some match exists, then also one with all segments but the last as far to the left as they go.
 */

/** Ranges of UTF-16 units, one per position: `from[i] <= unit <= to[i]`. */
type Segment = {
  readonly from: readonly number[]
  readonly to: readonly number[]
  /** Null when some position is no single character. */
  readonly literal: string | null
}

type Glob = {
  readonly segments: readonly Segment[]
  readonly startsOpen: boolean
  readonly endsOpen: boolean
  /** A `.` or class stands for a character, which two units of the text may be. */
  readonly countsCharacters: boolean
}

const SPECIAL = '\\.+*?()[]{}^$|'
const ANY_TO = 0xffff
const SURROGATES = /[\ud800-\udfff]/

/**
 * Whether a text matches as a whole; null for a pattern that says more. `fallback` is asked about the rare texts for
 * which units and characters are not the same.
 */
export function globPredicate(
  pattern: string,
  fallback: () => (text: string) => boolean,
): ((text: string) => boolean) | null {
  const globs: Glob[] = []
  for (const alternative of splitAlternatives(pattern)) {
    const glob = parseGlob(alternative)
    if (glob === null) return null
    globs.push(glob)
  }
  const countsCharacters = globs.some((glob) => glob.countsCharacters)
  let exact: ((text: string) => boolean) | null = null
  const matches = globs.length === 1 ? matcherOf(globs[0]!) : anyOf(globs.map(matcherOf))
  if (!countsCharacters) return matches
  return (text) => {
    if (!SURROGATES.test(text)) return matches(text)
    exact ??= fallback()
    return exact(text)
  }
}

const matcherOf =
  (glob: Glob): ((text: string) => boolean) =>
  (text) =>
    matchesGlob(glob, text)

const anyOf =
  (matchers: readonly ((text: string) => boolean)[]): ((text: string) => boolean) =>
  (text) =>
    matchers.some((matches) => matches(text))

/** Of the whole pattern, or of the one group around it. */
function splitAlternatives(pattern: string): string[] {
  const body = /^\((?:\?:)?([^()[\]\\]*)\)$/.exec(pattern)?.[1] ?? pattern
  return /[\\[(]/.test(body) ? [body] : body.split('|')
}

function parseGlob(text: string): Glob | null {
  const segments: Segment[] = []
  let from: number[] = []
  let to: number[] = []
  let startsOpen = false
  let endsOpen = false
  let countsCharacters = false
  let hasPlus = false
  const endSegment = (): void => {
    if (from.length === 0) {
      if (segments.length === 0) startsOpen = true
    } else {
      segments.push({ from, to, literal: literalOf(from, to) })
      from = []
      to = []
    }
    endsOpen = true
  }
  const add = (low: number, high: number): void => {
    from.push(low)
    to.push(high)
    endsOpen = false
  }
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (char === '.') {
      const next = text[i + 1]
      if (next === '*' || next === '+') {
        // One unit is enough for one `.+`: what it leaves of a character belongs to the gap. Two could share one.
        if (next === '+') {
          if (hasPlus) countsCharacters = true
          hasPlus = true
          add(0, ANY_TO)
        }
        endSegment()
        i++
      } else {
        add(0, ANY_TO)
        countsCharacters = true
      }
    } else if (char === '\\') {
      const next = text[++i]
      if (next === undefined || /[\p{L}\p{N}]/u.test(next) || next.charCodeAt(0) > 0x7e) return null
      add(next.charCodeAt(0), next.charCodeAt(0))
    } else if (char === '[') {
      const range = /^\[([A-Za-z0-9])-([A-Za-z0-9])\]/.exec(text.slice(i, i + 5))
      if (range === null || range[1]! > range[2]!) return null
      add(range[1]!.charCodeAt(0), range[2]!.charCodeAt(0))
      i += 4
    } else if (SPECIAL.includes(char)) return null
    else add(char.charCodeAt(0), char.charCodeAt(0))
    // A count of what came last, or of a gap: more than a glob says.
    const after = text[i + 1]
    if (after === '*' || after === '+' || after === '?' || after === '{') return null
  }
  if (from.length > 0) segments.push({ from, to, literal: literalOf(from, to) })
  return { segments, startsOpen, endsOpen: endsOpen || (text === '' && startsOpen), countsCharacters }
}

function literalOf(from: readonly number[], to: readonly number[]): string | null {
  if (!from.every((low, i) => low === to[i])) return null
  let text = ''
  // Not spread: a call takes no more than some 100,000 arguments.
  for (const unit of from) text += String.fromCharCode(unit)
  return text
}

function matchesGlob({ segments, startsOpen, endsOpen }: Glob, text: string): boolean {
  const { length } = segments
  let at = 0
  for (let i = 0; i < length; i++) {
    const segment = segments[i]!
    const size = segment.from.length
    if (i === length - 1 && !endsOpen) {
      const last = text.length - size
      if (last < at || (i === 0 && !startsOpen && last !== 0)) return false
      return fits(segment, text, last)
    }
    if (i === 0 && !startsOpen) {
      if (!fits(segment, text, 0)) return false
      at = size
      continue
    }
    const found = find(segment, text, at)
    if (found < 0) return false
    at = found + size
  }
  return length > 0 || endsOpen || text === ''
}

function find(segment: Segment, text: string, from: number): number {
  if (segment.literal !== null) return text.indexOf(segment.literal, from)
  for (let at = from; at + segment.from.length <= text.length; at++) if (fits(segment, text, at)) return at
  return -1
}

function fits({ from, to, literal }: Segment, text: string, at: number): boolean {
  if (literal !== null) return text.startsWith(literal, at)
  if (at + from.length > text.length) return false
  for (let i = 0; i < from.length; i++) {
    const unit = text.charCodeAt(at + i)
    if (unit < from[i]! || unit > to[i]!) return false
  }
  return true
}
