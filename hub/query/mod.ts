/** Queries: from the API's parameters to response bytes, in worker threads. */
export { ActiveQueries } from './active-queries.ts'
export { ARROW_TYPE, loadArrow } from './arrow.ts'
export {
  ApiError,
  type BlockView,
  ERROR_STATUS,
  type ErrorType,
  NO_BLOCKS,
  type QueryPart,
  type QuerySettings,
  type QueryTask,
  type WorkerAnswer,
  type WorkerTask,
} from './contract.ts'
export { negotiateFormat } from './escape-names.ts'
export { isActedUpon, parserFeatures, START_ZEROS } from './features.ts'
export { giveBack } from './held-answers.ts'
export { InPlace, type InPlaceOptions } from './in-place.ts'
export { formatJsonFloat, formatTimestamp, JsonWriter } from './json.ts'
export { NoWorkerError, type QueryPool } from './pool.ts'
export type { QueryCounters } from './query-counters.ts'
export { QueryLog, type QueryOrigin } from './query-log.ts'
export { errorBody } from './results.ts'
export { errorAnswer, narrowSelectors, runPart } from './run-task.ts'
export { QueryService, type QueryServiceOptions } from './service.ts'
export { ShardStates, type SharedShards } from './shard-states.ts'
export { answerBuffers, taskBuffers } from './transfer.ts'
export { tryPart } from './trial.ts'
