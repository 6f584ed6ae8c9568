/** Go's constants as they stand in a template: quoted strings, characters, numbers. Semantics: Go strconv.Unquote, go/constant. */

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/** The value of `"…"` or `'…'`, or null where it is none. */
export function unquote(quoted: string): string | null {
  const body = quoted.slice(1, -1)
  if (!body.includes('\\')) return body
  const bytes: number[] = []
  const encoder = new TextEncoder()
  for (let i = 0; i < body.length; i++) {
    if (body[i] !== '\\') {
      const char = String.fromCodePoint(body.codePointAt(i)!)
      bytes.push(...encoder.encode(char))
      i += char.length - 1
      continue
    }
    const next = body[++i]!
    const simple = SIMPLE[next]
    if (simple !== undefined) {
      if ((next === "'" || next === '"') && next !== quoted[0]) return null
      bytes.push(...encoder.encode(simple))
      continue
    }
    const length = { x: 2, u: 4, U: 8 }[next]
    const digits = length ? body.slice(i + 1, i + 1 + length) : body.slice(i, i + 3)
    if (length ? !new RegExp(`^[0-9a-fA-F]{${length}}$`).test(digits) : !/^[0-7]{3}$/.test(digits)) return null
    const code = Number.parseInt(digits, length ? 16 : 8)
    if (next === 'u' || next === 'U') {
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return null
      bytes.push(...encoder.encode(String.fromCodePoint(code)))
    } else {
      if (code > 255) return null
      bytes.push(code)
    }
    i += length ?? 2
  }
  return new TextDecoder().decode(Uint8Array.from(bytes))
}

/** Whole numbers are bigint (Go's int and uint, of 64 bits), others are number (float64); null where the text is no number. */
export function parseNumber(text: string): bigint | number | 'overflow' | null {
  const value = numberOf(text)
  const isTooLarge = typeof value === 'bigint' && (value >= 1n << 64n || value < -(1n << 63n))
  return !isTooLarge ? value : /^[+-]?0[a-z]/i.test(text) ? null : 'overflow'
}

function numberOf(text: string): bigint | number | null {
  if (/_$|^_|__/.test(text)) return null
  const plain = text.replaceAll('_', '')
  const sign = plain.startsWith('-') ? -1 : 1
  const digits = plain.replace(/^[+-]/, '')
  if (/^0[xX][0-9a-fA-F]+$|^0[bB][01]+$|^0[oO][0-7]+$/.test(digits)) return BigInt(digits) * BigInt(sign)
  if (/^0[0-7]+$/.test(digits)) return BigInt(`0o${digits.slice(1)}`) * BigInt(sign)
  if (/^\d+$/.test(digits)) return BigInt(digits) * BigInt(sign)
  if (/^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(digits)) return Number(digits) * sign
  const hex = /^0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?\d+)$/.exec(digits)
  if (!hex || (hex[1] === '' && hex[2] === '')) return null
  const mantissa = Number.parseInt(hex[1]! + hex[2]!, 16)
  return mantissa * 2 ** (Number(hex[3]) - 4 * hex[2]!.length) * sign
}
