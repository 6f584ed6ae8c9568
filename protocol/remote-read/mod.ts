/** Remote read: the request, and its answers in samples and in streamed chunks. */
export {
  decodeReadRequest,
  negotiate,
  type ReadQuery,
  type ReadRequest,
  RemoteReadError,
  type ResponseType,
} from './request.ts'
export { assembleReadResponse, encodeTimeSeries, FrameWriter, type ResultPiece, snappyPiece } from './response.ts'
