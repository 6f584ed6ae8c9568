/**
 * Entries that every member keeps, and the bucket between them. What an entry is, and which of two is the newer, its
 * owner knows; here it is text. Semantics: Alertmanager nflog/nflog.go and silence/silence.go, Merge (v0.34), over
 * compare-and-set in place of gossip.
 */
import type { Logger } from '../../protocol/env/mod.ts'
import type { KvBucket, KvEntry, KvWatch } from './kv.ts'

/** What came of an entry of the bucket: it is ours now, it was already (or is not worth keeping), or ours is newer. */
export type Merged = 'taken' | 'same' | 'ours is newer'

export type Entry = readonly [key: string, text: string]

export interface LocalEntries {
  /** That have not expired. */
  keys(): Iterable<string>
  /** undefined where there is none, or it has expired. */
  text(key: string): string | undefined
  /** Kept over a restart when it returns. @returns what came of each */
  merge(entries: readonly Entry[]): Merged[]
}

export type SharedCounters = { sent: number; received: number; conflicts: number; failures: number }

const TRIES = 10
const PUTS_AT_ONCE = 64

export class SharedEntries {
  readonly prefix: string
  readonly counters: SharedCounters = { sent: 0, received: 0, conflicts: 0, failures: 0 }
  readonly #bucket: KvBucket
  readonly #local: LocalEntries
  readonly #log: Logger
  /** Of the bucket's entries, as far as they are known. */
  readonly #revisions = new Map<string, number>()
  /** Changed here, and not in the bucket. */
  readonly #pending = new Set<string>()
  readonly #puts = new Map<string, Promise<boolean>>()
  /** Told since the connection; null: in step. */
  #told: Map<string, KvEntry> | null = new Map()
  /** Grows with every connection: what was put before it says nothing of a bucket that was lost meanwhile. */
  #connection = 0
  #watch: KvWatch | null = null
  #hasFailed = false
  #isRetrying = false

  /** @param prefix one part of a key */
  constructor(bucket: KvBucket, prefix: string, local: LocalEntries, log: Logger) {
    this.#bucket = bucket
    this.prefix = prefix
    this.#local = local
    this.#log = log
  }

  /** True once all that the bucket has is here. */
  get isSettled(): boolean {
    return this.#told === null
  }

  get pending(): number {
    return this.#pending.size
  }

  start(onChange: () => void): void {
    this.#watch = this.#bucket.watch(this.prefix, {
      onEntry: (entry) => {
        const key = entry.key.slice(this.prefix.length + 1)
        if (this.#told) this.#told.set(key, entry)
        else this.#take(new Map([[key, entry]]))
      },
      onSynced: () => {
        this.#compare()
        onChange()
      },
      onAway: () => {
        this.#connection++
        this.#told = new Map()
      },
    })
  }

  stop(): void {
    this.#watch?.stop()
  }

  /** This hub changed an entry. @returns whether the bucket has it, or a newer one; if not, it will be tried again */
  changed(key: string): Promise<boolean> {
    this.#pending.add(key)
    return this.#put(key)
  }

  /** What the bucket has is here when it resolves, however far the watch is behind; nothing happens where it is away. */
  async refresh(key: string): Promise<void> {
    const entry = await this.#bucket.get(`${this.prefix}.${key}`).catch(() => null)
    if (entry) this.#take(new Map([[key, entry]]))
  }

  /** Expired here; whoever knows of it as we do forgets it too. */
  forgotten(key: string): void {
    const revision = this.#revisions.get(key)
    this.#pending.delete(key)
    this.#revisions.delete(key)
    if (revision !== undefined) this.#bucket.delete(`${this.prefix}.${key}`, revision).catch(() => {})
  }

  /** What could not be put before, a few at a time. */
  async retry(): Promise<void> {
    if (!this.isSettled || this.#isRetrying) return
    this.#isRetrying = true
    const keys = [...this.#pending]
    for (let i = 0; i < keys.length && this.isSettled; i += PUTS_AT_ONCE)
      await Promise.all(keys.slice(i, i + PUTS_AT_ONCE).map((key) => this.#put(key)))
    this.#isRetrying = false
  }

  /** After a connection: what the bucket has, and what it lacks. */
  #compare(): void {
    const told = this.#told ?? new Map<string, KvEntry>()
    this.#told = null
    this.#revisions.clear()
    this.#take(told)
    for (const key of this.#local.keys()) if (!this.#revisions.has(key)) this.#pending.add(key)
    void this.retry()
  }

  #take(entries: ReadonlyMap<string, KvEntry>): void {
    const found: [key: string, text: string][] = []
    for (const [key, { value, revision }] of entries) {
      if (value === null) this.#revisions.delete(key)
      else {
        this.#revisions.set(key, revision)
        if (value !== this.#local.text(key)) found.push([key, value])
        else this.#pending.delete(key)
      }
    }
    if (found.length === 0) return
    this.#merge(found)
  }

  #merge(found: readonly Entry[]): void {
    for (const [i, merged] of this.#local.merge(found).entries()) {
      const [key] = found[i]!
      if (merged === 'taken') this.counters.received++
      if (merged !== 'ours is newer') this.#pending.delete(key)
      else if (!this.#pending.has(key)) void this.changed(key)
    }
  }

  /** One put a key at a time: the next has the latest text. */
  async #put(key: string): Promise<boolean> {
    const before = this.#puts.get(key)
    if (before) {
      await before
      return this.#pending.has(key) ? this.#put(key) : true
    }
    const put = this.#putNow(key).finally(() => this.#puts.delete(key))
    this.#puts.set(key, put)
    return put
  }

  async #putNow(key: string): Promise<boolean> {
    const full = `${this.prefix}.${key}`
    try {
      for (let tries = 0; tries < TRIES; tries++) {
        const text = this.#local.text(key)
        if (text === undefined || !this.#pending.has(key)) {
          this.#pending.delete(key)
          return true
        }
        const connection = this.#connection
        const revision = await this.#bucket.put(full, text, this.#revisions.get(key) ?? 0)
        if (connection !== this.#connection) continue
        if (revision !== null) {
          this.counters.sent++
          this.#revisions.set(key, revision)
          // Changed meanwhile: that is put next.
          if (this.#local.text(key) === text) this.#pending.delete(key)
          this.#succeeded()
          continue
        }
        this.counters.conflicts++
        const entry = await this.#bucket.get(full)
        if (entry === null || entry.value === null) this.#revisions.delete(key)
        else {
          this.#revisions.set(key, entry.revision)
          this.#merge([[key, entry.value]])
        }
      }
    } catch (err) {
      this.#failed(err)
    }
    return !this.#pending.has(key)
  }

  #failed(err: unknown): void {
    this.counters.failures++
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#log.warn('Entries of the alerts cannot be shared; they will be when NATS is back', {
      kind: this.prefix,
      err,
    })
  }

  #succeeded(): void {
    if (!this.#hasFailed) return
    this.#hasFailed = false
    this.#log.info('Entries of the alerts are shared again', { kind: this.prefix })
  }
}
