/**
 * What was last told to each integration about each group; it survives a restart, and all members of a cluster share it.
 * Semantics: Alertmanager nflog/nflog.go (v0.34).
 */
import type { Logger } from '../../protocol/env/mod.ts'
import type { Entry, LocalEntries, Merged, SharedEntries } from '../cluster/mod.ts'
import type { StateStore } from './state-store.ts'

export type Sent = {
  /** Fingerprints. */
  readonly firing: readonly string[]
  readonly resolved: readonly string[]
  readonly atMs: number
  readonly expiresAtMs: number
}

export type NotificationLogEnv = {
  readonly clock: { now(): number }
  readonly store: StateStore
  readonly log: Logger
  /** When the writes of one turn of the event loop are done, as one; default at once. A sync costs milliseconds. */
  readonly later?: (write: () => void) => void
}

export type LogCounters = {
  /** Writes that failed: notifications may repeat after a restart. */
  failures: number
  queries: number
  sweeps: number
  sweepFailures: number
}

type Kept = { readonly sent: Sent; readonly text: string }
type Written = Sent & { readonly version: 1 }

export class NotificationLog implements LocalEntries {
  readonly #env: NotificationLogEnv
  readonly #kept = new Map<string, Kept>()
  readonly #unwritten = new Set<string>()
  #writing: Promise<void> | null = null
  #shared: Pick<SharedEntries, 'changed' | 'forgotten' | 'refresh'> | null = null
  readonly counters: LogCounters = { failures: 0, queries: 0, sweeps: 0, sweepFailures: 0 }

  constructor(env: NotificationLogEnv) {
    this.#env = env
    for (const [key, text] of env.store.load('sent')) {
      const sent = decode(text)
      if (sent) this.#kept.set(key, { sent, text })
    }
  }

  /** Before the cluster starts. */
  share(shared: Pick<SharedEntries, 'changed' | 'forgotten' | 'refresh'>): void {
    this.#shared = shared
  }

  get(key: string): Sent | undefined {
    this.counters.queries++
    return this.#kept.get(key)?.sent
  }

  /** What another member has told is known when it resolves, if that can be asked. */
  async refresh(key: string): Promise<void> {
    await this.#shared?.refresh(key)
  }

  /** Known here when it returns. Resolves once it is durable, or counted, and the others can know it; where they cannot, too. */
  async put(key: string, given: Sent): Promise<void> {
    // What was just told is the newest, whatever a clock that was set back, or another member's, says.
    const last = this.#kept.get(key)?.sent
    const sent = last && last.atMs >= given.atMs ? { ...given, atMs: last.atMs + 1 } : given
    const text = encode(sent)
    this.#kept.set(key, { sent, text })
    // The others first: of a hub that is killed in between, they have what it has not on its disk.
    await Promise.all([this.#shared?.changed(key), this.#written(key)])
  }

  /** Forgets what has expired. */
  sweep(nowMs: number): void {
    this.counters.sweeps++
    const gone: string[] = []
    for (const [key, { sent }] of this.#kept) if (sent.expiresAtMs < nowMs) gone.push(key)
    if (gone.length === 0) return
    for (const key of gone) {
      this.#kept.delete(key)
      this.#shared?.forgotten(key)
    }
    try {
      this.#env.store.delete('sent', gone)
    } catch (err) {
      this.counters.sweepFailures++
      this.#env.log.warn('Expired entries of the notification log could not be removed', { err })
    }
  }

  *keys(): Iterable<string> {
    const nowMs = this.#env.clock.now()
    for (const [key, { sent }] of this.#kept) if (sent.expiresAtMs >= nowMs) yield key
  }

  text(key: string): string | undefined {
    const kept = this.#kept.get(key)
    return kept && kept.sent.expiresAtMs >= this.#env.clock.now() ? kept.text : undefined
  }

  /** The later one stays. */
  merge(entries: readonly Entry[]): Merged[] {
    const nowMs = this.#env.clock.now()
    const taken: Entry[] = []
    const out = entries.map(([key, text]): Merged => {
      const sent = decode(text)
      const last = this.#kept.get(key)?.sent
      if (last && last.expiresAtMs >= nowMs && (!sent || last.atMs > sent.atMs)) return 'ours is newer'
      if (!sent || sent.expiresAtMs < nowMs) return 'same'
      this.#kept.set(key, { sent, text })
      taken.push([key, text])
      return 'taken'
    })
    if (taken.length > 0) this.#save(taken)
    return out
  }

  #written(key: string): Promise<void> {
    this.#unwritten.add(key)
    this.#writing ??= new Promise((resolve) => {
      const { later = (write) => write() } = this.#env
      later(() => {
        const keys = [...this.#unwritten]
        this.#unwritten.clear()
        this.#writing = null
        // What came from another member meanwhile is the newer.
        this.#save(keys.flatMap((each) => (this.#kept.has(each) ? [[each, this.#kept.get(each)!.text]] : [])))
        resolve()
      })
    })
    return this.#writing
  }

  #save(entries: readonly Entry[]): void {
    try {
      this.#env.store.put('sent', entries)
    } catch (err) {
      this.counters.failures++
      this.#env.log.error('The notification log could not be written; notifications may repeat after a restart', {
        err,
      })
    }
  }
}

/** A key of a bucket for any text. */
export const logEntryKey = (text: string, sha256: (bytes: Uint8Array) => Uint8Array): string =>
  Array.from(sha256(new TextEncoder().encode(text)), (byte) => byte.toString(16).padStart(2, '0')).join('')

const encode = ({ firing, resolved, atMs, expiresAtMs }: Sent): string =>
  JSON.stringify({ version: 1, firing, resolved, atMs, expiresAtMs } satisfies Written)

/** null for what is none, or of a version to come. */
function decode(text: string): Sent | null {
  try {
    const { version, firing, resolved, atMs, expiresAtMs } = JSON.parse(text) as Written
    const isWhole = Array.isArray(firing) && Array.isArray(resolved) && isTime(atMs) && isTime(expiresAtMs)
    return version === 1 && isWhole ? { firing, resolved, atMs, expiresAtMs } : null
  } catch {
    return null
  }
}

const isTime = (value: unknown): boolean => Number.isFinite(value)

/** Why a group is notified about now. */
export type NotificationReason =
  | 'first notification'
  | 'new alerts added'
  | 'some alerts resolved'
  | 'all alerts resolved'
  | 'repeat interval elapsed'

type Need = {
  readonly firing: readonly string[]
  readonly resolved: readonly string[]
  readonly nowMs: number
  readonly repeatMs: number
  readonly sendResolved: boolean
}

/** null: nothing that the receiver does not know. Semantics: Alertmanager notify.go, DedupStage.needsUpdate (v0.33). */
export function notificationReason(
  last: Sent | undefined,
  { firing, resolved, nowMs, repeatMs, sendResolved }: Need,
): NotificationReason | null {
  if (!last) return firing.length > 0 ? 'first notification' : null
  const within = (ids: readonly string[], known: readonly string[]): boolean => ids.every((id) => known.includes(id))
  if (!within(firing, last.firing)) return last.firing.length === 0 ? 'first notification' : 'new alerts added'
  // Whatever send_resolved says, or the log would keep alerts that have ended.
  if (firing.length === 0) return last.firing.length > 0 ? 'all alerts resolved' : null
  if (sendResolved && !within(resolved, last.resolved)) return 'some alerts resolved'
  return last.atMs + repeatMs < nowMs ? 'repeat interval elapsed' : null
}
