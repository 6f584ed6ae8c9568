/**
 * Blocks of shared memory for the one writer: size classes with free lists, bump allocation behind them. Sizes are
 * words, multiples of four (16 bytes), four classes a doubling, so at most a fifth of a block is slack. The state is
 * in the control page; a restored head goes on where the saved one stopped.
 */
import { HeadFullError } from './errors.ts'
import { C_BUMP, C_BUMP_END, C_FREE_LISTS, C_PAGES, FREE_CLASSES, PAGE_MASK, SLOT_WORDS } from './layout.ts'
import type { Memory } from './memory.ts'

/** Of the cap, or of bytes: more than one message takes. */
const RESERVE_SHARE = 1 / 16
const RESERVE_BYTES_MAX = 64 << 20

/** The first pages are small so that an idle head is; untouched memory of later ones costs nothing either. */
const FIRST_PAGES_BYTES = [1 << 20, 4 << 20] as const
const PAGE_BYTES = SLOT_WORDS * 4
const SMALLEST_PAGE_BYTES = 256 << 10
/** Of the cap: how much more pages may take when what is free in them is in pieces of the wrong sizes. */
const PIECES_SHARE = 1 / 8
/** Free blocks that `coalesce` looks at, the largest first: it takes a second or less, and 32 MB. */
const COALESCED_MAX = 4_000_000
/** What addresses of 32 bits can name. */
const ADDRESSABLE_BYTES = 2 ** 34

export function classOf(words: number): number {
  if (words <= 32) return words <= 4 ? 0 : ((words + 3) >>> 2) - 1
  const exponent = 31 - Math.clz32(words - 1)
  const step = 1 << (exponent - 2)
  return 8 + (exponent - 5) * 4 + Math.ceil((words - (1 << exponent)) / step) - 1
}

export function classWords(sizeClass: number): number {
  if (sizeClass < 8) return 4 * (sizeClass + 1)
  const exponent = 5 + ((sizeClass - 8) >>> 2)
  return (1 << exponent) + (((sizeClass - 8) & 3) + 1) * (1 << (exponent - 2))
}

/** The size of the block that `words` would get. */
export function roundUp(words: number): number {
  return classWords(classOf(Math.ceil(words)))
}

export class Allocator {
  readonly mem: Memory
  #maxBytes: number
  /** False: the cap does not hold, only that of addresses. */
  isCapped = true
  /** How often there was no block to be had. */
  failures = 0
  #pageBytes = 0
  #freeBytes = 0
  /** A page made ahead of need, so that readers hear of it before an address in it does: its first word, or 0. */
  #nextPage = 0
  #listeners: ((page: SharedArrayBuffer) => void)[] = []

  constructor(mem: Memory, maxBytes: number) {
    this.mem = mem
    this.#maxBytes = maxBytes
    for (const page of mem.pages) this.#pageBytes += page.byteLength
    this.#freeBytes = this.#countFree()
    if (mem.pages.length === 0) this.#openFirstPage()
    else this.#nextPage = this.#findUnopenedPage()
  }

  get maxBytes(): number {
    return this.#maxBytes
  }

  /**
   * `bytes` in use will not become less, and must not keep out all that comes: as it would where the cap was larger once,
   * for tables and directories do not shrink.
   */
  acceptInUse(bytes: number): void {
    this.#maxBytes = Math.max(this.#maxBytes, 2 * bytes)
  }

  onPage(fn: (page: SharedArrayBuffer) => void): void {
    this.#listeners.push(fn)
  }

  /** Bytes of all pages, of which untouched ones cost no memory. */
  get pageBytes(): number {
    return this.#pageBytes
  }

  /** Bytes in blocks that are in use. */
  get usedBytes(): number {
    const { control } = this.mem
    const unopened = this.#nextPage === 0 ? 0 : this.mem.pages[this.mem.pages.length - 1]!.byteLength
    return this.#pageBytes - unopened - (control[C_BUMP_END]! - control[C_BUMP]!) * 4 - this.#freeBytes
  }

  /** Of blocks, before what comes may not fit under the cap any more. */
  get limitBytes(): number {
    return this.maxBytes - Math.min(RESERVE_BYTES_MAX, this.maxBytes * RESERVE_SHARE)
  }

  /**
   * The contents of the block are undefined.
   * @throws HeadFullError at the cap; nothing has changed then
   */
  alloc(words: number): number {
    const sizeClass = classOf(words)
    if (sizeClass >= FREE_CLASSES || classWords(sizeClass) > SLOT_WORDS) return this.#allocLarge(words)
    const free = this.#pop(sizeClass)
    if (free !== 0) return free
    const size = classWords(sizeClass)
    const { control } = this.mem
    if (control[C_BUMP_END]! - control[C_BUMP]! < size && !this.#advance(size)) {
      const part = this.#split(sizeClass)
      if (part !== 0) return part
      if (!this.#advanceBeyondCap(size)) throw this.#full(size * 4)
    }
    const addr = control[C_BUMP]!
    control[C_BUMP] = addr + size
    if (this.#nextPage === 0 && control[C_BUMP_END]! - control[C_BUMP]! < (addr & PAGE_MASK) >>> 2) this.#reserve()
    return addr
  }

  /** Makes sure that the next `count` blocks of up to `words` can be had. @throws HeadFullError */
  ensure(count: number, words: number): void {
    let taken = 0
    try {
      // Linked through the first word, as free lists are.
      for (let i = 0; i < count; i++) {
        const block = this.alloc(words)
        this.mem.set(block, taken)
        taken = block
      }
    } finally {
      while (taken !== 0) {
        const next = this.mem.get(taken)
        this.free(taken, words)
        taken = next
      }
    }
  }

  /** `words` as it was asked for. The block may be handed out again at once. */
  free(addr: number, words: number): void {
    const sizeClass = classOf(words)
    if (sizeClass >= FREE_CLASSES || classWords(sizeClass) > SLOT_WORDS) this.#giveBack(addr, largeWords(words))
    else this.#push(addr, sizeClass)
  }

  /** Makes larger blocks of free ones that lie side by side. */
  coalesce(): void {
    const { control } = this.mem
    const free = new Float64Array(Math.min(COALESCED_MAX, this.#countFreeBlocks()))
    let count = 0
    for (let sizeClass = FREE_CLASSES - 1; sizeClass >= 0; sizeClass--)
      while (count < free.length && control[C_FREE_LISTS + sizeClass] !== 0)
        free[count++] = this.#pop(sizeClass) * FREE_CLASSES + sizeClass
    free.sort()
    for (let i = 0; i < count; ) {
      const from = Math.floor(free[i]! / FREE_CLASSES)
      let end = from
      for (; i < count && Math.floor(free[i]! / FREE_CLASSES) === end; i++) end += classWords(free[i]! % FREE_CLASSES)
      this.#giveBack(from, end - from)
    }
  }

  #pop(sizeClass: number): number {
    const { control } = this.mem
    const addr = control[C_FREE_LISTS + sizeClass]!
    if (addr === 0) return 0
    control[C_FREE_LISTS + sizeClass] = this.mem.get(addr)
    this.#freeBytes -= classWords(sizeClass) * 4
    return addr
  }

  #push(addr: number, sizeClass: number): void {
    const { control } = this.mem
    this.mem.set(addr, control[C_FREE_LISTS + sizeClass]!)
    control[C_FREE_LISTS + sizeClass] = addr
    this.#freeBytes += classWords(sizeClass) * 4
  }

  /** Cuts a run of words into blocks for the free lists, largest first. A slot's border is never inside a block. */
  #giveBack(addr: number, words: number): void {
    let at = addr
    let left = words
    while (left >= 4) {
      const room = Math.min(left, SLOT_WORDS - (at & PAGE_MASK))
      let sizeClass = classOf(room)
      if (classWords(sizeClass) > room) sizeClass--
      this.#push(at, sizeClass)
      at += classWords(sizeClass)
      left -= classWords(sizeClass)
    }
  }

  /** A part of a larger free block; 0: there is none. */
  #split(wanted: number): number {
    for (let sizeClass = wanted + 1; sizeClass < FREE_CLASSES && classWords(sizeClass) <= SLOT_WORDS; sizeClass++) {
      const addr = this.#pop(sizeClass)
      if (addr === 0) continue
      this.#giveBack(addr + classWords(wanted), classWords(sizeClass) - classWords(wanted))
      return addr
    }
    return 0
  }

  /** Moves the bump to a page with room for `words`; false at the cap. */
  #advance(words: number): boolean {
    if (this.#nextPage === 0) this.#reserve()
    if (this.#nextPage === 0) return false
    const { control } = this.mem
    const pageWords = this.mem.u32[this.#nextPage >>> 22]!.length
    this.#giveBack(control[C_BUMP]!, control[C_BUMP_END]! - control[C_BUMP]!)
    control[C_BUMP] = this.#nextPage
    control[C_BUMP_END] = this.#nextPage + pageWords
    this.#nextPage = 0
    return pageWords >= words || this.#advance(words)
  }

  /** As `#advance`, where the cap is not what is in use. */
  #advanceBeyondCap(words: number): boolean {
    if (this.usedBytes + words * 4 > this.#capBytes || !this.#hasRoom(PAGE_BYTES)) return false
    this.#nextPage = this.#newPage(PAGE_BYTES)
    return this.#advance(words)
  }

  #hasRoom(bytes: number): boolean {
    return this.#pageBytes + bytes <= Math.min(ADDRESSABLE_BYTES, this.#capBytes * (1 + PIECES_SHARE))
  }

  #reserve(): void {
    const wanted = FIRST_PAGES_BYTES[this.mem.pages.length] ?? PAGE_BYTES
    // The last page is what is left of the cap, unless that is hardly worth an address.
    const bytes = Math.min(
      wanted,
      SMALLEST_PAGE_BYTES * Math.floor((this.#capBytes - this.#pageBytes) / SMALLEST_PAGE_BYTES),
    )
    if (bytes <= 0) return
    this.#nextPage = this.#newPage(bytes)
  }

  get #capBytes(): number {
    return this.isCapped ? this.maxBytes : ADDRESSABLE_BYTES
  }

  #full(bytes: number): HeadFullError {
    this.failures++
    return new HeadFullError(bytes, this.#capBytes)
  }

  #openFirstPage(): void {
    if (FIRST_PAGES_BYTES[0] > this.maxBytes) throw new HeadFullError(FIRST_PAGES_BYTES[0], this.maxBytes)
    const { control } = this.mem
    this.#newPage(FIRST_PAGES_BYTES[0])
    control[C_BUMP] = 4 // address 0 means none
    control[C_BUMP_END] = FIRST_PAGES_BYTES[0] >>> 2
  }

  #newPage(bytes: number): number {
    const addr = this.mem.u32.length * SLOT_WORDS
    const page = new SharedArrayBuffer(bytes)
    this.mem.addPage(page)
    this.#pageBytes += bytes
    Atomics.store(this.mem.control, C_PAGES, this.mem.pages.length)
    for (const listener of this.#listeners) listener(page)
    return addr
  }

  /** A block of more than a slot is a page of its own. */
  #allocLarge(words: number): number {
    const bytes = largeWords(words) * 4
    if (this.usedBytes + bytes > this.#capBytes || !this.#hasRoom(bytes)) throw this.#full(bytes)
    if (this.#nextPage !== 0) this.#advance(4)
    return this.#newPage(bytes)
  }

  #findUnopenedPage(): number {
    const { control, u32, pages } = this.mem
    const last = pages[pages.length - 1]!
    const slot = u32.length - Math.ceil(last.byteLength / PAGE_BYTES)
    const isOpen = control[C_BUMP_END]! > slot * SLOT_WORDS
    return isOpen || last.byteLength > PAGE_BYTES ? 0 : slot * SLOT_WORDS
  }

  #countFree(): number {
    let bytes = 0
    for (let sizeClass = 0; sizeClass < FREE_CLASSES; sizeClass++)
      bytes += this.#listLength(sizeClass) * classWords(sizeClass) * 4
    return bytes
  }

  #countFreeBlocks(): number {
    let blocks = 0
    for (let sizeClass = 0; sizeClass < FREE_CLASSES; sizeClass++) blocks += this.#listLength(sizeClass)
    return blocks
  }

  #listLength(sizeClass: number): number {
    let blocks = 0
    for (let addr = this.mem.control[C_FREE_LISTS + sizeClass]!; addr !== 0; addr = this.mem.get(addr)) blocks++
    return blocks
  }
}

function largeWords(words: number): number {
  return Math.ceil(words / SLOT_WORDS) * SLOT_WORDS
}
