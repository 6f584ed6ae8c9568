/**
 * The durable ring of sealed batches on an agent's disk. Adapters: SQLite in a worker (`agent/env/ring-store.ts`), and
 * one in memory for the simulation (`agent/ring/memory.ts`); both run the same policy (`agent/ring/engine.ts`).
 *
 * Calls are carried out in the order made. A rejected promise carries a `RingStoreError`; one whose `code` is `IO`
 * means that the disk can no longer be trusted: stop, exit, and recover from disk at the next start.
 */
/** As `SequenceInterval` in protocol/batch (which imports this folder's neighbours, so it cannot be imported here). */
type SequenceInterval = readonly [first: number, last: number]
/** Scrape slots of one target, `fromMs` and `toMs` both included, `intervalMs` apart. */
export type SlotRun = {
  readonly target: string
  readonly fromMs: number
  readonly toMs: number
  readonly intervalMs: number
}

/** Slots without a scrape; as `MissedSlots` in protocol/batch. */
export type SlotGap = SlotRun & {
  readonly reason: 'agent_down' | 'overrun' | 'overwritten' | 'budget' | 'suspended' | 'shutdown'
}

/** A batch's place and what is known of it without its bytes. */
export type RingHead = {
  readonly epoch: number
  readonly sequence: number
  /** Sequence of the keyframe it is decoded against; its own when it is one. */
  readonly base: number
  readonly sizeBytes: number
  readonly sampleCount: number
  readonly minTimeMs: number
  readonly maxTimeMs: number
  /** Wall time of sealing. */
  readonly sealedMs: number
}

export type RingRecord = RingHead & {
  /** Slots of the scrapes inside: what becomes a gap if the batch is overwritten before a hub has it. */
  readonly covered: readonly SlotRun[]
  /** Missed slots that the batch itself announces; they are announced again if it is overwritten. */
  readonly missed: readonly SlotGap[]
  readonly bytes: Uint8Array
}

export type RingBatch = RingHead & { readonly bytes: Uint8Array }

/** One transaction: batches, what they settle, and what a restart must know. */
export type RingGroup = {
  readonly records: readonly RingRecord[]
  /** Ids of `PendingMiss`es that these records carry to the hub. */
  readonly announced: readonly number[]
  /** Last slot recorded (or announced as missed) per target. */
  readonly lastSlots: readonly { readonly target: string; readonly slotMs: number; readonly intervalMs: number }[]
  /** Live series of targets whose set changed; opaque to the ring. `null` forgets the target altogether. */
  readonly dictionaries: readonly { readonly target: string; readonly bytes: Uint8Array | null }[]
}

/** A gap that no batch has announced yet; kept on disk until one has. */
export type PendingMiss = { readonly id: number; readonly slots: SlotGap }

/** Batches that made room before a hub had them. Counts are exact. */
export type Overwritten = {
  readonly batches: number
  readonly samples: number
  readonly sizeBytes: number
  /** Of the samples in them; 0 when there are none. */
  readonly minTimeMs: number
  readonly maxTimeMs: number
}

/** What was done about a damaged file. The old one is kept as `file`; a new epoch must begin. */
export type RingRecovery = {
  readonly reason: string
  readonly file: string
  readonly salvagedBatches: number
  readonly lostBatches: number
  /** Of those lost, how many no hub had acknowledged. */
  readonly lostUnackedBatches: number
}

export type RingCommit = {
  readonly overwritten: Overwritten | null
  /** Gaps made by this commit, to be announced in a later batch. */
  readonly misses: readonly PendingMiss[]
  readonly recovery: RingRecovery | null
}

export type RingOpening = {
  /** Strictly greater than any epoch seen before, and at least `nowMs`: the epoch to use. Already on disk. */
  readonly epoch: number
  /** Wall time of the last clean close; null after a crash or on a first start. */
  readonly cleanStopMs: number | null
  readonly targets: readonly {
    readonly target: string
    readonly slotMs: number
    readonly intervalMs: number
    readonly dictionary: Uint8Array | null
  }[]
  readonly misses: readonly PendingMiss[]
  readonly recovery: RingRecovery | null
}

export type RingQuery = {
  /** Only those no hub has acknowledged. */
  readonly unackedOnly: boolean
  /** Exclusive; null starts at the oldest. */
  readonly after: { readonly epoch: number; readonly sequence: number } | null
  /** Only batches whose samples touch [fromMs, toMs]. */
  readonly timeRange?: readonly [fromMs: number, toMs: number]
  readonly limit: number
}

export type RingStats = {
  readonly batches: number
  readonly sizeBytes: number
  readonly pendingBatches: number
  readonly pendingBytes: number
  /** Wall time of sealing of the oldest batch that is not acknowledged; null when all are. */
  readonly oldestUnackedMs: number | null
  /** All files together, as last measured. */
  readonly fileBytes: number
  readonly capBytes: number
  readonly overwritten: Overwritten
  readonly refusedBatches: number
  readonly lostBatches: number
  readonly recoveries: number
  readonly commits: number
}

export interface RingStore {
  /** Once, before all else. Begins an epoch. */
  open(nowMs: number): Promise<RingOpening>
  /** A new epoch within this life of the process (after a recovery); on disk when it resolves. */
  beginEpoch(nowMs: number): Promise<number>
  /** Resolves only when the transaction (these records, and the trims that made room for them) is on disk. */
  append(group: RingGroup): Promise<RingCommit>
  /** Oldest first. */
  heads(query: RingQuery): Promise<readonly RingHead[]>
  /**
   * Batches of one epoch by sequence, oldest first, verified; stops before `maxBytes` is passed (one is always
   * given). Those that are not there (any more) are left out.
   */
  read(epoch: number, sequences: readonly SequenceInterval[], maxBytes: number): Promise<readonly RingBatch[]>
  /** Marks as safe in a hub; on disk with the next commit. Unknown sequences are ignored. */
  acknowledge(epoch: number, sequences: readonly SequenceInterval[]): Promise<void>
  /** A hub will never take these: never offered again, counted, kept like acknowledged ones. */
  refuse(epoch: number, sequences: readonly SequenceInterval[]): Promise<void>
  /** Batches that nobody can decode (their keyframe is gone): dropped, counted as overwritten, gaps made. */
  discard(epoch: number, base: number): Promise<RingCommit>
  stats(): Promise<RingStats>
  /** Commits what is due, notes the clean stop, closes the files. */
  close(nowMs: number): Promise<void>
}

/** `code`: `IO` (fatal), `FULL` (the disk has no room; try again later), `LOCKED`, `CLOSED`, `BAD_CAP`, `TOO_LARGE`. */
export class RingStoreError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RingStoreError'
    this.code = code
  }
}
