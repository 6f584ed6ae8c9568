/** An alert as the dispatcher keeps it. Semantics: Alertmanager types/types.go, provider/mem (v0.34). */
import { type Labels, labelsKey } from '../../protocol/labels/mod.ts'

export type Alert = {
  readonly labels: Labels
  readonly annotations: Readonly<Record<string, string>>
  readonly startsAtMs: number
  /** In the future while the alert fires. */
  readonly endsAtMs: number
  readonly generatorUrl: string
}

export type StoredAlert = Alert & {
  readonly updatedAtMs: number
  /** The end is a guess: nobody said it, and it moves with each update. */
  readonly timesOut: boolean
}

export const isResolved = (alert: Pick<Alert, 'endsAtMs'>, nowMs: number): boolean => alert.endsAtMs <= nowMs

/** FNV-1a over names and values, as prometheus/common LabelSet.Fingerprint. */
export function fingerprint(labels: Labels): string {
  let hash = 0xcbf29ce484222325n
  const add = (byte: number): void => {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  }
  const encoder = new TextEncoder()
  for (const part of labels) {
    for (const byte of encoder.encode(part)) add(byte)
    add(0xff)
  }
  return hash.toString(16).padStart(16, '0')
}

/** Resolved alerts stay visible so long. */
const RETENTION_MS = 30 * 60_000

export class AlertStore {
  readonly #alerts = new Map<string, StoredAlert>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#alerts.size
  }

  /** The alert as it is now, merged with what was known; null when there is no room for another. */
  put(alert: StoredAlert, nowMs: number): StoredAlert | null {
    const key = labelsKey(alert.labels)
    const old = this.#alerts.get(key)
    if (!old && this.#alerts.size >= this.#max) {
      this.sweep(nowMs, 0)
      if (this.#alerts.size >= this.#max) return null
    }
    const merged = old && overlaps(old, alert) ? merge(old, alert, nowMs) : alert
    this.#alerts.set(key, merged)
    return merged
  }

  get(labels: Labels): StoredAlert | undefined {
    return this.#alerts.get(labelsKey(labels))
  }

  values(): IterableIterator<StoredAlert> {
    return this.#alerts.values()
  }

  sweep(nowMs: number, retentionMs = RETENTION_MS): void {
    for (const [key, alert] of this.#alerts) if (isResolved(alert, nowMs - retentionMs)) this.#alerts.delete(key)
  }
}

function overlaps(old: StoredAlert, next: StoredAlert): boolean {
  const within = (timeMs: number): boolean => timeMs > old.startsAtMs && timeMs < old.endsAtMs
  return within(next.endsAtMs) || within(next.startsAtMs)
}

/** The younger one rules, but the earliest start stays, and an end that somebody said outlives a guess. */
function merge(a: StoredAlert, b: StoredAlert, nowMs: number): StoredAlert {
  const [old, next] = b.updatedAtMs < a.updatedAtMs ? [b, a] : [a, b]
  const startsAtMs = Math.min(old.startsAtMs, next.startsAtMs)
  let { endsAtMs } = next
  if (isResolved(next, nowMs)) {
    if (isResolved(old, nowMs) && old.endsAtMs > endsAtMs) endsAtMs = old.endsAtMs
  } else if (old.endsAtMs > endsAtMs && !old.timesOut) endsAtMs = old.endsAtMs
  return { ...next, startsAtMs, endsAtMs }
}
