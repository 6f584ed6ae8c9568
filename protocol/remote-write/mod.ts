/** Remote write 1.0: snappy blocks, and the protobuf message into columns and back. */
export {
  DEFAULT_WRITE_LIMITS,
  decodeWriteRequest,
  type FamilyMetadata,
  type SeriesExemplar,
  type SeriesHistogram,
  type WriteLimits,
  type WriteRequest,
  WriteRequestDecoder,
} from './decode.ts'
export { encodeWriteRequest, type WriteSeries } from './encode.ts'
export { RemoteWriteError } from './errors.ts'
export type { LabelsResult } from './read-labels.ts'
export { DEFAULT_MAX_INFLATED_BYTES, snappyCompress, snappyDecompress } from './snappy.ts'
