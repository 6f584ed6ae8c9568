/**
 * The memory of large answers between the worker that wrote them and the client that reads them, at its leisure: twenty
 * who do not read at all would hold 5 GB of answers of 257 MB. Who is done with one gives it back by `giveBack`; those
 * that nobody gives back count until they are collected.
 */

/** Smaller ones do not count: what connections there are bounds them. */
const LARGE_BYTES = 4 << 20
/** Two of the largest that there can be. */
const HELD_MAX_BYTES = 1 << 30

export class HeldAnswers {
  readonly #maxBytes: number
  #held: { readonly buffer: WeakRef<ArrayBufferLike>; readonly bytes: number }[] = []

  constructor(maxBytes = HELD_MAX_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** Of large ones. */
  bytes(): number {
    let sum = 0
    this.#held = this.#held.filter(({ buffer, bytes }) => {
      const isHeld = (buffer.deref()?.byteLength ?? 0) > 0
      if (isHeld) sum += bytes
      return isHeld
    })
    return sum
  }

  /** False: there is no room for it, and its memory is free again. The first always has room. */
  admit(body: Uint8Array): boolean {
    if (body.length < LARGE_BYTES) return true
    const held = this.bytes()
    if (held > 0 && held + body.length > this.#maxBytes) {
      giveBack(body)
      return false
    }
    this.#held.push({ buffer: new WeakRef(body.buffer), bytes: body.length })
    return true
  }
}

/**
 * Frees the memory of a large body, which is the beginning of a buffer of its own; there is nothing in it then. An idle
 * thread may collect late.
 */
export function giveBack({ buffer, byteOffset, length }: Uint8Array): void {
  if (length >= LARGE_BYTES && byteOffset === 0 && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
