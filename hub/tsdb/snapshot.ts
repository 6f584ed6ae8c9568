/**
 * A head as bytes: the control page and the used part of every page, in sections with a CRC32C each.
 *
 *   section: magic u32 | type u32 | page u32 | offset u32 | length u32 | CRC32C of the five words and payload | payload
 *   types:   1 control, 2 page (its size as offset), 3 bytes of a page, 4 limbo (triples), 5 end (sections before it)
 */
import { crc32c } from '../../protocol/crc/mod.ts'
import { SnapshotError } from './errors.ts'
import { C_BUMP, C_MAGIC, C_SLOTS, C_VERSION, LAYOUT_VERSION, MAGIC, PAGE_SHIFT, READER_SLOTS } from './layout.ts'
import { Memory } from './memory.ts'

const HEADER_BYTES = 24
const SECTION_BYTES_MAX = 1 << 20
const Section = { control: 1, page: 2, bytes: 3, limbo: 4, end: 5 } as const

/** `unchanged` is asked before each section: pages must not change while the snapshot is taken. */
export function* serializePages(mem: Memory, limbo: Uint32Array, unchanged: () => boolean): Generator<Uint8Array> {
  let sections = 0
  const make = (type: number, page: number, offset: number, payload: Uint8Array): Uint8Array => {
    if (!unchanged()) throw new Error('BUG: the head was changed while its snapshot was being taken')
    sections++
    return section(type, page, offset, payload)
  }
  yield make(Section.control, 0, 0, new Uint8Array(mem.control.buffer).slice())
  const bump = mem.control[C_BUMP]!
  let slot = 0
  for (let page = 0; page < mem.pages.length; page++) {
    const buffer = mem.pages[page]!
    yield make(Section.page, page, buffer.byteLength, new Uint8Array(0))
    const used = usedBytes(mem, slot, buffer.byteLength, bump)
    for (let from = 0; from < used; from += SECTION_BYTES_MAX) {
      const bytes = new Uint8Array(buffer, from, Math.min(SECTION_BYTES_MAX, used - from)).slice()
      yield make(Section.bytes, page, from, bytes)
    }
    slot += Math.ceil(buffer.byteLength / (4 << PAGE_SHIFT))
  }
  yield make(Section.limbo, 0, 0, new Uint8Array(limbo.slice().buffer))
  yield make(Section.end, 0, sections, new Uint8Array(0))
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

function section(type: number, page: number, offset: number, payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + payload.length)
  const view = new DataView(out.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, type, true)
  view.setUint32(8, page, true)
  view.setUint32(12, offset, true)
  view.setUint32(16, payload.length, true)
  out.set(payload, HEADER_BYTES)
  view.setUint32(20, crc32c(payload, 0, payload.length, crc32c(out, 0, 20)), true)
  return out
}

/**
 * The pages of a snapshot, and its limbo (triples of epoch, address or id, words or table). The chunks may be cut anywhere.
 * @throws SnapshotError when the bytes are damaged, cut off or of another layout
 */
export function restorePages(chunks: Iterable<Uint8Array>): { mem: Memory; limbo: Uint32Array } {
  let control: SharedArrayBuffer | null = null
  let limbo: Uint32Array | null = null
  const pages: SharedArrayBuffer[] = []
  let sections = 0
  for (const { type, page, offset, payload } of sectionsOf(chunks)) {
    if (type === Section.end) {
      if (offset !== sections || control === null || limbo === null) {
        throw new SnapshotError(`it has ${sections} sections where ${offset} were written`)
      }
      return { mem: new Memory(control, pages), limbo }
    }
    sections++
    if (type === Section.control) control = controlOf(payload)
    else if (type === Section.page) pages.push(new SharedArrayBuffer(offset))
    else if (type === Section.limbo) limbo = new Uint32Array(payload.slice().buffer)
    else if (type !== Section.bytes) throw new SnapshotError(`section ${sections} has the unknown type ${type}`)
    else if (page >= pages.length || offset + payload.length > pages[page]!.byteLength) {
      throw new SnapshotError(`section ${sections} lies outside page ${page}`)
    } else new Uint8Array(pages[page]!).set(payload, offset)
  }
  throw new SnapshotError(`it ends after ${sections} sections without its end mark; it was cut off`)
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

function* sectionsOf(chunks: Iterable<Uint8Array>): Generator<ParsedSection> {
  let pending = new Uint8Array(0)
  let at = 0
  for (const chunk of chunks) {
    const joined = new Uint8Array(pending.length + chunk.length)
    joined.set(pending)
    joined.set(chunk, pending.length)
    let from = 0
    while (joined.length - from >= HEADER_BYTES) {
      const view = new DataView(joined.buffer, from)
      const length = view.getUint32(16, true)
      if (view.getUint32(0, true) !== MAGIC) throw new SnapshotError(`there is no section at byte ${at + from}`)
      if (length > 64 << 20) throw new SnapshotError(`the section at byte ${at + from} claims ${length} bytes`)
      if (joined.length - from < HEADER_BYTES + length) break
      const payload = joined.subarray(from + HEADER_BYTES, from + HEADER_BYTES + length)
      const crc = crc32c(payload, 0, payload.length, crc32c(joined, from, from + 20))
      if (crc !== view.getUint32(20, true))
        throw new SnapshotError(`the checksum of the section at byte ${at + from} is wrong`)
      yield { type: view.getUint32(4, true), page: view.getUint32(8, true), offset: view.getUint32(12, true), payload }
      from += HEADER_BYTES + length
    }
    at += from
    pending = joined.subarray(from)
  }
}
