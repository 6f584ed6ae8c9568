/** Settings of queries in tests: limits that no test meets by chance. */
import type { QuerySettings } from '../contract.ts'

export const SETTINGS: QuerySettings = {
  lookbackMs: 300_000,
  maxSamples: 50_000_000,
  maxSeries: 1_000_000,
  defaultSubqueryStepMs: 60_000,
  features: [],
  stats: false,
}
