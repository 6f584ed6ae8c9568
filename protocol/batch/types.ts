/**
 * What an agent records and a hub stores: scrapes, slots and series definitions. The batch codec (this folder) turns
 * runs of them into signed bytes; the agent's ring keeps those bytes; the hub's ingest turns them back.
 */
import type { Labels } from '../labels/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../samples/mod.ts'

/** Dictionary id of a series within one (agent, epoch): 0, 1, 2… in order of definition. */
export type SeriesId = number

export type SeriesDefinition = {
  readonly id: SeriesId
  readonly labels: Labels
  /** Of the metric family; null where the source said nothing. */
  readonly metadata: Metadata | null
}

/**
 * One scrape of one target, as columns. `ids`, `values` (and the optional columns) have the same length n.
 * A series that ended is present once more with the stale marker as its value (bits, see protocol/samples).
 */
export type Scrape = {
  /** Stable key of the target within this agent: job + instance + the rest that makes it unique. */
  readonly target: string
  /** The slot this scrape was due at (pinned to absolute time) and its interval: what the gap ledger counts. */
  readonly slotMs: number
  readonly intervalMs: number
  /** Timestamp of every sample that has none of its own. */
  readonly timestampMs: number
  readonly ids: Uint32Array
  /** Float values; for histogram samples the slot holds 0 and `histograms` the sample. */
  readonly values: Float64Array
  /** Own timestamps (ms), NaN = the scrape's; null when no sample has its own. */
  readonly timestamps: Float64Array | null
  /** Start (created) timestamps in ms, 0 = unknown; null when there are none. */
  readonly startTimestamps: Float64Array | null
  /** By position in `ids`; null when there are none. */
  readonly histograms: ReadonlyMap<number, Histogram> | null
  readonly exemplars: readonly { readonly id: SeriesId; readonly exemplar: Exemplar }[] | null
}

/** A slot without a scrape, with the reason that the gap ledger shows. */
export type MissReason = 'agent_down' | 'overrun' | 'overwritten' | 'budget' | 'suspended' | 'shutdown'
export type MissedSlots = {
  readonly target: string
  /** First and last slot missed, `intervalMs` apart. */
  readonly fromMs: number
  readonly toMs: number
  readonly intervalMs: number
  readonly reason: MissReason
}

/** Where collectors put what they collected: the agent's recorder (ring), or the hub's own ingest for an embedded agent. */
export interface SampleSink {
  /** Changes when the dictionary starts anew: ids from an older epoch mean nothing, caches of them must be dropped. */
  readonly epoch: number
  /** The id of the series in the present epoch; the same labels give the same id. */
  define(labels: Labels, metadata: Metadata | null): SeriesId
  /** The arrays are handed over. */
  append(scrape: Scrape): void
  missed(slots: MissedSlots): void
  /** All that was due together has come: nothing is gained by waiting for more. */
  settled?(): void
}

/** An interval of batch sequence numbers, both ends included. */
export type SequenceInterval = readonly [first: number, last: number]

/** Envelope of a batch: all of it under the signature. */
export type BatchHeader = {
  readonly version: 1
  /** The agent's id, a slug of at most 64 characters: a token of its subjects. See protocol/subjects. */
  readonly agent: string
  /** Milliseconds of the epoch's birth; grows. */
  readonly epoch: number
  readonly sequence: number
  /** Sequence of the keyframe this batch is decoded against; its own sequence when it is a keyframe itself. */
  readonly base: number
  /** SHA-256 of the previous batch's bytes (zeros for sequence 0). */
  readonly previousHash: Uint8Array
  readonly compressedBytes: number
  readonly inflatedBytes: number
  /** Range of scrape timestamps inside, for watermarks and for ordering fresh before backlog. */
  readonly minTimeMs: number
  readonly maxTimeMs: number
  readonly sampleCount: number
}

export type DecodedBatch = {
  readonly header: BatchHeader
  readonly definitions: readonly SeriesDefinition[]
  readonly scrapes: readonly Scrape[]
  readonly missed: readonly MissedSlots[]
}

/** What a hub says about a batch, published on `helio.v1.ack.<agent>` (CBOR). */
export type Ack =
  | {
      readonly kind: 'stored'
      readonly epoch: number
      readonly sequences: readonly SequenceInterval[]
      readonly hub: string
    }
  | { readonly kind: 'keyframe-wanted'; readonly epoch: number; readonly base: number; readonly hub: string }
  | {
      /** The agent sets the batch aside, counts it, and goes on. */
      readonly kind: 'refused'
      readonly epoch: number
      readonly sequence: number
      readonly reason: string
      readonly hub: string
    }
