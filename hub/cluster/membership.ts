/**
 * Who is there: every member renews a lease in a bucket, and judges the others' by its own monotonic clock.
 * Semantics: Alertmanager cluster/cluster.go, Peer.Position, WaitReady (v0.34), over leases in place of gossip.
 */
import type { Clock, Logger, Timer } from '../../protocol/env/mod.ts'
import type { KvBucket, KvEntry, KvWatch } from './kv.ts'

export type Member = {
  /** Of the instance: stays over restarts. Two members may have one name, never one id. */
  readonly id: string
  readonly name: string
  /** HOST:PORT of its API. */
  readonly address: string
}

type Lease = Member & {
  readonly version: 1
  /** One life of the program. */
  readonly life: string
  /** It has just started, and lets others speak. */
  readonly listens?: boolean
}
type Seen = { readonly lease: Lease; readonly heardMs: number; readonly revision: number }

export type MembershipEnv = { readonly clock: Clock; readonly log: Logger }
export type MembershipCounters = { joined: number; left: number; failures: number }

/** Who was not heard of for so long is gone. The bucket keeps leases as long. */
export const LEASE_MS = 10_000
const RENEW_MS = 3_000
const PREFIX = 'member'

export class Membership {
  readonly counters: MembershipCounters = { joined: 0, left: 0, failures: 0 }
  readonly #env: MembershipEnv
  readonly #bucket: KvBucket
  readonly #life: string
  readonly #listenUntilMs: number
  readonly #seen = new Map<string, Seen>()
  /** Of those others that were there at the last look. */
  #known = new Map<string, Member>()
  #self: Member
  #revision = 0
  #hasLease = false
  #hasFailed = false
  #synced = false
  #watch: KvWatch | null = null
  #timer: Timer | null = null
  #renewal: Promise<void> | null = null
  #stopped = false

  /** @param options `life` differs from one start of the program to the next; `listenMs`: see `mustListen` */
  constructor(bucket: KvBucket, options: Member & { life: string; listenMs?: number }, env: MembershipEnv) {
    const { life, listenMs = 0, ...self } = options
    this.#bucket = bucket
    this.#self = self
    this.#life = life
    this.#listenUntilMs = env.clock.monotonic() + listenMs
    this.#env = env
  }

  /** True once this hub has its lease and was told of all others'. */
  get isSettled(): boolean {
    return this.#hasLease && this.#synced
  }

  get self(): Member {
    return this.#self
  }

  /** For a while after the start, as long as a member is there that has been for longer. */
  get mustListen(): boolean {
    return this.#listens && this.#others().some(({ listens }) => !listens)
  }

  get #listens(): boolean {
    return this.#env.clock.monotonic() < this.#listenUntilMs
  }

  start(onChange: () => void): void {
    this.#watch = this.#bucket.watch(PREFIX, {
      onEntry: (entry) => {
        this.#hear(entry)
        this.#look()
      },
      onSynced: () => {
        this.#synced = true
        void this.renew().then(onChange)
      },
      onAway: () => {},
    })
    const tick = (): void => {
      if (this.#stopped) return
      this.#timer = this.#env.clock.setTimer(RENEW_MS, tick, { unref: true })
      this.#look()
      void this.renew().then(onChange)
    }
    tick()
  }

  /** The lease is given back: the others need not wait for its end. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    this.#watch?.stop()
    await this.#renewal
    if (this.#revision > 0) await this.#bucket.delete(keyOf(this.#self), this.#revision).catch(() => false)
  }

  /** This hub and all others that live, by name. */
  members(): Member[] {
    return [this.#self, ...this.#others()].sort(byName)
  }

  #others(): Lease[] {
    const sinceMs = this.#env.clock.monotonic() - LEASE_MS
    return [...this.#seen.values()].filter(({ heardMs }) => heardMs > sinceMs).map(({ lease }) => lease)
  }

  /** 0 for the first. */
  get position(): number {
    return this.members().findIndex(({ id }) => id === this.#self.id)
  }

  renew(): Promise<void> {
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = null
    })
    return this.#renewal
  }

  async #renew(): Promise<void> {
    if (this.#stopped) return
    try {
      // Lost once: somebody else wrote it, or the bucket forgot it. More than once is a fight.
      for (let tries = 0; tries < 3; tries++) {
        const lease: Lease = { version: 1, ...this.#self, life: this.#life, listens: this.#listens }
        const revision = await this.#bucket.put(keyOf(this.#self), JSON.stringify(lease), this.#revision)
        if (revision !== null) {
          this.#revision = revision
          this.#hasLease = true
          if (this.#hasFailed) this.#env.log.info('The lease in the cluster is renewed again')
          this.#hasFailed = false
          return
        }
        await this.#readOwn()
      }
    } catch (err) {
      this.counters.failures++
      // Before the first lease, NATS may not be connected yet; that it never comes, the cluster says.
      if (!this.#hasLease || this.#hasFailed) return
      this.#env.log.warn('The lease in the cluster cannot be renewed; the others will take this hub for gone', { err })
      this.#hasFailed = true
    }
  }

  async #readOwn(): Promise<void> {
    const entry = await this.#bucket.get(keyOf(this.#self))
    const lease = entry && decode(entry.value)
    if (lease && lease.life !== this.#life && this.#hasLease) {
      // A copy of the data directory runs as well: two hubs in one place would both think that it is their turn.
      const id = `${this.#self.id}-${this.#life}`
      this.#env.log.error('Another hub runs with a copy of this data directory; going on under another id', {
        member: this.#self.name,
        id,
        other: lease.address,
      })
      this.#self = { ...this.#self, id }
      this.#hasLease = false
      this.#revision = 0
      return
    }
    this.#revision = entry?.revision ?? 0
  }

  #hear({ key, value, revision }: KvEntry): void {
    const id = key.slice(PREFIX.length + 1)
    // Given back, or older than the bucket keeps: whoever lives makes a new one.
    if (value === null) {
      this.#seen.delete(id)
      return
    }
    const lease = decode(value)
    if (!lease || lease.id !== id || id === this.#self.id) return
    // After a connection all is told again: what was heard before is no news.
    if (this.#seen.get(id)?.revision === revision) return
    this.#seen.set(id, { lease, revision, heardMs: this.#env.clock.monotonic() })
  }

  /** Says who came and who went. */
  #look(): void {
    const now = new Map(
      this.members()
        .filter(({ id }) => id !== this.#self.id)
        .map((member) => [member.id, member] as const),
    )
    const { log } = this.#env
    for (const [id, { name, address }] of now) {
      if (this.#known.has(id)) continue
      this.counters.joined++
      if (name === this.#self.name) log.warn('Two members of the cluster have one name', { member: name, address })
      log.info('A member joined the cluster', { member: name, address, position: this.position })
    }
    for (const [id, { name, address }] of this.#known) {
      if (now.has(id)) continue
      this.counters.left++
      this.#seen.delete(id)
      log.warn('A member left the cluster', { member: name, address, position: this.position })
    }
    this.#known = now
  }
}

const keyOf = ({ id }: Member): string => `${PREFIX}.${id}`

function byName(a: Member, b: Member): number {
  const [x, y] = a.name === b.name ? [a.id, b.id] : [a.name, b.name]
  return x < y ? -1 : x > y ? 1 : 0
}

function decode(text: string | null): Lease | null {
  try {
    const lease = JSON.parse(text ?? 'null') as Lease | null
    const isWhole = [lease?.id, lease?.name, lease?.address, lease?.life].every((each) => typeof each === 'string')
    return isWhole && lease?.version === 1 ? lease : null
  } catch {
    return null
  }
}
