/** The answers of /api/v1 that the page reads. Fields that a server may lack are optional; unknown ones are ignored. */
import type { RangeSeries } from '../logic/align.ts'
import type { LabelSet } from '../logic/labels.ts'

export type SamplePair = readonly [seconds: number, value: string]
export type HistogramValue = {
  readonly count: string
  readonly sum: string
  readonly buckets?: readonly (readonly [boundaries: number, left: string, right: string, count: string])[]
}
export type HistogramPair = readonly [seconds: number, histogram: HistogramValue]

export type VectorItem = { readonly metric: LabelSet; readonly value?: SamplePair; readonly histogram?: HistogramPair }
export type MatrixItem = {
  readonly metric: LabelSet
  readonly values?: readonly SamplePair[]
  readonly histograms?: readonly HistogramPair[]
}
export type InstantData =
  | { readonly resultType: 'vector'; readonly result: readonly VectorItem[] }
  | { readonly resultType: 'matrix'; readonly result: readonly MatrixItem[] }
  | { readonly resultType: 'scalar' | 'string'; readonly result: SamplePair }
export type RangeData = { readonly resultType: 'matrix'; readonly result: readonly RangeSeries[] }

export type Target = {
  readonly labels: LabelSet
  readonly discoveredLabels?: LabelSet
  readonly scrapePool: string
  readonly scrapeUrl: string
  readonly health: string
  readonly lastError?: string
  /** Of a hub: a soft limit that was reached. */
  readonly warning?: string
  readonly lastScrape?: string
  readonly lastScrapeDuration?: number
  readonly scrapeInterval?: string
  readonly scrapeTimeout?: string
}
export type DroppedTarget = {
  readonly discoveredLabels: LabelSet
  readonly scrapePool?: string
  /** Of a hub: the rule that dropped it. */
  readonly droppedBy?: string
}
export type TargetsData = {
  readonly activeTargets?: readonly Target[]
  readonly droppedTargets?: readonly DroppedTarget[] | null
  readonly droppedTargetCounts?: Readonly<Record<string, number>> | null
}

export type Alert = {
  readonly labels: LabelSet
  readonly annotations?: LabelSet
  readonly state: string
  readonly activeAt?: string
  readonly value?: string
}
export type AlertsData = { readonly alerts?: readonly Alert[] | null }
export type Rule = {
  readonly name: string
  readonly query: string
  readonly type: string
  readonly state?: string
  readonly health?: string
  readonly lastError?: string
  readonly duration?: number
  readonly labels?: LabelSet
  readonly evaluationTime?: number
  readonly lastEvaluation?: string
  readonly alerts?: readonly Alert[]
}
export type RuleGroup = {
  readonly name: string
  readonly file: string
  readonly interval?: number
  readonly rules?: readonly Rule[]
  readonly evaluationTime?: number
  readonly lastEvaluation?: string
}
export type RulesData = { readonly groups?: readonly RuleGroup[] }

export type AgentIngest = {
  readonly agent: string
  readonly lastReceivedMs: number
  readonly newestSampleMs: number
  readonly lagMs: number
  readonly watermarkMs: number | null
  readonly samples: number
  readonly epochs: number
  readonly holes: number
}
export type Agent = {
  readonly agent: string
  readonly site?: string
  readonly status?: string
  readonly publicKey?: string
  readonly enrolledMs?: number
  readonly ingest?: AgentIngest | null
}
export type AgentsData = { readonly agents?: readonly Agent[]; readonly local?: readonly AgentIngest[] }
