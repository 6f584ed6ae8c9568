/**
 * The part of CBOR (RFC 8949) that envelopes, acknowledgements and cursors need: integers up to 2^53 either way, byte
 * strings, text, and arrays of definite length, in the shortest form. Written by hand, because a reader of bytes from
 * strangers must not run a general decoder on them (cbor-x compiles record readers and reserves arrays by their
 * declared length); `cbor.test.ts` checks that cbor-x reads what we write.
 */
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

const Major = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4 } as const
type Major = (typeof Major)[keyof typeof Major]
const NAMES = ['an unsigned integer', 'a negative integer', 'a byte string', 'a text', 'an array']

export function writeInteger(out: ByteWriter, value: number): void {
  if (value < 0) writeHead(out, Major.negative, -1 - value)
  else writeHead(out, Major.unsigned, value)
}

export function writeBytes(out: ByteWriter, bytes: Uint8Array): void {
  writeHead(out, Major.bytes, bytes.length)
  out.raw(bytes)
}

export function writeText(out: ByteWriter, text: string): void {
  const bytes = encoder.encode(text)
  writeHead(out, Major.text, bytes.length)
  out.raw(bytes)
}

export function writeArray(out: ByteWriter, itemCount: number): void {
  writeHead(out, Major.array, itemCount)
}

/** A safe integer. */
export function readInteger(input: ByteReader): number {
  const first = input.byte()
  const major = first >> 5
  if (major !== Major.unsigned && major !== Major.negative) return unexpected(input, 'an integer', first)
  const value = readArgument(input, first)
  return major === Major.negative ? -1 - value : value
}

/** A safe integer, not negative. */
export const readUnsigned = (input: ByteReader): number => readHead(input, Major.unsigned)

/** Borrowed from the input. */
export const readBytes = (input: ByteReader): Uint8Array => input.raw(readHead(input, Major.bytes))

export const readText = (input: ByteReader, maxBytes: number): string =>
  input.utf8(readHead(input, Major.text), maxBytes)

/** The count of items, each of which takes a byte at least: never more than the bytes that are left. */
export function readArray(input: ByteReader): number {
  const count = readHead(input, Major.array)
  if (count > input.left) input.fail(`an array declares ${count} items and ${input.left} bytes are left`)
  return count
}

function writeHead(out: ByteWriter, major: Major, argument: number): void {
  const top = major << 5
  if (argument < 24) out.byte(top | argument)
  else if (argument < 0x100) {
    out.byte(top | 24)
    out.byte(argument)
  } else if (argument < 0x10000) {
    out.byte(top | 25)
    writeBigEndian(out, argument, 2)
  } else if (argument < 0x100000000) {
    out.byte(top | 26)
    writeBigEndian(out, argument, 4)
  } else {
    out.byte(top | 27)
    writeBigEndian(out, argument, 8)
  }
}

function writeBigEndian(out: ByteWriter, value: number, byteCount: number): void {
  for (let i = byteCount - 1; i >= 0; i--) out.byte(Math.floor(value / 256 ** i) % 256)
}

function readHead(input: ByteReader, major: Major): number {
  const first = input.byte()
  if (first >> 5 !== major) return unexpected(input, NAMES[major]!, first)
  return readArgument(input, first)
}

function readArgument(input: ByteReader, first: number): number {
  const short = first & 31
  if (short < 24) return short
  if (short > 27) return input.fail('lengths must be definite')
  let value = 0
  for (let i = 1 << (short - 24); i > 0; i--) value = value * 256 + input.byte()
  return value < Number.MAX_SAFE_INTEGER ? value : input.fail('an integer is above 2^53 - 2')
}

function unexpected(input: ByteReader, what: string, first: number): never {
  return input.fail(`expected ${what}, got ${NAMES[first >> 5] ?? 'something else'}`)
}

const encoder = new TextEncoder()
