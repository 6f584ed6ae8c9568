/** Tags (field number and wire type) of the messages. Semantics: Prometheus prompb/remote.proto, prompb/types.proto, prompb/io/prometheus/write/v2/types.proto. */
import { WireType } from './proto-reader.ts'

const varint = (field: number): number => (field << 3) | WireType.varint
const fixed64 = (field: number): number => (field << 3) | WireType.fixed64
const bytes = (field: number): number => (field << 3) | WireType.bytes

export const Request2 = { symbol: bytes(4), series: bytes(5) } as const
export const Series2 = {
  labelRefs: bytes(1),
  labelRef: varint(1),
  sample: bytes(2),
  histogram: bytes(3),
  exemplar: bytes(4),
  metadata: bytes(5),
  /** Of the drafts up to rc.3; later ones say it with each sample. */
  created: varint(6),
} as const
export const Sample2 = { value: fixed64(1), timestamp: varint(2), start: varint(3) } as const
export const Exemplar2 = { labelRefs: bytes(1), labelRef: varint(1), value: fixed64(2), timestamp: varint(3) } as const
export const Metadata2 = { type: varint(1), help: varint(3), unit: varint(4) } as const
export const Request = { series: bytes(1), metadata: bytes(3) } as const
export const Series = { label: bytes(1), sample: bytes(2), exemplar: bytes(3), histogram: bytes(4) } as const
export const Label = { name: bytes(1), value: bytes(2) } as const
export const Sample = { value: fixed64(1), timestamp: varint(2) } as const
export const ExemplarTag = { label: bytes(1), value: fixed64(2), timestamp: varint(3) } as const
export const MetadataTag = { type: varint(1), family: bytes(2), help: bytes(4), unit: bytes(5) } as const
export const SpanTag = { offset: varint(1), length: varint(2) } as const
export const HistogramTag = {
  countInt: varint(1),
  countFloat: fixed64(2),
  sum: fixed64(3),
  schema: varint(4),
  zeroThreshold: fixed64(5),
  zeroCountInt: varint(6),
  zeroCountFloat: fixed64(7),
  negativeSpan: bytes(8),
  negativeDeltas: bytes(9),
  negativeDelta: varint(9),
  negativeCounts: bytes(10),
  negativeCount: fixed64(10),
  positiveSpan: bytes(11),
  positiveDeltas: bytes(12),
  positiveDelta: varint(12),
  positiveCounts: bytes(13),
  positiveCount: fixed64(13),
  resetHint: varint(14),
  timestamp: varint(15),
  customValues: bytes(16),
  customValue: fixed64(16),
  /** 2.0 only. */
  start: varint(17),
} as const
