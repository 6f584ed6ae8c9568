/**
 * OpenMetrics 1.0: single spaces, no free comments, exemplars, `# EOF` at the end.
 * Semantics: Prometheus model/textparse/openmetricslex.l (v3).
 */
import {
  type Cursor,
  HASH,
  isLabelStart,
  isMetricStart,
  LF,
  lexLabelName,
  lexMetricName,
  lexQuoted,
  lexWord,
  Mode,
  QUOTE,
  SPACE,
  Token,
} from './lexer.ts'

export function lexOpenMetrics(cursor: Cursor): Token {
  if (cursor.at >= cursor.lengthBytes) return Token.end
  cursor.start = cursor.at
  const c = cursor.current()
  switch (cursor.mode) {
    case Mode.init:
      return lexLineStart(cursor, c)
    case Mode.comment:
      return lexComment(cursor, c)
    case Mode.metaName:
      return lexMetaName(cursor, c)
    case Mode.metaText:
      return lexMetaText(cursor, c)
    case Mode.labels:
    case Mode.exemplar:
      return lexLabels(cursor, c)
    case Mode.labelValue:
      return lexLabelValue(cursor, c, Mode.labels)
    case Mode.value:
      if (c === 123) {
        cursor.advance()
        cursor.mode = Mode.labels
        return Token.braceOpen
      }
      return lexWordAfterSpace(cursor, c, Mode.timestamp, Token.value)
    case Mode.timestamp:
      return lexTimestamp(cursor, c)
    case Mode.exemplarValue:
      if (c === QUOTE) return lexLabelValue(cursor, c, Mode.exemplar)
      return lexWordAfterSpace(cursor, c, Mode.exemplarTimestamp, Token.value)
    case Mode.exemplarTimestamp:
      if (c === LF) return lexLinebreak(cursor)
      return lexWordAfterSpace(cursor, c, Mode.exemplarTimestamp, Token.timestamp)
  }
}

function lexLineStart(cursor: Cursor, c: number): Token {
  if (c === HASH) {
    if (cursor.advance() !== SPACE) return Token.invalid
    const next = cursor.advance()
    cursor.mode = Mode.comment
    return lexComment(cursor, next)
  }
  if (isMetricStart(c)) {
    lexMetricName(cursor)
    cursor.mode = Mode.value
    return Token.metricName
  }
  if (c !== 123) return Token.invalid
  cursor.advance()
  cursor.mode = Mode.labels
  return Token.braceOpen
}

function lexComment(cursor: Cursor, c: number): Token {
  if (c === 69) {
    if (!lexWord(cursor, 'EOF')) return Token.invalid
    if (cursor.advance() === LF) cursor.advance()
    cursor.mode = Mode.init
    return Token.eofWord
  }
  const word = c === 72 ? 'HELP ' : c === 84 ? 'TYPE ' : c === 85 ? 'UNIT ' : ''
  if (word === '' || !lexWord(cursor, word)) return Token.invalid
  cursor.advance()
  cursor.mode = Mode.metaName
  return c === 72 ? Token.help : c === 84 ? Token.type : Token.unit
}

function lexMetaName(cursor: Cursor, c: number): Token {
  if (c === QUOTE) {
    if (!lexQuoted(cursor, true)) return Token.invalid
  } else if (isMetricStart(c)) lexMetricName(cursor)
  else return Token.invalid
  cursor.mode = Mode.metaText
  return Token.metricName
}

/** The separating space, the text and the newline. */
function lexMetaText(cursor: Cursor, c: number): Token {
  if (c !== SPACE) return Token.invalid
  let next = cursor.advance()
  while (next !== LF) {
    if (next === 0) return Token.invalid
    next = cursor.advance()
  }
  cursor.advance()
  cursor.mode = Mode.init
  return Token.text
}

function lexLabels(cursor: Cursor, c: number): Token {
  const inExemplar = cursor.mode === Mode.exemplar
  if (isLabelStart(c)) {
    lexLabelName(cursor)
    return Token.labelName
  }
  if (c === QUOTE) return lexQuoted(cursor, !inExemplar) ? Token.quotedString : Token.invalid
  if (c !== 44 && c !== 61 && c !== 125) return Token.invalid
  cursor.advance()
  if (c === 44) return Token.comma
  if (inExemplar) cursor.mode = Mode.exemplarValue
  else cursor.mode = c === 61 ? Mode.labelValue : Mode.value
  return c === 61 ? Token.equal : Token.braceClose
}

function lexLabelValue(cursor: Cursor, c: number, after: Mode): Token {
  if (c !== QUOTE || !lexQuoted(cursor, false)) return Token.invalid
  cursor.mode = after
  return Token.labelValue
}

function lexTimestamp(cursor: Cursor, c: number): Token {
  if (c === LF) return lexLinebreak(cursor)
  if (c !== SPACE) return Token.invalid
  let next = cursor.advance()
  if (next === HASH) {
    next = cursor.advance()
    if (next === SPACE) {
      if (cursor.advance() !== 123) return Token.invalid
      cursor.advance()
      cursor.mode = Mode.exemplar
      return Token.comment
    }
    if (next === LF || next === 0) return Token.timestamp
  } else if (next === SPACE || next === LF || next === 0) return Token.invalid
  while (next !== SPACE && next !== LF && next !== 0) next = cursor.advance()
  return Token.timestamp
}

function lexLinebreak(cursor: Cursor): Token {
  cursor.advance()
  cursor.mode = Mode.init
  return Token.linebreak
}

function lexWordAfterSpace(cursor: Cursor, c: number, after: Mode, token: Token): Token {
  if (c !== SPACE) return Token.invalid
  let next = cursor.advance()
  if (next === SPACE || next === LF || next === 0) return Token.invalid
  while (next !== SPACE && next !== LF && next !== 0) next = cursor.advance()
  cursor.mode = after
  return token
}
