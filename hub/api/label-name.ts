/**
 * The label of `/api/v1/label/<name>/values`. Semantics: Prometheus web/api/v1/api.go, labelValues, and
 * prometheus/common model.UnescapeName (v3.5).
 */
import { ApiError } from '../query/mod.ts'

const ESCAPED = /^(?:[^_]|__|_[0-9a-fA-F]{1,6}_)*$/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @param raw as the path has it, percent-encoded. @throws ApiError for what is no UTF-8, or nothing */
export function labelNameOf(raw: string): string {
  const bytes = percentDecoded(raw)
  let name: string
  try {
    name = unescapeName(utf8.decode(bytes))
  } catch {
    throw refused(quoted(bytes))
  }
  if (name === '') throw refused('""')
  return name
}

const refused = (name: string): ApiError => new ApiError('bad_data', `invalid label name: ${name}`)

/** Names that a path cannot hold travel as `U__` and hexadecimal; what is not quite so stands for itself. */
export function unescapeName(name: string): string {
  const escaped = name.slice(3)
  if (!name.startsWith('U__') || !ESCAPED.test(escaped)) return name
  let isValid = true
  const plain = escaped.replace(/__|_([0-9a-fA-F]+)_/g, (_, hex?: string) => {
    if (hex === undefined) return '_'
    const code = Number.parseInt(hex, 16)
    if (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) return String.fromCodePoint(code)
    isValid = false
    return ''
  })
  return isValid ? plain : name
}

function percentDecoded(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  const out = new Uint8Array(bytes.length)
  let count = 0
  for (let i = 0; i < bytes.length; i++) {
    const hex = bytes[i] === 0x25 ? /^[0-9a-fA-F]{2}$/.exec(text.slice(i + 1, i + 3))?.[0] : undefined
    if (hex !== undefined) i += 2
    out[count++] = hex === undefined ? bytes[i]! : Number.parseInt(hex, 16)
  }
  return out.subarray(0, count)
}

/** As Go quotes a string that is no UTF-8: bytes beyond it in hexadecimal. */
function quoted(bytes: Uint8Array): string {
  let out = ''
  for (let i = 0; i < bytes.length; ) {
    const length = [1, 2, 3, 4].find((n) => isText(bytes.subarray(i, i + n)))
    if (length === undefined) out += `\\x${bytes[i++]!.toString(16).padStart(2, '0')}`
    else {
      out += JSON.stringify(utf8.decode(bytes.subarray(i, i + length))).slice(1, -1)
      i += length
    }
  }
  return `"${out}"`
}

function isText(bytes: Uint8Array): boolean {
  try {
    utf8.decode(bytes)
    return true
  } catch {
    return false
  }
}
