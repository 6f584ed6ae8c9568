/** Remote write 1.0 and 2.0: snappy blocks, and the protobuf messages into columns and back. */
export {
  type DataPoints,
  type FamilyMetadata,
  type SeriesExemplar,
  type SeriesHistogram,
  WRITE_ENCODINGS,
  WRITE_FORMATS,
  type WriteColumns,
  type WriteEncoding,
  type WriteFormat,
  type WriteKind,
} from './columns.ts'
export {
  DEFAULT_WRITE_LIMITS,
  decodeWriteRequest,
  type WriteLimits,
  type WriteRequest,
  WriteRequestDecoder,
} from './decode.ts'
export { WriteRequest2Decoder } from './decode2.ts'
export { encodeWriteRequest, type WriteSeries, writeLabels } from './encode.ts'
export { RemoteWriteError } from './errors.ts'
export { hashLabelBytes } from './label-hash.ts'
export { ProtoReader, WireType } from './proto-reader.ts'
export { ProtoWriter } from './proto-writer.ts'
export { type LabelsResult, readLabelBytes } from './read-labels.ts'
export {
  type RequestEncoder,
  type SampleExtras,
  type SeriesLabels,
  WriteRequest2Encoder,
  WriteRequestEncoder,
} from './request-encoder.ts'
export { shownLabels } from './shown-labels.ts'
export { DEFAULT_MAX_INFLATED_BYTES, snappyCompress, snappyDecompress } from './snappy.ts'
export { StringCache } from './string-cache.ts'
export { histogramProblem } from './validate-histogram.ts'
