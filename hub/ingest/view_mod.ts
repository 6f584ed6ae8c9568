/** The door for threads that read the log beside ingest. */
export { createBatchCodec } from './codec.ts'
export type { HeadFactory, HeadRestorer, IngestHead } from './head.ts'
export { LogView, type LogViewOptions } from './log-view.ts'
export { RecordType } from './record-types.ts'
export type { WriteDecoder } from './remote-write.ts'
