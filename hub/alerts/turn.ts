/**
 * Whose turn it is to tell a receiver of a group. Alone: always ours. In a cluster every member has the same alerts a
 * moment apart; each waits for those before it, and then tells only what the log does not say was told meanwhile.
 * Semantics: Alertmanager notify/notify.go, WaitStage, DedupStage (v0.34); the claim closes what waiting leaves open.
 */
import type { Clock } from '../../protocol/env/mod.ts'
import type { Cluster } from '../cluster/mod.ts'
import type { NotificationReason, Sent } from './nflog.ts'

export type TurnState =
  /** Nobody else does; until `release`. */
  | 'ours'
  /** Whoever should know has been told. */
  | 'told'
  /** The group's next flush will see. */
  | 'later'

export type TurnOptions = {
  readonly cluster: Pick<Cluster, 'waitMs' | 'claim'> | null
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

export class Turn {
  /** Why, once it is ours. */
  reason: NotificationReason | null
  readonly #clock: Clock
  readonly #options: TurnOptions
  readonly #before: Sent | undefined
  #release: () => void = () => {}

  constructor(clock: Clock, options: TurnOptions) {
    this.#clock = clock
    this.#options = options
    this.#before = options.last()
    this.reason = options.reason(this.#before)
  }

  /** After those before us. */
  async wait(): Promise<TurnState> {
    const { cluster } = this.#options
    if (this.reason === null) return 'told'
    if (!cluster) return 'ours'
    const { waitMs } = cluster
    if (waitMs > 0) await this.#sleep(waitMs)
    return this.take()
  }

  /** Between two attempts of ours another may have had better luck. */
  async take(): Promise<TurnState> {
    const { cluster, key, last, reason, refresh, isOver, patienceMs } = this.#options
    if (!cluster) return 'ours'
    const endMs = this.#clock.monotonic() + patienceMs
    for (;;) {
      if (isOver()) return 'later'
      const known = last()
      this.reason = reason(known)
      if (this.reason === null) return 'told'
      // Another member told something newer than this flush knows of: to tell now would be to tell the past.
      if (known !== this.#before) return 'later'
      const claim = await cluster.claim(key)
      // Rather twice than not at all.
      if (claim.kind === 'unknown') return 'ours'
      if (claim.kind === 'held') {
        // Whoever had the claim before has written the log since we looked at it.
        await refresh()
        if (last() === this.#before && !isOver()) {
          this.#release = claim.release
          return 'ours'
        }
        claim.release()
      } else if (this.#clock.monotonic() >= endMs) return 'later'
      else await this.#sleep(CLAIM_POLL_MS)
    }
  }

  /** After the log was written, or before another attempt. */
  release(): void {
    this.#release()
    this.#release = () => {}
  }

  #sleep(ms: number): Promise<void> {
    return this.#clock.sleep(ms, this.#options.signal).catch(() => {})
  }
}
