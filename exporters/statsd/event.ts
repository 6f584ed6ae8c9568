/** What one StatsD sample says, and the counters of what was read. */

/** As mapping files write it in `match_metric_type`. */
export type EventKind = 'counter' | 'gauge' | 'observer'

export type StatsdEvent = {
  readonly kind: EventKind
  /** As sent, without tags. */
  readonly name: string
  /** Timers in seconds, counters already divided by their sampling rate. */
  readonly value: number
  /** Of gauges: the value is to be added. */
  readonly relative: boolean
  /** Shared by the events of one line; borrowed. */
  readonly labels: ReadonlyMap<string, string>
  /** How many observations it stands for: 10 for a timer sampled at 0.1. Upstream makes that many events. */
  readonly times: number
}

/** Names of reasons as upstream's label `reason` has them. */
export type SampleError =
  | 'malformed_line'
  | 'mixed_tagging_styles'
  | 'not_enough_parts_after_colon'
  | 'invalid_extended_aggregate_type'
  | 'malformed_component'
  | 'malformed_value'
  | 'invalid_sample_factor'
  | 'malformed_container_id'
  | 'malformed_timestamp'
  | 'illegal_event'

export type LineCounters = {
  lines: number
  samples: number
  tags: number
  tagErrors: number
  readonly sampleErrors: Map<SampleError, number>
}

export function newLineCounters(): LineCounters {
  return { lines: 0, samples: 0, tags: 0, tagErrors: 0, sampleErrors: new Map() }
}
