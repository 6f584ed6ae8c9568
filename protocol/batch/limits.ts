/** What a reader grants a batch before it allocates anything. All are checked against declared and against real sizes. */
export type BatchLimits = {
  /** Of the whole message. */
  readonly maxBatchBytes: number
  /** Of the payload once inflated. */
  readonly maxInflatedBytes: number
  /** Samples in one batch; the columns of restated targets count too. */
  readonly maxSamples: number
  /** Series in one agent's dictionary. */
  readonly maxSeries: number
  /** Of one string: label name or value, help, target key. */
  readonly maxStringBytes: number
}

export const DEFAULT_BATCH_LIMITS: BatchLimits = {
  maxBatchBytes: 8 << 20,
  maxInflatedBytes: 64 << 20,
  maxSamples: 4_000_000,
  maxSeries: 1_000_000,
  maxStringBytes: 64 << 10,
}

/** Scrape times and intervals stay within it, far beyond any calendar: sums and differences of times are exact. */
export const MAX_TIME_MS = 2 ** 50
