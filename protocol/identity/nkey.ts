/**
 * The text form of keys that NATS calls nkeys: base32 (RFC 4648, upper case, no padding) of prefix, key and CRC-16.
 *
 *     public key   [ 0xA0 ][ 32 bytes public key ][ crc16, little-endian ]      56 characters, starts with U
 *     seed         [ 0x95 0x00 ][ 32 bytes seed ][ crc16, little-endian ]       58 characters, starts with SU
 *
 * Semantics: nats-io/nkeys, strkey.go; CRC-16/XMODEM. Only user keys are ours: accounts and operators sign nothing here.
 */
const PREFIX_USER = 20 << 3
const PREFIX_SEED = 18 << 3
export const KEY_BYTES = 32
/** Beside the keys: whoever only has to know the size need not load what signs. */
export const SIGNATURE_BYTES = 64
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A key that cannot be read. The message never holds a seed. */
export class KeyError extends Error {
  readonly code: 'bad-length' | 'bad-character' | 'bad-prefix' | 'bad-checksum'
  constructor(code: KeyError['code'], message: string) {
    super(message)
    this.name = 'KeyError'
    this.code = code
  }
}

/** `U…` of a raw 32-byte Ed25519 public key. */
export function encodePublicKey(raw: Uint8Array): string {
  checkRaw(raw, 'public key')
  return encodeChecked([PREFIX_USER], raw)
}

/** `SU…` of a raw 32-byte Ed25519 seed. */
export function encodeSeed(raw: Uint8Array): string {
  checkRaw(raw, 'seed')
  return encodeChecked([PREFIX_SEED | (PREFIX_USER >> 5), (PREFIX_USER & 31) << 3], raw)
}

/** The 32 bytes of a `U…` key. @throws KeyError */
export function decodePublicKey(text: string): Uint8Array {
  const bytes = decodeChecked(text, 56, 'public key')
  if (bytes[0] !== PREFIX_USER)
    throw new KeyError('bad-prefix', `Cannot read public key: expected a user nkey ("U…"), got "${text[0]}…"`)
  return bytes.slice(1, 1 + KEY_BYTES)
}

/** The 32 bytes of a `SU…` seed. @throws KeyError */
export function decodeSeed(text: string): Uint8Array {
  const bytes = decodeChecked(text, 58, 'seed')
  if (bytes[0] !== (PREFIX_SEED | (PREFIX_USER >> 5)) || bytes[1] !== (PREFIX_USER & 31) << 3)
    throw new KeyError('bad-prefix', `Cannot read seed: expected a user nkey seed ("SU…")`)
  return bytes.slice(2, 2 + KEY_BYTES)
}

function encodeChecked(prefix: readonly number[], raw: Uint8Array): string {
  const bytes = new Uint8Array(prefix.length + KEY_BYTES + 2)
  bytes.set(prefix)
  bytes.set(raw, prefix.length)
  const crc = crc16(bytes, bytes.length - 2)
  bytes[bytes.length - 2] = crc & 255
  bytes[bytes.length - 1] = crc >> 8
  return encodeBase32(bytes)
}

function decodeChecked(text: string, length: number, what: string): Uint8Array {
  if (text.length !== length)
    throw new KeyError('bad-length', `Cannot read ${what}: expected ${length} characters, got ${text.length}`)
  const bytes = decodeBase32(text, what)
  const crc = bytes[bytes.length - 2]! | (bytes[bytes.length - 1]! << 8)
  if (crc !== crc16(bytes, bytes.length - 2))
    throw new KeyError('bad-checksum', `Cannot read ${what}: the checksum does not match, a character is wrong`)
  return bytes
}

function checkRaw(raw: Uint8Array, what: string): void {
  if (raw.length !== KEY_BYTES)
    throw new KeyError('bad-length', `Cannot encode ${what}: expected ${KEY_BYTES} bytes, got ${raw.length}`)
}

function encodeBase32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let pending = 0
  for (const byte of bytes) {
    pending = ((pending << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(pending >> (bits - 5)) & 31]
  }
  return bits > 0 ? text + ALPHABET[(pending << (5 - bits)) & 31] : text
}

function decodeBase32(text: string, what: string): Uint8Array {
  const out = new Uint8Array((text.length * 5) >> 3)
  let bits = 0
  let pending = 0
  let n = 0
  for (let i = 0; i < text.length; i++) {
    const value = ALPHABET.indexOf(text[i]!)
    if (value < 0) throw new KeyError('bad-character', `Cannot read ${what}: character ${i + 1} is not base32`)
    pending = ((pending << 5) | value) & 0xfff
    if ((bits += 5) >= 8) out[n++] = (pending >> (bits -= 8)) & 255
  }
  // Spare bits that are not zero would give one key two spellings.
  if ((pending & ((1 << bits) - 1)) !== 0)
    throw new KeyError('bad-character', `Cannot read ${what}: the last character is wrong`)
  return out
}

function crc16(bytes: Uint8Array, length: number): number {
  let crc = 0
  for (let i = 0; i < length; i++) {
    crc ^= bytes[i]! << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc
}
