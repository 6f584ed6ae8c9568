/**
 * The labels under which a series is sent: its own, the external ones that it lacks, and what relabelling makes of them.
 * Semantics: Prometheus storage/remote/queue_manager.go, StoreSeries and processExternalLabels (v3.5).
 */
import { type Labels, labelsFrom, labelValue, METRIC_NAME } from '../../protocol/labels/mod.ts'
import { type CompiledRelabel, compileRelabel, type RelabelConfig, relabel } from '../../protocol/relabel/mod.ts'
import type { Metadata } from '../../protocol/samples/mod.ts'
import type { SeriesTable } from './series-table.ts'

/** Series whose labels are kept; all are asked for in turn, so that it is those that come first. */
const KEPT_MAX = 65_536
const UNKNOWN = 0
const KEPT = 1
const DROPPED = 2

export class OutgoingLabels {
  readonly #table: SeriesTable
  readonly #external: readonly string[]
  readonly #rules: readonly CompiledRelabel[]
  readonly #known = new Map<number, Labels>()
  #states = new Uint8Array(1024)

  constructor(table: SeriesTable, external: readonly string[], rules: readonly RelabelConfig[]) {
    this.#table = table
    this.#external = external
    this.#rules = rules.map((rule) => compileRelabel(rule))
  }

  /** Whether relabelling lets the series pass. */
  isSent(ref: number): boolean {
    if (this.#rules.length === 0) return true
    if (ref >= this.#states.length) {
      const grown = new Uint8Array(Math.max(ref + 1, 2 * this.#states.length))
      grown.set(this.#states)
      this.#states = grown
    }
    if (this.#states[ref] === UNKNOWN) this.#states[ref] = this.#make(ref) === null ? DROPPED : KEPT
    return this.#states[ref] === KEPT
  }

  /** Of a series that is sent. */
  labels(ref: number): Labels {
    if (this.#rules.length === 0 && this.#external.length === 0) return this.#table.labels(ref)
    return this.#known.get(ref) ?? this.#make(ref) ?? this.#table.labels(ref)
  }

  #make(ref: number): Labels | null {
    const own = this.#table.labels(ref)
    const labels = relabel(this.#rules, withExternal(own, this.#external))
    if (labels === null || labels.length === 0) return null
    if (this.#known.size < KEPT_MAX) this.#known.set(ref, labels)
    return labels
  }
}

function withExternal(labels: Labels, external: readonly string[]): Labels {
  if (external.length === 0) return labels
  const all = new Map<string, string>()
  for (const pairs of [external, labels]) for (let i = 0; i < pairs.length; i += 2) all.set(pairs[i]!, pairs[i + 1]!)
  return labelsFrom(all)
}

const PART = /_(?:bucket|count|sum|gcount|gsum|total|info|created)$/

/** Of the family that a series belongs to, by its name before relabelling. */
export function metadataOf(families: ReadonlyMap<string, Metadata>, labels: Labels): Metadata | null {
  const name = labelValue(labels, METRIC_NAME)
  return families.get(name) ?? (PART.test(name) ? (families.get(name.replace(PART, '')) ?? null) : null)
}
