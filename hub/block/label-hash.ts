/** Hashes of strings and label sets that are the same in every block, thread and process. */

/** FNV-1a over UTF-16 units, then mixed, so that neighbours (`host-1`, `host-2`) differ in all bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mix(hash)
}

/** Continues the hash of a label set with the hash of its next name or value. */
export function hashNext(hash: number, text: number): number {
  return mix(Math.imul(hash, 31) ^ text)
}

export const HASH_START = 0x9e3779b9

/** As the finalizer of MurmurHash3. */
function mix(hash: number): number {
  let x = hash
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}
