/** What the query service counts, for its metrics. */

export type QueryCounters = {
  started: number
  /** Queries that a worker is busy with. */
  active: number
  waiting: number
  rejected: number
  canceled: number
  timedOut: number
  /** Run in parts. */
  split: number
  /** Answered without a worker. */
  inPlace: number
  /** Answered by the worker for small ones, while heavy ones held the others. */
  overtook: number
  /** Ended by the death of their worker. */
  crashed: number
  seconds: number
}

export const zeroCounters = (): QueryCounters => ({
  started: 0,
  active: 0,
  waiting: 0,
  rejected: 0,
  canceled: 0,
  timedOut: 0,
  split: 0,
  inPlace: 0,
  overtook: 0,
  crashed: 0,
  seconds: 0,
})
