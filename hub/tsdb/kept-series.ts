/**
 * Where a thread has found the newest chunk of a series decoded (`kept-chunks.ts`), by the series' record and its version:
 * while that is the same, so is the chunk, and neither its head nor its neighbours have to be looked at, which lie all over
 * the shared memory. Records lie side by side, and so do these. Hot: bench/query/in-process.ts
 *
 * Where records die by the segment their memory becomes others', whose versions begin anew: what was found before chunks
 * were taken away (C_DROPS) counts no more.
 *
 *   slot, 32 bytes: record | version | chunk | entry | is it the only one | group + 1, 0 for own times | first tick | drops
 */

import { chunkKind } from './chunk-reader.ts'
import { K_GROUP, K_TICK, Kind, S_FIRST, S_LAST } from './layout.ts'
import type { Memory } from './memory.ts'

/** Of a thread; of two series with one slot the later has it. */
const SLOTS = 1 << 14
const SLOT_WORDS = 8
/** Of a record, log2. */
const RECORD_SHIFT = 4
const N_RECORD = 0
const N_VERSION = 1
const N_CHUNK = 2
const N_ENTRY = 3
const N_ONLY = 4
const N_GROUP = 5
const N_TICK = 6
const N_DROPS = 7

export class KeptSeries {
  #words = new Uint32Array(0)
  /** Of what was found last. */
  chunk = 0
  entry = 0
  isOnly = false
  group = -1
  tick = 0

  /** False: nothing is known of that version of the series, or chunks were taken away since. */
  find(record: number, version: number, drops: number): boolean {
    const words = this.#words
    if (words.length === 0) return false
    const at = slotOf(record)
    if (words[at + N_RECORD] !== record || words[at + N_VERSION] !== version >>> 0) return false
    if (words[at + N_DROPS] !== drops >>> 0) return false
    this.chunk = words[at + N_CHUNK]!
    this.entry = words[at + N_ENTRY]!
    this.isOnly = words[at + N_ONLY] === 1
    this.group = words[at + N_GROUP]! - 1
    this.tick = words[at + N_TICK]!
    return true
  }

  /**
   * @param entry of `KeptChunks`, where the newest chunk was found, which the read has just come to
   * @param drops as `KeptChunks` had them at the beginning of the read
   */
  note(mem: Memory, record: number, version: number, entry: number, drops: number): void {
    if (this.#words.length === 0) this.#words = new Uint32Array(SLOTS * SLOT_WORDS)
    const words = this.#words
    const at = slotOf(record)
    const chunk = mem.get(record + S_LAST)
    const isOfGroup = chunkKind(mem, chunk) === Kind.group
    words[at + N_RECORD] = record
    words[at + N_VERSION] = version
    words[at + N_DROPS] = drops
    words[at + N_CHUNK] = chunk
    words[at + N_ENTRY] = entry
    words[at + N_ONLY] = mem.get(record + S_FIRST) === chunk ? 1 : 0
    words[at + N_GROUP] = isOfGroup ? mem.get(chunk + K_GROUP) + 1 : 0
    words[at + N_TICK] = isOfGroup ? mem.get(chunk + K_TICK) : 0
  }
}

function slotOf(record: number): number {
  return SLOT_WORDS * ((record >>> RECORD_SHIFT) & (SLOTS - 1))
}
