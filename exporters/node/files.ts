/** Reading procfs and sysfs: files that may be absent, values that may not be numbers, tables and links. */
import type { Disk } from '../../protocol/env/mod.ts'
import { readGoFloat } from '../../protocol/exposition/mod.ts'

/** null when the file is absent or cannot be read (many files of sysfs answer EINVAL). */
export function readOptional(disk: Disk, file: string): string | null {
  try {
    return disk.readText(file)
  } catch {
    return null
  }
}

/** As readOptional, without white space around it. */
export function readTrimmed(disk: Disk, file: string): string | null {
  return readOptional(disk, file)?.trim() ?? null
}

/** null when the file is absent or holds no number; `0x10` is 16. */
export function readNumber(disk: Disk, file: string): number | null {
  return parseNumber(readOptional(disk, file) ?? '')
}

/** null when the text is no number. */
export function parseNumber(text: string): number | null {
  const value = Number(text)
  return Number.isNaN(value) || text.trim() === '' ? null : value
}

/** @throws Error naming the file when the text is no number */
export function numberOf(text: string | undefined, file: string): number {
  const value = parseNumber(text ?? '')
  if (value === null) throw new Error(`Cannot read ${file}: number expected, got "${text ?? ''}"`)
  return value
}

/** As Go's ParseFloat. @throws Error naming the file when the text is no number */
export function floatOf(text: string | undefined, file: string): number {
  if (isShort(text, 0)) return Number(text)
  const value = readGoFloat(text ?? '')
  if (typeof value === 'number') return value
  throw new Error(`Cannot read ${file}: number expected, got "${text ?? ''}"`)
}

/** A whole number from 0 to 2^64 - 1 as the kernel prints it. @throws Error naming the file when the text is none */
export function uintOf(text: string | undefined, file: string, base: 10 | 16 = 10): number {
  if (base === 10 && isShort(text, 0)) return Number(text)
  const isDigits = base === 10 ? /^\d{1,400}$/ : /^[\da-f]{1,400}$/i
  const whole = isDigits.test(text ?? '') ? BigInt(base === 16 ? `0x${text}` : text!) : -1n
  return fitting(whole, BigInt.asUintN(64, whole), text, file)
}

/** As `uintOf`, with a sign and one bit less. */
export function intOf(text: string | undefined, file: string): number {
  if (isShort(text, text?.startsWith('-') === true ? 1 : 0)) return Number(text)
  const isDigits = /^[+-]?\d{1,400}$/.test(text ?? '')
  const whole = isDigits ? BigInt(text!.replace(/^\+/, '')) : 2n ** 64n
  return fitting(whole, BigInt.asIntN(64, whole), text, file)
}

/** Nearly every number of the kernel: so few digits that a float holds them. */
function isShort(text: string | undefined, from: number): text is string {
  if (text === undefined || text.length === from || text.length > 15) return false
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 48 || c > 57) return false
  }
  return true
}

function fitting(whole: bigint, in64: bigint, text: string | undefined, file: string): number {
  if (whole === in64) return Number(whole)
  throw new Error(`Cannot read ${file}: whole number of 64 bits expected, got "${text ?? ''}"`)
}

/** Names in a directory, sorted; none when it is absent. */
export function listDirectory(disk: Disk, path: string): string[] {
  try {
    return disk.readDirectory(path)
  } catch {
    return []
  }
}

/** null when the directory is absent: to tell "no such class" from "no such device". */
export function openDirectory(disk: Disk, path: string): string[] | null {
  try {
    return disk.readDirectory(path)
  } catch {
    return null
  }
}

/** Lines as Go's bufio.Scanner tells them: empty ones too, but none after the last newline. */
export function scanLines(text: string): string[] {
  const out = text.split('\n')
  if (out.at(-1) === '') out.pop()
  return out.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
}

/** Lines of a text that are not empty. */
export function lines(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '')
}

export function words(text: string): string[] {
  const trimmed = text.trim()
  return trimmed === '' ? [] : trimmed.split(/\s+/)
}

/** More than any kernel is built for. */
const CPUS_MAX = 65_536

/** `1,3-5,9` of the kernel's CPU lists. @throws Error for more CPUs than there can be */
export function parseCpuList(text: string): number[] {
  const out: number[] = []
  for (const part of text.trim().split(',')) {
    if (part === '') continue
    const [first, last = first] = part.split('-')
    for (let cpu = Number(first); cpu <= Number(last); cpu++) {
      if (out.length === CPUS_MAX) throw new Error(`CPU list of more than ${CPUS_MAX}: "${part}"`)
      out.push(cpu)
    }
  }
  return out
}

const LINKS_MAX = 40

/** The path without links; null when something on the way is absent or the links go round. */
export function realPath(disk: Disk, path: string): string | null {
  // A relative path stays relative.
  let done = path.startsWith('/') ? '' : '.'
  let rest = path.split('/')
  for (let links = 0; rest.length > 0; ) {
    const [part = '', ...after] = rest
    rest = after
    if (part === '' || part === '.') continue
    if (part === '..') {
      done = done.slice(0, Math.max(0, done.lastIndexOf('/')))
      continue
    }
    const here = `${done}/${part}`
    const stat = disk.stat(here, { followLinks: false })
    if (!stat) return null
    if (!stat.isSymbolicLink) {
      done = here
      continue
    }
    if (++links > LINKS_MAX) return null
    const target = disk.readLink(here)
    if (target.startsWith('/')) done = ''
    rest = [...target.split('/'), ...rest]
  }
  return done === '' ? '/' : done.replace(/^\.\/(?=.)/, '')
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

const AT_PAGESZ = 6n
const COMMON_PAGE_BYTES = 4096

/** From the auxiliary vector (pairs of 64-bit words) that the kernel gave this process. */
export function pageSizeBytes(disk: Disk, procfs: string): number {
  let bytes: Uint8Array
  try {
    bytes = disk.readFile(`${procfs}/self/auxv`)
  } catch {
    return COMMON_PAGE_BYTES
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + 16 <= bytes.length; at += 16)
    if (view.getBigUint64(at, true) === AT_PAGESZ) return Number(view.getBigUint64(at + 8, true))
  return COMMON_PAGE_BYTES
}
