/** The head as its owner, the ingest worker, has it: an appender with retention, sharing and snapshots. */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Appender, ReaderShare, SeriesRef } from './contract.ts'
import type { Copied } from './snapshot.ts'

export type HeadOptions = {
  /** Of all pages together; untouched pages cost no memory. Default 8 GiB, at most 16 GiB. See `hasLimits`. */
  readonly maxBytes?: number
  readonly maxSeries?: number
  readonly maxLabelsPerSeries?: number
  /** UTF-16 units. */
  readonly maxLabelNameLength?: number
  readonly maxLabelValueLength?: number
  /** Live series with the same `job` label. */
  readonly maxSeriesPerJob?: number
  /** Slots of the exemplar buffer; 0 keeps none. */
  readonly maxExemplars?: number
  readonly maxMetadataFamilies?: number
}

/** Which limit `series()` ran into. */
export type SeriesLimit =
  | 'series'
  | 'series_per_job'
  | 'labels_per_series'
  | 'label_name_length'
  | 'label_value_length'
  | 'memory'

/** Why things were not stored, since the head was made or restored. */
export type HeadDrops = {
  duplicates: number
  conflicting: number
  tooOld: number
  /** Samples of series that retention had removed. */
  unknownSeries: number
  /** Samples refused because memory is at its cap. */
  memoryLimit: number
  /** Series refused: too many, in total or of a job, or memory. */
  seriesLimit: number
  /** Series refused: too many labels, or too long ones. */
  labelLimit: number
  exemplars: number
  metadata: number
}

export type HeadMemory = {
  /** In use. */
  readonly usedBytes: number
  /** With so much in use it is almost full. */
  readonly limitBytes: number
  /** How often something found no room: there may be enough of it in all, and no block of the size. */
  readonly failures: number
}

export type HeadStats = {
  readonly series: number
  readonly symbols: number
  readonly labelPairs: number
  readonly groups: number
  /** Those of a restored snapshot, too. */
  readonly seriesCreated: number
  /** Chunks, and the open run of each series. */
  readonly chunks: number
  readonly chunksCreated: number
  readonly exemplars: number
  /** Since the start. */
  readonly exemplarsAppended: number
  readonly exemplarSlots: number
  readonly exemplarSeries: number
  /** Of the oldest exemplar; null: there is none, or it has no time. */
  readonly oldestExemplarMs: number | null
  readonly samplesAppended: number
  /** Of them; since the start. */
  readonly histogramsAppended: number
  readonly lateSamples: number
  /** The cap. */
  readonly maxBytes: number
  readonly pageBytes: number
  readonly usedBytes: number
  readonly chunkPayloadBytes: number
  readonly activeReaders: number
  /** Blocks and ids that wait for readers. */
  readonly limbo: number
  readonly seriesRemoved: number
  readonly drops: Readonly<HeadDrops>
}

export interface Head extends Appender {
  share(): ReaderShare
  /** Called with each new page, before any address in it is used. */
  onPage(fn: (page: SharedArrayBuffer) => void): void
  /**
   * Retention: samples before `minTime` are not answered from now on, their chunks are freed once no reader can see
   * them, series without samples are removed. Their refs are void then (`AppendResult.unknownSeries`): whoever caches
   * refs compares `stats().seriesRemoved`. Returns the number of series removed.
   */
  trim(minTime: number): number
  /**
   * Before blocks are cut: what comes from now on for times before `maxTime` is kept apart, so that `evict` knows what
   * the blocks cannot have. Everything appended so far must be published.
   * Returns the time before which blocks must be cut: a later one, if it was closed before.
   */
  closeBefore(maxTime: number): number
  /**
   * After the blocks are on disk and shared with the readers: forgets what they hold, all before the time of
   * `closeBefore` but what came since. Series without samples are removed, as by `trim`. Returns how many.
   */
  evict(): number
  /** All refs that were ever given out are below it. */
  readonly refLimit: number
  /** For the log: names the process whose refs are those of this head. In snapshots; 0 at first. */
  logLife: number
  /**
   * Whether new series must keep to the limits of series and labels, and memory to its cap; true at first. Without them
   * memory ends where addresses do, at 16 GiB.
   */
  hasLimits: boolean
  /** Memory is so near its cap that what is to be acknowledged had better not come before blocks were cut. */
  readonly isAlmostFull: boolean
  readonly memory: HeadMemory
  /** As `series()`, of a series that there is; else -1. */
  find(labels: Labels): SeriesRef
  /** Why the last `series()` that returned -1 did so. */
  readonly refusedBy: SeriesLimit
  /** Of the newest sample of a live series; -Infinity when it has none. */
  lastTime(ref: SeriesRef): number
  /** What the series has at the time, to the samples' writer: a float, a histogram, or nothing. Decodes a chunk. */
  storedAt(ref: SeriesRef, timestampMs: number): number | 'histogram' | null
  /** Of the newest sample of all; -Infinity when there is none. */
  readonly maxTime: number
  /** What is older is late, as its time is in blocks or about to be, or refused; -Infinity when nothing is. */
  readonly minValidTime: number
  /** Whether the ref may be appended to. */
  isLive(ref: SeriesRef): boolean
  stats(): HeadStats
  /** Ends a reader's claim from outside; and all claims of a thread (`ReaderOptions.owner`) that died. */
  clearSlot(slot: number): void
  clearOwner(owner: number): number
  /** The whole head as bytes, or what `copied` lacks of it; nothing may be appended until the iterable is drained. */
  serialize(copied?: Copied): Iterable<Uint8Array>
}

export const HEAD_DEFAULTS: Required<HeadOptions> = {
  maxBytes: 8 * 2 ** 30,
  maxSeries: 10_000_000,
  maxLabelsPerSeries: 128,
  maxLabelNameLength: 16_384,
  maxLabelValueLength: 16_384,
  maxSeriesPerJob: 10_000_000,
  maxExemplars: 16_384,
  maxMetadataFamilies: 20_000,
}
