/**
 * Alertmanager's matcher syntax with UTF-8 names: `{foo="bar", "b c"=~"d.*"}`, braces optional.
 * Semantics: Alertmanager matcher/parse (v0.34), lexer and parser, with its messages; columns count characters.
 */
import { unquote } from '../../template/mod.ts'
import { type AlertMatcher, MatcherSyntaxError, newMatcher } from './matcher.ts'

type Kind = '{' | '}' | ',' | 'operator' | 'quoted' | 'unquoted' | 'end'
type Token = { readonly kind: Kind; readonly text: string; readonly start: number; readonly end: number }

const isReserved = (char: string): boolean => /[\s{}!=~,\\"'`]/u.test(char)

/** @throws MatcherSyntaxError */
export function parseUtf8Matchers(input: string): AlertMatcher[] {
  return new Parser(input).parse()
}

class Parser {
  readonly #chars: readonly string[]
  #at = 0
  #peeked: Token | null = null
  #lastEnd = 0
  #hasOpenBrace = false
  readonly #matchers: AlertMatcher[] = []

  constructor(input: string) {
    this.#chars = [...input]
  }

  parse(): AlertMatcher[] {
    if (this.#peek().kind === 'end') return []
    if (this.#peek().kind === '{') {
      this.#hasOpenBrace = true
      this.#take()
    }
    if (['}', 'end'].includes(this.#peek().kind)) return this.#close()
    for (;;) {
      this.#matcher()
      const next = this.#peekOr('expected a comma or close brace')
      if (next.kind !== ',') {
        if (next.kind === 'end' || next.kind === '}') return this.#close()
        throw unexpected(next, 'expected a comma or close brace')
      }
      this.#take()
      const after = this.#peekOr('expected a matcher or close brace after comma')
      if (after.kind === 'end' || after.kind === '}') return this.#close()
      if (after.kind !== 'quoted' && after.kind !== 'unquoted')
        throw unexpected(after, 'expected a matcher or close brace after comma')
    }
  }

  #matcher(): void {
    const name = this.#expect(['quoted', 'unquoted'], 'expected label name')
    const operator = this.#expect(['operator'], "expected an operator such as '=', '!=', '=~' or '!~'")
    const value = this.#expect(['quoted', 'unquoted'], 'expected label value')
    const [label, text] = [textOf(name), textOf(value)]
    try {
      this.#matchers.push(newMatcher(label, operator.text as AlertMatcher['op'], text))
    } catch (error) {
      throw new MatcherSyntaxError(`failed to create matcher: ${(error as Error).message}`, { cause: error })
    }
  }

  #close(): AlertMatcher[] {
    const token = this.#take()
    const wanted = this.#hasOpenBrace ? '}' : 'end'
    if (token.kind !== wanted) {
      const problem = this.#hasOpenBrace ? 'expected close brace' : 'expected opening brace'
      throw new MatcherSyntaxError(
        `0:${this.#lastEnd}: ${token.kind === 'end' ? 'end of input' : token.text}: ${problem}`,
      )
    }
    if (this.#hasOpenBrace) {
      const rest = this.#take()
      if (rest.kind !== 'end')
        throw new MatcherSyntaxError(`${rest.start}:${rest.end}: ${rest.text}: expected end of input`)
    }
    return this.#matchers
  }

  #expect(kinds: readonly Kind[], problem: string): Token {
    const token = this.#peekOr(problem)
    if (token.kind === 'end') throw new MatcherSyntaxError(`end of input: ${problem}`)
    if (!kinds.includes(token.kind)) throw unexpected(token, problem)
    return this.#take()
  }

  /** Characters that begin no token are told with what was wanted instead. */
  #peekOr(problem: string): Token {
    try {
      return this.#peek()
    } catch (error) {
      throw new MatcherSyntaxError(`${(error as Error).message}: ${problem}`, { cause: error })
    }
  }

  #peek(): Token {
    this.#peeked ??= this.#scan()
    return this.#peeked
  }

  #take(): Token {
    const token = this.#peek()
    this.#peeked = null
    if (token.kind !== 'end') this.#lastEnd = token.end
    return token
  }

  #scan(): Token {
    const chars = this.#chars
    while (this.#at < chars.length && /\s/u.test(chars[this.#at]!)) this.#at++
    const start = this.#at
    const char = chars[start]
    if (char === undefined) return this.#token('end', start, 0)
    if (char === '{' || char === '}' || char === ',') return this.#token(char, start, 1)
    const next = chars[start + 1]
    if (char === '=') return this.#token('operator', start, next === '~' ? 2 : 1)
    if (char === '!') {
      const found = next === undefined ? 'unexpected end of input,' : `${char}:`
      if (next !== '=' && next !== '~')
        throw new MatcherSyntaxError(`${start}:${start + 1}: ${found} expected one of '=~'`)
      return this.#token('operator', start, 2)
    }
    if (char === '"') return this.#quoted(start)
    let end = start
    while (end < chars.length && !isReserved(chars[end]!)) end++
    if (end === start) throw new MatcherSyntaxError(`${start}:${start + 1}: ${char}: invalid input`)
    return this.#token('unquoted', start, end - start)
  }

  #quoted(start: number): Token {
    const chars = this.#chars
    for (let i = start + 1; i < chars.length; i++) {
      if (chars[i] === '\\') i++
      else if (chars[i] === '"') return this.#token('quoted', start, i + 1 - start)
    }
    throw new MatcherSyntaxError(`${start}:${chars.length}: ${chars.slice(start).join('')}: missing end "`)
  }

  #token(kind: Kind, start: number, length: number): Token {
    this.#at = start + length
    return { kind, text: this.#chars.slice(start, start + length).join(''), start, end: start + length }
  }
}

function textOf(token: Token): string {
  if (token.kind === 'unquoted') return token.text
  const text = token.text.includes('\n') ? null : unquote(token.text)
  if (text === null || text.includes('\ufffd'))
    throw new MatcherSyntaxError(`${token.start}:${token.end}: ${token.text}: invalid input`)
  return text
}

function unexpected({ start, end, text }: Token, problem: string): MatcherSyntaxError {
  return new MatcherSyntaxError(`${start}:${end}: unexpected ${text}: ${problem}`)
}
