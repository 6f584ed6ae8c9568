/**
 * What stands in the log. A batch and a remote write request stand there as they were received, so that replay runs
 * the code that ran when they came; what the hub's own agent and rules say is CBOR, compressed.
 *
 *     batch         [ received f64 ][ cap u32 ][ batch bytes ]       with its (agent, epoch, sequence) in its header
 *     remoteWrite   [ received f64 ][ snappy body ]                  remote write 1.0, of earlier versions
 *     accepted      [ received f64 ][ format u8 ][ encoding u8 ][ n u16 ][ n of JSON settings ][ refusals ][ body ]
 *                   all other ways in; refusals.ts says what of the body was not stored
 *     write         the same without refusals, of earlier versions: what was refused as too late comes back from it
 *     definitions, rows   remote write 1.0 without more than float samples: row-log.ts
 *     identity      CBOR { agent, labels }                           before the first batch that it applies to
 *     local, rules  zstd of CBOR
 *     refused       series-refusals.ts; before the batch, local or rules of which limits refused series
 *     zeros       start-zeros.ts; before the batch, local or accepted of whose starts zeros were made
 *     agent, source, head   in checkpoints only: cursors and ledger of one agent; a local source; a piece of the head
 */
import { Encoder } from 'cbor-x'
import type { MissedSlots, Scrape, SeriesDefinition } from '../../protocol/batch/types.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import { WRITE_ENCODINGS, WRITE_FORMATS, type WriteKind } from '../../protocol/remote-write/mod.ts'
import type { Exemplar, Histogram } from '../../protocol/samples/mod.ts'

export { RecordType } from './record-types.ts'

/** No cap on the series of a batch. */
export const NO_CAP = 0xffffffff

const cbor = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false })

export const toCbor = (value: unknown): Uint8Array => cbor.encode(value)
/** Of bytes that a checksum has proved to be ours. */
export const fromCbor = <T>(bytes: Uint8Array): T => cbor.decode(bytes) as T

export function receivedPrefix(receivedMs: number): Uint8Array {
  const prefix = new Uint8Array(8)
  new DataView(prefix.buffer).setFloat64(0, receivedMs, true)
  return prefix
}

export function writePrefix(receivedMs: number, { format, encoding, settings }: WriteKind): Uint8Array {
  const json = settings ? new TextEncoder().encode(JSON.stringify(settings)) : new Uint8Array(0)
  const prefix = new Uint8Array(WRITE_PREFIX_BYTES + json.length)
  prefix.set(receivedPrefix(receivedMs))
  prefix[8] = WRITE_FORMATS.indexOf(format)
  prefix[9] = WRITE_ENCODINGS.indexOf(encoding)
  new DataView(prefix.buffer).setUint16(10, json.length, true)
  prefix.set(json, WRITE_PREFIX_BYTES)
  return prefix
}

/** The body still has the refusals before it, if it is an `accepted`. @throws Error for a kind that a later version wrote */
export function readWrite(payload: Uint8Array): { readonly kind: WriteKind; readonly body: Uint8Array } {
  const format = WRITE_FORMATS[payload[8]!]
  const encoding = WRITE_ENCODINGS[payload[9]!]
  if (format === undefined || encoding === undefined)
    throw new Error(`unknown format ${payload[8]} or encoding ${payload[9]} of a write`)
  const end = WRITE_PREFIX_BYTES + new DataView(payload.buffer, payload.byteOffset).getUint16(10, true)
  const json = new TextDecoder().decode(payload.subarray(WRITE_PREFIX_BYTES, end))
  const settings = json === '' ? {} : { settings: JSON.parse(json) as NonNullable<WriteKind['settings']> }
  return { kind: { format, encoding, ...settings }, body: payload.slice(end) }
}

const WRITE_PREFIX_BYTES = 12

export function batchPrefix(receivedMs: number, seriesCap: number): Uint8Array {
  const prefix = new Uint8Array(12)
  const view = new DataView(prefix.buffer)
  view.setFloat64(0, receivedMs, true)
  view.setUint32(8, seriesCap, true)
  return prefix
}

export const BATCH_PREFIX_BYTES = 12
export const RECEIVED_PREFIX_BYTES = 8

export const readReceived = (payload: Uint8Array): number =>
  new DataView(payload.buffer, payload.byteOffset).getFloat64(0, true)

export const readSeriesCap = (payload: Uint8Array): number =>
  new DataView(payload.buffer, payload.byteOffset).getUint32(8, true)

/** What an agent inside the hub's process recorded. `definitions` are those that the log does not hold yet. */
export type LocalRecord = {
  readonly source: string
  readonly epoch: number
  readonly definitions: readonly SeriesDefinition[]
  readonly scrape: Scrape | null
  readonly missed: readonly MissedSlots[]
}

/** Results of one evaluation: `values[i]` (bits) belongs to `labels[i]`. */
export type RuleResults = {
  readonly timestampMs: number
  readonly labels: readonly Labels[]
  readonly values: Float64Array
  /** By position; null when there are none. */
  readonly histograms: ReadonlyMap<number, Histogram> | null
}

type Columns = {
  target: string
  slotMs: number
  intervalMs: number
  timestampMs: number
  ids: Uint8Array
  values: Uint8Array
  timestamps: Uint8Array | null
  startTimestamps: Uint8Array | null
  histograms: [number, Histogram][] | null
  exemplars: readonly { readonly id: number; readonly exemplar: Exemplar }[] | null
}

export function encodeLocal(record: LocalRecord): Uint8Array {
  const scrape = record.scrape ? toColumns(record.scrape) : null
  return toCbor({ ...record, scrape })
}

export function decodeLocal(bytes: Uint8Array): LocalRecord {
  const record = fromCbor<Omit<LocalRecord, 'scrape'> & { scrape: Columns | null }>(bytes)
  return { ...record, scrape: record.scrape ? fromColumns(record.scrape) : null }
}

export function encodeRules(results: RuleResults): Uint8Array {
  return toCbor({
    timestampMs: results.timestampMs,
    labels: results.labels,
    values: bytesOf(results.values),
    histograms: results.histograms ? [...results.histograms] : null,
  })
}

export function decodeRules(bytes: Uint8Array): RuleResults {
  const saved = fromCbor<{
    timestampMs: number
    labels: Labels[]
    values: Uint8Array
    histograms: [number, Histogram][] | null
  }>(bytes)
  return {
    timestampMs: saved.timestampMs,
    labels: saved.labels,
    values: floatsOf(saved.values),
    histograms: saved.histograms ? new Map(saved.histograms) : null,
  }
}

const toColumns = (scrape: Scrape): Columns => ({
  ...scrape,
  ids: bytesOf(scrape.ids),
  values: bytesOf(scrape.values),
  timestamps: scrape.timestamps ? bytesOf(scrape.timestamps) : null,
  startTimestamps: scrape.startTimestamps ? bytesOf(scrape.startTimestamps) : null,
  histograms: scrape.histograms ? [...scrape.histograms] : null,
})

const fromColumns = (columns: Columns): Scrape => ({
  ...columns,
  ids: new Uint32Array(new Uint8Array(columns.ids).buffer),
  values: floatsOf(columns.values),
  timestamps: columns.timestamps ? floatsOf(columns.timestamps) : null,
  startTimestamps: columns.startTimestamps ? floatsOf(columns.startTimestamps) : null,
  histograms: columns.histograms ? new Map(columns.histograms) : null,
})

// Sample bits travel as bytes: a stale marker does not survive as a number.
const bytesOf = (column: Float64Array | Uint32Array): Uint8Array =>
  new Uint8Array(column.buffer, column.byteOffset, column.byteLength)

function floatsOf(bytes: Uint8Array): Float64Array {
  const copy = new Uint8Array(bytes)
  return new Float64Array(copy.buffer)
}
