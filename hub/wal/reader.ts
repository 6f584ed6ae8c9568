/**
 * Reads a log file record by record through a window of bounded size, and tells sound records from damaged ranges.
 */
import { crc32c } from '../../protocol/crc/mod.ts'
import { DiskError, type DiskFile } from '../../protocol/env/mod.ts'
import { type FileKey, HEADER_PAGE_BYTES, MAX_PAYLOAD_BYTES, RECORD_HEADER_BYTES, recordBytes } from './record.ts'

const WINDOW_BYTES = 1 << 20
/** A read that fails takes no more than this with it. */
const READ_BYTES = 64 << 10

/** `payload` is borrowed until the visitor returns. */
export type RecordVisitor = (type: number, payload: Uint8Array) => void

export type ScanResult = {
  readonly records: number
  /** Ranges [from, to) without a sound record, each followed by one. */
  readonly damaged: readonly (readonly [fromByte: number, toByte: number])[]
  /** End of the last sound record; what lies behind it up to `sizeBytes` is a torn or damaged tail. */
  readonly soundBytes: number
  readonly sizeBytes: number
}

export function scanFile(file: DiskFile, key: FileKey, visit: RecordVisitor): ScanResult {
  return scanRange(file, key, { fromByte: HEADER_PAGE_BYTES, toByte: file.size() }, (type, payload) => {
    visit(type, payload)
    return true
  })
}

/** `atByte` is where the record begins. False: no more for now. */
export type RangeVisitor = (type: number, payload: Uint8Array, atByte: number) => boolean

/** The same of a part of the file that begins at a record; `soundBytes` is where the next scan goes on. */
export function scanRange(
  file: DiskFile,
  key: FileKey,
  { fromByte, toByte }: { readonly fromByte: number; readonly toByte: number },
  visit: RangeVisitor,
): ScanResult {
  const window = new FileWindow(file, toByte, Math.min(WINDOW_BYTES, Math.max(READ_BYTES, toByte - fromByte)))
  const sizeBytes = window.sizeBytes
  const damaged: [number, number][] = []
  let records = 0
  let at = fromByte
  while (at < sizeBytes) {
    let next = soundRecordEnd(window, key, at)
    if (next < 0) {
      const found = findRecord(window, key, at + 8)
      if (found < 0) break
      damaged.push([at, found])
      at = found
      next = soundRecordEnd(window, key, at)
    }
    const header = window.at(at, RECORD_HEADER_BYTES)
    const length = window.view.getUint32(header + 8, true)
    const type = window.view.getUint32(header + 12, true)
    const start = window.at(at, RECORD_HEADER_BYTES + length) + RECORD_HEADER_BYTES
    const goesOn = visit(type, window.bytes.subarray(start, start + length), at)
    records++
    at = next
    if (!goesOn) break
  }
  return { records, damaged, soundBytes: Math.min(at, sizeBytes), sizeBytes }
}

/** The offset after the record at `at`, or -1 if there is no sound one. */
function soundRecordEnd(window: FileWindow, key: FileKey, at: number): number {
  if (at + RECORD_HEADER_BYTES > window.sizeBytes) return -1
  const header = window.at(at, RECORD_HEADER_BYTES)
  if (window.view.getUint32(header, true) !== key.sync) return -1
  const length = window.view.getUint32(header + 8, true)
  const next = at + recordBytes(length)
  if (length > MAX_PAYLOAD_BYTES || next > window.sizeBytes) return -1
  const start = window.at(at, next - at)
  const end = start + RECORD_HEADER_BYTES + length
  const crc = (crc32c(window.bytes.subarray(start + 8, end)) ^ key.salt) >>> 0
  if (window.view.getUint32(start + 4, true) !== crc) return -1
  for (let i = end; i < start + next - at; i++) if (window.bytes[i] !== 0) return -1
  return next
}

function findRecord(window: FileWindow, key: FileKey, from: number): number {
  for (let at = from; at + RECORD_HEADER_BYTES <= window.sizeBytes; at += 8) {
    const header = window.at(at, RECORD_HEADER_BYTES)
    if (window.view.getUint32(header, true) === key.sync && soundRecordEnd(window, key, at) >= 0) return at
  }
  return -1
}

/** A part of the file in memory; grows to the largest record asked for. */
class FileWindow {
  bytes: Uint8Array<ArrayBuffer>
  view: DataView
  readonly sizeBytes: number
  readonly #file: DiskFile
  #from = 0
  #to = 0

  constructor(file: DiskFile, sizeBytes: number, windowBytes: number) {
    this.#file = file
    this.sizeBytes = sizeBytes
    this.bytes = new Uint8Array(windowBytes)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Makes [position, position + length) present, which lies inside the file; returns where in `bytes` it starts. */
  at(position: number, length: number): number {
    if (position >= this.#from && position + length <= this.#to) return position - this.#from
    if (length > this.bytes.length) {
      this.bytes = new Uint8Array(length + WINDOW_BYTES)
      this.view = new DataView(this.bytes.buffer)
    }
    const wanted = Math.min(this.bytes.length, this.sizeBytes - position)
    for (let done = 0; done < wanted; done += READ_BYTES)
      this.#read(done, Math.min(READ_BYTES, wanted - done), position + done)
    this.#from = position
    this.#to = position + wanted
    return 0
  }

  /** What cannot be read (a bad sector, a file that shrank) reads as zeros, which no checksum accepts. */
  #read(offset: number, length: number, position: number): void {
    let done = 0
    try {
      while (done < length) {
        const n = this.#file.read(this.bytes, offset + done, length - done, position + done)
        if (n === 0) break
        done += n
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
    }
    this.bytes.fill(0, offset + done, offset + length)
  }
}
