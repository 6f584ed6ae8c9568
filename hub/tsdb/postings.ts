/**
 * Postings: for every label pair the refs of its series, ascending, in a chain of blocks. Refs only grow, so a list is
 * appended to; a reader loads a block's `used` and looks no further. Refs of removed series stay until the list is
 * rebuilt: readers skip series that are dead.
 */

import type { SeriesRef, SymbolId } from './contract.ts'
import { findInHash } from './hash-index.ts'
import { C_PAIR_HASH, L_HEADER, L_NEXT, L_USED, P_COUNT, P_HEAD, P_NAME, P_NEXT, P_VALUE, Y_PAIRS } from './layout.ts'
import type { Memory } from './memory.ts'
import { mix } from './symbols.ts'
import type { Table } from './table.ts'

export type PairId = number

export function pairHash(name: SymbolId, value: SymbolId): number {
  return mix(Math.imul(name, 0x9e3779b1) ^ Math.imul(value, 0x85ebca77))
}

/** -1 when no series has ever had this pair. */
export function findPair(mem: Memory, pairs: Table, name: SymbolId, value: SymbolId): PairId {
  return findInHash(mem, C_PAIR_HASH, pairHash(name, value), (id) => {
    const record = pairs.addr(id)
    return mem.get(record + P_VALUE) === value && mem.get(record + P_NAME) === name
  })
}

/** Calls `visit` with every pair of the label name. */
export function forEachPair(
  mem: Memory,
  symbols: Table,
  pairs: Table,
  name: SymbolId,
  visit: (id: PairId) => void,
): void {
  const symbol = symbols.addr(name)
  if (symbol === 0) return
  for (let next = mem.load(symbol + Y_PAIRS); next !== 0; ) {
    visit(next - 1)
    next = mem.load(pairs.addr(next - 1) + P_NEXT)
  }
}

/** Of the label name, plus 1; 0 when it has none. Each that is added becomes it. */
export function newestPair(mem: Memory, symbols: Table, name: SymbolId): number {
  const symbol = symbols.addr(name)
  return symbol === 0 ? 0 : mem.load(symbol + Y_PAIRS)
}

/** Refs in the list, dead ones included. */
export function postingsCount(mem: Memory, pairs: Table, pair: PairId): number {
  return mem.get(pairs.addr(pair) + P_COUNT)
}

/** Appends the list of the pair to `out`. */
export function copyPostings(mem: Memory, pairs: Table, pair: PairId, out: RefList): void {
  for (let block = mem.load(pairs.addr(pair) + P_HEAD); block !== 0; block = mem.load(block + L_NEXT)) {
    const used = mem.load(block + L_USED) // pairs with the store in PostingsWriter: the refs are visible
    const from = (block & 0x3fffff) + L_HEADER
    out.append(mem.u32[block >>> 22]!, from, used)
  }
}

/** The first ref in the pair's list that passes; -1 when none does. */
export function findPosting(mem: Memory, pairs: Table, pair: PairId, test: (ref: SeriesRef) => boolean): number {
  for (let block = mem.load(pairs.addr(pair) + P_HEAD); block !== 0; block = mem.load(block + L_NEXT)) {
    const used = mem.load(block + L_USED)
    for (let i = 0; i < used; i++) {
      const ref = mem.get(block + L_HEADER + i)
      if (test(ref)) return ref
    }
  }
  return -1
}

/** Sets the bit of every ref in the pair's list; refs beyond the bitmap are newer than the query and left out. */
export function markPostings(mem: Memory, pairs: Table, pair: PairId, bits: Uint32Array): void {
  const limit = bits.length * 32
  for (let block = mem.load(pairs.addr(pair) + P_HEAD); block !== 0; block = mem.load(block + L_NEXT)) {
    const used = mem.load(block + L_USED)
    const words = mem.u32[block >>> 22]!
    const from = (block & 0x3fffff) + L_HEADER
    for (let i = from; i < from + used; i++) {
      const ref = words[i]!
      if (ref < limit) bits[ref >>> 5]! |= 1 << (ref & 31)
    }
  }
}

/** A growing list of refs. */
export class RefList {
  refs: Uint32Array
  count = 0

  constructor(capacity: number) {
    this.refs = new Uint32Array(Math.max(capacity, 16))
  }

  append(words: Uint32Array<ArrayBufferLike>, from: number, n: number): void {
    if (this.count + n > this.refs.length) {
      const grown = new Uint32Array(Math.max(this.count + n, this.refs.length * 2))
      grown.set(this.refs.subarray(0, this.count))
      this.refs = grown
    }
    if (n < 32) for (let i = 0; i < n; i++) this.refs[this.count + i] = words[from + i]!
    else this.refs.set(words.subarray(from, from + n), this.count)
    this.count += n
  }
}
