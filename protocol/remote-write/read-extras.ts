/** Exemplars and metadata of a remote write. Semantics: Prometheus prompb/codec.go, ToExemplar; prompb/types.proto. */
import type { Exemplar, Metadata, MetricType } from '../samples/mod.ts'
import { ExemplarTag, MetadataTag } from './fields.ts'
import type { ProtoReader } from './proto-reader.ts'
import { readPair } from './read-labels.ts'
import type { StringCache } from './string-cache.ts'

/** By the numbers of MetricMetadata.MetricType. */
export const METRIC_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
]

/** Reads to the reader's `end`; null when a label is not valid UTF-8. */
export function readExemplar(reader: ProtoReader, strings: StringCache): Exemplar | null {
  const pairs: (string | null)[] = []
  let value = 0
  let timestampMs = 0
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === ExemplarTag.label) readPair(reader, pairs, strings)
    else if (tag === ExemplarTag.value) value = reader.double()
    else if (tag === ExemplarTag.timestamp) timestampMs = reader.int64()
    else reader.skip(tag)
  }
  if (pairs.includes(null)) return null
  return { labels: pairs as string[], value, timestampMs: timestampMs === 0 ? null : timestampMs }
}

/** Reads to the reader's `end`; invalid UTF-8 becomes U+FFFD in help and unit, and no family at all in the name. */
export function readMetadata(
  reader: ProtoReader,
  strings: StringCache,
): { readonly family: string; readonly metadata: Metadata } | null {
  let type = 0
  let [family, help, unit]: (string | null)[] = ['', '', '']
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === MetadataTag.type) type = reader.uint64()
    else if (tag === MetadataTag.family) family = readText(reader, strings)
    else if (tag === MetadataTag.help) help = readText(reader, strings)
    else if (tag === MetadataTag.unit) unit = readText(reader, strings)
    else reader.skip(tag)
  }
  if (!family) return null
  return { family, metadata: { type: METRIC_TYPES[type] ?? 'unknown', help: help ?? '\ufffd', unit: unit ?? '\ufffd' } }
}

function readText(reader: ProtoReader, strings: StringCache): string | null {
  const end = reader.lengthEnd()
  const text = strings.text(reader.bytes, reader.at, end)
  reader.at = end
  return text
}
