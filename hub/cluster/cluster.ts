/**
 * This hub among others: membership, entries that all share, claims. It is of use without NATS, too: then it is alone.
 */
import type { Clock, Logger, Timer } from '../../protocol/env/mod.ts'
import { type Claim, Claims } from './claims.ts'
import type { KvBucket } from './kv.ts'
import { type Member, Membership, type MembershipCounters } from './membership.ts'
import { type LocalEntries, SharedEntries } from './shared-entries.ts'

export type ClusterEnv = { readonly clock: Clock; readonly log: Logger }

export type ClusterOptions = {
  readonly self: Member
  /** Differs from one start of the program to the next. */
  readonly life: string
  /** Of leases and claims: entries are kept for `LEASE_MS`. */
  readonly leases: KvBucket
  /** Of what is shared: entries are kept for ever. */
  readonly entries: KvBucket
  /** How long each member waits for the one before it; default 15 s, as upstream's `--cluster.peer-timeout`. */
  readonly peerTimeoutMs?: number
  /** So long after the start this hub lets the others speak, if any do: what it sees may be old. Default 0. */
  readonly listenMs?: number
  /** After so long without the others' state this hub goes on alone; default 10 s. */
  readonly settleTimeoutMs?: number
}

export type ClusterStatus = {
  readonly name: string
  readonly status: 'settling' | 'ready'
  readonly peers: readonly Member[]
}

const PEER_TIMEOUT_MS = 15_000
const SETTLE_TIMEOUT_MS = 10_000
const RETRY_MS = 3_000

export class Cluster {
  readonly #env: ClusterEnv
  readonly #options: ClusterOptions
  readonly #membership: Membership
  readonly #claims: Claims
  /** What all members keep, by the first part of its keys. */
  readonly shared: SharedEntries[] = []
  readonly #ready = Promise.withResolvers<void>()
  #isReady = false
  #timers: Timer[] = []
  #stopped = false

  constructor(options: ClusterOptions, env: ClusterEnv) {
    this.#options = options
    this.#env = env
    const { leases, self, life, listenMs = 0 } = options
    this.#membership = new Membership(leases, { ...self, life, listenMs }, env)
    this.#claims = new Claims(options.leases, `${options.self.id} ${options.life}`)
  }

  /** Before `start`. @param prefix one part of a key */
  share(prefix: string, local: LocalEntries): SharedEntries {
    const shared = new SharedEntries(this.#options.entries, prefix, local, this.#env.log)
    this.shared.push(shared)
    return shared
  }

  start(): void {
    const { clock, log } = this.#env
    const settle = (): void => {
      if (!this.#isReady && this.#membership.isSettled && this.shared.every(({ isSettled }) => isSettled))
        this.#becomeReady()
    }
    for (const shared of this.shared) shared.start(settle)
    this.#membership.start(settle)
    const { settleTimeoutMs = SETTLE_TIMEOUT_MS } = this.#options
    const giveUp = (): void => {
      if (this.#isReady) return
      log.warn('The cluster was not found in time; this hub notifies as if it were alone', { afterMs: settleTimeoutMs })
      this.#becomeReady()
    }
    this.#timers.push(clock.setTimer(settleTimeoutMs, giveUp, { unref: true }))
    this.#retryLater()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers) timer.cancel()
    for (const shared of this.shared) shared.stop()
    this.#ready.resolve()
    await this.#membership.stop()
  }

  /** Once the others are known, or were waited for in vain. */
  whenReady(): Promise<void> {
    return this.#ready.promise
  }

  /** How long the members before this one have to act first, ms. */
  get waitMs(): number {
    return this.#membership.position * (this.#options.peerTimeoutMs ?? PEER_TIMEOUT_MS)
  }

  /** The others are not known yet, or know better for now. */
  get mustListen(): boolean {
    return !this.#isReady || this.#membership.mustListen
  }

  get position(): number {
    return this.#membership.position
  }

  get status(): ClusterStatus {
    return {
      name: this.#membership.self.name,
      status: this.#isReady ? 'ready' : 'settling',
      peers: this.#membership.members(),
    }
  }

  get counters(): MembershipCounters & { readonly claimFailures: number } {
    return { ...this.#membership.counters, claimFailures: this.#claims.failures }
  }

  claim(key: string): Promise<Claim> {
    return this.#claims.claim(key)
  }

  #becomeReady(): void {
    this.#isReady = true
    this.#ready.resolve()
    const { name, peers } = this.status
    this.#env.log.info('The cluster is ready', { member: name, members: peers.length, position: this.position })
  }

  #retryLater(): void {
    if (this.#stopped) return
    this.#timers[1] = this.#env.clock.setTimer(
      RETRY_MS,
      () => {
        for (const shared of this.shared) void shared.retry()
        void this.#claims.renew()
        this.#retryLater()
      },
      { unref: true },
    )
  }
}
