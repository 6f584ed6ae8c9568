/**
 * Alerts that were told as firing, over restarts. A rule whose alert ends while the hub is down tells nothing of it
 * afterwards: without these its receivers would never hear of the end, and the log would take its return for known.
 * Semantics: an Alertmanager whose Prometheus is restarted ends alerts that nobody repeats; a hub is both at once.
 */
import type { Logger } from '../../protocol/env/mod.ts'
import { type Alert, fingerprint, isResolved, type StoredAlert } from './alert.ts'
import type { StateStore } from './state-store.ts'

/** `lastsMs`: so long it fires without being repeated. */
type Kept = Alert & { readonly version: 1; readonly lastsMs: number }

/** Who says a later end says it; but rules and resolve_timeout are repeated within this. */
const LASTS_MS_MAX = 5 * 60_000

export class ToldFiring {
  readonly #store: StateStore
  readonly #log: Logger
  /** Fingerprints. */
  readonly #kept = new Set<string>()
  /** Texts of what is to be kept, null for what is not any more. By fingerprint. */
  readonly #unwritten = new Map<string, string | null>()
  readonly #later: (write: () => void) => void
  /** From before the start, not repeated since. By fingerprint. */
  readonly #unheard = new Map<string, Alert>()

  /** @param options `startMs`: from when on alerts are repeated; `later`: when what has come together is written */
  constructor(options: { store: StateStore; log: Logger; startMs: number; later: (write: () => void) => void }) {
    const { store, log, startMs, later } = options
    this.#later = later
    this.#store = store
    this.#log = log
    for (const [id, text] of store.load('firing')) {
      this.#kept.add(id)
      const kept = decode(text)
      if (!kept) continue
      const { version: _, lastsMs, ...alert } = kept
      this.#unheard.set(id, { ...alert, endsAtMs: Math.max(alert.endsAtMs, startMs + Math.min(lastsMs, LASTS_MS_MAX)) })
    }
  }

  /** Durable soon, or the log says that it is not. */
  keep(alerts: readonly StoredAlert[], nowMs: number): void {
    for (const alert of alerts) {
      if (isResolved(alert, nowMs)) continue
      const id = fingerprint(alert.labels)
      if (this.#kept.has(id)) continue
      this.#kept.add(id)
      this.#write(id, encode(alert))
    }
  }

  /** Everybody was told of their end. */
  forget(alerts: readonly Alert[]): void {
    for (const { labels } of alerts) {
      const id = fingerprint(labels)
      if (this.#kept.delete(id)) this.#write(id, null)
    }
  }

  /** It is repeated. */
  heard({ labels }: Alert): void {
    if (this.#unheard.size > 0) this.#unheard.delete(fingerprint(labels))
  }

  /** Those that nobody has repeated in time, each once. */
  takeEnded(nowMs: number): Alert[] {
    const ended: Alert[] = []
    for (const [id, alert] of this.#unheard) {
      if (!isResolved(alert, nowMs)) continue
      this.#unheard.delete(id)
      ended.push(alert)
    }
    return ended
  }

  /** What came together, a thousand groups may be, costs one sync. */
  #write(id: string, text: string | null): void {
    this.#unwritten.set(id, text)
    if (this.#unwritten.size === 1) this.#later(() => this.#writeAll())
  }

  #writeAll(): void {
    const all = [...this.#unwritten]
    this.#unwritten.clear()
    const added = all.flatMap(([id, text]) => (text === null ? [] : [[id, text] as const]))
    const gone = all.flatMap(([id, text]) => (text === null ? [id] : []))
    try {
      if (added.length > 0) this.#store.put('firing', added)
      if (gone.length > 0) this.#store.delete('firing', gone)
    } catch (err) {
      this.#log.error('Which alerts were told as firing could not be kept; ends may be missed over a restart', { err })
    }
  }
}

function encode({ labels, annotations, startsAtMs, endsAtMs, generatorUrl, updatedAtMs }: StoredAlert): string {
  const lastsMs = endsAtMs - updatedAtMs
  const kept: Kept = { version: 1, labels, annotations, startsAtMs, endsAtMs, generatorUrl, lastsMs }
  return JSON.stringify(kept)
}

/** null for what is none, or of a version to come. */
function decode(text: string): Kept | null {
  try {
    const kept = JSON.parse(text) as Kept
    const isWhole =
      kept.version === 1 &&
      Array.isArray(kept.labels) &&
      typeof kept.annotations === 'object' &&
      typeof kept.generatorUrl === 'string' &&
      [kept.startsAtMs, kept.endsAtMs, kept.lastsMs].every(Number.isFinite)
    return isWhole ? kept : null
  } catch {
    return null
  }
}
