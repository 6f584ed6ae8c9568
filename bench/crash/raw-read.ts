/**
 * Everything that a hub has stored of some series, by remote read: stale markers, and histograms with all they hold,
 * which no query answers. A `QueryResult` has its series where a `WriteRequest` has them, so its reader reads it.
 */
import { labelValue, METRIC_NAME } from '../../protocol/labels/mod.ts'
import {
  decodeWriteRequest,
  ProtoReader,
  ProtoWriter,
  snappyCompress,
  snappyDecompress,
  WireType,
} from '../../protocol/remote-write/mod.ts'
import type { Server } from '../e2e/client.ts'
import { floatTextAt, histogramText } from './samples.ts'

const MAX_BYTES = 1 << 30
const bytesTag = (field: number): number => (field << 3) | WireType.bytes
const varintTag = (field: number): number => (field << 3) | WireType.varint

/** By value of the label `series`: times in ms and the samples' texts (samples.ts), in order of time. */
export type RawRows = ReadonlyMap<string, readonly (readonly [timeMs: number, text: string])[]>

export async function readRaw(server: Server, metric: string, fromMs: number, toMs: number): Promise<RawRows> {
  const response = await fetch(`${server.url}/api/v1/read`, {
    method: 'POST',
    headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
    body: snappyCompress(requestOf(metric, fromMs, toMs)) as Uint8Array<ArrayBuffer>,
  })
  if (response.status !== 200) throw new Error(`remote read was answered ${response.status} ${await response.text()}`)
  const bytes = snappyDecompress(new Uint8Array(await response.arrayBuffer()), MAX_BYTES)
  const reader = new ProtoReader(bytes)
  const rows = new Map<string, [number, string][]>()
  while (reader.at < bytes.length) {
    if (reader.tag() !== bytesTag(1)) throw new Error('a remote read is answered with something else')
    const end = reader.lengthEnd()
    addRows(bytes.slice(reader.at, end), rows)
    reader.at = end
  }
  return rows
}

function requestOf(metric: string, fromMs: number, toMs: number): Uint8Array {
  const out = new ProtoWriter()
  const query = out.beginMessage(bytesTag(1))
  out.varint(varintTag(1))
  out.int64(fromMs)
  out.varint(varintTag(2))
  out.int64(toMs)
  const matcher = out.beginMessage(bytesTag(3))
  out.varint(bytesTag(2))
  out.string(METRIC_NAME)
  out.varint(bytesTag(3))
  out.string(metric)
  out.endMessage(matcher)
  out.endMessage(query)
  return out.bytes()
}

/** Floats and histograms of a series come apart, each in order. */
function addRows(result: Uint8Array, rows: Map<string, [number, string][]>): void {
  const { seriesCount, sampleStart, timestamps, values, histograms, labels } = columnsOf(result)
  const all = Array.from({ length: seriesCount }, (_, s) => {
    const row: [number, string][] = []
    for (let i = sampleStart[s]!; i < sampleStart[s + 1]!; i++) row.push([timestamps[i]!, floatTextAt(values, i)])
    return row
  })
  for (const { series, timestampMs, histogram } of histograms)
    all[series]!.push([timestampMs, histogramText(histogram)])
  for (const [s, row] of all.entries()) {
    const own = labels(s)
    if (own === null) throw new Error('a remote read is answered with invalid labels')
    const name = labelValue(own, 'series')
    if (rows.has(name)) throw new Error(`series ${name} is there twice`)
    rows.set(
      name,
      row.sort(([a], [b]) => a - b),
    )
  }
}

function columnsOf(result: Uint8Array) {
  const request = decodeWriteRequest(result)
  const { seriesCount, sampleStart, timestamps, values, histograms } = request
  return { seriesCount, sampleStart, timestamps, values, histograms, labels: (s: number) => request.labels(s).labels }
}
