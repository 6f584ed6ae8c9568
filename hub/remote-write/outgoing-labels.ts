/**
 * The labels under which a series is sent: its own, the external ones that it lacks, and what relabelling makes of them;
 * once found, they are kept as the encoder writes them.
 * Semantics: Prometheus storage/remote/queue_manager.go, StoreSeries and processExternalLabels (v3.5).
 */
import {
  compareStrings,
  EMPTY_LABELS,
  type Labels,
  labelsFromSorted,
  labelValue,
  METRIC_NAME,
} from '../../protocol/labels/mod.ts'
import { type CompiledRelabel, compileRelabel, type RelabelConfig, relabel } from '../../protocol/relabel/mod.ts'
import type { RequestEncoder, SeriesLabels } from '../../protocol/remote-write/mod.ts'
import type { Metadata } from '../../protocol/samples/mod.ts'
import { ByteArena } from './byte-arena.ts'
import type { SeriesTable } from './series-table.ts'

/** Of some 500,000 series; those of others are made anew for each sample. */
const KEPT_BYTES = 64 << 20
const UNKNOWN = 0
const SENT = 1
const DROPPED = 2

export type OutgoingLabelsOptions = {
  readonly table: SeriesTable
  readonly families: ReadonlyMap<string, Metadata>
  /** Sorted. */
  readonly external: readonly string[]
  readonly rules: readonly RelabelConfig[]
  readonly encoder: RequestEncoder
}

export class OutgoingLabels {
  readonly #options: OutgoingLabelsOptions
  readonly #rules: readonly CompiledRelabel[]
  readonly #kept = new ByteArena(KEPT_BYTES)
  #states = new Uint8Array(1024)
  /** By ref: its family's name; of series without metadata nothing is kept. */
  readonly #families = new Map<number, string>()

  constructor(options: OutgoingLabelsOptions) {
    this.#options = options
    this.#rules = options.rules.map((rule) => compileRelabel(rule))
  }

  /** Whether relabelling lets the series pass. */
  isSent(ref: number): boolean {
    if (this.#rules.length === 0) return true
    if (ref >= this.#states.length) {
      const grown = new Uint8Array(Math.max(ref + 1, 2 * this.#states.length))
      grown.set(this.#states)
      this.#states = grown
    }
    if (this.#states[ref] === UNKNOWN) this.#states[ref] = this.labels(ref).length > 0 ? SENT : DROPPED
    return this.#states[ref] === SENT
  }

  /** Of a series that is sent. */
  encoded(ref: number): SeriesLabels {
    const kept = this.#kept.get(ref)
    if (kept !== null) return kept
    const labels = this.labels(ref)
    const prepared = this.#options.encoder.prepare(labels)
    if (prepared !== null && this.#kept.put(ref, prepared)) return prepared
    return labels
  }

  /** None of one that is dropped. */
  labels(ref: number): Labels {
    const { table, external } = this.#options
    return relabel(this.#rules, withExternal(table.labels(ref), external)) ?? EMPTY_LABELS
  }

  /** Of the family that a series belongs to, by its name before relabelling. */
  metadata(ref: number): Metadata | null {
    const { table, families } = this.#options
    const known = this.#families.get(ref)
    if (known !== undefined) return families.get(known) ?? null
    if (families.size === 0) return null
    const name = labelValue(table.labels(ref), METRIC_NAME)
    const family = families.has(name) ? name : name.replace(PART, '')
    const metadata = families.get(family) ?? null
    if (metadata) this.#families.set(ref, family)
    return metadata
  }
}

/** Both are sorted. */
function withExternal(labels: Labels, external: readonly string[]): Labels {
  if (external.length === 0) return labels
  const all: string[] = []
  let e = 0
  for (let i = 0; i < labels.length; i += 2) {
    for (; e < external.length && compareStrings(external[e]!, labels[i]!) < 0; e += 2)
      all.push(external[e]!, external[e + 1]!)
    if (e < external.length && external[e] === labels[i]) e += 2
    all.push(labels[i]!, labels[i + 1]!)
  }
  for (; e < external.length; e += 2) all.push(external[e]!, external[e + 1]!)
  return labelsFromSorted(all)
}

const PART = /_(?:bucket|count|sum|gcount|gsum|total|info|created)$/
