/**
 * Strings by their UTF-8 bytes: label names and values repeat from series to series and from request to request, and a
 * look-up costs a third of a decode. A direct-mapped table, so it is bounded and never needs to be emptied.
 */
const SLOT_BITS = 14
const MAX_CACHED_BYTES = 128

export class StringCache {
  private readonly texts = new Array<string | undefined>(1 << SLOT_BITS).fill(undefined)
  private readonly keys = new Array<Uint8Array | undefined>(1 << SLOT_BITS).fill(undefined)

  /** `bytes[from, to)` as text; null when it is not valid UTF-8. */
  text(bytes: Uint8Array, from: number, to: number): string | null {
    const n = to - from
    if (n > MAX_CACHED_BYTES) return decode(bytes.subarray(from, to))
    let hash = 0x811c9dc5
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    const slot = (hash ^ (hash >>> 15)) & ((1 << SLOT_BITS) - 1)
    const key = this.keys[slot]
    if (key !== undefined && key.length === n && equalAt(key, bytes, from)) return this.texts[slot]!
    const text = decode(bytes.subarray(from, to))
    if (text !== null) {
      this.keys[slot] = bytes.slice(from, to)
      this.texts[slot] = text
    }
    return text
  }
}

function equalAt(key: Uint8Array, bytes: Uint8Array, from: number): boolean {
  for (let i = 0; i < key.length; i++) if (key[i] !== bytes[from + i]) return false
  return true
}

function decode(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes)
  } catch {
    return null
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
