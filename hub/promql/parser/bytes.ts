/**
 * Queries as byte strings: one char per UTF-8 byte, so that every index in the lexer and the parser is a byte offset
 * as upstream counts them. ASCII text, nearly all there is, is its own byte string.
 */
const NON_ASCII = /[^\x00-\x7f]/

export function toByteString(text: string): string {
  if (!NON_ASCII.test(text)) return text
  const bytes = new TextEncoder().encode(text)
  const parts: string[] = []
  for (let i = 0; i < bytes.length; i += 8192) parts.push(String.fromCharCode(...bytes.subarray(i, i + 8192)))
  return parts.join('')
}

export function fromByteString(bytes: string): string {
  if (!NON_ASCII.test(bytes)) return bytes
  const raw = Uint8Array.from(bytes, (char) => char.charCodeAt(0))
  try {
    return new TextDecoder('utf-8', { ignoreBOM: true, fatal: true }).decode(raw)
  } catch {
    return fromBrokenUtf8(raw)
  }
}

/** Bytes that are no UTF-8 become lone surrogates U+DC80…U+DCFF, which `quote` prints as `\xNN` again. */
function fromBrokenUtf8(raw: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })
  let out = ''
  for (let at = 0; at < raw.length; ) {
    const byte = raw[at]!
    const width = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    try {
      out += decoder.decode(raw.subarray(at, at + width))
      at += width
    } catch {
      out += String.fromCharCode(0xdc00 + byte)
      at++
    }
  }
  return out
}

/** Length in bytes of the rune at `index`. */
export function runeWidth(source: string, index: number): number {
  const byte = source.charCodeAt(index)
  const want = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
  return Math.min(want, source.length - index)
}

/** The rune at `index` as text; '' at the end. */
export function runeAt(source: string, index: number): string {
  return index >= source.length ? '' : fromByteString(source.slice(index, index + runeWidth(source, index)))
}

/** A rune as Go's `%q` writes it; the end of input is rune -1, which Go shows as U+FFFD. */
export function quoteRune(rune: string): string {
  const escapes: Record<string, string> = {
    '\x07': '\\a',
    '\b': '\\b',
    '\t': '\\t',
    '\n': '\\n',
    '\v': '\\v',
    '\f': '\\f',
    '\r': '\\r',
    "'": "\\'",
    '\\': '\\\\',
    '': '\ufffd',
  }
  const known = escapes[rune]
  if (known !== undefined) return `'${known}'`
  const code = rune.codePointAt(0)!
  if (code < 0x20 || code === 0x7f) return `'\\x${code.toString(16).padStart(2, '0')}'`
  if ((code >= 0x80 && code < 0xa1) || code === 0xad) return `'\\u${code.toString(16).padStart(4, '0')}'`
  return `'${rune}'`
}

/** A rune as Go's `%#U`: `U+0063 'c'`. */
export function unicodeName(rune: string): string {
  const code = rune.codePointAt(0)!
  const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
  return code < 0x20 || (code >= 0x7f && code < 0xa1) ? name : `${name} '${rune}'`
}
