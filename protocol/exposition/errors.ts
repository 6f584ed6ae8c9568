/** What is wrong with a page of metrics, in upstream's words. */

/** The page cannot be read: `message` is the text that Prometheus shows as the target's last error. */
export class ExpositionError extends Error {
  readonly code = 'bad_exposition'
  /** Byte offset of the line that holds the error. */
  readonly offsetBytes: number
  constructor(message: string, offsetBytes: number) {
    super(message)
    this.name = 'ExpositionError'
    this.offsetBytes = offsetBytes
  }
}

/** Characters that Go prints as they are: letters, marks, numbers, punctuation, symbols and the ASCII space. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u
const NAMED: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
}

/**
 * Bytes as Go's `%q` prints them: what is not UTF-8 becomes `\xNN`.
 * Semantics: Go strconv, Quote.
 */
export function quoteBytes(bytes: Uint8Array): string {
  let out = '"'
  for (let i = 0; i < bytes.length; ) {
    const width = utf8WidthAt(bytes, i, bytes.length)
    if (width === 0) {
      out += `\\x${bytes[i]!.toString(16).padStart(2, '0')}`
      i++
      continue
    }
    const char = decodeUtf8(bytes.subarray(i, i + width))
    out += quoteChar(char)
    i += width
  }
  return `${out}"`
}

function quoteChar(char: string): string {
  const code = char.codePointAt(0)!
  const named = NAMED[code]
  if (named !== undefined) return named
  if (PRINTABLE.test(char)) return char
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, '0')}`
  return `\\U${code.toString(16).padStart(8, '0')}`
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
export function decodeUtf8(bytes: Uint8Array): string {
  // Names and label values are short ASCII nearly always; a TextDecoder's call costs more than they do.
  if (bytes.length > 48) return decoder.decode(bytes)
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 0x7f) return decoder.decode(bytes)
  return String.fromCharCode.apply(null, bytes as unknown as number[])
}

export function isValidUtf8(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; ) {
    if (bytes[i]! < 0x80) {
      i++
      continue
    }
    const width = utf8WidthAt(bytes, i, to)
    if (width === 0) return false
    i += width
  }
  return true
}

/** Bytes of the character at `i`, or 0 if there is none: no overlong forms, no surrogates, nothing above U+10FFFF. */
function utf8WidthAt(bytes: Uint8Array, i: number, to: number): number {
  const a = bytes[i]!
  if (a < 0x80) return 1
  if (a < 0xc2 || a > 0xf4) return 0
  const width = a < 0xe0 ? 2 : a < 0xf0 ? 3 : 4
  if (i + width > to) return 0
  const b = bytes[i + 1]!
  const low = a === 0xe0 ? 0xa0 : a === 0xf0 ? 0x90 : 0x80
  const high = a === 0xed ? 0x9f : a === 0xf4 ? 0x8f : 0xbf
  if (b < low || b > high) return 0
  for (let k = 2; k < width; k++) if ((bytes[i + k]! & 0xc0) !== 0x80) return 0
  return width
}
