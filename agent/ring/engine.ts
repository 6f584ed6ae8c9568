/**
 * The ring's policy over any `RingTables`: what is kept, what is trimmed first, what that costs, and what happens to
 * a damaged file. Synchronous and single-threaded; `RingService` puts it behind the asynchronous `RingStore`.
 *
 * Invariants:
 * - A transaction holds the new batches, the trims that made room for them, and the gaps these trims made: a crash
 *   leaves all of them or none.
 * - Trimmed first: batches a hub has acknowledged (or refused), oldest first; then the oldest others, which is counted
 *   and becomes a gap. A keyframe outlives the kept batches that stand on it, and the newest keyframe is never trimmed.
 * - Epochs only grow, also over a lost file and a clock that went backwards.
 */
import {
  type Overwritten,
  type PendingMiss,
  type RingBatch,
  type RingCommit,
  type RingGroup,
  type RingHead,
  type RingOpening,
  type RingQuery,
  type RingRecord,
  type RingRecovery,
  type RingStats,
  RingStoreError,
  type SlotGap,
} from '../../protocol/env/mod.ts'
import { ACKED, EpochIndex, REFUSED } from './index-columns.ts'
import { loadDictionaries, loadEpochs } from './load.ts'
import * as rows from './rows.ts'
import { addOverwritten, gapsOf, type HeadReader, salvage } from './salvage.ts'
import { mergeGaps } from './slot-runs.ts'
import { RingDamage, type RingFiles, type RingTables } from './tables.ts'

type UnsavedAcks = { readonly epoch: number; readonly acked: Intervals; readonly refused: Intervals }
type Intervals = readonly (readonly [first: number, last: number])[]
const NOTHING_OVERWRITTEN: Overwritten = { batches: 0, samples: 0, sizeBytes: 0, minTimeMs: 0, maxTimeMs: 0 }
/** A dictionary may not crowd out the batches: it is left unsaved above this share of the cap. */
const DICTIONARY_CAP_SHARE = 1 / 16

export class RingEngine {
  private readonly files: RingFiles
  private tables!: RingTables
  private epochs: EpochIndex[] = []
  private meta: rows.Meta = emptyMeta()
  private slots = new Map<string, rows.LastSlot>()
  private pending: PendingMiss[] = []
  private totals: rows.Totals = rows.decodeTotals(null)
  private unsavedAcks = new Set<EpochIndex>()
  private totalsChanged = false
  private bytes = { kept: 0, pending: 0 }
  private commits = 0
  private fatal: RingStoreError | null = null
  /** Recovered outside of an append: told with the next one. */
  private untold: RingRecovery | null = null
  private readonly readHead: HeadReader

  private readonly maxAgeMs: number

  /** @param maxAgeMs batches sealed longer ago than this go, acknowledged or not; 0 keeps them while there is room */
  constructor(files: RingFiles, readHead: HeadReader, maxAgeMs = 0) {
    this.files = files
    this.readHead = readHead
    this.maxAgeMs = maxAgeMs
  }

  open(nowMs: number): RingOpening {
    let recovery: RingRecovery | null = null
    try {
      this.tables = this.files.open()
      this.load()
    } catch (error) {
      recovery = this.recover(error)
    }
    this.untold = null
    const dictionaries = loadDictionaries(this.tables, this.slots.keys())
    const cleanStopMs = this.meta.cleanStopMs
    const epoch = this.beginEpoch(nowMs)
    const targets = [...this.slots].map(([target, slot]) => ({
      target,
      ...slot,
      dictionary: dictionaries.get(target) ?? null,
    }))
    return { epoch, cleanStopMs, targets, misses: this.pending, recovery }
  }

  beginEpoch(nowMs: number): number {
    const epoch = Math.max(Math.floor(nowMs), this.meta.maxEpoch + 1, this.files.readEpoch() + 1)
    // The side file first: if it fails, the epoch is not used; if the transaction fails, it is merely skipped.
    this.files.writeEpoch(epoch)
    this.recovering(() =>
      this.write(() => {
        this.meta.maxEpoch = epoch
        this.meta.cleanStopMs = null
        this.saveMeta()
      }),
    )
    return epoch
  }

  append(group: RingGroup): RingCommit {
    const commit = this.recovering(() => this.appendOnce(group))
    const recovery = this.untold
    this.untold = null
    // Gaps found by the recovery are announced by the epoch that follows it.
    return { ...commit, misses: recovery ? this.pending : commit.misses, recovery }
  }

  heads(query: RingQuery): RingHead[] {
    const out: RingHead[] = []
    for (const index of this.epochs) {
      if (query.after && index.epoch < query.after.epoch) continue
      const start = query.after?.epoch === index.epoch ? query.after.sequence + 1 - index.first : 0
      for (let i = Math.max(0, start); i < index.length && out.length < query.limit; i++) {
        const flags = index.flagsOf(index.first + i)
        if (flags === 0 || (query.unackedOnly && flags & (ACKED | REFUSED))) continue
        const head = index.headAt(i)
        if (query.timeRange && (head.maxTimeMs < query.timeRange[0] || head.minTimeMs > query.timeRange[1])) continue
        out.push(head)
      }
      if (out.length >= query.limit) break
    }
    return out
  }

  read(epoch: number, intervals: Intervals, maxBytes: number): RingBatch[] {
    return this.recovering(() => this.readOnce(epoch, intervals, maxBytes))
  }

  private readOnce(epoch: number, intervals: Intervals, maxBytes: number): RingBatch[] {
    const index = this.find(epoch)
    const out: RingBatch[] = []
    if (!index) return out
    let total = 0
    for (const [first, last] of intervals) {
      const to = Math.min(last, index.first + index.length - 1)
      for (let sequence = Math.max(first, index.first); sequence <= to; sequence++) {
        if (!index.has(sequence)) continue
        const size = index.sizes[sequence - index.first]!
        if (out.length > 0 && total + size > maxBytes) return out
        total += size
        out.push({ ...index.headAt(sequence - index.first), bytes: this.bodyOf(index, sequence) })
      }
    }
    return out
  }

  /** As `RingStore.acknowledge` and `refuse`; on disk with the next transaction. */
  settle(epoch: number, intervals: Intervals, kind: 'acked' | 'refused'): void {
    const index = this.find(epoch)
    if (!index) return
    const flag = kind === 'acked' ? ACKED : REFUSED
    let settled = 0
    for (const [first, last] of intervals)
      settled += index.settle(first, last, flag, (row) => {
        this.bytes.pending -= index.sizes[row]!
      })
    if (settled === 0) return
    this.unsavedAcks.add(index)
    if (kind === 'refused') {
      this.totals.refused += settled
      this.totalsChanged = true
    }
  }

  discard(epoch: number, base: number): RingCommit {
    return this.recovering(() => {
      const trims = new Trims()
      const index = this.find(epoch)
      this.write(() => {
        for (const sequence of index ? index.unsettledOn(base) : []) this.trim(index!, sequence, trims)
        this.addMisses(trims)
        this.saveMeta()
      })
      return { ...this.committed(trims), recovery: null }
    })
  }

  stats(): RingStats {
    let batches = 0
    let settled = 0
    let oldest: number | null = null
    for (const index of this.epochs) {
      batches += index.keptCount
      settled += index.settledCount
      if (oldest === null) oldest = index.oldestPendingMs
    }
    return {
      batches,
      sizeBytes: this.bytes.kept,
      pendingBatches: batches - settled,
      pendingBytes: this.bytes.pending,
      oldestUnackedMs: oldest,
      fileBytes: this.tables.fileBytes(),
      capBytes: this.files.capBytes,
      overwritten: this.totals.overwritten,
      refusedBatches: this.totals.refused,
      lostBatches: this.totals.lost,
      recoveries: this.totals.recoveries,
      commits: this.commits,
    }
  }

  /** Puts acknowledgements on disk that no append has carried yet. */
  flush(): void {
    if (this.unsavedAcks.size > 0 || this.totalsChanged) this.recovering(() => this.write(() => {}))
  }

  close(nowMs: number): void {
    this.recovering(() =>
      this.write(() => {
        this.meta.cleanStopMs = nowMs
        this.saveMeta()
      }),
    )
    this.tables.close()
    this.fatal = new RingStoreError('CLOSED', 'Cannot use the ring: it is closed')
  }

  private appendOnce(group: RingGroup): Omit<RingCommit, 'recovery'> {
    const trims = new Trims()
    this.write(() => {
      if (group.announced.length > 0) {
        const announced = new Set(group.announced)
        this.pending = this.pending.filter(({ id }) => !announced.has(id))
        this.savePending()
      }
      for (const record of group.records) this.insert(record, trims)
      // Dictionaries need room, too: what that costs is among the misses.
      this.saveTargets(group, trims)
      this.addMisses(trims)
      this.saveMeta()
    })
    return this.committed(trims)
  }

  private insert(record: RingRecord, trims: Trims): void {
    const index = this.indexFor(record.epoch)
    const { bytes, ...head } = record
    const row = rows.encodeHead(head)
    if (this.maxAgeMs > 0) this.expire(record.sealedMs - this.maxAgeMs, trims, record)
    this.makeRoom(bytes.length + row.length, trims, record)
    this.tables.putBatch(rows.batchId(index.ordinal, record.sequence), row, bytes)
    index.add(record)
    this.meta.batchCount++
    this.bytes.kept += bytes.length
    this.bytes.pending += bytes.length
  }

  /** `incoming` is the batch to be put: its keyframe must stay. */
  private makeRoom(bytes: number, trims: Trims, incoming: RingHead | null): void {
    while (this.tables.freeBytes() < bytes) {
      const victim = this.victim(true, incoming) ?? this.victim(false, incoming)
      if (!victim)
        throw new RingStoreError(
          'TOO_LARGE',
          `Cannot store ${bytes} bytes in a ring of ${this.files.capBytes}: nothing is left to trim; raise the cap`,
        )
      this.trim(victim[0], victim[1], trims)
    }
  }

  private expire(beforeMs: number, trims: Trims, incoming: RingHead): void {
    // Acknowledged keyframes may have waited for what stands on them.
    for (const settled of [true, false, true]) {
      for (let old = this.victim(settled, incoming); old; old = this.victim(settled, incoming)) {
        const [index, sequence] = old
        if (index.headAt(sequence - index.first).sealedMs >= beforeMs) break
        this.trim(index, sequence, trims)
      }
    }
  }

  private victim(settled: boolean, incoming: RingHead | null): [EpochIndex, number] | null {
    const newest = this.epochs[this.epochs.length - 1]
    for (const index of this.epochs) {
      const isNewest = index === newest
      const standing = incoming && incoming.epoch === index.epoch ? incoming.base : -1
      const sequence = index.oldestTrimmable(settled, standing >= 0 ? standing : isNewest ? index.newestBase : -1)
      if (sequence >= 0) return [index, sequence]
    }
    return null
  }

  private trim(index: EpochIndex, sequence: number, trims: Trims): void {
    const id = rows.batchId(index.ordinal, sequence)
    const i = sequence - index.first
    const size = index.sizes[i]!
    if (!(index.flagsOf(sequence) & (ACKED | REFUSED))) {
      const row = this.tables.head(id)
      if (!row) throw new RingDamage(`Cannot find the head of batch ${index.epoch}/${sequence} in the ring`)
      const head = rows.decodeHead(row)
      trims.overwritten = addOverwritten(trims.overwritten, head)
      trims.gaps.push(...gapsOf(head))
      this.totals.overwritten = addOverwritten(this.totals.overwritten, head)
      this.totalsChanged = true
      this.bytes.pending -= size
    }
    this.tables.deleteBatch(id)
    this.bytes.kept -= size
    this.meta.batchCount--
    index.remove(sequence)
  }

  private addMisses(trims: Trims): void {
    if (trims.gaps.length === 0) return
    trims.misses = mergeGaps(trims.gaps).map((slots) => ({ id: this.meta.nextMissId++, slots }))
    this.pending = [...this.pending, ...trims.misses]
    this.savePending()
  }

  private committed(trims: Trims): Omit<RingCommit, 'recovery'> {
    return { overwritten: trims.overwritten.batches > 0 ? trims.overwritten : null, misses: trims.misses }
  }

  private saveTargets(group: RingGroup, trims: Trims): void {
    for (const { target, slotMs, intervalMs } of group.lastSlots) this.slots.set(target, { slotMs, intervalMs })
    for (const { target, bytes } of group.dictionaries) {
      const key = `dictionary/${target}`
      if (bytes && bytes.length <= this.files.capBytes * DICTIONARY_CAP_SHARE) {
        this.makeRoom(bytes.length, trims, null)
        this.tables.putState(key, bytes)
      } else {
        // An outdated dictionary would mark living series as stale: better none.
        this.tables.deleteState(key)
        if (!bytes) this.slots.delete(target)
      }
    }
    if (group.lastSlots.length > 0 || group.dictionaries.length > 0)
      this.tables.putState('slots', rows.encodeSlots(this.slots))
  }

  /** One transaction with all that is due. When it fails, memory is read again from what is on disk. */
  private write(change: () => void): void {
    if (this.fatal) throw this.fatal
    const acks = this.unsavedAcks
    const unsaved = [...acks].map((index) => ({
      epoch: index.epoch,
      acked: pairs(index.intervals(ACKED)),
      refused: pairs(index.intervals(REFUSED)),
    }))
    try {
      this.tables.transaction(() => {
        change()
        for (const index of acks) this.saveAcks(index)
        if (this.totalsChanged) this.saveTotals()
      })
      this.commits++
      this.unsavedAcks = new Set()
      this.totalsChanged = false
      this.forgetEmptyEpochs()
    } catch (error) {
      if (error instanceof RingStoreError && error.code === 'IO') this.fatal = error
      else if (!(error instanceof RingDamage)) this.reload(unsaved)
      throw error
    }
  }

  /** Back to what is on disk, but with the acknowledgements that only memory has. */
  private reload(unsaved: readonly UnsavedAcks[]): void {
    this.load()
    for (const { epoch, acked, refused } of unsaved) {
      this.settle(epoch, acked, 'acked')
      this.settle(epoch, refused, 'refused')
    }
  }

  private saveAcks(index: EpochIndex): void {
    this.tables.putState(`acked/${index.epoch}`, rows.encodeNumbers(index.intervals(ACKED)))
    const refused = index.intervals(REFUSED)
    if (refused.length > 0) this.tables.putState(`refused/${index.epoch}`, rows.encodeNumbers(refused))
  }

  private saveMeta(): void {
    this.tables.putState('meta', rows.encodeMeta(this.meta))
  }

  private savePending(): void {
    this.tables.putState('misses', rows.encodeMisses(this.pending))
  }

  private saveTotals(): void {
    this.tables.putState('totals', rows.encodeTotals(this.totals))
  }

  private indexFor(epoch: number): EpochIndex {
    const known = this.find(epoch)
    if (known) return known
    const index = new EpochIndex(epoch, this.meta.nextOrdinal++)
    this.meta.epochs.set(index.ordinal, epoch)
    this.epochs.push(index)
    this.epochs.sort((a, b) => a.epoch - b.epoch)
    return index
  }

  private find(epoch: number): EpochIndex | undefined {
    return this.epochs.find((index) => index.epoch === epoch)
  }

  /** Rows of epochs without batches; written with the next transaction, and harmless until then. */
  private forgetEmptyEpochs(): void {
    const newest = this.epochs[this.epochs.length - 1]
    const empty = this.epochs.filter((index) => index.keptCount === 0 && index !== newest)
    if (empty.length === 0) return
    this.epochs = this.epochs.filter((index) => !empty.includes(index))
    this.tables.transaction(() => {
      for (const index of empty) {
        this.meta.epochs.delete(index.ordinal)
        this.tables.deleteState(`acked/${index.epoch}`)
        this.tables.deleteState(`refused/${index.epoch}`)
      }
      this.saveMeta()
    })
  }

  private bodyOf(index: EpochIndex, sequence: number): Uint8Array {
    const body = this.tables.body(rows.batchId(index.ordinal, sequence))
    if (!body) throw new RingDamage(`Cannot find the bytes of batch ${index.epoch}/${sequence} in the ring`)
    return body
  }

  private recovering<T>(fn: () => T): T {
    try {
      return fn()
    } catch (error) {
      this.untold = this.recover(error)
      return fn()
    }
  }

  /** New tables with what could be salvaged. Rethrows what is no damage. */
  private recover(error: unknown): RingRecovery {
    if (!(error instanceof RingDamage)) throw error
    const ids: number[] = []
    const settledIds = new Set<number>()
    for (const index of this.epochs)
      for (let i = 0; i < index.length; i++) {
        const flags = index.flagsOf(index.first + i)
        if (flags === 0) continue
        const id = rows.batchId(index.ordinal, index.first + i)
        ids.push(id)
        if (flags & (ACKED | REFUSED)) settledIds.add(id)
      }
    let saved: ReturnType<typeof salvage> | null = null
    const known = { ids, isSettled: (id: number) => settledIds.has(id) }
    const { tables, file } = this.files.replace(error.message, (from, to) => {
      saved = salvage(from, to, known, this.readHead)
    })
    const result = saved as ReturnType<typeof salvage> | null
    if (!result) throw new Error('BUG: RingFiles.replace() returned without filling the new tables')
    this.tables = tables
    this.load()
    // Acknowledgements that were only in memory.
    for (const index of this.epochs)
      for (let i = 0; i < index.length; i++) {
        const sequence = index.first + i
        if (settledIds.has(rows.batchId(index.ordinal, sequence)))
          this.settle(index.epoch, [[sequence, sequence]], 'acked')
      }
    for (const head of result.leftOut) this.totals.overwritten = addOverwritten(this.totals.overwritten, head)
    this.totals.lost += result.lostBatches
    this.totals.recoveries++
    this.totalsChanged = true
    this.write(() => {})
    const { salvagedBatches, lostBatches, lostUnackedBatches } = result
    return { reason: error.message, file, salvagedBatches, lostBatches, lostUnackedBatches }
  }

  /** Reads everything but the batches' bytes. @throws RingDamage */
  private load(): void {
    const meta = this.tables.state('meta')
    this.meta = meta ? rows.decodeMeta(meta) : emptyMeta()
    const slots = this.tables.state('slots')
    this.slots = slots ? rows.decodeSlots(slots) : new Map()
    const misses = this.tables.state('misses')
    this.pending = misses ? rows.decodeMisses(misses) : []
    this.totals = rows.decodeTotals(this.tables.state('totals'))
    this.totalsChanged = false
    const { epochs, keptBytes, pendingBytes } = loadEpochs(this.tables, this.meta)
    this.epochs = epochs
    this.bytes = { kept: keptBytes, pending: pendingBytes }
    this.unsavedAcks = new Set()
  }
}

class Trims {
  overwritten: Overwritten = NOTHING_OVERWRITTEN
  readonly gaps: SlotGap[] = []
  misses: PendingMiss[] = []
}

function emptyMeta(): rows.Meta {
  return { nextOrdinal: 1, maxEpoch: 0, cleanStopMs: null, batchCount: 0, nextMissId: 1, epochs: new Map() }
}

const pairs = (flat: readonly number[]): [number, number][] =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!])
