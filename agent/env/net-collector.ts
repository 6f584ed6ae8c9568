/**
 * Bytes that arrive in pieces, gathered in one run of memory: a peer that sends single bytes must not cost an object for
 * each, and one that sends megabytes until it is cut off must not leave them to the garbage collector.
 *
 *     body ≤ 256 KiB    a small array
 *     limit ≤ 16 MiB    slots of the pool's arena: one piece of 16.5 MiB for all bodies, which the kernel gives as it is
 *                       written, made contiguous when the body is complete
 *     a higher limit    an array of its own, since somebody said so
 *
 * Many hostile peers at once thus cost no more than the arena. Who needs a slot when there is none cuts the largest body
 * in it, maybe its own.
 *
 * A borrowed body lives in memory that the pool gives to the next one: its reader is done with it before the next turn of
 * the event loop. So a scrape of a usual page leaves no garbage, and one of a huge page neither garbage nor a copy.
 */
import { freeBytes } from './net-free-bytes.ts'

export interface ByteCollector {
  /** False when the limit would be passed, or all is over; nothing is added then. */
  push(chunk: Uint8Array): boolean
  /** What was gathered so far, as long as it is at most `SMALL_BODY_BYTES`; borrowed until the next call. */
  held(): Uint8Array
  /** What was gathered, in memory of its own unless it is borrowed. Ends the collector. */
  finish(): Uint8Array
  /** Gives the memory back. Ends the collector; safe to call again. */
  discard(): void
}

const SLOT_BYTES = 256 * 1024
export const SMALL_BODY_BYTES = SLOT_BYTES
/** 16.5 MiB: a body of the default limit and a little. */
const SLOTS = 66
/** The part of the arena that one body may have. */
const MAX_SLOTS_SHARE = 0.97
/** Small bodies' memory kept for the next borrowed ones: pieces, and bytes of them all. */
const MAX_FREE_SMALL = 32
const MAX_FREE_SMALL_BYTES = 2 * 1024 * 1024
const NOTHING = new Uint8Array(0)

export class BodyPool {
  readonly #slots: number
  readonly #owners: (Collector | null)[]
  /** Made with the first large body. */
  #arena: Uint8Array | null = null
  #spare: Uint8Array | null = null
  readonly #freeSmall: Uint8Array[] = []
  #freeSmallBytes = 0

  constructor(slots = SLOTS) {
    this.#slots = slots
    this.#owners = new Array<Collector | null>(slots).fill(null)
  }

  get usedSlots(): number {
    return this.#owners.reduce((count, owner) => count + (owner === null ? 0 : 1), 0)
  }

  /** Bytes of one body in the arena. */
  get maxArenaBytes(): number {
    return Math.floor(this.#slots * MAX_SLOTS_SHARE) * SLOT_BYTES
  }

  get arena(): Uint8Array {
    return (this.#arena ??= new Uint8Array(this.#slots * SLOT_BYTES))
  }

  /**
   * @param expectedBytes what the peer declared: believed while it is small, since it may lie
   * @param onCut the body is over, for the sake of others: it was the largest when there was no slot left
   * @param isBorrowed what `finish` gives holds until the next turn of the event loop
   */
  collector(maxBytes: number, expectedBytes: number, onCut: () => void, isBorrowed = false): ByteCollector {
    return new Collector(this, { maxBytes, expectedBytes, isBorrowed }, onCut)
  }

  /** Memory of a small body that was borrowed; an empty one when there is none. */
  takeSmall(): Uint8Array {
    const memory = this.#freeSmall.pop() ?? NOTHING
    this.#freeSmallBytes -= memory.length
    return memory
  }

  giveSmall(memory: Uint8Array): void {
    if (memory.length === 0) return
    if (this.#freeSmall.length === MAX_FREE_SMALL || this.#freeSmallBytes + memory.length > MAX_FREE_SMALL_BYTES) {
      // Its reader has until the next turn.
      setImmediate(freeBytes, memory)
      return
    }
    this.#freeSmall.push(memory)
    this.#freeSmallBytes += memory.length
  }

  /** A slot, if possible the one after `previous`; -1 when the asker itself was cut. */
  take(asker: Collector, previous: number): number {
    let slot = this.#owners[previous + 1] === null && previous >= 0 ? previous + 1 : this.#owners.indexOf(null)
    if (slot < 0) {
      let largest = asker
      for (const owner of this.#owners) if (owner !== null && owner.slots.length > largest.slots.length) largest = owner
      largest.cut()
      if (largest === asker) return -1
      slot = this.#owners.indexOf(null)
    }
    this.#owners[slot] = asker
    return slot
  }

  give(slots: readonly number[]): void {
    for (const slot of slots) this.#owners[slot] = null
  }

  /** Moves the body's slots, and whatever is in the way, until they are one run. @returns the first */
  arrange(body: Collector): number {
    const { slots } = body
    const first = Math.min(slots[0]!, this.#slots - slots.length)
    for (let i = 0; i < slots.length; i++) {
      const from = slots[i]!
      const to = first + i
      if (from === to) continue
      const other = this.#owners[to]!
      if (other === null) this.#copy(to, from)
      else {
        this.#swap(from, to)
        other.slots[other.slots.indexOf(to)] = from
      }
      this.#owners[from] = other
      this.#owners[to] = body
      slots[i] = to
    }
    return first
  }

  #copy(to: number, from: number): void {
    this.arena.copyWithin(to * SLOT_BYTES, from * SLOT_BYTES, (from + 1) * SLOT_BYTES)
  }

  #swap(a: number, b: number): void {
    const spare = (this.#spare ??= new Uint8Array(SLOT_BYTES))
    spare.set(this.arena.subarray(a * SLOT_BYTES, (a + 1) * SLOT_BYTES))
    this.#copy(a, b)
    this.arena.set(spare, b * SLOT_BYTES)
  }
}

class Collector implements ByteCollector {
  readonly slots: number[] = []
  readonly #pool: BodyPool
  readonly #maxBytes: number
  readonly #isBorrowed: boolean
  readonly #onCut: () => void
  /** A small body, or one whose limit is too high for the arena. */
  #own: Uint8Array
  #length = 0
  #isOver = false

  constructor(
    pool: BodyPool,
    rules: { readonly maxBytes: number; readonly expectedBytes: number; readonly isBorrowed: boolean },
    onCut: () => void,
  ) {
    const { maxBytes, expectedBytes, isBorrowed } = rules
    this.#pool = pool
    this.#maxBytes = maxBytes
    this.#isBorrowed = isBorrowed
    this.#onCut = onCut
    const believed = Math.min(Math.max(expectedBytes, 0), SLOT_BYTES, maxBytes)
    const used = isBorrowed ? pool.takeSmall() : NOTHING
    if (used.length >= believed) this.#own = used
    else {
      freeBytes(used)
      this.#own = new Uint8Array(believed)
    }
  }

  push(chunk: Uint8Array): boolean {
    const needed = this.#length + chunk.length
    if (this.#isOver || needed > this.#maxBytes) return false
    if (needed <= SLOT_BYTES || this.#maxBytes > this.#pool.maxArenaBytes) this.#pushOwn(chunk, needed)
    else if (!this.#pushSlots(chunk)) return false
    this.#length = needed
    return true
  }

  held(): Uint8Array {
    return this.#own.subarray(0, this.#length)
  }

  finish(): Uint8Array {
    const body = this.slots.length === 0 ? this.#own.subarray(0, this.#length) : this.#ofArena()
    this.discard()
    return body
  }

  discard(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#leaveArena()
    this.#giveOwn()
  }

  cut(): void {
    this.discard()
    this.#onCut()
  }

  #pushOwn(chunk: Uint8Array, needed: number): void {
    if (needed > this.#own.length) {
      const most = needed <= SLOT_BYTES ? SLOT_BYTES : this.#maxBytes
      const grown = new Uint8Array(Math.min(most, Math.max(needed, 2 * this.#length, 4096)))
      grown.set(this.#own.subarray(0, this.#length))
      freeBytes(this.#own)
      this.#own = grown
    }
    this.#own.set(chunk, this.#length)
  }

  #giveOwn(): void {
    if (this.#isBorrowed && this.#own.length <= SLOT_BYTES) this.#pool.giveSmall(this.#own)
    this.#own = NOTHING
  }

  /** False when there is no slot for this body. */
  #pushSlots(chunk: Uint8Array): boolean {
    const { slots } = this
    if (slots.length === 0) {
      const first = this.#pool.take(this, -1)
      if (first < 0) return false
      slots.push(first)
      this.#pool.arena.set(this.#own.subarray(0, this.#length), first * SLOT_BYTES)
      this.#giveOwn()
    }
    let at = this.#length
    for (let from = 0; from < chunk.length; ) {
      if (at === slots.length * SLOT_BYTES) {
        const next = this.#pool.take(this, slots.at(-1)!)
        if (next < 0) return false
        slots.push(next)
      }
      const used = at % SLOT_BYTES
      const length = Math.min(chunk.length - from, SLOT_BYTES - used)
      const part = length === chunk.length ? chunk : chunk.subarray(from, from + length)
      this.#pool.arena.set(part, slots.at(-1)! * SLOT_BYTES + used)
      at += length
      from += length
    }
    return true
  }

  #ofArena(): Uint8Array {
    if (this.#isBorrowed) {
      const from = this.#pool.arrange(this) * SLOT_BYTES
      return this.#pool.arena.subarray(from, from + this.#length)
    }
    const out = new Uint8Array(this.#length)
    this.slots.forEach((slot, i) => {
      const length = Math.min(SLOT_BYTES, this.#length - i * SLOT_BYTES)
      out.set(this.#pool.arena.subarray(slot * SLOT_BYTES, slot * SLOT_BYTES + length), i * SLOT_BYTES)
    })
    return out
  }

  #leaveArena(): void {
    this.#pool.give(this.slots)
    this.slots.length = 0
  }
}
