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
  #held: WeakRef<ArrayBufferLike>[] = []

  constructor(maxBytes = HELD_MAX_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** Of large ones. */
  bytes(): number {
    let sum = 0
    this.#held = this.#held.filter((each) => {
      const bytes = each.deref()?.byteLength ?? 0
      sum += bytes
      return bytes > 0
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
    this.#held.push(new WeakRef(body.buffer))
    return true
  }
}

/** Frees the memory of a large body that fills its buffer; there is nothing in it then. An idle thread may collect late. */
export function giveBack({ buffer, length }: Uint8Array): void {
  if (length >= LARGE_BYTES && length === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
