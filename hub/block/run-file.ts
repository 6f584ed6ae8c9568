/**
 * The `chunks` file: runs of entries (chunks, or columns of times), each run compressed as a whole, with a checksum.
 *
 *     header   magic "HELIOCHK" | version u32 | crc32c of the 12 bytes before u32
 *     run      stored bytes u32 | raw bytes u32 | crc32c(the 8 bytes before, payload) u32 | payload
 *
 * A payload of as many bytes as raw is stored as it is, else it is compressed.
 */
import type { Compressor } from '../../protocol/batch/mod.ts'
import { crc32c } from '../../protocol/crc/mod.ts'
import type { DiskFile } from '../../protocol/env/mod.ts'
import { ByteWriter } from './bytes.ts'
import type { OnDamage } from './contract.ts'
import { BlockDamagedError } from './errors.ts'

const HEADER_BYTES = 16
const RUN_HEADER_BYTES = 12
const MAGIC = [0x48, 0x45, 0x4c, 0x49, 0x4f, 0x43, 0x48, 0x4b] as const
/** 2 knows columns of Rice codes; what version 1 wrote is read as it is. */
const VERSION = 2
const OLDEST_VERSION = 1
/** Decoders may read this far past the last entry. */
const SLACK_BYTES = 16
/** Raw bytes at which a run is closed. */
export const RUN_BYTES = 64 << 10
const FLUSH_BYTES = 1 << 20
/** Longer than any run made here: a chunk of 1024 histograms of the largest size. */
const RUN_BYTES_MAX = 256 << 20
const LEVEL = 6

/** One kind's runs as the index lists them. */
export type RunTable = {
  /** Runs. */
  readonly count: number
  /** In the file, by run. */
  readonly offsets: Float64Array
  readonly storedBytes: Uint32Array
  /** First entry by run, and the number of entries at the end. */
  readonly firstEntry: Uint32Array
}

export class RunFileWriter {
  readonly #file: DiskFile
  readonly #compressor: Compressor
  readonly #pending = new ByteWriter(FLUSH_BYTES + (RUN_BYTES << 1))
  #written = 0

  constructor(file: DiskFile, compressor: Compressor) {
    this.#file = file
    this.#compressor = compressor
    for (const byte of MAGIC) this.#pending.byte(byte)
    this.#pending.u32(VERSION)
    this.#pending.u32(crc32c(this.#pending.written()))
  }

  get sizeBytes(): number {
    return this.#written + this.#pending.length
  }

  /** Where the run begins and how long its payload is. */
  add(raw: Uint8Array): { readonly offset: number; readonly storedBytes: number } {
    const offset = this.sizeBytes
    const packed = this.#compressor.compress(raw, LEVEL)
    const payload = packed.length < raw.length ? packed : raw
    const out = this.#pending
    const at = out.length
    out.u32(payload.length)
    out.u32(raw.length)
    out.u32(crc32c(payload, 0, payload.length, crc32c(out.bytes, at, at + 8)))
    out.append(payload)
    if (out.length >= FLUSH_BYTES) this.#flush()
    return { offset, storedBytes: payload.length }
  }

  /** Everything is on disk when it returns, but for the name. */
  finish(): void {
    this.#flush()
    this.#file.datasync()
  }

  #flush(): void {
    this.#file.write(this.#pending.written(), this.#written)
    this.#written += this.#pending.length
    this.#pending.length = 0
  }
}

/** Gathers entries of one kind into runs. */
export class RunBuilder {
  readonly #file: RunFileWriter
  readonly #raw = new ByteWriter(RUN_BYTES * 2)
  readonly runs: { readonly offset: number; readonly storedBytes: number; readonly entries: number }[] = []
  #entries = 0

  constructor(file: RunFileWriter) {
    this.#file = file
  }

  /** Write the entry here, then call `end`. */
  get out(): ByteWriter {
    return this.#raw
  }

  end(): void {
    this.#entries++
    if (this.#raw.length >= RUN_BYTES) this.close()
  }

  close(): void {
    if (this.#entries === 0) return
    this.runs.push({ ...this.#file.add(this.#raw.written()), entries: this.#entries })
    this.#raw.length = 0
    this.#entries = 0
  }
}

/**
 * Runs have checksums of their own: damage to what stands around them costs none that is whole.
 * @throws BlockDamagedError when the file is of a version that is not known
 */
export function checkRunFileHeader(file: DiskFile, path: string, sizeBytes: number, onDamage: OnDamage): void {
  const size = file.size()
  if (size !== sizeBytes) {
    const cost = size > sizeBytes ? 'nothing' : 'piece'
    onDamage(new BlockDamagedError(path, 'chunks', `${size} bytes, not ${sizeBytes}`, { cost }))
  }
  const head = new Uint8Array(HEADER_BYTES)
  file.read(head, 0, HEADER_BYTES, 0)
  const view = new DataView(head.buffer)
  if (view.getUint32(12, true) !== crc32c(head, 0, 12)) {
    onDamage(new BlockDamagedError(path, 'chunks header', 'wrong checksum', { cost: 'nothing' }))
    return
  }
  const version = view.getUint32(8, true)
  if (MAGIC.some((byte, i) => head[i] !== byte) || version < OLDEST_VERSION || version > VERSION)
    throw new BlockDamagedError(path, 'chunks header', `version ${version}, which this hub does not know`)
}

/**
 * The raw bytes of a run, with room behind them for decoders that read whole words.
 * @throws BlockDamagedError, DiskError
 */
export function readRun(
  file: DiskFile,
  path: string,
  compressor: Compressor,
  table: RunTable,
  run: number,
): Uint8Array<ArrayBuffer> {
  const stored = table.storedBytes[run]!
  const bytes = new Uint8Array(RUN_HEADER_BYTES + stored)
  const piece = `run at byte ${table.offsets[run]}`
  if (file.read(bytes, 0, bytes.length, table.offsets[run]!) !== bytes.length)
    throw new BlockDamagedError(path, piece, 'cut off', { cost: 'piece' })
  const view = new DataView(bytes.buffer)
  const rawBytes = view.getUint32(4, true)
  const payload = bytes.subarray(RUN_HEADER_BYTES)
  const crc = crc32c(payload, 0, stored, crc32c(bytes, 0, 8))
  if (view.getUint32(0, true) !== stored || crc !== view.getUint32(8, true) || rawBytes > RUN_BYTES_MAX)
    throw new BlockDamagedError(path, piece, 'wrong checksum', { cost: 'piece' })
  const raw = new Uint8Array(rawBytes + SLACK_BYTES)
  try {
    raw.set(rawBytes === stored ? payload : compressor.decompress(payload, rawBytes))
  } catch (cause) {
    throw new BlockDamagedError(path, piece, 'does not inflate', { cause, cost: 'piece' })
  }
  return raw
}
