/**
 * The ring's rows as CBOR: a batch's head, and the state values.
 *
 *     head/<id>            [epoch, sequence, base, sizeBytes, samples, minTime, maxTime, sealed, covered, missed]
 *     state "meta"         [nextOrdinal, maxEpoch, cleanStopMs | null, batchCount, nextMissId, [ordinal, epoch]…]
 *     state "totals"       [batches, samples, sizeBytes, minTime, maxTime, refused, lost, recoveries]
 *     state "acked/<epoch>", "refused/<epoch>"   [first, last, first, last…]
 *     state "slots"        [target, slotMs, intervalMs]…
 *     state "misses"       [id, target, from, to, interval, reason]…
 *     state "dictionary/<target>"                bytes, opaque
 *
 * `id` = ordinal of the epoch × 2^32 + sequence, so that the primary key is the only index and ids ascend with age.
 */
// Not the package's own entry, which looks for a native part that reads strings faster: a megabyte, for a few rows.
import { Encoder } from 'cbor-x/encode'
import type { Overwritten, PendingMiss, RingRecord, SlotGap, SlotRun } from '../../protocol/env/mod.ts'
import { RingDamage } from './tables.ts'

const cbor = new Encoder({ useRecords: false, tagUint8Array: false })
const SEQUENCES_PER_EPOCH = 2 ** 32

export const batchId = (ordinal: number, sequence: number): number => ordinal * SEQUENCES_PER_EPOCH + sequence
export const ordinalOf = (id: number): number => Math.floor(id / SEQUENCES_PER_EPOCH)
export const sequenceOf = (id: number): number => id % SEQUENCES_PER_EPOCH

export type HeadRow = Omit<RingRecord, 'bytes'>

export type Meta = {
  nextOrdinal: number
  maxEpoch: number
  cleanStopMs: number | null
  batchCount: number
  nextMissId: number
  readonly epochs: Map<number, number>
}

/** What has gone, for good: kept apart from the batches that it was. */
export type Totals = { overwritten: Overwritten; refused: number; lost: number; recoveries: number }

export type LastSlot = { readonly slotMs: number; readonly intervalMs: number }

type FlatRun = [target: string, fromMs: number, toMs: number, intervalMs: number]
const flatRun = (run: SlotRun): FlatRun => [run.target, run.fromMs, run.toMs, run.intervalMs]
const runFrom = ([target, fromMs, toMs, intervalMs]: FlatRun): SlotRun => ({ target, fromMs, toMs, intervalMs })
type FlatGap = [...FlatRun, SlotGap['reason']]
const flatGap = (gap: SlotGap): FlatGap => [...flatRun(gap), gap.reason]
const gapFrom = ([target, fromMs, toMs, intervalMs, reason]: FlatGap): SlotGap => ({
  target,
  fromMs,
  toMs,
  intervalMs,
  reason,
})

export const encodeHead = (h: HeadRow): Uint8Array =>
  pack([
    h.epoch,
    h.sequence,
    h.base,
    h.sizeBytes,
    h.sampleCount,
    h.minTimeMs,
    h.maxTimeMs,
    h.sealedMs,
    h.covered.map(flatRun),
    h.missed.map(flatGap),
  ])

export function decodeHead(bytes: Uint8Array): HeadRow {
  const [epoch, sequence, base, sizeBytes, sampleCount, minTimeMs, maxTimeMs, sealedMs, covered, missed] = unpack(
    'a batch head',
    bytes,
    10,
  ) as [number, number, number, number, number, number, number, number, FlatRun[], FlatGap[]]
  return {
    epoch,
    sequence,
    base,
    sizeBytes,
    sampleCount,
    minTimeMs,
    maxTimeMs,
    sealedMs,
    covered: covered.map(runFrom),
    missed: missed.map(gapFrom),
  }
}

export const encodeMeta = (m: Meta): Uint8Array =>
  pack([m.nextOrdinal, m.maxEpoch, m.cleanStopMs, m.batchCount, m.nextMissId, [...m.epochs]])

export function decodeMeta(bytes: Uint8Array): Meta {
  const [nextOrdinal, maxEpoch, cleanStopMs, batchCount, nextMissId, epochs] = unpack('meta', bytes, 6) as [
    number,
    number,
    number | null,
    number,
    number,
    [number, number][],
  ]
  return { nextOrdinal, maxEpoch, cleanStopMs, batchCount, nextMissId, epochs: new Map(epochs) }
}

export const encodeTotals = ({ overwritten: o, refused, lost, recoveries }: Totals): Uint8Array =>
  encodeNumbers([o.batches, o.samples, o.sizeBytes, o.minTimeMs, o.maxTimeMs, refused, lost, recoveries])

/** All 0 where nothing has been written, and what an older version did not write. */
export function decodeTotals(bytes: Uint8Array | null): Totals {
  const [batches = 0, samples = 0, sizeBytes = 0, minTimeMs = 0, maxTimeMs = 0, refused = 0, lost = 0, recoveries = 0] =
    bytes === null ? [] : decodeNumbers(bytes)
  return { overwritten: { batches, samples, sizeBytes, minTimeMs, maxTimeMs }, refused, lost, recoveries }
}

export const encodeNumbers = (numbers: readonly number[]): Uint8Array => pack(numbers)
export const decodeNumbers = (bytes: Uint8Array): number[] => unpack('numbers', bytes, 0) as number[]

export const encodeSlots = (slots: ReadonlyMap<string, LastSlot>): Uint8Array =>
  pack([...slots].map(([target, { slotMs, intervalMs }]) => [target, slotMs, intervalMs]))
export const decodeSlots = (bytes: Uint8Array): Map<string, LastSlot> =>
  new Map(
    (unpack('slots', bytes, 0) as [string, number, number][]).map(([target, slotMs, intervalMs]) => [
      target,
      { slotMs, intervalMs },
    ]),
  )

export const encodeMisses = (misses: readonly PendingMiss[]): Uint8Array =>
  pack(misses.map(({ id, slots }) => [id, ...flatGap(slots)]))
export const decodeMisses = (bytes: Uint8Array): PendingMiss[] =>
  (unpack('misses', bytes, 0) as [number, ...FlatGap][]).map(([id, ...gap]) => ({ id, slots: gapFrom(gap) }))

/** cbor-x encodes into a shared buffer; what is kept must be its own. */
const pack = (value: unknown): Uint8Array => Uint8Array.from(cbor.encode(value))

function unpack(what: string, bytes: Uint8Array, fieldCount: number): unknown[] {
  let value: unknown
  try {
    value = cbor.decode(bytes)
  } catch (cause) {
    throw new RingDamage(`Cannot read ${what} of the ring: not CBOR`, { cause })
  }
  if (!Array.isArray(value) || value.length < fieldCount)
    throw new RingDamage(`Cannot read ${what} of the ring: expected a list of at least ${fieldCount} fields`)
  return value
}
