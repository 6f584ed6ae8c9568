/**
 * A claim says that a member is about to do a thing, so that another which comes to the same thought in the same moment
 * waits. It lives as long as a lease unless it is renewed, so the claim of a member that died is soon nobody's.
 */
import type { KvBucket } from './kv.ts'

export type Claim =
  /** `release` once it is done. */
  | { readonly kind: 'held'; release(): void }
  /** Another member is at it. */
  | { readonly kind: 'taken' }
  /** The bucket is away: nobody can tell. */
  | { readonly kind: 'unknown' }

const PREFIX = 'claim'

export class Claims {
  failures = 0
  readonly #bucket: KvBucket
  readonly #owner: string
  readonly #held = new Map<string, number>()

  /** @param owner differs from life to life, for whoever reads the bucket */
  constructor(bucket: KvBucket, owner: string) {
    this.#bucket = bucket
    this.#owner = owner
  }

  /** @param key one part of a key of a bucket */
  async claim(key: string): Promise<Claim> {
    const full = `${PREFIX}.${key}`
    if (this.#held.has(full)) return { kind: 'taken' }
    this.#held.set(full, 0)
    try {
      const revision = await this.#bucket.put(full, this.#owner, 0)
      if (revision === null) {
        this.#held.delete(full)
        return { kind: 'taken' }
      }
      this.#held.set(full, revision)
      return { kind: 'held', release: () => this.#release(full) }
    } catch {
      this.failures++
      this.#held.delete(full)
      return { kind: 'unknown' }
    }
  }

  /** Called as often as leases are renewed: what takes long stays claimed. */
  async renew(): Promise<void> {
    for (const [key, revision] of this.#held) {
      if (revision === 0) continue
      try {
        const next = await this.#bucket.put(key, this.#owner, revision)
        // Released meanwhile: then it ends by its age.
        if (next !== null && this.#held.has(key)) this.#held.set(key, next)
      } catch {
        this.failures++
      }
    }
  }

  #release(key: string): void {
    const revision = this.#held.get(key) ?? 0
    this.#held.delete(key)
    if (revision > 0) this.#bucket.delete(key, revision).catch(() => {})
  }
}
