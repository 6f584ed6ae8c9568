/**
 * Bytes that arrive in pieces, gathered into one growing array: a peer that sends single bytes must not cost an
 * object for each.
 */
export interface ByteCollector {
  /** False when the limit would be passed; nothing is added then. */
  push(chunk: Uint8Array): boolean
  /** A view of what was gathered. */
  bytes(): Uint8Array
}

/** @param expectedBytes what the peer declared: believed up to 1 MiB, since it may lie. */
export function createByteCollector(maxBytes: number, expectedBytes: number): ByteCollector {
  let buffer: Uint8Array = new Uint8Array(Math.min(Math.max(expectedBytes, 0), 1024 * 1024))
  let length = 0
  return {
    push: (chunk) => {
      const needed = length + chunk.length
      if (needed > maxBytes) return false
      if (needed > buffer.length) {
        const grown = new Uint8Array(Math.min(maxBytes, Math.max(needed, buffer.length * 2, 4096)))
        grown.set(buffer.subarray(0, length))
        buffer = grown
      }
      buffer.set(chunk, length)
      length = needed
      return true
    },
    bytes: () => buffer.subarray(0, length),
  }
}
