/** A bucket in memory, for tests: the same semantics as JetStream's, with connections that a test cuts. */
import type { Clock } from '../../../protocol/env/mod.ts'
import { type KvBucket, type KvEntry, KvError, type KvListener, type KvWatch } from '../kv.ts'

type Stored = { readonly value: string | null; readonly revision: number; readonly atMs: number }
type Watcher = { readonly client: MemoryKvClient; readonly prefix: string; readonly listener: KvListener }

/** The server's side; `connect()` gives each member its own client. */
export class MemoryKv {
  readonly stored = new Map<string, Stored>()
  readonly watchers = new Set<Watcher>()
  readonly clock: Clock
  readonly #maxAgeMs: number
  #revision = 0

  /** @param options.maxAgeMs entries older than that are gone; default: kept for ever */
  constructor(clock: Clock, { maxAgeMs = Number.POSITIVE_INFINITY }: { readonly maxAgeMs?: number } = {}) {
    this.clock = clock
    this.#maxAgeMs = maxAgeMs
  }

  connect(): MemoryKvClient {
    return new MemoryKvClient(this)
  }

  /** What a server that lost its disk has. */
  wipe(): void {
    this.stored.clear()
  }

  read(key: string): Stored | null {
    const entry = this.stored.get(key)
    return !entry || this.clock.monotonic() - entry.atMs >= this.#maxAgeMs ? null : entry
  }

  write(key: string, value: string | null): number {
    const entry = { value, revision: ++this.#revision, atMs: this.clock.monotonic() }
    this.stored.set(key, entry)
    for (const { client, prefix, listener } of this.watchers)
      if (!client.isAway && key.startsWith(`${prefix}.`)) listener.onEntry({ key, value, revision: entry.revision })
    return entry.revision
  }

  tellAll({ prefix, listener }: Watcher): void {
    for (const key of this.stored.keys()) {
      const entry = this.read(key)
      if (entry && key.startsWith(`${prefix}.`)) listener.onEntry({ key, value: entry.value, revision: entry.revision })
    }
    listener.onSynced()
  }
}

export class MemoryKvClient implements KvBucket {
  isAway = false
  readonly #kv: MemoryKv

  constructor(kv: MemoryKv) {
    this.#kv = kv
  }

  setAway(isAway: boolean): void {
    if (this.isAway === isAway) return
    this.isAway = isAway
    for (const watcher of this.#kv.watchers)
      if (watcher.client === this) isAway ? watcher.listener.onAway() : this.#kv.tellAll(watcher)
  }

  async get(key: string): Promise<KvEntry | null> {
    this.#reach()
    const entry = this.#kv.read(key)
    return entry && entry.value !== null ? { key, value: entry.value, revision: entry.revision } : null
  }

  async put(key: string, value: string, expected: number): Promise<number | null> {
    this.#reach()
    return this.#isAt(key, expected) ? this.#kv.write(key, value) : null
  }

  async delete(key: string, expected: number): Promise<boolean> {
    this.#reach()
    if (!this.#isAt(key, expected)) return false
    this.#kv.write(key, null)
    return true
  }

  watch(prefix: string, listener: KvListener): KvWatch {
    const watcher = { client: this, prefix, listener }
    this.#kv.watchers.add(watcher)
    if (!this.isAway) queueMicrotask(() => !this.isAway && this.#kv.watchers.has(watcher) && this.#kv.tellAll(watcher))
    return { stop: () => void this.#kv.watchers.delete(watcher) }
  }

  #isAt(key: string, expected: number): boolean {
    const entry = this.#kv.read(key)
    // To a writer what was deleted is not there.
    return (entry === null || entry.value === null ? 0 : entry.revision) === expected
  }

  #reach(): void {
    if (this.isAway) throw new KvError('The bucket is away')
  }
}
