/** What was last told to each integration about each group; it survives a restart. Semantics: Alertmanager nflog/nflog.go. */
import type { Disk, Logger } from '../../protocol/env/mod.ts'

export type Sent = {
  /** Fingerprints. */
  readonly firing: readonly string[]
  readonly resolved: readonly string[]
  readonly atMs: number
  readonly expiresAtMs: number
}

export type NotificationLogEnv = {
  readonly disk: Pick<Disk, 'readText' | 'stat' | 'writeFileAtomic' | 'rename'>
  readonly log: Logger
  readonly file: string
}

export class NotificationLog {
  readonly #env: NotificationLogEnv
  readonly #sent = new Map<string, Sent>()
  /** Writes that failed: notifications may repeat after a restart. */
  failures = 0

  constructor(env: NotificationLogEnv) {
    this.#env = env
    this.#load()
  }

  get(key: string): Sent | undefined {
    return this.#sent.get(key)
  }

  /** Durable when it returns, or counted. */
  put(key: string, sent: Sent): void {
    this.#sent.set(key, sent)
    for (const [old, { expiresAtMs }] of this.#sent) if (expiresAtMs < sent.atMs) this.#sent.delete(old)
    const { disk, log, file } = this.#env
    try {
      disk.writeFileAtomic(file, JSON.stringify({ version: 1, sent: [...this.#sent] }), { mode: 0o600 })
    } catch (err) {
      this.failures++
      log.error('The notification log could not be written; notifications may repeat after a restart', { file, err })
    }
  }

  #load(): void {
    const { disk, log, file } = this.#env
    try {
      if (disk.stat(file) === null) return
      const data = JSON.parse(disk.readText(file)) as { version: number; sent: [string, Sent][] }
      if (data.version !== 1 || !Array.isArray(data.sent)) throw new Error(`unknown version ${String(data.version)}`)
      for (const [key, sent] of data.sent) this.#sent.set(key, sent)
    } catch (err) {
      log.error('The notification log cannot be read and is set aside; notifications may repeat', { file, err })
      try {
        disk.rename(file, `${file}.damaged`)
      } catch {
        // It will be overwritten.
      }
    }
  }
}

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
