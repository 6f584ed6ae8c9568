/**
 * Text to tokens, one at a time, with the states upstream has: statements, braces, brackets, value sequences,
 * histograms. A byte-level state machine whose quirks show in error messages, so it follows upstream state by state
 * instead of being shorter. Semantics: Prometheus promql/parser/lex.go (v3.14).
 */
import { quote } from '../../../protocol/labels/mod.ts'
import { fromByteString, quoteRune, runeAt } from './bytes.ts'
import { isAlpha, isAlphaNumeric, isDigit, isSpace, Scanner } from './scanner.ts'
import { keywordType, type Token, type TokenType } from './tokens.ts'

type State = () => State | null

export class Lexer extends Scanner {
  /** Start of the token being read: where a lexical error begins. */
  start = 0
  /** Start of the token given out last. */
  lastPos = 0
  private state: State | null
  private item: Token | null = null
  private parenDepth = 0
  private braceOpen = false
  private bracketOpen = false
  private gotColon = false
  private gotDuration = false
  private histogram: 'none' | 'open' | 'times' | 'add' | 'sub' = 'none'

  /** @param source a byte string @param seriesDesc reads the series notation of test scripts */
  constructor(source: string, seriesDesc = false) {
    super(source, seriesDesc)
    this.state = this.statements
  }

  /** After the end (or an error) every further token is `eof`. */
  next(): Token {
    this.item = null
    if (this.state === null) this.emit('eof')
    while (this.item === null) {
      const state: State | null = this.state
      if (state === null) throw new Error('BUG: the lexer stopped without a token')
      this.state = state.call(this)
    }
    const token: Token = this.item
    this.lastPos = token.pos
    return token
  }

  /**
   * The end of the closing parenthesis before the one read last: for an aggregation whose parser had to look one
   * token too far. As Lexer.findPrevRightParen.
   */
  previousRightParen(fallback: number): number {
    const { source, lastPos } = this
    if (fallback <= 0 || fallback > source.length || lastPos <= 0 || lastPos >= source.length) return fallback
    if (source[lastPos] !== ')') return fallback
    for (let i = lastPos - 1; i > 0; i--) {
      const char = source[i]!
      if (char === ')') return i + 1
      if (!isSpace(char)) return fallback
    }
    return fallback
  }

  private emit(type: TokenType): void {
    this.item = { type, pos: this.start, val: this.source.slice(this.start, this.pos) }
    this.start = this.pos
  }

  private fail(message: string): null {
    this.item = { type: 'error', pos: this.start, val: message }
    return null
  }

  private skipSpaces(): void {
    while (isSpace(this.peek())) this.pos++
    this.start = this.pos
  }

  /** Reads one char and emits. */
  private take(type: TokenType, next: State): State {
    this.emit(type)
    return next
  }

  private statements(): State | null {
    if (this.histogram !== 'none') return this.inHistogram
    if (this.braceOpen) return this.insideBraces
    const char = this.peek()
    if (char === '#') return this.lineComment
    if (char === '') {
      if (this.parenDepth !== 0) return this.fail('unclosed left parenthesis')
      if (this.bracketOpen) return this.fail('unclosed left bracket')
      this.emit('eof')
      return null
    }
    this.pos++
    switch (char) {
      case ' ':
      case '\t':
      case '\n':
      case '\r':
        return this.spaces
      case ',':
      case '*':
      case '%':
      case '+':
      case '-':
      case '/':
      case '^':
      case '@':
        return this.take(char, this.statements)
      case '=':
        if (this.accept('=')) return this.take('==', this.statements)
        if (this.peek() === '~') return this.fail(`unexpected character after '=': '~'`)
        return this.take('=', this.statements)
      case '!': {
        if (this.accept('=')) return this.take('!=', this.statements)
        return this.fail(`unexpected character after '!': ${quoteRune(runeAt(this.source, this.pos))}`)
      }
      case '<':
        if (this.accept('=')) return this.take('<=', this.statements)
        if (this.accept('/')) return this.take('</', this.statements)
        return this.take('<', this.statements)
      case '>':
        if (this.accept('=')) return this.take('>=', this.statements)
        if (this.accept('/')) return this.take('>/', this.statements)
        return this.take('>', this.statements)
      case '"':
      case "'":
        this.quoteChar = char
        return this.quotedString
      case '`':
        this.quoteChar = char
        return this.rawString
      case '(':
        this.emit('(')
        this.parenDepth++
        return this.statements
      case ')':
        return this.rightParen(this.statements)
      case '{':
        this.emit('{')
        this.braceOpen = true
        return this.insideBraces
      case '[':
        return this.leftBracket()
      case ']':
        if (!this.bracketOpen) return this.fail(`unexpected right bracket ']'`)
        this.emit(']')
        this.bracketOpen = false
        return this.statements
      default:
    }
    if (isDigit(char) || (char === '.' && isDigit(this.peek()))) {
      this.pos--
      return this.numberOrDuration
    }
    if (isAlpha(char) || char === ':') {
      if (this.bracketOpen) return this.wordInBrackets(char)
      this.pos--
      return this.keywordOrIdentifier
    }
    return this.fail(`unexpected character: ${quoteRune(runeAt(this.source, this.pos - 1))}`)
  }

  /** Returned as a state function so that the error comes as a token of its own, after the parenthesis. */
  private rightParen(next: State): State | null {
    this.emit(')')
    this.parenDepth--
    if (this.parenDepth >= 0) return next
    // Upstream overwrites the emitted item with the error.
    return this.fail(`unexpected right parenthesis ')'`)
  }

  private leftBracket(): State | null {
    if (this.bracketOpen) return this.fail(`unexpected left bracket '['`)
    this.gotColon = false
    this.emit('[')
    if (isSpace(this.peek())) this.skipSpaces()
    this.bracketOpen = true
    return this.durationExpr
  }

  private wordInBrackets(char: string): State | null {
    if (char === ':') {
      if (this.gotColon) return this.fail(`unexpected colon ':'`)
      this.emit(':')
      this.gotColon = true
      return this.statements
    }
    if ('sSmMrR'.includes(char) && this.durationKeyword()) return this.statements
    return this.fail(`unexpected character: ${quoteRune(char)}, expected ':'`)
  }

  /** Between brackets, until the first number. */
  private durationExpr(): State | null {
    const char = this.peek()
    if (char === '') return this.fail('unexpected end of input in duration expression')
    this.pos++
    switch (char) {
      case ']':
        this.emit(']')
        this.bracketOpen = false
        this.gotColon = false
        return this.statements
      case ':':
        this.emit(':')
        if (!this.gotDuration) return this.fail('unexpected colon before duration in duration expression')
        if (this.gotColon) return this.fail('unexpected repeated colon in duration expression')
        this.gotColon = true
        return this.durationExpr
      case '(':
        this.emit('(')
        this.parenDepth++
        return this.durationExpr
      case ')':
        return this.rightParen(this.durationExpr)
      case '+':
      case '-':
      case '*':
      case '/':
      case '%':
      case '^':
      case ',':
        return this.take(char, this.durationExpr)
      default:
    }
    if (isSpace(char)) {
      this.skipSpaces()
      return this.durationExpr
    }
    if ('sSmMrR'.includes(char)) {
      if (this.durationKeyword()) {
        // Differs: upstream wants a number before the colon, so that it cannot read `foo[step():1m]`.
        this.gotDuration = true
        return this.durationExpr
      }
      return this.fail(`unexpected character in duration expression: ${quoteRune(char)}`)
    }
    if (isDigit(char) || (char === '.' && isDigit(this.peek()))) {
      this.pos--
      this.gotDuration = true
      return this.numberOrDuration
    }
    return this.fail(`unexpected character in duration expression: ${quoteRune(runeAt(this.source, this.pos - 1))}`)
  }

  private durationKeyword(): boolean {
    while (isAlpha(this.peek())) this.pos++
    const word = this.source.slice(this.start, this.pos).toLowerCase()
    if (word !== 'step' && word !== 'range' && word !== 'min_of' && word !== 'max_of') return false
    this.emit(word)
    return true
  }

  private insideBraces(): State | null {
    const char = this.peek()
    if (char === '#') return this.lineComment
    if (char === '') return this.fail('unexpected end of input inside braces')
    this.pos++
    switch (char) {
      case ',':
        return this.take(',', this.insideBraces)
      case '"':
      case "'":
        this.quoteChar = char
        return this.quotedString
      case '`':
        this.quoteChar = char
        return this.rawString
      case '=':
        return this.take(this.accept('~') ? '=~' : '=', this.insideBraces)
      case '!':
        if (this.accept('~')) return this.take('!~', this.insideBraces)
        if (this.accept('=')) return this.take('!=', this.insideBraces)
        return this.fail(`unexpected character after '!' inside braces: ${quoteRune(runeAt(this.source, this.pos))}`)
      case '{':
        return this.fail(`unexpected left brace '{'`)
      case '}':
        this.emit('}')
        this.braceOpen = false
        return this.seriesDesc ? this.valueSequence : this.statements
      default:
    }
    if (isSpace(char)) return this.spaces
    if (isAlpha(char)) {
      while (isAlphaNumeric(this.peek())) this.pos++
      return this.take('identifier', this.statements)
    }
    return this.fail(`unexpected character inside braces: ${quoteRune(runeAt(this.source, this.pos - 1))}`)
  }

  private spaces(): State {
    this.skipSpaces()
    return this.statements
  }

  private lineComment(): State {
    while (this.pos < this.source.length && this.peek() !== '\n' && this.peek() !== '\r') this.pos++
    return this.take('comment', this.statements)
  }

  private quotedString(): State | null {
    const { source } = this
    for (;;) {
      const char = this.peek()
      if (char === '' || char === '\n') return this.fail('unterminated quoted string')
      if (char === '\\') {
        this.pos++
        const problem = this.escape()
        if (problem !== null) return this.fail(problem)
        continue
      }
      if (source.startsWith('\xef\xbf\xbd', this.pos)) return this.fail('invalid UTF-8 rune')
      this.pos++
      if (char === this.quoteChar) return this.take('string', this.statements)
    }
  }

  private rawString(): State | null {
    const { source } = this
    const end = source.indexOf(this.quoteChar, this.pos)
    const bad = source.indexOf('\xef\xbf\xbd', this.pos)
    if (bad >= 0 && (end < 0 || bad < end)) return this.fail('invalid UTF-8 rune')
    if (end < 0) return this.fail('unterminated raw string')
    this.pos = end + 1
    return this.take('string', this.statements)
  }

  private number(): State | null {
    if (!this.scanNumber()) {
      return this.fail(`bad number syntax: ${quote(fromByteString(this.source.slice(this.start, this.pos)))}`)
    }
    return this.take('number', this.statements)
  }

  private numberOrDuration(): State | null {
    if (this.scanNumber()) return this.take('number', this.statements)
    if (this.acceptDuration()) return this.take('duration', this.statements)
    const text = fromByteString(this.source.slice(this.start, this.pos))
    return this.fail(`bad number or duration syntax: ${quote(text)}`)
  }

  private keywordOrIdentifier(): State | null {
    while (isAlphaNumeric(this.peek()) || this.peek() === ':') this.pos++
    // `stalex3` is a repetition, not a name.
    if (this.seriesDesc && /^stalex\d+$/.test(this.source.slice(this.start, this.pos))) this.pos = this.start + 5
    const word = this.source.slice(this.start, this.pos)
    let type: TokenType = keywordType(word) ?? (word.includes(':') ? 'metric identifier' : 'identifier')
    // So that `fill` can still name a metric.
    if ((type === 'fill' || type === 'fill_left' || type === 'fill_right') && !this.parenFollows()) type = 'identifier'
    this.emit(type)
    return this.seriesDesc && this.peek() !== '{' ? this.valueSequence : this.statements
  }

  private parenFollows(): boolean {
    let i = this.pos
    while (i < this.source.length && isSpace(this.source[i]!)) i++
    return this.source[i] === '('
  }

  /** Values of a series description, see series-description. */
  private valueSequence(): State | null {
    if (this.histogram !== 'none') return this.inHistogram
    const char = this.peek()
    if (char === '') return this.statements
    this.pos++
    if (char === '{' && this.peek() === '{') {
      this.histogram = 'open'
      this.pos++
      return this.take('{{', this.inHistogram)
    }
    if (isSpace(char)) {
      this.emit(' ')
      this.skipSpaces()
      return this.valueSequence
    }
    if (char === '+' || char === '-' || char === 'x' || char === '_') return this.take(char, this.valueSequence)
    if (isDigit(char) || (char === '.' && isDigit(this.peek()))) {
      this.pos--
      return this.number() === null ? null : this.valueSequence
    }
    if (isAlpha(char)) {
      this.pos--
      return this.keywordOrIdentifier
    }
    return this.fail(`unexpected character in series sequence: ${quoteRune(runeAt(this.source, this.pos - 1))}`)
  }

  private inHistogram(): State | null {
    if (this.histogram !== 'open') {
      const type = this.histogram === 'times' ? 'x' : this.histogram === 'add' ? '+' : '-'
      this.histogram = 'none'
      this.pos++
      return this.take(type, this.valueSequence)
    }
    if (this.bracketOpen) return this.buckets
    const char = this.peek()
    if (isAlpha(char)) return this.histogramWord
    if (isDigit(char)) return this.number
    const rune = runeAt(this.source, this.pos)
    if (char !== '') this.pos++
    if (isSpace(char)) return this.take(' ', this.spaces)
    if (char === ':' || char === '-') return this.take(char, this.inHistogram)
    if (char === '[') {
      this.bracketOpen = true
      this.gotColon = false
      this.gotDuration = false
      return this.take('[', this.buckets)
    }
    if (char === '}' && this.accept('}')) {
      this.emit('}}')
      const after = this.peek()
      this.histogram = after === 'x' ? 'times' : after === '+' ? 'add' : after === '-' ? 'sub' : 'none'
      return this.valueSequence
    }
    return this.fail(`histogram description incomplete unexpected: ${quoteRune(rune)}`)
  }

  private histogramWord(): State | null {
    while (isAlpha(this.peek())) this.pos++
    const word = this.source.slice(this.start, this.pos)
    const key = HISTOGRAM_WORDS.get(word.toLowerCase())
    if (key !== undefined) {
      if (this.peek() !== ':') return this.fail('missing `:` for histogram descriptor')
      return this.take(key, this.inHistogram)
    }
    if (keywordType(word) === 'number') return this.take('number', this.inHistogram)
    const hint = HINT_WORDS.get(word.toLowerCase())
    if (hint !== undefined) return this.take(hint, this.inHistogram)
    return this.fail(`bad histogram descriptor found: ${quote(word)}`)
  }

  private buckets(): State | null {
    for (;;) {
      const char = this.peek()
      if (isDigit(char)) return this.number
      const rune = runeAt(this.source, this.pos)
      if (char !== '') this.pos++
      if (isSpace(char)) return this.take(' ', this.spaces)
      if (char === '-') return this.take('-', this.number)
      if (char === ']') {
        this.bracketOpen = false
        return this.take(']', this.inHistogram)
      }
      if (!isAlpha(char)) return this.fail(`invalid character in buckets description: ${quoteRune(rune)}`)
      if (keywordType(this.source.slice(this.start, this.pos)) === 'number') return this.take('number', this.statements)
    }
  }
}

const HISTOGRAM_WORDS: ReadonlyMap<string, TokenType> = new Map<string, TokenType>([
  ['sum', 'sum:'],
  ['count', 'count:'],
  ['schema', 'schema:'],
  ['offset', 'offset:'],
  ['n_offset', 'n_offset:'],
  ['buckets', 'buckets:'],
  ['n_buckets', 'n_buckets:'],
  ['z_bucket', 'z_bucket:'],
  ['z_bucket_w', 'z_bucket_w:'],
  ['custom_values', 'custom_values:'],
  ['counter_reset_hint', 'counter_reset_hint:'],
])
const HINT_WORDS: ReadonlyMap<string, TokenType> = new Map<string, TokenType>([
  ['unknown', 'hint unknown'],
  ['reset', 'hint reset'],
  ['not_reset', 'hint not_reset'],
  ['gauge', 'hint gauge'],
])
