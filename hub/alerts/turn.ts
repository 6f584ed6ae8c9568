/**
 * Whose turn it is to tell a receiver of a group. Alone: always ours. In a cluster every member has the same alerts a
 * moment apart; each waits for those before it, and then tells only what the log does not say was told meanwhile.
 * Semantics: Alertmanager notify/notify.go, WaitStage, DedupStage (v0.34); the claim closes what waiting leaves open.
 */
import type { Clock } from '../../protocol/env/mod.ts'
import type { Cluster } from '../cluster/mod.ts'
import type { NotificationReason, Sent } from './nflog.ts'

export type Turn =
  /** Nobody else does; `release` after the log was written. */
  | { readonly kind: 'ours'; readonly reason: NotificationReason; release(): void }
  /** Whoever should know has been told. */
  | { readonly kind: 'told' }
  /** The group's next flush will see. */
  | { readonly kind: 'later' }

export type TurnOptions = {
  readonly cluster: Pick<Cluster, 'waitMs' | 'claim'> | undefined
  /** Of the log's entry. */
  readonly key: string
  readonly last: () => Sent | undefined
  /** Asks what the others have told: news of it may be on its way. */
  readonly refresh: () => Promise<void>
  /** null: nothing that the receiver does not know. */
  readonly reason: (last: Sent | undefined) => NotificationReason | null
  /** The group or the whole dispatcher has ended. */
  readonly isOver: () => boolean
  /** How long another member may be about it before this flush gives way to the next. */
  readonly patienceMs: number
  readonly signal: AbortSignal
}

const CLAIM_POLL_MS = 500

export async function takeTurn(clock: Clock, options: TurnOptions): Promise<Turn> {
  const { cluster, last, isOver, signal } = options
  const before = last()
  const reason = options.reason(before)
  if (reason === null) return { kind: 'told' }
  if (!cluster) return { kind: 'ours', reason, release: () => {} }
  const wait = (ms: number): Promise<void> => clock.sleep(ms, signal).catch(() => {})
  const { waitMs } = cluster
  if (waitMs > 0) await wait(waitMs)
  const endMs = clock.monotonic() + options.patienceMs
  for (;;) {
    if (isOver()) return { kind: 'later' }
    const known = last()
    const still = options.reason(known)
    if (still === null) return { kind: 'told' }
    // Another member told something newer than this flush knows of: to tell now would be to tell the past.
    if (known !== before) return { kind: 'later' }
    const claim = await cluster.claim(options.key)
    // Rather twice than not at all.
    if (claim.kind === 'unknown') return { kind: 'ours', reason: still, release: () => {} }
    if (claim.kind === 'held') {
      // Whoever had the claim before has written the log since we looked at it.
      await options.refresh()
      if (last() === before) return { kind: 'ours', reason: still, release: claim.release }
      claim.release()
    } else if (clock.monotonic() >= endMs) return { kind: 'later' }
    else await wait(CLAIM_POLL_MS)
  }
}
