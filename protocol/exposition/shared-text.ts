/**
 * Bytes to strings, the same string for the same bytes where they were met lately: label names and values repeat in
 * every series of a family, and each copy would stay on the heap as long as its series does.
 */
import { decodeUtf8 } from './errors.ts'

/** Direct-mapped and so bounded: a new text pushes out the one in its place. Nothing depends on what it holds. */
const PLACES = 8192
const LONGEST = 64
const texts = new Array<string>(PLACES).fill('')

export function sharedText(bytes: Uint8Array, from: number, to: number): string {
  const length = to - from
  if (length > LONGEST) return decodeUtf8(bytes.subarray(from, to))
  let hash = length
  for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0
  const place = (hash ^ (hash >>> 13)) & (PLACES - 1)
  const known = texts[place]!
  if (isText(known, bytes, from, length)) return known
  const text = decodeUtf8(bytes.subarray(from, to))
  texts[place] = text
  return text
}

/** ASCII only: any other text has a unit that no byte equals, or fewer units than bytes. */
function isText(text: string, bytes: Uint8Array, from: number, length: number): boolean {
  if (text.length !== length) return false
  for (let i = 0; i < length; i++) {
    const byte = bytes[from + i]!
    if (byte > 0x7f || text.charCodeAt(i) !== byte) return false
  }
  return true
}
