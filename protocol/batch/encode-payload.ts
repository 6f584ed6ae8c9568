/** Turns the scrapes of one batch into a payload (sections.ts), and the state of the epoch forward. */
import type { Histogram } from '../samples/mod.ts'
import { ByteWriter } from './byte-writer.ts'
import { baseOf, NAN_BASE } from './column-modes.ts'
import { writeDefinitions } from './definitions.ts'
import { ColumnWriter } from './encode-columns.ts'
import { writeExemplars, writeHistograms, writeMissed } from './extras.ts'
import { flatten, type Group, groupOf } from './grouping.ts'
import type { Keyframe, KeyframeColumns } from './keyframe.ts'
import { writeRuns } from './runs.ts'
import { joinSections } from './sections.ts'
import { GroupFlag, groupFlags, writeStructure } from './structure.ts'
import type { MissedSlots, Scrape, SeriesDefinition } from './types.ts'

export type PayloadInput = {
  readonly definitions: readonly SeriesDefinition[]
  /** In id order (grouping.ts, IdOrders). */
  readonly scrapes: readonly Scrape[]
  readonly missed: readonly MissedSlots[]
  readonly minTimeMs: number
  /** Null for a keyframe. */
  readonly base: Keyframe | null
  /** Targets without a scrape here, each as one row of last values; empty unless this is a keyframe. */
  readonly restated: readonly Group[]
}

/** What was written, for the state that follows. */
export type PayloadResult = {
  readonly payload: Uint8Array
  readonly live: readonly Group[]
  /** Of the groups in the payload's order, as the decoder will have them. */
  readonly columns: readonly KeyframeColumns[]
  /** Last histogram by id. */
  readonly histograms: ReadonlyMap<number, Histogram>
}

export function encodePayload(input: PayloadInput): PayloadResult {
  const { live, order } = groupScrapes(input.scrapes)
  const definitions = new ByteWriter(1024)
  const structure = new ByteWriter(256)
  const extras = new ByteWriter(64)
  const columns = new ColumnWriter()
  const histograms = new Map(input.base?.histograms)
  writeDefinitions(definitions, input.definitions)
  writeStructure(structure, live, input.restated, order, input, input.base)
  for (const group of [...live, ...input.restated]) writeColumns(columns, group, input.base)
  for (const group of live) {
    const flags = groupFlags(group)
    if (group.stale !== null) writeRuns(extras, group.stale)
    if ((flags & GroupFlag.histograms) !== 0) writeHistograms(extras, group, histograms)
  }
  writeExemplars(extras, input.scrapes)
  writeMissed(extras, input.missed, input.minTimeMs)
  const payload = joinSections({
    definitions: definitions.bytes(),
    structure: structure.bytes(),
    modes: columns.modes.bytes(),
    bitmaps: columns.bitmaps.bytes(),
    numbers: columns.numbers.bytes(),
    planes: columns.planes(),
    extras: extras.bytes(),
  })
  const groups = [...live, ...input.restated].map((group) => ({
    ...group,
    startTimestamps: (groupFlags(group) & GroupFlag.startTimestamps) !== 0 ? startTimestampsOf(group) : null,
  }))
  return { payload, live, columns: groups, histograms }
}

function writeColumns(columns: ColumnWriter, group: Group, base: Keyframe | null): void {
  const { layout, scrapes, ids } = group
  const flags = groupFlags(group)
  columns.columns(group.values, group.valueLayout, ids, baseOf(base?.values ?? null))
  if ((flags & GroupFlag.timestamps) !== 0)
    columns.columns(
      flatten(scrapes, layout, (scrape) => scrape.timestamps, Number.NaN),
      layout,
      ids,
      NAN_BASE,
    )
  if ((flags & GroupFlag.startTimestamps) !== 0)
    columns.columns(startTimestampsOf(group), layout, ids, baseOf(base?.startTimestamps ?? null))
}

export const startTimestampsOf = (group: Group): Float64Array =>
  flatten(group.scrapes, group.layout, (scrape) => scrape.startTimestamps, 0)

/** Groups in order of a target's first scrape, and where each scrape went. */
function groupScrapes(scrapes: readonly Scrape[]): {
  readonly live: readonly Group[]
  readonly order: readonly { readonly group: number; readonly row: number }[]
} {
  const byTarget = new Map<string, { readonly index: number; readonly scrapes: Scrape[] }>()
  const order = scrapes.map((scrape) => {
    let entry = byTarget.get(scrape.target)
    if (entry === undefined) byTarget.set(scrape.target, (entry = { index: byTarget.size, scrapes: [] }))
    return { group: entry.index, row: entry.scrapes.push(scrape) - 1 }
  })
  return { live: Array.from(byTarget, ([target, entry]) => groupOf(target, entry.scrapes)), order }
}
