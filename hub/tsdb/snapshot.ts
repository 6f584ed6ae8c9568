/**
 * A head as bytes: the control page and the used part of every page, in sections with a CRC32C each.
 *
 *   section: magic u32 | type u32 | page u32 | offset u32 | length u32 | CRC32C of the five words and payload | payload
 *            (0 where the record around it has a CRC)
 *   types:   1 control, 2 page (its size as offset), 3 bytes of a page, 4 limbo (triples), 5 end (sections before it)
 */
import { joinBytes } from '../../protocol/bytes/mod.ts'
import { crc32c } from '../../protocol/crc/mod.ts'
import type { ReaderShare } from './contract.ts'
import { SnapshotError } from './errors.ts'
import { C_BUMP, C_MAGIC, C_SLOTS, C_VERSION, LAYOUT_VERSION, MAGIC, PAGE_SHIFT, READER_SLOTS } from './layout.ts'
import { Memory } from './memory.ts'

const HEADER_BYTES = 24
const SECTION_BYTES_MAX = 128 << 10
const Section = { control: 1, page: 2, bytes: 3, limbo: 4, end: 5 } as const
/** Instead of a CRC: the record that holds the section has one. */
const NO_CRC = 0

/** What a file holds already of pages that have changed since: they are compared, and the rest is given again. */
export type Copied = {
  readonly sections: number
  /** The first so many pages are declared. */
  readonly pages: number
  /** Whether the newest copy of these bytes, which begin at `from` in the page, equals them. */
  isHeld(page: number, from: number, bytes: Uint8Array): boolean
}

const NOTHING_COPIED: Copied = { sections: 0, pages: 0, isHeld: () => false }

/** A piece of a page as `copyPages` found it. */
export type PageCopy = { readonly section: Uint8Array; readonly page: number; readonly from: number }

/**
 * `unchanged` is asked before each section: pages must not change while the snapshot is taken. With `copied`, only what
 * that lacks; together they are the snapshot.
 */
export function* serializePages(
  mem: Memory,
  limbo: Uint32Array,
  unchanged: () => boolean,
  copied: Copied = NOTHING_COPIED,
): Generator<Uint8Array> {
  const hasCrc = copied === NOTHING_COPIED
  let sections = copied.sections
  const make = (type: number, page: number, offset: number, payload: Uint8Array): Uint8Array => {
    if (!unchanged()) throw new Error('BUG: the head was changed while its snapshot was being taken')
    sections++
    return section(type, page, offset, payload, hasCrc)
  }
  yield make(Section.control, 0, 0, new Uint8Array(mem.control.buffer).slice())
  for (const { type, page, offset, payload } of piecesOf(mem, copied)) yield make(type, page, offset, payload)
  yield make(Section.limbo, 0, 0, new Uint8Array(limbo.slice().buffer))
  yield make(Section.end, 0, sections, new Uint8Array(0))
}

/**
 * Sections of pages that are being written to: each may hold parts of different times. They are worth something only
 * together with a `serializePages` that compares them, later, and gives again what is no longer so.
 */
export function* copyPages(share: ReaderShare, copied: Copied): Generator<PageCopy> {
  for (const { type, page, offset, payload } of piecesOf(new Memory(share.control, share.pages), copied))
    yield { section: section(type, page, offset, payload, false), page, from: type === Section.bytes ? offset : -1 }
}

/** Where the bytes of a page stand within their section. */
export const SECTION_HEADER_BYTES = HEADER_BYTES
export const COPY_BYTES_MAX = SECTION_BYTES_MAX

function* piecesOf(mem: Memory, copied: Copied): Generator<ParsedSection> {
  const bump = mem.control[C_BUMP]!
  let slot = 0
  for (let page = 0; page < mem.pages.length; page++) {
    const buffer = mem.pages[page]!
    if (page >= copied.pages) yield { type: Section.page, page, offset: buffer.byteLength, payload: new Uint8Array(0) }
    const used = usedBytes(mem, slot, buffer.byteLength, bump)
    for (let from = 0; from < used; from += SECTION_BYTES_MAX) {
      const bytes = new Uint8Array(buffer, from, Math.min(SECTION_BYTES_MAX, used - from))
      if (!copied.isHeld(page, from, bytes)) yield { type: Section.bytes, page, offset: from, payload: bytes }
    }
    slot += Math.ceil(buffer.byteLength / (4 << PAGE_SHIFT))
  }
}

/** All of a page but what the bump allocation has not reached; nothing of a page that it has not opened. */
function usedBytes(mem: Memory, slot: number, pageBytes: number, bump: number): number {
  const isLarge = pageBytes > 4 << PAGE_SHIFT
  const bumpSlot = bump >>> PAGE_SHIFT
  // A bump that stands at the very end of a full slot has the next slot's number.
  if (bumpSlot === slot) return (bump & ((1 << PAGE_SHIFT) - 1)) * 4
  const isUnopened = slot > bumpSlot && !isLarge && slot === mem.u32.length - 1
  return isUnopened ? 0 : pageBytes
}

function section(type: number, page: number, offset: number, payload: Uint8Array, hasCrc: boolean): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + payload.length)
  const view = new DataView(out.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, type, true)
  view.setUint32(8, page, true)
  view.setUint32(12, offset, true)
  view.setUint32(16, payload.length, true)
  out.set(payload, HEADER_BYTES)
  const copy = out.subarray(HEADER_BYTES)
  view.setUint32(20, hasCrc ? crc32c(copy, 0, copy.length, crc32c(out, 0, 20)) : NO_CRC, true)
  return out
}

/**
 * The pages of a snapshot, and its limbo (triples of epoch, address or id, words or table), chunk by chunk, so that of a
 * large one no more than a chunk is held twice. The chunks may be cut anywhere; later sections win over earlier ones.
 */
export class PageRestorer {
  readonly #pages: SharedArrayBuffer[] = []
  #control: SharedArrayBuffer | null = null
  #limbo: Uint32Array | null = null
  #pending = new Uint8Array(0)
  #at = 0
  #sections = 0
  #isWhole = false

  /** Borrowed until it returns. @throws SnapshotError for bytes that are damaged or of another layout */
  push(chunk: Uint8Array): void {
    const joined = this.#pending.length === 0 ? chunk : joinBytes([this.#pending, chunk])
    const used = this.#apply(joined)
    this.#at += used
    this.#pending = joined.slice(used)
  }

  /** @throws SnapshotError */
  finish(): { mem: Memory; limbo: Uint32Array } {
    if (!this.#isWhole)
      throw new SnapshotError(`it ends after ${this.#sections} sections without its end mark; it was cut off`)
    return { mem: new Memory(this.#control!, this.#pages), limbo: this.#limbo! }
  }

  /** The whole sections at the beginning of the bytes; returns how many bytes they are. */
  #apply(bytes: Uint8Array): number {
    let from = 0
    while (bytes.length - from >= HEADER_BYTES) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + from)
      const length = view.getUint32(16, true)
      const where = `byte ${this.#at + from}`
      if (view.getUint32(0, true) !== MAGIC) throw new SnapshotError(`there is no section at ${where}`)
      if (length > 64 << 20) throw new SnapshotError(`the section at ${where} claims ${length} bytes`)
      if (bytes.length - from < HEADER_BYTES + length) break
      const payload = bytes.subarray(from + HEADER_BYTES, from + HEADER_BYTES + length)
      const crc = view.getUint32(20, true)
      if (crc !== NO_CRC && crc !== crc32c(payload, 0, payload.length, crc32c(bytes, from, from + 20)))
        throw new SnapshotError(`the checksum of the section at ${where} is wrong`)
      this.#take({
        type: view.getUint32(4, true),
        page: view.getUint32(8, true),
        offset: view.getUint32(12, true),
        payload,
      })
      from += HEADER_BYTES + length
    }
    return from
  }

  #take({ type, page, offset, payload }: ParsedSection): void {
    if (type === Section.end) {
      if (offset !== this.#sections || this.#control === null || this.#limbo === null)
        throw new SnapshotError(`it has ${this.#sections} sections where ${offset} were written`)
      this.#isWhole = true
      return
    }
    this.#sections++
    if (type === Section.control) this.#control = controlOf(payload)
    else if (type === Section.page) this.#pages.push(new SharedArrayBuffer(offset))
    else if (type === Section.limbo) this.#limbo = new Uint32Array(payload.slice().buffer)
    else if (type !== Section.bytes) throw new SnapshotError(`section ${this.#sections} has the unknown type ${type}`)
    else if (page >= this.#pages.length || offset + payload.length > this.#pages[page]!.byteLength)
      throw new SnapshotError(`section ${this.#sections} lies outside page ${page}`)
    else new Uint8Array(this.#pages[page]!).set(payload, offset)
  }
}

function controlOf(payload: Uint8Array): SharedArrayBuffer {
  const control = new SharedArrayBuffer(payload.length)
  new Uint8Array(control).set(payload)
  const words = new Uint32Array(control)
  if (words[C_MAGIC] !== MAGIC || words[C_VERSION] !== LAYOUT_VERSION) {
    throw new SnapshotError(`its layout version is ${words[C_VERSION]}, this program reads ${LAYOUT_VERSION}`)
  }
  // The readers of that time are gone.
  words.fill(0, C_SLOTS, C_SLOTS + 2 * READER_SLOTS)
  return control
}

type ParsedSection = {
  readonly type: number
  readonly page: number
  readonly offset: number
  readonly payload: Uint8Array
}
