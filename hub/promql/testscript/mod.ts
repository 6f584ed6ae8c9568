/** Reader and runner of PromQL test scripts, the `.test` files of Prometheus. */
export { almostEqual, sameHistogram } from './compare.ts'
export { readScript } from './read.ts'
export { type RunOptions, runEval, runScript, type ScriptFailure, type ScriptReport } from './run.ts'
export {
  type Command,
  type EvalCommand,
  type ExpectedResult,
  type LoadCommand,
  type LoadedSeries,
  SampleKind,
  ScriptError,
  type ScriptTarget,
} from './types.ts'
