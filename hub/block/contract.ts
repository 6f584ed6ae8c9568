/** What blocks are to the rest of the hub: their description, and what reading and writing them needs. */
import type { Compressor } from '../../protocol/batch/mod.ts'
import type { Disk } from '../../protocol/env/mod.ts'
import type { SampleBuffer, SeriesReader, TimeRange } from '../tsdb/mod.ts'
import type { BlockDamagedError } from './errors.ts'

/** `meta.json` of a block. */
export type BlockMeta = {
  readonly version: 1
  /** Name of the block's directory: `<minTime>-<maxTime>-<sequence>`. */
  readonly id: string
  /** Samples with minTime <= t < maxTime, in ms. */
  readonly minTime: number
  readonly maxTime: number
  /** Of two blocks that have a sample at the same time, the one of the higher sequence has the say. */
  readonly sequence: number
  /** 1 as cut from the head; a merged block is one above the highest of its sources. */
  readonly level: number
  /** Ids of the blocks that this one replaces, and of those that they had replaced. */
  readonly sources: readonly string[]
  readonly stats: BlockStats
  /** CRC32C of the whole index file; the chunks carry theirs. */
  readonly indexCrc: number
  readonly indexBytes: number
  readonly chunksBytes: number
  /** Deletions up to this one (`Tombstone.id`) were carried out when the block was written. Absent: none. */
  readonly deletes?: number
  /** Retention rules (`floorKeys`) of which the block keeps nothing any more. Absent: none. */
  readonly expired?: readonly string[]
  /** Widths of the downsampled windows that the block has, and how many of them. Absent: none. */
  readonly tiers?: readonly { readonly widthMs: number; readonly rows: number }[]
  /** Before this time, samples may be gone of which there are windows still. Absent: none are. */
  readonly goneBefore?: number
}

export type BlockStats = {
  readonly series: number
  readonly samples: number
  readonly histograms: number
  readonly chunks: number
  readonly labelPairs: number
  readonly symbols: number
}

/** Times as in `BlockMeta`: minTime included, maxTime not. */
export type BlockRange = { readonly minTime: number; readonly maxTime: number }

export type BlockEnv = { readonly disk: Disk; readonly compressor: Compressor }

export type BlockReader = SeriesReader & {
  readonly meta: BlockMeta
  /** Runs of chunks found damaged by this reader; their samples are not served. */
  readonly damagedRuns: number
  /** Of the label set itself, equal in every block and thread. */
  labelHash(ref: number): number
  /** As `read`, behind what `out` holds, all of which is earlier. */
  append(ref: number, range: TimeRange, out: SampleBuffer): void
  /** Closes the file; `release()` does nothing, since a block is shared by the queries of a thread. */
  close(): void
}

export type OnDamage = (error: BlockDamagedError) => void

export const META_FILE = 'meta.json'
/** The same text once more: what it says stands nowhere else, and without it the block is lost. */
export const META_COPY_FILE = 'meta.copy.json'
export const INDEX_FILE = 'index'
export const CHUNKS_FILE = 'chunks'
/** Chunks do not cross multiples of this, so that series scraped together go on sharing times in longer blocks. */
export const CHUNK_WINDOW_MS = 7_200_000
export const CHUNK_SAMPLES_MAX = 1024
