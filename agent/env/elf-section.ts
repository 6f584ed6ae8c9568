/** Where the linker put a section of a program. Layout: elf(5), 64 bits, little endian. */
import fs from 'node:fs'

/** Addresses in the running program, `[from, to)`. */
export type Mapping = { readonly from: bigint; readonly to: bigint }

const HEADER_BYTES = 64
const ELF_MAGIC = 0x7f454c46
const CLASS_64 = 2
/** A program that runs at the addresses its linker chose. */
const TYPE_FIXED = 2

/** Null where the file has no such section, or may be loaded anywhere. @throws what the disk says */
export function sectionAddress(file: string, section: string): Mapping | null {
  const fd = fs.openSync(file, 'r')
  const read = (position: bigint, bytes: number): DataView => {
    const buffer = new Uint8Array(bytes)
    return new DataView(buffer.buffer, 0, fs.readSync(fd, buffer, { position }))
  }
  try {
    const header = read(0n, HEADER_BYTES)
    if (header.byteLength < HEADER_BYTES || header.getUint32(0) !== ELF_MAGIC) return null
    if (header.getUint8(4) !== CLASS_64 || header.getUint16(16, true) !== TYPE_FIXED) return null
    const [entryBytes, count] = [header.getUint16(58, true), header.getUint16(60, true)]
    const table = read(header.getBigUint64(40, true), entryBytes * count)
    const field = (index: number, offset: number): bigint => table.getBigUint64(index * entryBytes + offset, true)
    const namesAt = header.getUint16(62, true)
    const names = Buffer.from(read(field(namesAt, 24), Number(field(namesAt, 32))).buffer).toString('latin1')
    for (let i = 0; i < count; i++) {
      const name = table.getUint32(i * entryBytes, true)
      if (names.slice(name, names.indexOf('\0', name)) !== section) continue
      const from = field(i, 16)
      return { from, to: from + field(i, 32) }
    }
    return null
  } finally {
    fs.closeSync(fd)
  }
}
