/**
 * Rules of NATS subjects. Inside this room a subject is a *wire string*: one character per byte (latin-1), so that
 * bytes need no decoding on the way through; `toWire` and `fromWire` convert at the local handle.
 */
/** As nats-server refuses more than it can index; also bounds the depth of the trie. */
export const MAX_SUBJECT_TOKENS = 64

/** A subject to subscribe to: no empty tokens, `>` only as the last. */
export function isValidPattern(subject: string): boolean {
  const tokens = subject.split('.')
  if (tokens.length > MAX_SUBJECT_TOKENS) return false
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!
    if (token === '' || WHITESPACE.test(token)) return false
    if (token === '>' && i !== tokens.length - 1) return false
  }
  return true
}

/** A subject to publish to: valid and without wildcard tokens. */
export function isLiteral(subject: string): boolean {
  return isValidPattern(subject) && !hasWildcard(subject)
}

export function hasWildcard(subject: string): boolean {
  return subject.split('.').some((token) => token === '*' || token === '>')
}

/**
 * True when every subject that `pattern` matches is matched by `allowed` too. A literal is the pattern of itself, so
 * this is also the test for publishing.
 */
export function isSubset(pattern: readonly string[], allowed: readonly string[]): boolean {
  for (let i = 0; i < allowed.length; i++) {
    if (i >= pattern.length) return false
    if (allowed[i] === '>') return true
    if (pattern[i] === '>') return false
    if (allowed[i] !== '*' && allowed[i] !== pattern[i]) return false
  }
  return pattern.length === allowed.length
}

export function toWire(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

export function fromWire(wire: string): string {
  return ASCII.test(wire) ? wire : Buffer.from(wire, 'latin1').toString('utf8')
}

const ASCII = /^[\x00-\x7f]*$/
const WHITESPACE = /[ \t\r\n\f\0]/
