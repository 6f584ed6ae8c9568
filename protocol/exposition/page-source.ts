/** What a scrape reads pages with: one reader a target and format, which remembers the series between scrapes. */
import type { Labels } from '../labels/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../samples/mod.ts'
import type { ExpositionParserName } from './content-type.ts'

export type PageOptions = {
  readonly format: ExpositionParserName
  /** Reads timestamps but does not report them (`honor_timestamps: false`). */
  readonly ignoreTimestamps: boolean
  /** `_created` lines and created timestamps become start timestamps. */
  readonly startTimestamps: boolean
  readonly typeAndUnitLabels: boolean
  /**
   * Text: lines to know at most. New series beyond are read over, see `unread`: a page that invents names must not cost
   * memory for each. Default: no limit.
   */
  readonly maxLines?: number
  /** Classic histograms become native ones with custom buckets (`convert_classic_histograms_to_nhcb`). Default false. */
  readonly convertClassic?: boolean
  /** Protobuf: histograms with a native part become one sample each (`scrape_native_histograms`). Default false. */
  readonly nativeHistograms?: boolean
  /** What became native stays classic as well (`always_scrape_classic_histograms`). Default false. */
  readonly classicHistograms?: boolean
}

/** A series seen for the first time. */
export type NewSeries = {
  readonly slot: number
  /** As exposed: sorted by name, may hold empty values and repeated names. */
  readonly labels: Labels
  /** Of the meta lines above, if the series belongs to it; else ''. */
  readonly family: string
  /** Part of a classic histogram whose native form stands beside it. */
  readonly isNativeToo?: boolean
}

export interface PageSource {
  /** Samples of the last page; columns of this length follow, in the page's order. Valid until the next `read`. */
  readonly count: number
  readonly slots: Int32Array<ArrayBuffer>
  readonly values: Float64Array<ArrayBuffer>
  /** Own timestamps, NaN where there is none; null when no sample has one. */
  readonly timestamps: Float64Array<ArrayBuffer> | null
  /** 0 = unknown; null when there are none. */
  readonly startTimestamps: Float64Array<ArrayBuffer> | null
  /** By position in the columns, whose value is then 0; null when there are none. */
  readonly histograms: ReadonlyMap<number, Histogram> | null
  /** By position in the columns. */
  readonly exemplars: readonly { readonly position: number; readonly exemplar: Exemplar }[]
  /** To be taken after every read, failed ones too: the next read starts it anew. */
  readonly newSeries: readonly NewSeries[]
  /** Samples on the page, duplicates included. */
  readonly scraped: number
  /** Lines that repeat a series without a timestamp of their own: the first wins. */
  readonly duplicates: number
  /** How many of them a slot has, for those that have any: whether they count is known where rules are. */
  readonly duplicatesBySlot: ReadonlyMap<number, number>
  /** Samples that repeat a series at a timestamp of their own: they are in the columns. */
  readonly repeats: number
  readonly metadata: ReadonlyMap<string, Metadata>
  /** Samples of new series that `maxLines` left out, by metric; of a hundred metrics at most. */
  readonly unread: ReadonlyMap<string, number>
  /** Number of slots in use; grows until `compact`. */
  readonly slotCount: number

  /** @throws ExpositionError; the columns then hold what stands before the fault */
  read(page: Uint8Array, options: PageOptions): void
  /**
   * Forgets series that have not been seen for long, when they outnumber the living. After a read, once the columns
   * have been used.
   * @returns old slot → new slot (0: forgotten), or null when nothing moved
   */
  compact(): Int32Array | null
}
