/**
 * Text and actions of a template as tokens, with Go's trim markers and comments.
 * Semantics: Go text/template/parse/lex.go (1.24).
 */
export type TokenKind =
  | 'text'
  | 'open' // {{
  | 'close' // }}
  | 'space'
  | 'bool'
  | 'char' // other single characters, such as `,`
  | 'charConstant'
  | 'declare' // :=
  | 'assign' // =
  | 'dot'
  | 'field'
  | 'variable'
  | 'identifier'
  | 'keyword'
  | 'nil'
  | 'number'
  | 'string'
  | 'rawString'
  | 'pipe'
  | 'leftParen'
  | 'rightParen'
  | 'end'
  | 'error'

export type Token = { readonly kind: TokenKind; readonly pos: number; readonly text: string; readonly line: number }

const KEYWORDS = new Set(['block', 'break', 'continue', 'define', 'else', 'end', 'if', 'range', 'template', 'with'])
const SPACE = ' \t\r\n'
const isSpace = (char: string | undefined): boolean => char !== undefined && char !== '' && SPACE.includes(char)
const isAlphaNumeric = (char: string): boolean => char === '_' || /^[\p{L}\p{Nd}]$/u.test(char)

/** All tokens; an error is the last one, with its message as text. */
export function lex(input: string): Token[] {
  const out: Token[] = []
  let pos = 0
  let line = 1
  let parens = 0
  const emit = (kind: TokenKind, end: number): void => {
    const text = input.slice(pos, end)
    out.push({ kind, pos, text, line })
    advance(end)
  }
  const advance = (end: number): void => {
    for (let i = pos; i < end; i++) if (input.charCodeAt(i) === 10) line++
    pos = end
  }
  const fail = (message: string): Token[] => {
    out.push({ kind: 'error', pos, text: message, line })
    return out
  }
  const at = (i: number): string => String.fromCodePoint(input.codePointAt(i) ?? 0)
  const wordEnd = (from: number): number => {
    let i = from
    while (i < input.length && isAlphaNumeric(at(i))) i += at(i).length
    return i
  }
  const endsWell = (i: number): boolean =>
    i >= input.length || isSpace(input[i]) || '.,|:()='.includes(input[i]!) || input.startsWith('}}', i)

  for (;;) {
    // Text up to the next action.
    const open = input.indexOf('{{', pos)
    if (open < 0) {
      if (pos < input.length) emit('text', input.length)
      out.push({ kind: 'end', pos, text: '', line })
      return out
    }
    const trimsLeft = input[open + 2] === '-' && isSpace(input[open + 3])
    let textEnd = open
    if (trimsLeft) while (textEnd > pos && isSpace(input[textEnd - 1])) textEnd--
    if (textEnd > pos) emit('text', textEnd)
    advance(open)
    const inside = open + 2 + (trimsLeft ? 2 : 0)
    if (input.startsWith('/*', inside)) {
      const end = input.indexOf('*/', inside)
      if (end < 0) return fail('unclosed comment')
      const trims = isSpace(input[end + 2]) && input[end + 3] === '-'
      const close = end + 2 + (trims ? 2 : 0)
      if (!input.startsWith('}}', close)) return fail('comment ends before closing delimiter')
      advance(close + 2)
      if (trims) skipSpace()
      continue
    }
    out.push({ kind: 'open', pos, text: '{{', line })
    advance(inside)
    parens = 0
    // Inside one action.
    for (;;) {
      const trimsRight = isSpace(input[pos]) && input[pos + 1] === '-' && input.startsWith('}}', pos + 2)
      if (trimsRight || input.startsWith('}}', pos)) {
        if (parens > 0) return fail('unclosed left paren')
        if (trimsRight) advance(pos + 2)
        emit('close', pos + 2)
        if (trimsRight) skipSpace()
        break
      }
      if (pos >= input.length) return fail('unclosed action')
      const char = at(pos)
      if (isSpace(char)) {
        let end = pos
        // One space may belong to a right trim marker.
        while (isSpace(input[end])) end++
        if (input[end] === '-' && input.startsWith('}}', end + 1)) end--
        if (end > pos) emit('space', end)
        continue
      }
      if (char === '=') emit('assign', pos + 1)
      else if (char === ':') {
        if (input[pos + 1] !== '=') return fail('expected :=')
        emit('declare', pos + 2)
      } else if (char === '|') emit('pipe', pos + 1)
      else if (char === '"') {
        const end = quotedEnd(pos)
        if (end < 0) return fail('unterminated quoted string')
        emit('string', end)
      } else if (char === '`') {
        const end = input.indexOf('`', pos + 1)
        if (end < 0) return fail('unterminated raw quoted string')
        emit('rawString', end + 1)
      } else if (char === '$') {
        const end = wordEnd(pos + 1)
        if (!endsWell(end)) return fail(badCharacter(at(end)))
        emit('variable', end)
      } else if (char === "'") {
        const end = quotedEnd(pos)
        if (end < 0) return fail('unterminated character constant')
        emit('charConstant', end)
      } else if (char === '.' && !/[0-9]/.test(input[pos + 1] ?? '')) {
        const end = wordEnd(pos + 1)
        if (!endsWell(end)) return fail(badCharacter(at(end)))
        emit(end === pos + 1 ? 'dot' : 'field', end)
      } else if (/[0-9.+-]/.test(char)) {
        const found = NUMBER.exec(input.slice(pos, pos + 400))
        const end = pos + (found?.[0].length ?? 0)
        if (!found || (end < input.length && isAlphaNumeric(at(end))))
          return fail(`bad number syntax: ${JSON.stringify(input.slice(pos, Math.max(pos, end) + 1))}`)
        emit('number', end)
      } else if (isAlphaNumeric(char)) {
        const end = wordEnd(pos)
        const word = input.slice(pos, end)
        if (!endsWell(end)) return fail(badCharacter(at(end)))
        emit(
          KEYWORDS.has(word)
            ? 'keyword'
            : word === 'true' || word === 'false'
              ? 'bool'
              : word === 'nil'
                ? 'nil'
                : 'identifier',
          end,
        )
      } else if (char === '(') {
        parens++
        emit('leftParen', pos + 1)
      } else if (char === ')') {
        if (--parens < 0) return fail('unexpected right paren')
        emit('rightParen', pos + 1)
      } else if (char.length === 1 && char >= '!' && char <= '~') emit('char', pos + 1)
      else return fail(`unrecognized character in action: ${codePoint(char)}`)
    }
  }

  function skipSpace(): void {
    let end = pos
    while (isSpace(input[end])) end++
    advance(end)
  }

  function quotedEnd(from: number): number {
    const quote = input[from]
    for (let i = from + 1; i < input.length; i++) {
      if (input[i] === '\\' && i + 1 < input.length && input[i + 1] !== '\n') i++
      else if (input[i] === '\n') return -1
      else if (input[i] === quote) return i + 1
    }
    return -1
  }
}

/** Signs, bases, underscores, fractions and exponents of Go; what it means is decided by `parseNumber`. */
const NUMBER =
  /^[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]+)?|0[bB][01_]+|0[oO][0-7_]+|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]+)?)/

function badCharacter(char: string): string {
  return `bad character ${codePoint(char)}`
}

/** Go's %#U. */
function codePoint(char: string): string {
  const hex = char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
  return /[\p{L}\p{N}\p{P}\p{S} ]/u.test(char) ? `U+${hex} '${char}'` : `U+${hex}`
}
