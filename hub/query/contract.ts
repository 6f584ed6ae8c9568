/** What crosses between the API on the main thread and a query worker: plain data, and shared memory. */
import type { Histogram } from '../../protocol/samples/mod.ts'
import { type Damage, NOTHING_HIDDEN, type VisibleBlocks } from '../block/mod.ts'
import type { PartialResult } from '../promql/engine/mod.ts'
import type { ReaderShare } from '../tsdb/contract.ts'
import type { FederationFormat, NameEscaping } from './escape-names.ts'
import type { RemoteReadSlice, RemoteReadTask } from './remote-read.ts'
import type { QueryStats } from './stats.ts'

/** Half-open questions leave the bounds as ±Infinity. Times in ms. */
export type QueryTask =
  | {
      readonly kind: 'instant'
      readonly query: string
      readonly timeMs: number
      readonly limit: number
      readonly settings: QuerySettings
    }
  | {
      readonly kind: 'range'
      readonly query: string
      readonly startMs: number
      readonly endMs: number
      readonly stepMs: number
      readonly limit: number
      readonly settings: QuerySettings
    }
  /** For rules: the vector itself, not its text. */
  | { readonly kind: 'vector'; readonly query: string; readonly timeMs: number; readonly settings: QuerySettings }
  | {
      readonly kind: 'series' | 'labels'
      readonly matches: readonly string[]
      readonly startMs: number
      readonly endMs: number
      readonly limit: number
    }
  | {
      readonly kind: 'values'
      readonly label: string
      readonly matches: readonly string[]
      readonly startMs: number
      readonly endMs: number
      readonly limit: number
    }
  | {
      readonly kind: 'exemplars'
      readonly query: string
      readonly startMs: number
      readonly endMs: number
      /** Of the language, as `QuerySettings`. */
      readonly features: readonly string[]
    }
  | { readonly kind: 'metadata'; readonly metric: string; readonly limit: number; readonly limitPerMetric: number }
  | {
      readonly kind: 'federate'
      readonly matches: readonly string[]
      readonly timeMs: number
      readonly lookbackMs: number
      readonly externalLabels: readonly string[]
      readonly escaping: NameEscaping
      readonly format: FederationFormat
    }
  | { readonly kind: 'cardinality'; readonly limit: number }
  /** Answered in slices: ask again with `after` until `read.next` is null. */
  | RemoteReadTask

export type QuerySettings = {
  readonly lookbackMs: number
  readonly maxSamples: number
  /** Selected by one query, or by one shard of it. */
  readonly maxSeries: number
  readonly defaultSubqueryStepMs: number
  /** Values of --enable-feature. */
  readonly features: readonly string[]
  readonly stats: boolean
  /** What each step cost, too. */
  readonly stepStats?: boolean
  /** A warning of how the question was put, beside those of the answer. */
  readonly notice?: string
  /** The plan and what its operators did, beside the answer. */
  readonly explain?: boolean
  /** Columns instead of JSON: an Arrow IPC stream (`arrow.ts`). */
  readonly arrow?: boolean
}

/** The blocks that stand behind the head. */
export type BlockView = VisibleBlocks & {
  /** All that the head has evicted up to this time is in the blocks; when it has evicted more, the view is stale. */
  readonly coveredUntil: number
  /** As many times of the head's have brought samples to these blocks (`evictions`); after more the view is stale, too. */
  readonly evictions: number
}

export const NO_BLOCKS: BlockView = {
  paths: [],
  deletes: [],
  hidden: NOTHING_HIDDEN,
  coveredUntil: Number.NEGATIVE_INFINITY,
  evictions: Number.POSITIVE_INFINITY,
}

/**
 * What a worker runs: a task, or a part of one that is split.
 * - `whole`: answered at once, or, when it is worth while and there are threads, by `split` and nothing else (0 threads:
 *   where the request came in, without a worker);
 * - `shard`: answered by `partial`;
 * - `lead`: answered as `whole` is, together with other threads that are asked to `help` at the same time
 *   (`shard-states.ts`); by `shards` and nothing else when one of these has found more than its mailbox holds;
 * - `help`: one of the shards; answered by nothing when it was left in the mailbox of the lane;
 * - `merge`: answered as `whole` is, from the partial results of all shards.
 */
export type QueryPart =
  | { readonly kind: 'whole'; readonly threads: number }
  | { readonly kind: 'lead'; readonly count: number }
  | { readonly kind: 'help'; readonly count: number }
  | { readonly kind: 'shard'; readonly index: number; readonly count: number }
  | { readonly kind: 'merge'; readonly partials: readonly PartialResult[] }

/**
 * `flags` is shared. Word 0 is set to 1 (cancelled) or 2 (timed out) from outside and polled by the kernels; word
 * 1 + `lane` is set by the worker to its name as an owner of head pages, so that its claims can be ended if it dies; the
 * rest is `ShardStates`.
 */
export type WorkerTask = {
  readonly task: QueryTask
  readonly part: QueryPart
  readonly share: ReaderShare
  readonly blocks: BlockView
  readonly flags: SharedArrayBuffer
  readonly lane: number
  /** Of what is computed together: where shards are left, by lane - 1; lane 0 leads. */
  readonly mailboxes?: readonly SharedArrayBuffer[]
  /** How long the query waited before its first part. */
  readonly queuedMs: number
  /** Of the query's earlier parts. */
  readonly before: PartStats | null
  /** Only if it is small (`trial.ts`). */
  readonly isTrial?: boolean
}

/** What parts of a query cost: time on the clock, samples together. */
export type PartStats = Pick<QueryStats, 'samplesTotal' | 'samplesRead' | 'samplesPeak' | 'steps'> & {
  readonly elapsedMs: number
}

export const JSON_TYPE = 'application/json'

export const FLAG_CANCELED = 1
export const FLAG_TIMEOUT = 2

/** The finished HTTP answer; `body` is transferred. */
export type WorkerAnswer = {
  readonly status: number
  readonly contentType: string
  readonly body: Uint8Array
  /** Of a `vector` task: labels flat, and values; a histogram stands in place of one. */
  readonly vector?: readonly {
    readonly labels: readonly string[]
    readonly value: number
    readonly histogram?: Histogram
  }[]
  readonly error?: { readonly type: ErrorType; readonly message: string }
  /** Runs of chunks, and blocks, that were found damaged meanwhile. */
  readonly damage?: readonly Damage[]
  /** The head has grown pages, or evicted to newer blocks, since the share was made: ask again with a fresh one. */
  readonly isStale?: boolean
  /** Of a query that was stopped: the worker has not yet collected what it left, so as to answer at once. */
  readonly leavesGarbage?: boolean
  /** Of a trial: ask a worker that takes all. */
  readonly isLarge?: boolean
  /** Ask again in parts. */
  readonly split?: boolean
  readonly partial?: PartialResult
  /** Which shard's it is, where that was not asked for. */
  readonly shard?: number
  /** Of who leads, by index, when others have to be merged with them that were too large for their mailboxes: null. */
  readonly shards?: readonly (WorkerAnswer | null)[]
  /** Nothing of the query can be computed in shards. */
  readonly isUncut?: boolean
  /** Of a `remote-read` task. */
  readonly read?: Omit<RemoteReadSlice, 'body'>
  /** Of an expression; with `partial`, of that shard alone. */
  readonly stats?: QueryStats
}

/** `errorType` values of the HTTP API and their status codes. Semantics: Prometheus web/api/v1/api.go, respondError. */
export const ERROR_STATUS = {
  bad_data: 400,
  execution: 422,
  canceled: 499,
  timeout: 503,
  unavailable: 503,
  not_found: 404,
  not_acceptable: 406,
  internal: 500,
} as const
export type ErrorType = keyof typeof ERROR_STATUS

export class ApiError extends Error {
  readonly type: ErrorType
  constructor(type: ErrorType, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ApiError'
    this.type = type
  }
}
