/**
 * Blocks of shared memory for the one writer: size classes with free lists, bump allocation behind them. Sizes are
 * words, multiples of four (16 bytes), four classes a doubling, so at most a fifth of a block is slack. The state is
 * in the control page; a restored head goes on where the saved one stopped.
 */
import { HeadFullError } from './errors.ts'
import { C_BUMP, C_BUMP_END, C_FREE_LISTS, C_PAGES, FREE_CLASSES, PAGE_MASK, SLOT_WORDS } from './layout.ts'
import type { Memory } from './memory.ts'

/** The first pages are small so that an idle head is; untouched memory of later ones costs nothing either. */
const FIRST_PAGES_BYTES = [1 << 20, 4 << 20] as const
const PAGE_BYTES = SLOT_WORDS * 4

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
  readonly maxBytes: number
  #pageBytes = 0
  #freeBytes = 0
  /** A page made ahead of need, so that readers hear of it before an address in it does: its first word, or 0. */
  #nextPage = 0
  #listeners: ((page: SharedArrayBuffer) => void)[] = []

  constructor(mem: Memory, maxBytes: number) {
    this.mem = mem
    this.maxBytes = maxBytes
    for (const page of mem.pages) this.#pageBytes += page.byteLength
    this.#freeBytes = this.#countFree()
    if (mem.pages.length === 0) this.#openFirstPage()
    else this.#nextPage = this.#findUnopenedPage()
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
    if (control[C_BUMP_END]! - control[C_BUMP]! < size && !this.#advance(size)) return this.#split(sizeClass)
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

  #split(wanted: number): number {
    for (let sizeClass = wanted + 1; sizeClass < FREE_CLASSES && classWords(sizeClass) <= SLOT_WORDS; sizeClass++) {
      const addr = this.#pop(sizeClass)
      if (addr === 0) continue
      this.#giveBack(addr + classWords(wanted), classWords(sizeClass) - classWords(wanted))
      return addr
    }
    throw new HeadFullError(classWords(wanted) * 4, this.maxBytes)
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

  #reserve(): void {
    const bytes = FIRST_PAGES_BYTES[this.mem.pages.length] ?? PAGE_BYTES
    if (this.#pageBytes + bytes > this.maxBytes) return
    this.#nextPage = this.#newPage(bytes)
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
    if (this.#pageBytes + bytes > this.maxBytes) throw new HeadFullError(bytes, this.maxBytes)
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
    for (let sizeClass = 0; sizeClass < FREE_CLASSES; sizeClass++) {
      for (let addr = this.mem.control[C_FREE_LISTS + sizeClass]!; addr !== 0; addr = this.mem.get(addr)) {
        bytes += classWords(sizeClass) * 4
      }
    }
    return bytes
  }
}

function largeWords(words: number): number {
  return Math.ceil(words / SLOT_WORDS) * SLOT_WORDS
}
