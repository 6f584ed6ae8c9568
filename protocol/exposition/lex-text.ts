/**
 * The text format 0.0.4: blanks between tokens, comments anywhere, raw newlines inside quotes.
 * Semantics: Prometheus model/textparse/promlex.l (v3).
 */
import {
  type Cursor,
  HASH,
  isBlank,
  isDigit,
  isLabelStart,
  isMetricStart,
  LF,
  lexLabelName,
  lexMetricName,
  lexQuoted,
  lexWord,
  Mode,
  QUOTE,
  Token,
} from './lexer.ts'

export function lexText(cursor: Cursor): Token {
  if (cursor.at >= cursor.lengthBytes) return Token.end
  cursor.start = cursor.at
  const c = cursor.current()
  if (isBlank(c)) {
    // A meta line's text starts with its blank; a run of nothing but blanks is no text.
    let next = cursor.advance()
    while (isBlank(next)) next = cursor.advance()
    if (cursor.mode !== Mode.metaText || next === LF || next === 0) return Token.whitespace
    return restOfLine(cursor)
  }
  switch (cursor.mode) {
    case Mode.init:
      return lexLineStart(cursor, c)
    case Mode.comment:
      return lexComment(cursor)
    case Mode.metaName:
      return lexMetaName(cursor, c)
    case Mode.metaText:
      return restOfLine(cursor)
    case Mode.labels:
      return lexLabels(cursor, c)
    case Mode.labelValue:
      if (c !== QUOTE || !lexQuoted(cursor, true)) return Token.invalid
      cursor.mode = Mode.labels
      return Token.labelValue
    case Mode.value:
      return lexValue(cursor, c)
    case Mode.timestamp:
      return lexTimestamp(cursor, c)
    default:
      throw new Error(`BUG: mode ${cursor.mode} in the text format`)
  }
}

function lexLineStart(cursor: Cursor, c: number): Token {
  if (c === HASH) {
    let next = cursor.advance()
    if (!isBlank(next)) return consumeComment(cursor)
    while (isBlank(next)) next = cursor.advance()
    cursor.mode = Mode.comment
    return lexComment(cursor)
  }
  if (isMetricStart(c)) {
    lexMetricName(cursor)
    cursor.mode = Mode.value
    return Token.metricName
  }
  if (c !== LF && c !== 0 && c !== 123) return Token.invalid
  cursor.advance()
  if (c === 0) return Token.end
  if (c === LF) return Token.linebreak
  cursor.mode = Mode.labels
  return Token.braceOpen
}

function lexComment(cursor: Cursor): Token {
  const c = cursor.current()
  const word = c === 72 ? 'HELP' : c === 84 ? 'TYPE' : ''
  if (word === '' || !lexWord(cursor, word)) return consumeComment(cursor)
  let next = cursor.advance()
  if (!isBlank(next)) return consumeComment(cursor)
  while (isBlank(next)) next = cursor.advance()
  cursor.mode = Mode.metaName
  return word === 'HELP' ? Token.help : Token.type
}

/** To the newline; a NUL ends the input, as upstream. */
function consumeComment(cursor: Cursor): Token {
  for (let c = cursor.current(); ; c = cursor.advance()) {
    if (c === 0) return Token.end
    if (c === LF) {
      cursor.mode = Mode.init
      return Token.comment
    }
  }
}

function lexMetaName(cursor: Cursor, c: number): Token {
  if (c === QUOTE) {
    if (!lexQuoted(cursor, true)) return Token.invalid
  } else if (isMetricStart(c)) lexMetricName(cursor)
  else return Token.invalid
  cursor.mode = Mode.metaText
  return Token.metricName
}

function restOfLine(cursor: Cursor): Token {
  let c = cursor.current()
  while (c !== LF && c !== 0) c = cursor.advance()
  cursor.mode = Mode.init
  return Token.text
}

function lexLabels(cursor: Cursor, c: number): Token {
  if (isLabelStart(c)) {
    lexLabelName(cursor)
    return Token.labelName
  }
  if (c === QUOTE) return lexQuoted(cursor, true) ? Token.quotedString : Token.invalid
  if (c !== 44 && c !== 61 && c !== 125) return Token.invalid
  cursor.advance()
  if (c === 44) return Token.comma
  cursor.mode = c === 61 ? Mode.labelValue : Mode.value
  return c === 61 ? Token.equal : Token.braceClose
}

function lexValue(cursor: Cursor, c: number): Token {
  if (c === 123) {
    cursor.advance()
    cursor.mode = Mode.labels
    return Token.braceOpen
  }
  if (c === LF || c === 0) return Token.invalid
  let next = cursor.advance()
  while (next !== LF && next !== 0 && next !== 123 && !isBlank(next)) next = cursor.advance()
  cursor.mode = Mode.timestamp
  return Token.value
}

function lexTimestamp(cursor: Cursor, c: number): Token {
  if (c === LF) {
    cursor.advance()
    cursor.mode = Mode.init
    return Token.linebreak
  }
  if (!isDigit(c)) return Token.invalid
  let next = cursor.advance()
  while (isDigit(next)) next = cursor.advance()
  return Token.timestamp
}
