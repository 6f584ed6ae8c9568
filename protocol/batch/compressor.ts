/** What the codec borrows from the runtime; adapters are `agent/env/zstd.ts` and `agent/env/sha256.ts`. */
export interface Compressor {
  compress(bytes: Uint8Array, level: number): Uint8Array
  /** Throws (anything) for damaged input, and when the output would be longer than `maxBytes`. */
  decompress(bytes: Uint8Array, maxBytes: number): Uint8Array
}

export interface Hasher {
  sha256(bytes: Uint8Array): Uint8Array
}
