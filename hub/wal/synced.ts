/**
 * Two words of shared memory between the thread that writes the log and those that follow it: where what is on disk
 * ends, and from which segment on followers still need it. The writer never waits for a follower.
 *
 * A position is one number, so that it is read and written whole: segment × 2^32 + byte. It only grows.
 */
import { HEADER_PAGE_BYTES } from './record.ts'

export type WalPosition = number

const SEGMENT_UNIT = 2 ** 32
/** In place of a segment: no follower needs anything. */
const NOTHING = 0xffffffff

export const positionOf = (segment: number, byte: number): WalPosition => segment * SEGMENT_UNIT + byte
export const segmentOf = (position: WalPosition): number => Math.floor(position / SEGMENT_UNIT)
export const byteOf = (position: WalPosition): number => position % SEGMENT_UNIT
/** Of a segment's first record. */
export const startOf = (segment: number): WalPosition => positionOf(segment, HEADER_PAGE_BYTES)

export class SyncedEnd {
  readonly memory: SharedArrayBuffer
  readonly #end: BigInt64Array
  readonly #needed: Uint32Array

  /** @param memory of another thread's; all of the log is needed at first in one's own */
  constructor(memory = new SharedArrayBuffer(16)) {
    this.memory = memory
    this.#end = new BigInt64Array(memory, 0, 1)
    this.#needed = new Uint32Array(memory, 8, 1)
  }

  /** Whoever writes the log, after each sync: every record before it can be read from its file. */
  publish(segment: number, byte: number): void {
    Atomics.store(this.#end, 0, BigInt(positionOf(segment, byte))) // pairs with the load in `end`
  }

  /** 0: nothing is in the log. */
  get end(): WalPosition {
    return Number(Atomics.load(this.#end, 0)) // pairs with the store in `publish`
  }

  /** Followers need this segment and those after it; null: none. */
  need(segment: number | null): void {
    Atomics.store(this.#needed, 0, segment ?? NOTHING) // pairs with the load in `neededSegment`
  }

  get neededSegment(): number | null {
    const segment = Atomics.load(this.#needed, 0) // pairs with the store in `need`
    return segment === NOTHING ? null : segment
  }
}
