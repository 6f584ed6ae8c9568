/**
 * The hub's side: a verified batch back into scrapes. Memory that this reserves is bounded by `BatchLimits` and by the
 * sizes that the (signed) header declares, each checked before use. Hot: bench/protocol/batch.bench.ts.
 */
import type { Histogram } from '../samples/mod.ts'
import { setStaleAt } from '../samples/mod.ts'
import type { ByteReader } from './byte-reader.ts'
import { baseOf, NAN_BASE } from './column-modes.ts'
import type { Compressor } from './compressor.ts'
import { ColumnReader } from './decode-columns.ts'
import { readDefinitions } from './definitions.ts'
import { BatchError } from './errors.ts'
import { readExemplars, readHistograms, readMissed } from './extras.ts'
import { maskOf } from './grouping.ts'
import { splitBatch } from './header.ts'
import { buildKeyframe, type Keyframe, type KeyframeColumns } from './keyframe.ts'
import { buildLayout } from './layout.ts'
import { type BatchLimits, DEFAULT_BATCH_LIMITS } from './limits.ts'
import { readRuns } from './runs.ts'
import { splitSections } from './sections.ts'
import { GroupFlag, type KnownIds, type ReadGroup, type ReadScrape, readStructure } from './structure.ts'
import type { BatchHeader, DecodedBatch, Scrape, SeriesDefinition } from './types.ts'

/** `keyframe` is what later batches need, when this batch is one; else null. */
export type DecodeResult = DecodedBatch & { readonly keyframe: Keyframe | null }

/**
 * Call it after `verifyBatch`, for a batch that is not stored yet.
 *
 * Arrays of the result are shared: scrapes of one target with the same series have the same `ids` array, and all their
 * `values` lie in one buffer. Samples of a scrape come in ascending order of id, whatever their order at the agent.
 * @param base the keyframe that the header names; null when the batch is a keyframe itself, or when it is not at hand
 * @throws BatchError base-missing (ask the agent for it), bad-payload, too-large, and all of `readHeader`
 */
export function decodeBatch(
  bytes: Uint8Array,
  base: Keyframe | null,
  compressor: Compressor,
  limits: BatchLimits = DEFAULT_BATCH_LIMITS,
): DecodeResult {
  const { header, payload } = splitBatch(bytes, limits)
  const isKeyframe = header.base === header.sequence
  if (!isKeyframe) checkBase(header, base)
  return decodePayload(header, inflate(header, payload, compressor), isKeyframe ? null : base, limits)
}

function checkBase(header: BatchHeader, base: Keyframe | null): void {
  const matches =
    base !== null && base.agent === header.agent && base.epoch === header.epoch && base.sequence === header.base
  if (!matches)
    throw new BatchError(
      'base-missing',
      `Cannot decode batch ${header.sequence} of agent "${header.agent}" without its keyframe ${header.base} (epoch ${header.epoch})`,
    )
}

function inflate(header: BatchHeader, payload: Uint8Array, compressor: Compressor): Uint8Array {
  let inflated: Uint8Array
  try {
    inflated = compressor.decompress(payload, header.inflatedBytes)
  } catch (cause) {
    throw new BatchError(
      'bad-payload',
      `Cannot inflate batch ${header.sequence} of agent "${header.agent}" to its declared ${header.inflatedBytes} bytes`,
      { cause },
    )
  }
  if (inflated.length !== header.inflatedBytes)
    throw new BatchError(
      'bad-payload',
      `Cannot read batch ${header.sequence} of agent "${header.agent}": it declares ${header.inflatedBytes} bytes and inflates to ${inflated.length}`,
    )
  return inflated
}

function decodePayload(
  header: BatchHeader,
  payload: Uint8Array,
  base: Keyframe | null,
  limits: BatchLimits,
): DecodeResult {
  const sections = splitSections(payload)
  const definitions = readDefinitions(sections.definitions, base?.definitionCount ?? 0, limits)
  sections.definitions.end()
  if (base === null && definitions.length > 0 && definitions.at(-1)!.id !== definitions.length - 1)
    sections.definitions.fail('the ids of a keyframe must run from 0 without a gap')
  const known = knownIds(definitions, base)
  const { live, restated, scrapes } = readStructure(sections.structure, header, base, known, limits)
  const columns = new ColumnReader(sections)
  const histograms = new Map(base?.histograms)
  // Extras stand last in the payload, but stale markers decide what the value columns hold.
  const liveColumns = live.map((group) => readGroup(group, columns, sections.extras, base, histograms))
  const restatedColumns = restated.map((group) => readGroup(group, columns, sections.extras, base, histograms))
  columns.end()
  const exemplars = readExemplars(sections.extras, scrapes, known.has, limits)
  const missed = readMissed(sections.extras, header.minTimeMs, limits)
  sections.extras.end()
  return {
    header,
    definitions,
    scrapes: scrapes.map((scrape, i) =>
      scrapeOf(scrape, live[scrape.group]!, liveColumns[scrape.group]!, exemplars[i]!),
    ),
    missed,
    keyframe:
      base === null ? buildKeyframe(header, definitions, [...liveColumns, ...restatedColumns], histograms) : null,
  }
}

type GroupColumns = KeyframeColumns & {
  readonly timestamps: Float64Array | null
  readonly histograms: readonly (Map<number, Histogram> | null)[] | null
}

function readGroup(
  group: ReadGroup,
  columns: ColumnReader,
  extras: ByteReader,
  base: Keyframe | null,
  histograms: Map<number, Histogram>,
): GroupColumns {
  const { ids, rows, flags } = group
  const layout = buildLayout(rows, ids.length, null)
  const sampleCount = layout.rowStart[layout.rowCount]!
  const stale = (flags & GroupFlag.stale) !== 0 ? readRuns(extras, sampleCount, sampleCount) : null
  const valueLayout = stale === null ? layout : buildLayout(rows, ids.length, maskOf(stale, sampleCount))
  const values = new Float64Array(sampleCount)
  columns.columns(values, valueLayout, ids, baseOf(base?.values ?? null))
  if (stale !== null) markStale(values, stale)
  let timestamps: Float64Array | null = null
  let startTimestamps: Float64Array | null = null
  if ((flags & GroupFlag.timestamps) !== 0)
    columns.columns((timestamps = new Float64Array(sampleCount)), layout, ids, NAN_BASE)
  if ((flags & GroupFlag.startTimestamps) !== 0)
    columns.columns(
      (startTimestamps = new Float64Array(sampleCount)),
      layout,
      ids,
      baseOf(base?.startTimestamps ?? null),
    )
  const idAt = (row: number, position: number): number => ids[rows[row]?.[position] ?? position]!
  const found = (flags & GroupFlag.histograms) !== 0 ? readHistograms(extras, layout, idAt, histograms) : null
  return { target: group.target, ids, layout, valueLayout, values, timestamps, startTimestamps, histograms: found }
}

function markStale(values: Float64Array, positions: Uint32Array): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
  for (let i = 0; i < positions.length; i++) setStaleAt(words, positions[i]!)
}

function scrapeOf(scrape: ReadScrape, group: ReadGroup, columns: GroupColumns, exemplars: Scrape['exemplars']): Scrape {
  const from = columns.layout.rowStart[scrape.row]!
  const to = columns.layout.rowStart[scrape.row + 1]!
  const row = group.rows[scrape.row]!
  return {
    target: group.target,
    slotMs: scrape.slotMs,
    intervalMs: scrape.intervalMs,
    timestampMs: scrape.timestampMs,
    ids: row === null ? group.ids : row.map((column) => group.ids[column]!),
    values: columns.values.subarray(from, to),
    timestamps: scrape.hasTimestamps ? columns.timestamps!.subarray(from, to) : null,
    startTimestamps: scrape.hasStartTimestamps ? columns.startTimestamps!.subarray(from, to) : null,
    histograms: columns.histograms?.[scrape.row] ?? null,
    exemplars,
  }
}

function knownIds(definitions: readonly SeriesDefinition[], base: Keyframe | null): KnownIds {
  const count = base?.definitionCount ?? definitions.length
  if (base === null || definitions.length === 0) return { has: (id) => id < count, bound: count }
  const fresh = new Set(definitions.map(({ id }) => id))
  return { has: (id) => id < count || fresh.has(id), bound: definitions.at(-1)!.id + 1 }
}
