/**
 * Bytes that arrive in pieces, gathered in pages: a peer that sends single bytes must not cost an object for each, and
 * one that sends megabytes until it is cut off must not leave them to the garbage collector. So large bodies live in
 * pages that are used again; up to `PAGE_BYTES` a body is one small array of its own.
 *
 * A borrowed body lives in memory that the pool gives to the next one: its reader is done with it before the next turn of
 * the event loop. So a scrape of a usual page leaves no garbage at all.
 *
 * All bodies of a pool together stay within `maxPages`, or a quarter more than the largest limit among them: many
 * hostile peers at once must cost no more than one. Who needs a page beyond that cuts the largest body, maybe its own.
 */
export interface ByteCollector {
  /** False when the limit would be passed, or all is over; nothing is added then. */
  push(chunk: Uint8Array): boolean
  /** What was gathered, in memory of its own unless it is borrowed. Ends the collector. */
  finish(): Uint8Array
  /** Gives the pages back. Ends the collector; safe to call again. */
  discard(): void
}

const PAGE_BYTES = 256 * 1024
/** Kept for the next large body: 4 MiB. */
const MAX_FREE_PAGES = 16
/** Small bodies' memory kept for the next borrowed ones. */
const MAX_FREE_SMALL = 32
/** In use at once: 20 MiB, a body of the default limit and a quarter. */
const MAX_PAGES = 80
const SHARE_OF_LARGEST = 1.25

const NOTHING = new Uint8Array(0)

export class PagePool {
  readonly #free: Uint8Array[] = []
  readonly #freeSmall: Uint8Array[] = []
  readonly #maxPages: number
  readonly #large = new Set<PagedCollector>()
  #usedCount = 0

  constructor(maxPages = MAX_PAGES) {
    this.#maxPages = maxPages
  }

  get freeCount(): number {
    return this.#free.length
  }

  /**
   * @param expectedBytes what the peer declared: believed below a page, since it may lie
   * @param onCut the body is over, for the sake of others: it was the largest when there was no page left
   * @param isBorrowed what `finish` gives holds until the next turn of the event loop
   */
  collector(maxBytes: number, expectedBytes: number, onCut: () => void, isBorrowed = false): ByteCollector {
    return new PagedCollector(this, { maxBytes, expectedBytes, isBorrowed }, onCut)
  }

  /** Memory of a small body that was borrowed; an empty one when there is none. */
  takeSmall(): Uint8Array {
    return this.#freeSmall.pop() ?? NOTHING
  }

  giveSmall(memory: Uint8Array): void {
    if (memory.length > 0 && this.#freeSmall.length < MAX_FREE_SMALL) this.#freeSmall.push(memory)
  }

  /** Null when the asker itself was cut. */
  take(asker: PagedCollector): Uint8Array | null {
    this.#large.add(asker)
    if (this.#usedCount >= this.#pageLimit()) {
      let largest = asker
      for (const each of this.#large) if (each.pageCount > largest.pageCount) largest = each
      largest.cut()
      if (largest === asker) return null
    }
    this.#usedCount++
    return this.#free.pop() ?? new Uint8Array(PAGE_BYTES)
  }

  /** Who allows larger bodies than the default allows for one of them and some more. */
  #pageLimit(): number {
    let largestBytes = 0
    for (const { maxBytes } of this.#large) largestBytes = Math.max(largestBytes, maxBytes)
    return Math.max(this.#maxPages, Math.ceil((SHARE_OF_LARGEST * largestBytes) / PAGE_BYTES))
  }

  give(from: PagedCollector, pages: readonly Uint8Array[]): void {
    this.#large.delete(from)
    this.#usedCount -= pages.length
    for (const page of pages) if (this.#free.length < MAX_FREE_PAGES) this.#free.push(page)
  }
}

class PagedCollector implements ByteCollector {
  readonly #pool: PagePool
  readonly maxBytes: number
  readonly #isBorrowed: boolean
  readonly #onCut: () => void
  /** Of the pool: full ones, then the one being filled. Empty while the body fits into `#small`. */
  #pages: Uint8Array[] = []
  #small: Uint8Array
  #length = 0
  #isOver = false

  constructor(
    pool: PagePool,
    rules: { readonly maxBytes: number; readonly expectedBytes: number; readonly isBorrowed: boolean },
    onCut: () => void,
  ) {
    const { maxBytes, expectedBytes, isBorrowed } = rules
    this.#pool = pool
    this.maxBytes = maxBytes
    this.#isBorrowed = isBorrowed
    this.#onCut = onCut
    const believed = Math.min(Math.max(expectedBytes, 0), PAGE_BYTES - 1, maxBytes)
    const used = isBorrowed ? pool.takeSmall() : NOTHING
    this.#small = used.length >= believed ? used : new Uint8Array(believed)
  }

  get pageCount(): number {
    return this.#pages.length
  }

  push(chunk: Uint8Array): boolean {
    if (this.#isOver || this.#length + chunk.length > this.maxBytes) return false
    if (this.#pages.length === 0 && this.#length + chunk.length < PAGE_BYTES) {
      this.#pushSmall(chunk)
      return true
    }
    if (this.#pages.length === 0 && !this.#addPage()) return false
    for (let rest = chunk; rest.length > 0; ) {
      const used = this.#length % PAGE_BYTES
      // A full page, unless it is the first one and still empty.
      if (used === 0 && this.#length === this.#pages.length * PAGE_BYTES && !this.#addPage()) return false
      const part = rest.subarray(0, PAGE_BYTES - used)
      this.#pages.at(-1)!.set(part, used)
      this.#length += part.length
      rest = rest.subarray(part.length)
    }
    return true
  }

  finish(): Uint8Array {
    const out = this.#pages.length === 0 ? this.#small.subarray(0, this.#length) : joined(this.#pages, this.#length)
    this.discard()
    return out
  }

  discard(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#pool.give(this, this.#pages)
    this.#pages = []
    if (this.#isBorrowed) this.#pool.giveSmall(this.#small)
    this.#small = NOTHING
  }

  cut(): void {
    this.discard()
    this.#onCut()
  }

  #pushSmall(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length
    if (needed > this.#small.length) {
      const grown = new Uint8Array(Math.min(PAGE_BYTES - 1, Math.max(needed, 2 * this.#small.length, 4096)))
      grown.set(this.#small.subarray(0, this.#length))
      this.#small = grown
    }
    this.#small.set(chunk, this.#length)
    this.#length = needed
  }

  /** The first one takes over what is there. False when there is none for this body. */
  #addPage(): boolean {
    const page = this.#pool.take(this)
    if (page === null) return false
    if (this.#pages.length === 0) page.set(this.#small.subarray(0, this.#length))
    this.#pages.push(page)
    return true
  }
}

function joined(pages: readonly Uint8Array[], length: number): Uint8Array {
  const out = new Uint8Array(length)
  let at = 0
  for (const page of pages) {
    out.set(page.subarray(0, length - at), at)
    at += Math.min(page.length, length - at)
  }
  return out
}
