/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), slicing by eight: the check on every record of the ring.
 * Semantics: RFC 3720, appendix B.4.
 */
const POLYNOMIAL = 0x82f63b78
let tables: Uint32Array | null = null

/** @param seed the checksum of what came before, so that pieces can be chained: crc32c(b, crc32c(a)) */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  const t = (tables ??= buildTables())
  let crc = ~seed
  let i = 0
  for (const end = bytes.length - 7; i < end; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    crc =
      t[1792 + (crc & 0xff)]! ^
      t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!
  }
  for (; i < bytes.length; i++) crc = t[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

function buildTables(): Uint32Array {
  const t = new Uint32Array(8 * 256)
  for (let n = 0; n < 256; n++) {
    let crc = n
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    t[n] = crc
  }
  for (let n = 0; n < 256; n++) {
    for (let k = 1; k < 8; k++) {
      const before = t[(k - 1) * 256 + n]!
      t[k * 256 + n] = t[before & 0xff]! ^ (before >>> 8)
    }
  }
  return t
}
