/**
 * Time columns: series that are scraped together share a group, which keeps each scrape's timestamp once, under a
 * number that grows by one a scrape, the tick. Series then store ticks' values only.
 *
 * A time block holds 64 ticks as a base and offsets in ms; the group's directory lists its blocks. A tick that is
 * never used (after a pause of 49 days the rest of a block is skipped) has the largest offset, so times never fall.
 */
import type { Allocator } from './allocator.ts'
import type { Limbo } from './epochs.ts'
import { HeadFullError } from './errors.ts'
import {
  D_CAPACITY,
  D_FIRST,
  D_HEADER,
  G_DIRECTORY,
  G_LAST_TIME_F64,
  G_PUBLISHED,
  G_TICKS,
  G_USES,
  GROUPS,
  T_HEADER,
  T_OFFSET_MAX,
  T_TICKS,
  T_TICKS_SHIFT,
} from './layout.ts'
import type { Memory } from './memory.ts'
import { TableWriter } from './table.ts'

export type GroupId = number
const BLOCK_WORDS = T_HEADER + T_TICKS
/** G_USES of a group that is removed but may still be looked at. */
const WAITING = 0xffffffff

/** Time of a tick of the directory `directory`; the tick's block must be retained. */
export function tickTime(mem: Memory, directory: number, tick: number): number {
  const block = mem.get(directory + D_HEADER + (tick >>> T_TICKS_SHIFT) - mem.get(directory + D_FIRST))
  return mem.getF64(block, 0) + mem.get(block + T_HEADER + (tick & (T_TICKS - 1)))
}

/** The first tick in [from, to) whose time is >= `time`; `to` when none is. */
export function findTick(mem: Memory, directory: number, from: number, to: number, time: number): number {
  let low = from
  let high = to
  while (low < high) {
    const middle = (low + high) >>> 1
    if (tickTime(mem, directory, middle) < time) low = middle + 1
    else high = middle
  }
  return low
}

/** The first tick that is retained. */
export function firstTick(mem: Memory, directory: number): number {
  return mem.get(directory + D_FIRST) << T_TICKS_SHIFT
}

export class GroupWriter {
  readonly table: TableWriter
  readonly #mem: Memory
  readonly #alloc: Allocator
  readonly #limbo: Limbo
  #freeIds: GroupId[] = []
  #dirty: GroupId[] = []

  constructor(mem: Memory, alloc: Allocator, limbo: Limbo, onReuse: () => void) {
    this.#mem = mem
    this.#alloc = alloc
    this.#limbo = limbo
    this.table = new TableWriter(mem, GROUPS, alloc)
    limbo.onRecycle(GROUPS.index, (id) => {
      mem.set(this.table.addr(id) + G_USES, 0)
      this.#freeIds.push(id)
      onReuse()
    })
    for (let id = 0; id < this.table.count; id++) {
      if (mem.get(this.table.addr(id) + G_USES) === 0) this.#freeIds.push(id)
    }
  }

  get count(): number {
    return this.table.count - this.#freeIds.length
  }

  /** @throws HeadFullError */
  create(): GroupId {
    const directory = this.#alloc.alloc(D_HEADER + 6)
    this.#mem.set(directory + D_FIRST, 0)
    this.#mem.set(directory + D_CAPACITY, 6)
    const id = this.#freeIds.pop() ?? this.table.add()
    const record = this.table.addr(id)
    for (const field of [G_PUBLISHED, G_TICKS]) this.#mem.set(record + field, 0)
    this.#mem.set(record + G_USES, 1)
    this.#mem.setF64(record, G_LAST_TIME_F64, -Infinity)
    this.#mem.publish(record + G_DIRECTORY, directory)
    this.table.publishCount()
    return id
  }

  lastTime(group: GroupId): number {
    return this.#mem.getF64(this.table.addr(group), G_LAST_TIME_F64)
  }

  /** Ticks given out so far. */
  ticks(group: GroupId): number {
    return this.#mem.get(this.table.addr(group) + G_TICKS)
  }

  isPublished(group: GroupId, tick: number): boolean {
    return this.#mem.get(this.table.addr(group) + G_PUBLISHED) > tick
  }

  timeOf(group: GroupId, tick: number): number {
    return tickTime(this.#mem, this.#mem.get(this.table.addr(group) + G_DIRECTORY), tick)
  }

  /** Adds a scrape time later than `lastTime`; returns its tick. @throws HeadFullError, nothing changed */
  addTick(group: GroupId, time: number): number {
    const record = this.table.addr(group)
    let tick = this.#mem.get(record + G_TICKS)
    let block = (tick & (T_TICKS - 1)) === 0 ? 0 : this.#blockOf(record, tick)
    if (block !== 0 && time - this.#mem.getF64(block, 0) >= T_OFFSET_MAX) {
      tick = ((tick >>> T_TICKS_SHIFT) + 1) << T_TICKS_SHIFT
      block = 0
    }
    if (block === 0) block = this.#openBlock(record, tick, time)
    this.#mem.set(block + T_HEADER + (tick & (T_TICKS - 1)), time - this.#mem.getF64(block, 0))
    this.#mem.set(record + G_TICKS, tick + 1)
    this.#mem.setF64(record, G_LAST_TIME_F64, time)
    this.#dirty.push(group)
    return tick
  }

  use(group: GroupId): void {
    const record = this.table.addr(group)
    this.#mem.set(record + G_USES, this.#mem.get(record + G_USES) + 1)
  }

  release(group: GroupId): void {
    const record = this.table.addr(group)
    this.#mem.set(record + G_USES, this.#mem.get(record + G_USES) - 1)
  }

  /** Lets readers see all ticks so far. Pairs with the load of G_PUBLISHED in series-reader.ts. */
  publish(): void {
    for (const group of this.#dirty) {
      const record = this.table.addr(group)
      this.#mem.publish(record + G_PUBLISHED, this.#mem.get(record + G_TICKS))
    }
    this.#dirty.length = 0
  }

  /** Drops time blocks before `minTime` and groups that nothing uses and that are older. */
  trim(minTime: number): void {
    for (let id = 0; id < this.table.count; id++) {
      const record = this.table.addr(id)
      const uses = this.#mem.get(record + G_USES)
      if (uses === 0 || uses === WAITING) continue
      if (uses === 1 && this.#mem.getF64(record, G_LAST_TIME_F64) < minTime) this.#remove(id, record)
      else {
        try {
          this.#trimBlocks(record, minTime)
        } catch (error) {
          if (!(error instanceof HeadFullError)) throw error // old times stay until there is room for a directory
        }
      }
    }
  }

  #remove(group: GroupId, record: number): void {
    const directory = this.#mem.get(record + G_DIRECTORY)
    const first = this.#mem.get(directory + D_FIRST)
    const end = (this.#mem.get(record + G_TICKS) + T_TICKS - 1) >>> T_TICKS_SHIFT
    for (let i = 0; i < end - first; i++) this.#limbo.block(this.#mem.get(directory + D_HEADER + i), BLOCK_WORDS)
    this.#limbo.block(directory, D_HEADER + this.#mem.get(directory + D_CAPACITY))
    this.#mem.set(record + G_USES, WAITING)
    this.#limbo.id(GROUPS.index, group)
  }

  #trimBlocks(record: number, minTime: number): void {
    const directory = this.#mem.get(record + G_DIRECTORY)
    const first = this.#mem.get(directory + D_FIRST)
    const end = (this.#mem.get(record + G_TICKS) + T_TICKS - 1) >>> T_TICKS_SHIFT
    let old = 0
    // A block is wholly before when the next one begins before: the last block always stays.
    while (first + old + 1 < end && this.#mem.getF64(this.#mem.get(directory + D_HEADER + old + 1), 0) <= minTime) old++
    if (old === 0) return
    const drop = Array.from({ length: old }, (_, i) => this.#mem.get(directory + D_HEADER + i))
    this.#moveDirectory(record, first + old, end)
    for (const block of drop) this.#limbo.block(block, BLOCK_WORDS)
  }

  #blockOf(record: number, tick: number): number {
    const directory = this.#mem.get(record + G_DIRECTORY)
    return this.#mem.get(directory + D_HEADER + (tick >>> T_TICKS_SHIFT) - this.#mem.get(directory + D_FIRST))
  }

  #openBlock(record: number, tick: number, time: number): number {
    const directory = this.#mem.get(record + G_DIRECTORY)
    const first = this.#mem.get(directory + D_FIRST)
    const number = tick >>> T_TICKS_SHIFT
    const block = this.#alloc.alloc(BLOCK_WORDS)
    if (number - first >= this.#mem.get(directory + D_CAPACITY)) {
      try {
        this.#moveDirectory(record, first, number)
      } catch (error) {
        this.#alloc.free(block, BLOCK_WORDS)
        throw error
      }
    }
    this.#mem.setF64(block, 0, time)
    for (let i = 0; i < T_TICKS; i++) this.#mem.set(block + T_HEADER + i, T_OFFSET_MAX)
    this.#mem.publish(this.#mem.get(record + G_DIRECTORY) + D_HEADER + number - first, block)
    return block
  }

  /** A new directory with the blocks [first, end) and room for more, swapped in by one store. */
  #moveDirectory(record: number, first: number, end: number): void {
    const old = this.#mem.get(record + G_DIRECTORY)
    const oldFirst = this.#mem.get(old + D_FIRST)
    const capacity = (end - first) * 2 + 6
    const directory = this.#alloc.alloc(D_HEADER + capacity)
    this.#mem.set(directory + D_FIRST, first)
    this.#mem.set(directory + D_CAPACITY, capacity)
    for (let number = first; number < end; number++) {
      this.#mem.set(directory + D_HEADER + number - first, this.#mem.get(old + D_HEADER + number - oldFirst))
    }
    this.#mem.publish(record + G_DIRECTORY, directory)
    this.#limbo.block(old, D_HEADER + this.#mem.get(old + D_CAPACITY))
  }
}
