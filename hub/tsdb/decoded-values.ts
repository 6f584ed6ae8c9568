/**
 * Decoded values of a thread's chunks, of blocks or of a head, kept between queries within a number of bytes: a ring of
 * segments that are written one after another, the oldest anew when all are full. Who keeps a place asks `has` before it
 * looks there. What is found in the oldest part is moved to the newest (`move`), so what is asked for again and again
 * stays.
 *
 * No object is kept for a chunk: finding one is a look at one number. Hot: bench/query/in-process.ts
 */

/** 1 MiB. */
const SEGMENT_VALUES = 1 << 17
/** One part in so many is the oldest. */
const OLDEST_PART = 8

export class DecodedValues {
  readonly #segments: (Float64Array<ArrayBuffer> | undefined)[]
  readonly #words: Uint32Array<ArrayBuffer>[] = []
  readonly #segmentValues: number
  /** Of the next value. Places count on for ever, and begin behind 0, which is none. */
  #next: number

  /**
   * @param maxBytes whole segments of it are used, two at least
   * @param segmentValues no chunk has more
   */
  constructor(maxBytes: number, segmentValues = SEGMENT_VALUES) {
    this.#segments = new Array(Math.max(2, Math.floor(maxBytes / (8 * segmentValues)))).fill(undefined)
    this.#segmentValues = segmentValues
    this.#next = segmentValues
  }

  /** Of the segments that have been written to. */
  get bytes(): number {
    return 8 * this.#segmentValues * this.#words.length
  }

  /** Room for n values of one chunk; what stood there is gone. @returns its place */
  claim(n: number): number {
    if (n > this.#segmentValues) throw new Error('BUG: a chunk is longer than a segment')
    const left = this.#segmentValues - (this.#next % this.#segmentValues)
    if (left < n) this.#next += left
    const place = this.#next
    this.#next += n
    const at = this.#slotOf(place)
    if (this.#segments[at] === undefined) {
      const segment = new Float64Array(this.#segmentValues)
      this.#segments[at] = segment
      this.#words[at] = new Uint32Array(segment.buffer)
    }
    return place
  }

  /** Whether what was claimed there is there still. */
  has(place: number): boolean {
    return place > 0 && this.#age(place) < this.#segments.length
  }

  isOld(place: number): boolean {
    const count = this.#segments.length
    return this.#age(place) >= count - Math.max(1, Math.floor(count / OLDEST_PART))
  }

  /** To the newest part, from a place that is there still. @returns the new place */
  move(place: number, n: number): number {
    // It may be claimed anew.
    const values = this.segmentOf(place).slice(this.offsetOf(place), this.offsetOf(place) + n)
    const moved = this.claim(n)
    this.segmentOf(moved).set(values, this.offsetOf(moved))
    return moved
  }

  segmentOf(place: number): Float64Array<ArrayBuffer> {
    return this.#segments[this.#slotOf(place)]!
  }

  /** The same memory. */
  wordsOf(place: number): Uint32Array<ArrayBuffer> {
    return this.#words[this.#slotOf(place)]!
  }

  offsetOf(place: number): number {
    return place % this.#segmentValues
  }

  #slotOf(place: number): number {
    return Math.floor(place / this.#segmentValues) % this.#segments.length
  }

  /** In segments, 0 for the newest. */
  #age(place: number): number {
    return Math.floor((this.#next - 1) / this.#segmentValues) - Math.floor(place / this.#segmentValues)
  }
}
