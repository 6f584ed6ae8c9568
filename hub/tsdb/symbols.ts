/** Symbols: every string of the head once, as UTF-8 in shared memory, known by a number. */
import type { SymbolId } from './contract.ts'
import { findInHash } from './hash-index.ts'
import { C_SYMBOL_HASH, PAGE_MASK, PAGE_SHIFT, Y_BYTES, Y_HASH } from './layout.ts'
import type { Memory } from './memory.ts'
import type { Table } from './table.ts'

const CACHE_MAX = 1 << 16
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A string as bytes with its hash, ready for look-ups; reused from string to string. */
export class Utf8Scratch {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(256)
  length = 0
  hash = 0

  set(text: string): void {
    const n = text.length
    if (this.bytes.length < n * 3) this.bytes = new Uint8Array(n * 3)
    const bytes = this.bytes
    let length = n
    for (let i = 0; i < n; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) {
        length = encoder.encodeInto(text, bytes).written
        break
      }
      bytes[i] = code
    }
    let hash = 0x811c9dc5
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    this.length = length
    this.hash = mix(hash)
  }
}

/** Spreads FNV's weak low bits (murmur3's finaliser). */
export function mix(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Words of the block that holds a string: length, then bytes. */
export function symbolWords(byteLength: number): number {
  return 1 + ((byteLength + 3) >>> 2)
}

/** Look-ups for one thread, with a bounded cache of strings. */
export class SymbolReader {
  readonly #mem: Memory
  readonly #table: Table
  readonly #scratch = new Utf8Scratch()
  #texts = new Map<SymbolId, string>()

  constructor(mem: Memory, table: Table) {
    this.#mem = mem
    this.#table = table
  }

  forget(): void {
    this.#texts.clear()
  }

  /** '' for an id that is no symbol. */
  text(id: SymbolId): string {
    const known = this.#texts.get(id)
    if (known !== undefined) return known
    const text = this.#read(id)
    if (this.#texts.size >= CACHE_MAX) this.#texts.clear()
    this.#texts.set(id, text)
    return text
  }

  id(text: string): SymbolId {
    this.#scratch.set(text)
    return findSymbol(this.#mem, this.#table, this.#scratch)
  }

  #read(id: SymbolId): string {
    if (id >= this.#table.count) return ''
    const record = this.#table.addr(id)
    const block = record === 0 ? 0 : this.#mem.get(record + Y_BYTES)
    if (block === 0) return ''
    const bytes = this.#mem.u8[block >>> PAGE_SHIFT]!
    const from = ((block & PAGE_MASK) + 1) * 4
    const to = from + this.#mem.get(block)
    let text = ''
    if (to - from > 64) return decoder.decode(bytes.slice(from, to))
    for (let i = from; i < to; i++) {
      const code = bytes[i]!
      if (code >= 0x80) return decoder.decode(bytes.slice(from, to))
      text += String.fromCharCode(code)
    }
    return text
  }
}

export function findSymbol(mem: Memory, table: Table, wanted: Utf8Scratch): SymbolId {
  return findInHash(mem, C_SYMBOL_HASH, wanted.hash, (id) => {
    const record = table.addr(id)
    return mem.get(record + Y_HASH) === wanted.hash && sameBytes(mem, mem.get(record + Y_BYTES), wanted)
  })
}

function sameBytes(mem: Memory, block: number, wanted: Utf8Scratch): boolean {
  if (block === 0 || mem.get(block) !== wanted.length) return false
  const bytes = mem.u8[block >>> PAGE_SHIFT]!
  const from = ((block & PAGE_MASK) + 1) * 4
  for (let i = 0; i < wanted.length; i++) if (bytes[from + i] !== wanted.bytes[i]) return false
  return true
}
