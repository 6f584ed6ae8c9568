/** The PromQL evaluator: columnar operators over a `SeriesReader`. */
export { evaluate, type Query } from './evaluate.ts'
export type { PlanNode } from './explain.ts'
export { allBuckets, type Bucket } from './histograms/buckets.ts'
export { formatHistogram } from './histograms/format.ts'
export {
  evaluatePartial,
  mergePartials,
  type PartialResult,
  type SplitPlan,
  splitPlan,
} from './split.ts'
