/** What the ring's tables hold, read into memory at the start: everything but the batches' bytes. */
import { ACKED, EpochIndex, REFUSED } from './index-columns.ts'
import * as rows from './rows.ts'
import { RingDamage, type RingTables } from './tables.ts'

export type LoadedEpochs = {
  /** Ascending. */
  readonly epochs: EpochIndex[]
  readonly keptBytes: number
  /** Of the kept batches that no hub has acknowledged or refused. */
  readonly pendingBytes: number
}

/** @throws RingDamage for heads that are not where `meta` says, or not as many */
export function loadEpochs(tables: RingTables, meta: rows.Meta): LoadedEpochs {
  const byOrdinal = new Map<number, EpochIndex>()
  for (const [ordinal, epoch] of meta.epochs) byOrdinal.set(ordinal, new EpochIndex(epoch, ordinal))
  let keptBytes = 0
  let count = 0
  for (const [id, row] of tables.heads()) {
    const head = rows.decodeHead(row)
    const index = byOrdinal.get(rows.ordinalOf(id))
    if (!index || index.epoch !== head.epoch || rows.sequenceOf(id) !== head.sequence)
      throw new RingDamage(`Cannot place batch ${head.epoch}/${head.sequence}: it is stored as id ${id}`)
    index.add(head)
    keptBytes += head.sizeBytes
    count++
  }
  if (count !== meta.batchCount)
    throw new RingDamage(`Cannot find all batches of the ring: ${meta.batchCount} written, ${count} found`)
  const epochs = [...byOrdinal.values()].sort((a, b) => a.epoch - b.epoch)
  let settledBytes = 0
  for (const index of epochs) {
    settledBytes += loadSettled(index, tables.state(`acked/${index.epoch}`), ACKED)
    settledBytes += loadSettled(index, tables.state(`refused/${index.epoch}`), REFUSED)
  }
  return { epochs, keptBytes, pendingBytes: keptBytes - settledBytes }
}

/** @returns the bytes of what became settled by it */
function loadSettled(index: EpochIndex, value: Uint8Array | null, flag: number): number {
  if (!value) return 0
  let bytes = 0
  const flat = rows.decodeNumbers(value)
  for (let i = 0; i + 1 < flat.length; i += 2)
    index.settle(flat[i]!, flat[i + 1]!, flag, (row) => {
      bytes += index.sizes[row]!
    })
  return bytes
}

/** By target, of those that have one that can be read. */
export function loadDictionaries(tables: RingTables, targets: Iterable<string>): Map<string, Uint8Array> {
  const out = new Map<string, Uint8Array>()
  for (const target of targets) {
    try {
      const value = tables.state(`dictionary/${target}`)
      if (value) out.set(target, value)
    } catch (error) {
      // Series of that target then end by lookback instead of a stale marker; not worth a new file.
      if (!(error instanceof RingDamage)) throw error
    }
  }
  return out
}
