/** Numbers of the series notation, which has signs as tokens of their own. */
import { quote } from '../../../protocol/labels/mod.ts'
import { LiteralError, parseNumber, rangeOf, type TokenStream, type TokenType } from '../parser/mod.ts'

export const startsNumber = (type: TokenType): boolean => type === 'number' || type === '+' || type === '-'

export function parseUnsignedNumber(s: TokenStream): number {
  const token = s.expect('number')
  try {
    return parseNumber(token.val)
  } catch (error) {
    if (!(error instanceof LiteralError)) throw error
    s.issue(rangeOf(token), `error parsing number: ${error.message}`)
    return error.message.endsWith('out of range') ? Infinity : 0
  }
}

/** A sign may come before it. */
export function parseSignedNumber(s: TokenStream): number {
  s.settle(startsNumber)
  if (s.peek() === 'number') return parseUnsignedNumber(s)
  const negative = s.take().type === '-'
  const value = parseUnsignedNumber(s)
  return negative ? -value : value
}

/** As strconv.ParseUint(text, 10, 64). */
export function parseUint(s: TokenStream): number {
  const token = s.expect('number')
  if (/^\d+$/.test(token.val) && BigInt(token.val) < 2n ** 64n) return Number(token.val)
  const problem = /^\d+$/.test(token.val) ? 'value out of range' : 'invalid syntax'
  s.issue(
    rangeOf(token),
    `invalid repetition in series values: strconv.ParseUint: parsing ${quote(token.val)}: ${problem}`,
  )
  return 0
}
