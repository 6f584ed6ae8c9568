/**
 * Copies what can be read of damaged tables into new ones, newest batches first, so that the oldest are left out when
 * there is less room than before. Nothing unverified is copied.
 */
import type { Overwritten, SlotGap } from '../../protocol/env/mod.ts'
import * as rows from './rows.ts'
import { mergeGaps } from './slot-runs.ts'
import type { RingTables, SalvageSource } from './tables.ts'

/** Reads a batch's own header, for bytes whose head is lost; null when they are no batch. */
export type HeadReader = (bytes: Uint8Array) => rows.HeadRow | null

export type Salvaged = {
  readonly salvagedBatches: number
  readonly lostBatches: number
  readonly lostUnackedBatches: number
  /** Readable batches that no hub had and that found no room. */
  readonly leftOut: readonly rows.HeadRow[]
}

const ROWS_PER_TRANSACTION = 16

/** @param known ids that the ring held as far as memory knows, so that vanished rows are counted too */
export function salvage(
  from: SalvageSource,
  to: RingTables,
  known: { readonly ids: readonly number[]; readonly isSettled: (id: number) => boolean },
  readHead: HeadReader,
): Salvaged {
  const meta = metaFrom(from)
  const writtenBatches = meta.batchCount
  const ids = [...new Set([...known.ids, ...from.ids()])].sort((a, b) => b - a)
  const settled = settledLookup(from, known.isSettled)
  const gaps: SlotGap[] = []
  const leftOut: rows.HeadRow[] = []
  let salvagedBatches = 0
  let noRoomBatches = 0
  let lostBatches = 0
  let lostUnackedBatches = 0
  to.transaction(() => copyState(from, to))
  for (let at = 0; at < ids.length; at += ROWS_PER_TRANSACTION) {
    to.transaction(() => {
      for (const id of ids.slice(at, at + ROWS_PER_TRANSACTION)) {
        const body = from.body(id)
        const head = headOf(from, id, body, readHead)
        const isSettled = settled(id, head)
        if (body && head && fits(to, body.length)) {
          meta.epochs.set(rows.ordinalOf(id), head.epoch)
          to.putBatch(id, rows.encodeHead(head), body)
          salvagedBatches++
          continue
        }
        if (head && !isSettled) gaps.push(...gapsOf(head))
        if (body && head) {
          noRoomBatches++
          if (!isSettled) leftOut.push(head)
        } else {
          lostBatches++
          if (!isSettled) lostUnackedBatches++
        }
      }
    })
  }
  to.transaction(() => {
    const misses = read(() => rows.decodeMisses(from.state('misses')!)) ?? []
    for (const slots of mergeGaps(gaps)) misses.push({ id: meta.nextMissId++, slots })
    to.putState('misses', rows.encodeMisses(misses))
    meta.batchCount = salvagedBatches
    for (const [ordinal, epoch] of meta.epochs) {
      meta.nextOrdinal = Math.max(meta.nextOrdinal, ordinal + 1)
      meta.maxEpoch = Math.max(meta.maxEpoch, epoch)
    }
    to.putState('meta', rows.encodeMeta(meta))
  })
  // A damaged key shows up as one batch too many: what was written is known better.
  if (writtenBatches > 0) lostBatches = Math.max(0, writtenBatches - salvagedBatches - noRoomBatches)
  return { salvagedBatches, lostBatches, lostUnackedBatches: Math.min(lostUnackedBatches, lostBatches), leftOut }
}

/** What a batch's loss leaves open: the slots it covered, and those it would have announced. */
export function gapsOf(head: rows.HeadRow): SlotGap[] {
  return [...head.covered.map((run) => ({ ...run, reason: 'overwritten' as const })), ...head.missed]
}

export function addOverwritten(total: Overwritten, head: rows.HeadRow): Overwritten {
  const isFirst = total.samples === 0
  const hasSamples = head.sampleCount > 0
  return {
    batches: total.batches + 1,
    samples: total.samples + head.sampleCount,
    sizeBytes: total.sizeBytes + head.sizeBytes,
    minTimeMs: !hasSamples ? total.minTimeMs : isFirst ? head.minTimeMs : Math.min(total.minTimeMs, head.minTimeMs),
    maxTimeMs: !hasSamples ? total.maxTimeMs : isFirst ? head.maxTimeMs : Math.max(total.maxTimeMs, head.maxTimeMs),
  }
}

/** Where the value is lost, ids above what is found must still be unused: far away is safe, they are not dense. */
function metaFrom(from: SalvageSource): rows.Meta {
  const found = read(() => rows.decodeMeta(from.state('meta')!))
  return (
    found ?? { nextOrdinal: 1, maxEpoch: 0, cleanStopMs: null, batchCount: 0, nextMissId: 2 ** 40, epochs: new Map() }
  )
}

function copyState(from: SalvageSource, to: RingTables): void {
  const keys = ['slots', 'totals', ...['acked/', 'refused/', 'dictionary/'].flatMap((p) => from.stateKeys(p))]
  for (const key of keys) {
    const value = from.state(key)
    if (value) to.putState(key, value)
  }
}

function headOf(from: SalvageSource, id: number, body: Uint8Array | null, readHead: HeadReader): rows.HeadRow | null {
  const row = from.head(id)
  const head = row ? read(() => rows.decodeHead(row)) : body ? readHead(body) : null
  // The id is part of the checksum, but a head read from the batch itself has to agree with its place.
  return head && head.sequence === rows.sequenceOf(id) ? head : null
}

function settledLookup(
  from: SalvageSource,
  inMemory: (id: number) => boolean,
): (id: number, head: rows.HeadRow | null) => boolean {
  const byEpoch = new Map<string, number[]>()
  for (const key of [...from.stateKeys('acked/'), ...from.stateKeys('refused/')])
    byEpoch.set(key, read(() => rows.decodeNumbers(from.state(key)!)) ?? [])
  return (id, head) => {
    if (inMemory(id)) return true
    if (!head) return false
    for (const kind of ['acked', 'refused']) {
      const flat = byEpoch.get(`${kind}/${head.epoch}`) ?? []
      for (let i = 0; i + 1 < flat.length; i += 2)
        if (head.sequence >= flat[i]! && head.sequence <= flat[i + 1]!) return true
    }
    return false
  }
}

/** Some pages are left for the state that is still to be written. */
const fits = (to: RingTables, bytes: number): boolean => to.freeBytes() > bytes + 65_536

function read<T>(fn: () => T): T | null {
  try {
    return fn()
  } catch {
    return null
  }
}
