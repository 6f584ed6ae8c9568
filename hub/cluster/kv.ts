/**
 * A bucket of keys with compare-and-set, as JetStream's key-value store has them: what a cluster of hubs stands on. One
 * suite of cases runs over every implementation (`testing/kv-cases.ts`).
 */

export type KvEntry = {
  readonly key: string
  /** null: deleted, or older than the bucket keeps. */
  readonly value: string | null
  /** Grows with every change in the bucket, of whatever key. */
  readonly revision: number
}

export interface KvListener {
  /** All that is there when the watch begins, and again after each connection, then every change. */
  onEntry(entry: KvEntry): void
  /** What was there has been told. */
  onSynced(): void
  /** Changes may be missed from now on; later everything is told again. */
  onAway(): void
}

export interface KvWatch {
  stop(): void
}

/** Keys are of `A-Z a-z 0-9 _ - . =`, in parts between dots. Every method rejects with `KvError` when the bucket is away. */
export interface KvBucket {
  /** null where there is none. */
  get(key: string): Promise<KvEntry | null>
  /**
   * Only if the key's revision is still `expected`; 0: only if there is none.
   * @returns the new revision; null when somebody else was faster
   */
  put(key: string, value: string, expected: number): Promise<number | null>
  /** Only if the key's revision is still `expected`. False when it is not. */
  delete(key: string, expected: number): Promise<boolean>
  /** Of keys whose first part is `prefix`. Goes on over lost connections until it is stopped. */
  watch(prefix: string, listener: KvListener): KvWatch
}

export class KvError extends Error {
  readonly code = 'AWAY'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KvError'
  }
}
