/**
 * How many shards a receiver needs, by what came in, what went out, and how long that took.
 * Semantics: Prometheus storage/remote/queue_manager.go, calculateDesiredShards, and ewma.go (v3.5).
 */
export const UPDATE_EVERY_MS = 10_000
const WEIGHT = 0.2
/** Desired numbers this near to the present one change nothing. */
const TOLERANCE = 0.3
const CATCH_UP_SHARE = 0.05
/** Further behind than this, no shard is given up. */
const MAX_DELAY_S = 10

export type Sums = {
  /** Samples, ever. */
  readonly read: number
  readonly dropped: number
  readonly delivered: number
  readonly sendSeconds: number
}

export type ShardBounds = { readonly minShards: number; readonly maxShards: number }

export class DesiredShards {
  desired = 1
  #last: Sums | null = null
  #rates: Sums | null = null

  /** @param delayS how far the newest sample that was sent is behind the newest of all */
  update(now: Sums, present: number, delayS: number, { minShards, maxShards }: ShardBounds): number {
    const last = this.#last ?? { read: 0, dropped: 0, delivered: 0, sendSeconds: 0 }
    this.#last = now
    const seconds = UPDATE_EVERY_MS / 1000
    const rate = (key: keyof Sums): number => {
      const recent = (now[key] - last[key]) / seconds
      return this.#rates === null ? recent : WEIGHT * recent + (1 - WEIGHT) * this.#rates[key]
    }
    const rates = {
      read: rate('read'),
      dropped: rate('dropped'),
      delivered: rate('delivered'),
      sendSeconds: rate('sendSeconds'),
    }
    this.#rates = rates
    if (rates.delivered <= 0) return present
    const kept = rates.delivered / (rates.dropped + rates.delivered)
    const pending = delayS * rates.read * kept
    this.desired = (rates.sendSeconds / rates.delivered) * (rates.read * kept + CATCH_UP_SHARE * pending)
    if (Math.abs(this.desired - present) <= TOLERANCE * present) return present
    const shards = Math.min(maxShards, Math.max(minShards, Math.ceil(this.desired)))
    return shards < present && delayS > MAX_DELAY_S ? present : shards
  }
}
