/**
 * Who exceeds which limit: named in the log (at most once a minute each), and counted for metrics and status. A sender
 * that makes up names cannot make this grow: beyond so many, the rest is counted together.
 */
import type { Clock, Logger } from '../../protocol/env/mod.ts'

/** `series` is the hub's total, `memory` its cap in bytes; the others are of whoever is named. */
export type LimitName =
  | 'series'
  | 'series_per_agent'
  | 'series_per_job'
  | 'labels_per_series'
  | 'label_name_length'
  | 'label_value_length'
  | 'memory'

/** The setting that moves it; null: none. */
export const LIMIT_SETTINGS: Readonly<Record<LimitName, string | null>> = {
  series: 'heliograph.limits.max_series',
  series_per_agent: 'heliograph.limits.max_series_per_agent',
  series_per_job: 'heliograph.limits.max_series_per_job',
  labels_per_series: 'heliograph.limits.max_labels_per_series',
  label_name_length: 'heliograph.limits.max_label_name_length',
  label_value_length: 'heliograph.limits.max_label_value_length',
  memory: null,
}

export type Exceeded = {
  readonly limit: LimitName
  /** The agent, the job, or the metric whose labels are too many or too long. */
  readonly who: string
  /** Series refused since the start; a series that is sent again counts again. */
  readonly refused: number
}

const MAX_NAMED = 200
const OTHERS = 'others'
const LOG_EVERY_MS = 60_000
const MAX_NAME_LENGTH = 120

type Entry = { readonly limit: LimitName; readonly who: string; refused: number; loggedMs: number }

export class LimitSight {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #log: Logger
  readonly #entries = new Map<string, Entry>()

  constructor(clock: Pick<Clock, 'monotonic'>, log: Logger) {
    this.#clock = clock
    this.#log = log
  }

  /** One more series was refused. */
  note(limit: LimitName, who: string): void {
    const entry = this.#entry(limit, who.slice(0, MAX_NAME_LENGTH))
    entry.refused++
    const now = this.#clock.monotonic()
    if (now - entry.loggedMs < LOG_EVERY_MS) return
    entry.loggedMs = now
    const setting = LIMIT_SETTINGS[limit]
    this.#log.warn('A limit refuses series', {
      limit,
      who: entry.who,
      refused: entry.refused,
      ...(setting !== null && { setting }),
    })
  }

  /** The worst first. */
  exceeded(): Exceeded[] {
    return [...this.#entries.values()]
      .map(({ limit, who, refused }) => ({ limit, who, refused }))
      .sort((a, b) => b.refused - a.refused)
  }

  /** Replay repeats what was counted by the process before. */
  forget(): void {
    this.#entries.clear()
  }

  #entry(limit: LimitName, who: string): Entry {
    const known = this.#entries.get(`${limit} ${who}`)
    if (known) return known
    if (this.#entries.size >= MAX_NAMED && who !== OTHERS) return this.#entry(limit, OTHERS)
    const entry: Entry = { limit, who, refused: 0, loggedMs: Number.NEGATIVE_INFINITY }
    this.#entries.set(`${limit} ${who}`, entry)
    return entry
  }
}
