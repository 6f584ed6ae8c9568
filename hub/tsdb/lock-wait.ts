/**
 * How readers wait for a record that the writer is changing. That takes microseconds; but where there are more threads
 * than processors, or a container has had its share of a tenth of a second, the writer stands still in the middle of it
 * for as long as it has no processor. To look again and again would keep it from getting one.
 */
import { C_MAX_TIME_F64 } from './layout.ts'
import type { Memory } from './memory.ts'

/** A tenth of a millisecond, about. */
const LOOKS_AT_ONCE = 10_000
const NAP_MS = 1
/** 2 s or more: its thread has died, and who has waited so long for it once does not do so for each series. */
const NAPS_MAX = 2000
const NAPS_AFTERWARDS = 50

/** Heads whose writer has, with the newest time by then: one that publishes newer samples had no processor, and is alive. */
const dead = new WeakMap<Memory, number>()
const nap = new Int32Array(new SharedArrayBuffer(4))

/**
 * To be called for each look in a row that finds the record locked.
 * @param looks so many before this one
 * @throws when the writer must have died inside a change
 */
export function waitForWriter(mem: Memory, looks: number): void {
  if (looks < LOOKS_AT_ONCE) return
  const newest = mem.controlF64[C_MAX_TIME_F64]!
  if (looks >= LOOKS_AT_ONCE + (dead.get(mem) === newest ? NAPS_AFTERWARDS : NAPS_MAX)) {
    dead.set(mem, newest)
    throw new Error('BUG: a record stayed locked; the writer died inside a change')
  }
  Atomics.wait(nap, 0, 0, NAP_MS)
}
