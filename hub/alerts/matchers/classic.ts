/** The matcher syntax of Alertmanager before UTF-8 names. Semantics: Alertmanager pkg/labels/parse.go (v0.34). */
import { type AlertMatcher, MatcherSyntaxError, newMatcher } from './matcher.ts'

/** @throws MatcherSyntaxError */
export function parseClassicMatchers(input: string): AlertMatcher[] {
  let text = input
  if (text.startsWith('{')) text = text.slice(1)
  if (text.endsWith('}')) text = text.slice(0, -1)
  const tokens: string[] = []
  let token = ''
  let quoted = false
  let escaped = false
  for (const char of text) {
    if (char === ',' && !quoted) {
      tokens.push(token)
      token = ''
      continue
    }
    if (char === '"' && !escaped) quoted = !quoted
    escaped = char === '\\' ? !escaped : false
    token += char
  }
  if (token.trim() !== '') tokens.push(token.trim())
  return tokens.map(parseClassicMatcher)
}

/** Blanks are ASCII's alone, as Go's expressions have it. Those at the end are cut off after, in linear time. */
const MATCHER = /^[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)[\t\n\f\r ]*([\s\S]*)$/
const BLANKS = '\t\n\f\r '

/** @throws MatcherSyntaxError */
export function parseClassicMatcher(input: string): AlertMatcher {
  const match = MATCHER.exec(input)
  if (!match) throw new MatcherSyntaxError(`bad matcher format: ${input}`)
  const [, name = '', op = '=', rest = ''] = match
  const given = withoutEndBlanks(rest)
  const unescaped = (): never => {
    throw new MatcherSyntaxError(`matcher value contains unescaped double quote: ${given}`)
  }
  let open = given.startsWith('"')
  const raw = open ? given.slice(1) : given
  let value = ''
  for (let i = 0; i < raw.length; i++) {
    const char = raw[i]!
    if (char === '\\' && i + 1 < raw.length) {
      const next = raw[++i]!
      if (next === 'n') value += '\n'
      else value += next === '"' || next === '\\' ? next : `\\${next}`
    } else if (char === '"') {
      if (!open || i + 1 < raw.length) unescaped()
      open = false
    } else value += char
  }
  if (open) unescaped()
  return newMatcher(name, op as AlertMatcher['op'], value)
}

function withoutEndBlanks(text: string): string {
  let end = text.length
  while (end > 0 && BLANKS.includes(text[end - 1]!)) end--
  return text.slice(0, end)
}
