/**
 * What later batches of an epoch are decoded against: the dictionary's size, the last value of each series and each
 * target's list of series, as they stand at the end of a keyframe batch. Encoder and decoder compute it alike.
 *
 * It is plain data (structured clone carries it between threads); its durable form is the keyframe batch itself.
 */
import type { Histogram } from '../samples/mod.ts'
import type { Layout } from './layout.ts'
import type { BatchHeader, SeriesDefinition } from './types.ts'

export type Keyframe = {
  readonly agent: string
  readonly epoch: number
  readonly sequence: number
  /** Ids below it are defined. */
  readonly definitionCount: number
  /** All of them by id; not needed for decoding: `withoutDefinitions` drops them once they are registered. */
  readonly definitions: readonly SeriesDefinition[]
  /** Last value by id, bits kept; 0 where there was none. */
  readonly values: Float64Array
  /** Last start timestamp by id; null when no series has one. */
  readonly startTimestamps: Float64Array | null
  readonly targets: readonly KeyframeTarget[]
  /** Last native histogram by id, of the targets scraped in the keyframe batch. */
  readonly histograms: ReadonlyMap<number, Histogram>
}

export type KeyframeTarget = { readonly target: string; readonly ids: Uint32Array }

/** Some 8 bytes a series remain. */
export const withoutDefinitions = (keyframe: Keyframe): Keyframe => ({ ...keyframe, definitions: [] })

/** The columns of one target, flat; with a layout of all samples and one of those that are no stale markers. */
export type KeyframeColumns = {
  readonly target: string
  readonly ids: Uint32Array
  readonly layout: Layout
  readonly valueLayout: Layout
  readonly values: Float64Array
  readonly startTimestamps: Float64Array | null
}

/**
 * @param groups of the keyframe batch, in its order, restated ones last
 * @param histograms last one by id
 */
export function buildKeyframe(
  header: BatchHeader,
  definitions: readonly SeriesDefinition[],
  groups: readonly KeyframeColumns[],
  histograms: ReadonlyMap<number, Histogram>,
): Keyframe {
  const values = new Float64Array(definitions.length)
  const hasStarts = groups.some(({ startTimestamps }) => startTimestamps !== null)
  const startTimestamps = hasStarts ? new Float64Array(definitions.length) : null
  for (const group of groups) {
    carryLast(group.values, group.valueLayout, group.ids, values)
    if (group.startTimestamps !== null) carryLast(group.startTimestamps, group.layout, group.ids, startTimestamps!)
  }
  return {
    agent: header.agent,
    epoch: header.epoch,
    sequence: header.sequence,
    definitionCount: definitions.length,
    definitions,
    values,
    startTimestamps,
    targets: groups.map(({ target, ids }) => ({ target, ids })),
    histograms,
  }
}

/** Copies the last sample of every column to its series' place in `last`, as bits. */
export function carryLast(flat: Float64Array, layout: Layout, ids: Uint32Array, last: Float64Array): void {
  const { columnCount, rowCount, columnStart, positions } = layout
  const from = new Uint32Array(flat.buffer, flat.byteOffset, 2 * flat.length)
  const to = new Uint32Array(last.buffer, last.byteOffset, 2 * last.length)
  for (let c = 0; c < columnCount; c++) {
    const n = columnStart === null ? rowCount : columnStart[c + 1]! - columnStart[c]!
    if (n === 0) continue
    const at = positions === null ? (n - 1) * columnCount + c : positions[columnStart![c]! + n - 1]!
    to[2 * ids[c]!] = from[2 * at]!
    to[2 * ids[c]! + 1] = from[2 * at + 1]!
  }
}
