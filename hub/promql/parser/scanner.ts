/**
 * The position in a query's text, and what is read there whatever the lexer's state: characters, numbers, durations,
 * escape sequences. Semantics: Prometheus promql/parser/lex.go (v3.14).
 */
import { runeAt, unicodeName } from './bytes.ts'

const DIGITS = '0123456789'
const HEX = '0123456789abcdefABCDEF'

export class Scanner {
  /** A byte string. */
  readonly source: string
  protected readonly seriesDesc: boolean
  protected pos = 0
  /** Of the string being read. */
  protected quoteChar = ''

  constructor(source: string, seriesDesc: boolean) {
    this.source = source
    this.seriesDesc = seriesDesc
  }

  protected peek(): string {
    return this.source[this.pos] ?? ''
  }

  protected accept(chars: string): boolean {
    const char = this.peek()
    if (char === '' || !chars.includes(char)) return false
    this.pos++
    return true
  }

  protected acceptRun(chars: string): void {
    while (this.accept(chars));
  }

  /** @returns what is wrong with the escape sequence whose backslash has been read */
  protected escape(): string | null {
    const char = this.peek()
    if (char === '') return 'escape sequence not terminated'
    let digits: number
    let base = 16
    let max = 0x10ffff
    if ('abfnrtv\\'.includes(char) || char === this.quoteChar) {
      this.pos++
      return null
    }
    if (char >= '0' && char <= '7') {
      digits = 3
      base = 8
      max = 255
    } else if (char === 'x') {
      digits = 2
      max = 255
    } else if (char === 'u') digits = 4
    else if (char === 'U') digits = 8
    else return `unknown escape sequence ${unicodeName(runeAt(this.source, this.pos))}`
    if (base === 16) this.pos++
    let value = 0
    for (; digits > 0; digits--) {
      const digit = this.peek()
      if (digit === '') return 'escape sequence not terminated'
      const d = HEX.includes(digit) ? Number.parseInt(digit, 16) : 16
      if (d >= base) return `illegal character ${unicodeName(runeAt(this.source, this.pos))} in escape sequence`
      value = value * base + d
      this.pos++
    }
    return value > max || (value >= 0xd800 && value < 0xe000)
      ? 'escape sequence is an invalid Unicode code point'
      : null
  }

  protected acceptDuration(): boolean {
    if (!this.accept('smhdwy')) return false
    // Units such as `hs` pass here; parsing the duration refuses them.
    this.accept('s')
    while (this.accept(DIGITS)) {
      this.acceptRun(DIGITS)
      if (!this.accept('smhdw')) return false
      this.accept('s')
    }
    if (!isAlphaNumeric(this.peek())) return true
    this.pos++
    return false
  }

  /** What is accepted need not be a number: parsing the value refuses the rest. */
  protected scanNumber(): boolean {
    const initial = this.pos
    let digits = DIGITS
    let hex = false
    if (!this.seriesDesc && this.accept('0') && this.accept('xX')) {
      this.accept('_')
      digits = HEX
      hex = true
    }
    this.accept('.')
    this.accept(digits)
    let dot = false
    let exponent = false
    for (let char = this.peek(); char !== '' && `${digits}._eE`.includes(char); char = this.peek()) {
      if ((char === '.' && dot) || ('eE'.includes(char) && exponent)) {
        this.pos++
        return false
      }
      if (this.accept('.')) {
        dot = true
        if (this.accept('_.') || hex) return false
      } else if (this.accept('eE')) {
        exponent = true
        this.accept('+-')
        if (this.accept('._eE') || this.peek() === '') return false
      } else if (this.accept('_')) {
        if (this.accept('._eE') || this.peek() === '') return false
      } else this.acceptRun(digits)
    }
    if (this.pos === initial) return false
    const after = this.peek()
    return (this.seriesDesc && after === 'x') || !isAlphaNumeric(after)
  }
}

export function isSpace(char: string): boolean {
  return char === ' ' || char === '\t' || char === '\n' || char === '\r'
}
export function isDigit(char: string): boolean {
  return char >= '0' && char <= '9' && char !== ''
}
export function isAlpha(char: string): boolean {
  return (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z') || char === '_'
}
export function isAlphaNumeric(char: string): boolean {
  return isAlpha(char) || isDigit(char)
}
