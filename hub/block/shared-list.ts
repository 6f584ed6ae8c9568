/**
 * The list of blocks as it crosses threads: text in shared memory, written by the block thread after each change, which
 * costs the thread that passes it on nothing, however many blocks there are. Whoever needs what is in it reads it.
 */

declare const contents: unique symbol
/** Text in shared memory that says a T. */
export type Shared<T> = SharedArrayBuffer & { readonly [contents]: T }

export function encodeShared<T>(value: T): Shared<T> {
  const text = new TextEncoder().encode(JSON.stringify(value))
  const bytes = new SharedArrayBuffer(text.length)
  new Uint8Array(bytes).set(text)
  return bytes as Shared<T>
}

/** Takes time in proportion to the number of blocks. */
export function decodeShared<T>(bytes: Shared<T>): T {
  // A decoder of text does not take shared memory.
  return JSON.parse(new TextDecoder().decode(new Uint8Array(bytes).slice()))
}
