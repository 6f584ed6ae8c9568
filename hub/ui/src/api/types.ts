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
  /** What it said of itself on the bus. */
  readonly presence?: {
    readonly version?: string
    readonly address?: string
    readonly exporters?: readonly string[]
    readonly lastSeenMs?: number
  } | null
}
export type AgentsData = { readonly agents?: readonly Agent[]; readonly local?: readonly AgentIngest[] }

export type NamedCount = { readonly name: string; readonly value: number }
export type TsdbData = {
  readonly headStats?: {
    readonly numSeries?: number
    readonly numLabelPairs?: number
    readonly chunkCount?: number
    readonly minTime?: number
    readonly maxTime?: number
  }
  readonly seriesCountByMetricName?: readonly NamedCount[]
  readonly labelValueCountByLabelName?: readonly NamedCount[]
  readonly memoryInBytesByLabelName?: readonly NamedCount[]
  readonly seriesCountByLabelValuePair?: readonly NamedCount[]
}
export type Block = {
  readonly ulid: string
  readonly minTime: number
  readonly maxTime: number
  readonly stats?: { readonly numSamples?: number; readonly numSeries?: number; readonly numBytes?: number }
  readonly compaction?: { readonly level?: number }
  /** Of a hub: windows that stand beside the samples, or in their place. */
  readonly downsampled?: readonly { readonly widthMs: number; readonly rows: number }[]
}
export type Damage = { readonly block: string; readonly piece: string; readonly why: string }
export type BlocksData = {
  readonly blocks?: readonly Block[]
  /** Of a hub. */
  readonly damaged?: { readonly blocks?: number; readonly runs?: number; readonly found?: readonly Damage[] }
}

/** Both ends are slots, and included. */
export type Gap = {
  readonly target: string
  readonly fromMs: number
  readonly toMs: number
  readonly intervalMs: number
  readonly reason: string
}
export type GapsData = { readonly gaps?: readonly Gap[] }

/** `/api/v1/alertmanagers`; a hub says whether it dispatches by itself. */
export type AlertmanagersData = { readonly builtIn?: boolean }
export type NotifiedAlert = {
  readonly labels: LabelSet
  readonly annotations?: LabelSet
  readonly fingerprint: string
  readonly startsAt?: string
  readonly receivers?: readonly { readonly name: string }[]
  readonly status: {
    readonly state: string
    readonly silencedBy?: readonly string[]
    /** Fingerprints. */
    readonly inhibitedBy?: readonly string[]
    /** Names of time intervals. */
    readonly mutedBy?: readonly string[]
  }
}
export type SilenceMatcher = {
  readonly name: string
  readonly value: string
  readonly isRegex: boolean
  readonly isEqual?: boolean
}
export type Silence = {
  readonly id: string
  readonly status: { readonly state: string }
  readonly matchers: readonly SilenceMatcher[]
  readonly startsAt: string
  readonly endsAt: string
  readonly createdBy: string
  readonly comment: string
}
