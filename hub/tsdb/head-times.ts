/** Which times the head's samples are of, and where late begins: the writer's copy of what the control page tells readers. */
import { C_CLOSED_F64, C_FLOOR_F64, C_MAX_TIME_F64, C_MIN_TIME_F64, C_SAMPLES_PRESENT } from './layout.ts'
import type { Memory } from './memory.ts'

export class HeadTimes {
  readonly #mem: Memory
  /** Of all samples, ms; Infinity and -Infinity without any. */
  min: number
  max: number
  /** Samples before it are refused: retention has taken their time. */
  #floor: number
  /** Samples before it go the way of late ones: their time is in blocks, or about to be. */
  #closed: number

  constructor(mem: Memory) {
    this.#mem = mem
    this.min = mem.controlF64[C_MIN_TIME_F64]!
    this.max = mem.controlF64[C_MAX_TIME_F64]!
    this.#floor = mem.controlF64[C_FLOOR_F64]!
    this.#closed = mem.controlF64[C_CLOSED_F64]!
  }

  get floor(): number {
    return this.#floor
  }

  get closed(): number {
    return this.#closed
  }

  raiseFloor(time: number): void {
    this.#floor = Math.max(this.#floor, time)
    this.#mem.controlF64[C_FLOOR_F64] = this.#floor
  }

  close(before: number): void {
    this.#closed = Math.max(this.#closed, before)
    this.#mem.controlF64[C_CLOSED_F64] = this.#closed
  }

  note(time: number): void {
    if (time < this.min) this.min = time
    if (time > this.max) this.max = time
  }

  /** Samples went: `max` is of the newest that is left, -Infinity when none is, and none is before `min`. */
  shrinkTo(min: number, max: number): void {
    this.max = max
    this.min = max === -Infinity ? Infinity : min
  }

  publish(): void {
    const { control, controlF64 } = this.#mem
    controlF64[C_MIN_TIME_F64] = this.min
    controlF64[C_MAX_TIME_F64] = this.max
    // Pairs with the load in HeadReader.timeRange.
    Atomics.store(control, C_SAMPLES_PRESENT, this.max === -Infinity ? 0 : 1)
  }
}
