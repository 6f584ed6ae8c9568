/** A head, empty or from a snapshot. */
import { SharedHead } from './head.ts'
import { HEAD_DEFAULTS, type Head, type HeadOptions } from './head-contract.ts'
import {
  C_CLOSED_F64,
  C_EPOCH,
  C_EVICTED_F64,
  C_FLOOR_F64,
  C_MAGIC,
  C_MAX_TIME_F64,
  C_MIN_TIME_F64,
  C_VERSION,
  CONTROL_BYTES,
  LAYOUT_VERSION,
  MAGIC,
} from './layout.ts'
import { Memory } from './memory.ts'
import { PageRestorer } from './snapshot.ts'

/** @example const head = createHead({ maxSeries: 1_000_000 }) */
export function createHead(options: HeadOptions = {}): Head {
  const mem = new Memory(new SharedArrayBuffer(CONTROL_BYTES), [])
  mem.control[C_MAGIC] = MAGIC
  mem.control[C_VERSION] = LAYOUT_VERSION
  mem.control[C_EPOCH] = 2 // 1 is what a slot holds while it is being claimed
  mem.controlF64[C_FLOOR_F64] = -Infinity
  mem.controlF64[C_EVICTED_F64] = -Infinity
  mem.controlF64[C_CLOSED_F64] = -Infinity
  mem.controlF64[C_MIN_TIME_F64] = Infinity
  mem.controlF64[C_MAX_TIME_F64] = -Infinity
  return new SharedHead(mem, { ...HEAD_DEFAULTS, ...options })
}

/**
 * A head from the bytes of `serialize()`, cut anywhere.
 * @throws SnapshotError when they are damaged, incomplete or of another version
 */
export function restoreHead(chunks: Iterable<Uint8Array>, options: HeadOptions = {}): Head {
  const restorer = headRestorer(options)
  for (const chunk of chunks) restorer.push(chunk)
  return restorer.finish()
}

/** As `restoreHead`, chunk by chunk, each borrowed until `push` returns. Both throw SnapshotError. */
export function headRestorer(options: HeadOptions = {}): { push(chunk: Uint8Array): void; finish(): Head } {
  const pages = new PageRestorer()
  return { push: (chunk) => pages.push(chunk), finish: () => headOf(pages.finish(), options) }
}

function headOf({ mem, limbo }: ReturnType<PageRestorer['finish']>, options: HeadOptions): Head {
  // A snapshot from before there were blocks.
  for (const field of [C_EVICTED_F64, C_CLOSED_F64]) if (mem.controlF64[field] === 0) mem.controlF64[field] = -Infinity
  const head = new SharedHead(mem, { ...HEAD_DEFAULTS, ...options })
  head.adoptLimbo(limbo)
  return head
}
