/**
 * The head's refs of a block's series, from one query to the next: looking each of them up by its labels is a sixth of a
 * query over a day. They hold for one `SeriesReader.refIdentity()`. Hot: bench/query/in-process.ts
 */
export class FirstRefs {
  #identity: object | null = null
  /** By the block's ref, plus 1; 0 is not known. As large as the hashes that the index keeps. */
  #refs = new Uint32Array(0)

  /** Forgets what was found under another identity. A block that is not open yet has no series. */
  under(identity: object, seriesCount: number): void {
    if (this.#identity === identity && this.#refs.length === seriesCount) return
    this.#identity = identity
    if (this.#refs.length === seriesCount) this.#refs.fill(0)
    else this.#refs = new Uint32Array(seriesCount)
  }

  /** -1 when it is not known. */
  find(ref: number): number {
    return ref < this.#refs.length ? this.#refs[ref]! - 1 : -1
  }

  /** Where there is room for it. */
  set(ref: number, first: number): void {
    this.#refs[ref] = first + 1
  }
}
