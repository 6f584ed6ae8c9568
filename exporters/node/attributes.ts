/**
 * Attributes of sysfs as numbers. One that a kernel or a device lacks (or that its driver refuses to read) is null; one
 * that says something else than a number is an error that names the file, so that its collector fails, as upstream's.
 * Semantics: prometheus/procfs internal/util, ReadUintFromFile and NewValueParser.
 */
import type { Disk } from '../../protocol/env/mod.ts'
import { intOf, readTrimmed, uintOf } from './files.ts'

export function readUint(disk: Disk, file: string): number | null {
  const text = readTrimmed(disk, file)
  return text === null ? null : uintOf(text, file)
}

export function readInt(disk: Disk, file: string): number | null {
  const text = readTrimmed(disk, file)
  return text === null ? null : intOf(text, file)
}

/** As in Go's source: `0x1f`, `0b1`, `017`, `1_000`. */
export function readUintLiteral(disk: Disk, file: string): number | null {
  const text = readTrimmed(disk, file)
  return text === null ? null : uintLiteral(text, file)
}

/** As `readUintLiteral`, with a sign. */
export function readIntLiteral(disk: Disk, file: string): number | null {
  const text = readTrimmed(disk, file)
  return text === null ? null : intLiteral(text, file)
}

/** As `readIntLiteral`, for upstream's readers that pass over what is no number. */
export function intLiteralOrZero(text: string): number {
  try {
    return intLiteral(text, '')
  } catch {
    return 0
  }
}

/** @throws Error naming the file */
export function intLiteral(text: string, file: string): number {
  if (!text.startsWith('-') && !text.startsWith('+')) return intOf(decimal(text), file)
  return intOf((text.startsWith('-') ? '-' : '') + decimal(text.slice(1)), file)
}

/** @throws Error naming the file */
export function uintLiteral(text: string, file: string): number {
  return uintOf(decimal(text), file)
}

const PREFIXED = /^0(?:x(?:_?[\da-f])+|b(?:_?[01])+|o?(?:_?[0-7])+)$/i
const GROUPED = /^[1-9]\d*(?:_\d+)+$/

/** The same number as anybody writes it; what is none is left as it is, or marked as none. */
function decimal(literal: string): string {
  if (!literal.startsWith('0') && !literal.includes('_')) return literal
  const plain = literal.replaceAll('_', '')
  if (PREFIXED.test(literal)) return BigInt(/^0\d/.test(plain) ? `0o${plain.slice(1)}` : plain).toString()
  if (GROUPED.test(literal)) return plain
  return /^0\d/.test(literal) ? `octal ${literal}` : literal
}
