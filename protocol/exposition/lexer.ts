/**
 * Tokens of an exposition page: the cursor and the modes that both formats share. The formats' own rules are in
 * `lex-text.ts` and `lex-openmetrics.ts`.
 *
 * The lexer is a plain state machine without backtracking, and where it stops on an error is part of upstream's
 * message; so the rules mirror upstream's automaton character by character, NUL bytes and the end of input included
 * (both read as 0).
 * Semantics: Prometheus model/textparse, promlex.l and openmetricslex.l (v3).
 */
export const Token = {
  invalid: 0,
  end: 1,
  linebreak: 2,
  whitespace: 3,
  help: 4,
  type: 5,
  unit: 6,
  eofWord: 7,
  text: 8,
  comment: 9,
  metricName: 10,
  quotedString: 11,
  braceOpen: 12,
  braceClose: 13,
  labelName: 14,
  labelValue: 15,
  comma: 16,
  equal: 17,
  timestamp: 18,
  value: 19,
} as const
export type Token = (typeof Token)[keyof typeof Token]

/** As error messages name them; by token. */
export const TOKEN_NAMES: readonly string[] = [
  'INVALID',
  'EOF',
  'LINEBREAK',
  'WHITESPACE',
  'HELP',
  'TYPE',
  'UNIT',
  'EOFWORD',
  'TEXT',
  'COMMENT',
  'MNAME',
  'QSTRING',
  'BOPEN',
  'BCLOSE',
  'LNAME',
  'LVALUE',
  'COMMA',
  'EQUAL',
  'TIMESTAMP',
  'VALUE',
]

export const Mode = {
  init: 0,
  comment: 1,
  metaName: 2,
  metaText: 3,
  labels: 4,
  labelValue: 5,
  value: 6,
  timestamp: 7,
  exemplar: 8,
  exemplarValue: 9,
  exemplarTimestamp: 10,
} as const
export type Mode = (typeof Mode)[keyof typeof Mode]

export const LF = 10
export const TAB = 9
export const SPACE = 32
export const QUOTE = 34
export const HASH = 35
export const BACKSLASH = 92

/** Where the lexer stands. `at` is one past the token, or on the byte that could not be read. */
export class Cursor {
  readonly bytes: Uint8Array
  /** The text format reads one more newline than the page has, as upstream does. */
  readonly lengthBytes: number
  at = 0
  /** First byte of the token. */
  start = 0
  mode: Mode = Mode.init

  constructor(bytes: Uint8Array, extraNewline: boolean) {
    this.bytes = bytes
    this.lengthBytes = bytes.length + (extraNewline ? 1 : 0)
  }

  current(): number {
    if (this.at < this.bytes.length) return this.bytes[this.at]!
    return this.at < this.lengthBytes ? LF : 0
  }

  /** Moves on; NUL bytes are stepped over where text may hold them. 0 at the end. */
  advance(): number {
    this.at++
    const mode = this.mode
    if (mode === Mode.labelValue || mode === Mode.metaText || mode === Mode.comment) {
      while (this.at < this.bytes.length && this.bytes[this.at] === 0) this.at++
    }
    return this.current()
  }

  /** Bytes `[from, to)`, the extra newline included. */
  slice(from: number, to: number): Uint8Array {
    const end = Math.min(to, this.lengthBytes)
    if (end <= this.bytes.length) return this.bytes.subarray(from, end)
    const out = new Uint8Array(end - from)
    out.set(this.bytes.subarray(from))
    out[end - from - 1] = LF
    return out
  }
}

export const isBlank = (c: number): boolean => c === SPACE || c === TAB
const isLetter = (c: number): boolean => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95
export const isDigit = (c: number): boolean => c >= 48 && c <= 57
export const isLabelStart = isLetter
export const isMetricStart = (c: number): boolean => isLetter(c) || c === 58

export function lexMetricName(cursor: Cursor): void {
  let c = cursor.advance()
  while (isMetricStart(c) || isDigit(c)) c = cursor.advance()
}

export function lexLabelName(cursor: Cursor): void {
  let c = cursor.advance()
  while (isLetter(c) || isDigit(c)) c = cursor.advance()
}

/** From the opening quote to one past the closing one; false where it breaks off. A NUL ends it, as upstream. */
export function lexQuoted(cursor: Cursor, newlines: boolean): boolean {
  let c = cursor.advance()
  while (c !== QUOTE) {
    if (c === 0 || (c === LF && !newlines)) return false
    if (c === BACKSLASH) {
      c = cursor.advance()
      if (c === 0 || c === LF) return false
    }
    c = cursor.advance()
  }
  cursor.advance()
  return true
}

/** Reads the letters of `word` after its first, which is under the cursor; false at the first that differs. */
export function lexWord(cursor: Cursor, word: string): boolean {
  for (let i = 1; i < word.length; i++) if (cursor.advance() !== word.charCodeAt(i)) return false
  return true
}
