/**
 * The downsampled windows of a block that is being written, series by series: made of the samples that there are, or,
 * where more samples went into what was written before, taken over from that.
 */
import {
  type AggregateBuffer,
  ALL_AGGREGATES,
  createAggregateBuffer,
  type SampleBuffer,
  type SeriesReader,
  type SeriesRef,
  type TimeRange,
} from '../tsdb/mod.ts'
import { aggregate, overlay } from './aggregate.ts'
import type { BlockMeta } from './contract.ts'
import { NO_EXPIRY } from './hiding.ts'
import type { RunFileWriter } from './run-file.ts'
import { TierWriter } from './tier-writer.ts'
import type { NewTiers } from './write-block.ts'

/** For writing a block again with the windows that it has, as far as they can be read or made. */
export function sameTiers({ goneBefore, tiers }: BlockMeta): NewTiers | undefined {
  if (!tiers) return undefined
  return { widths: tiers.map(({ widthMs }) => widthMs), expiry: NO_EXPIRY, goneBefore }
}

/** Reads all windows of a block, for `onDamage` to hear of those that are damaged. Returns how many rows there are. */
export function countRows(block: SeriesReader): number {
  const { stored } = block
  if (!stored) return 0
  const rows = createAggregateBuffer()
  let count = 0
  for (const ref of block.select([], EVER))
    for (const width of stored.allWidths()) {
      stored.read(ref, EVER, width, ALL_AGGREGATES, rows)
      count += rows.count
    }
  return count
}

const EVER: TimeRange = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }

type Tier = { readonly writer: TierWriter; readonly rows: AggregateBuffer }

export class SeriesTiers {
  readonly #reader: SeriesReader
  readonly #range: TimeRange
  readonly #tiers: readonly Tier[]
  readonly #expiry: NewTiers['expiry']
  readonly #made = createAggregateBuffer()
  readonly #stored = createAggregateBuffer()

  constructor(out: RunFileWriter, reader: SeriesReader, range: TimeRange, { widths, expiry }: NewTiers) {
    this.#reader = reader
    this.#range = range
    this.#expiry = expiry
    this.#tiers = widths.map((width) => ({ writer: new TierWriter(out, width), rows: createAggregateBuffer() }))
  }

  /**
   * Makes the windows of a series, and takes from its samples those that have expired. `write` adds the windows.
   * @returns whether there are any
   */
  take(ref: SeriesRef, samples: SampleBuffer): boolean {
    let isAny = false
    for (const { writer, rows } of this.#tiers) {
      const { width } = writer
      aggregate(samples, width, this.#made)
      // The last window may end after the block.
      const range = { minTime: this.#range.minTime, maxTime: this.#range.maxTime + width }
      // What is damaged is lost, as samples are.
      if (this.#reader.stored) this.#reader.stored.read(ref, range, width, ALL_AGGREGATES, this.#stored)
      else this.#stored.count = 0
      overlay(this.#made, this.#stored, width, rows)
      this.#expiry.rows(ref, width, rows)
      isAny ||= rows.count > 0
    }
    this.#expiry.samples(ref, samples)
    return isAny
  }

  write(): void {
    for (const { writer, rows } of this.#tiers) writer.add(rows)
  }

  close(): void {
    for (const { writer } of this.#tiers) writer.close()
  }

  sections(): Uint8Array[] {
    return this.#tiers.map(({ writer }) => writer.section())
  }

  /** Once closed. */
  get written(): NonNullable<BlockMeta['tiers']> {
    return this.#tiers.map(({ writer }) => ({ widthMs: writer.width, rows: writer.rows }))
  }
}
