/**
 * Which key speaks for which agent. An agent id has one key and a key one agent; a revoked key stays known, so that it
 * cannot come back by a token. Every change is on disk before it takes effect, and listeners hear of it at once.
 */
import type { Clock, Disk, Logger, Random } from '../../protocol/env/mod.ts'
import { decodePublicKey, type EnrolmentRequest, enrolmentMessage, type Verifier } from '../../protocol/identity/mod.ts'
import { isAgentId, isToken } from '../../protocol/subjects/mod.ts'
import { EnrolmentError } from './errors.ts'
import { type AgentRecord, isPublicKey, loadRegistry, saveRegistry, type TokenRecord } from './file.ts'
import { agentPermissions } from './permissions.ts'

const TOKEN_BYTES = 24
const MAX_TOKENS = 1000
/** Unknown keys that knocked, kept in memory so that an operator can see and approve them. */
const MAX_PENDING = 256
const DEFAULT_TTL_MS = 60 * 60 * 1000
export const DEFAULT_SITE = 'main'

export type RegistryOptions = {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly verifier: Verifier
  /** SHA-256 of the runtime. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  /** The registry's file. */
  readonly path: string
}

/** What the bus got in CONNECT: `nkey` is `U…`, `signature` the 64 bytes over `nonce`. */
export type ConnectClaim = {
  readonly nkey: string
  readonly signature: Uint8Array
  readonly nonce: Uint8Array
  /** The client's name for itself: a hint for whoever reads the refusal. */
  readonly name?: string
}

export type Authenticated = {
  readonly identity: string
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}

export type NewToken = { readonly ttlMs?: number; readonly agent?: string; readonly site?: string }

export interface AgentRegistry {
  /** Approved and revoked agents by id, then keys that knocked and are known to nobody. */
  list(): AgentRecord[]
  byAgent(agent: string): AgentRecord | null
  byKey(publicKey: string): AgentRecord | null
  /** A token that enrols one agent, once; it is shown here and never again. */
  createToken(options?: NewToken): { readonly token: string; readonly expiresMs: number }
  /** @throws EnrolmentError */
  enroll(request: EnrolmentRequest): AgentRecord
  /** The operator's word in place of a token; also how a revoked key comes back. @throws EnrolmentError */
  approve(options: { readonly agent: string; readonly publicKey: string; readonly site?: string }): AgentRecord
  /** @throws EnrolmentError UNKNOWN_AGENT */
  revoke(agent: string): AgentRecord
  /** Verifies the nonce's signature, then looks the key up. */
  authenticate(claim: ConnectClaim): Authenticated | { readonly error: string }
  /** Called after a change is on disk. Whoever holds connections closes those of a revoked agent here. */
  onChange(fn: (record: AgentRecord) => void): void
}

/** @throws RegistryError, DiskError */
export function createRegistry(options: RegistryOptions): AgentRegistry {
  return new FileRegistry(options)
}

class FileRegistry implements AgentRegistry {
  readonly #options: RegistryOptions
  readonly #byAgent = new Map<string, AgentRecord>()
  readonly #byKey = new Map<string, AgentRecord>()
  readonly #pending = new Map<string, AgentRecord>()
  readonly #listeners: ((record: AgentRecord) => void)[] = []
  #tokens: readonly TokenRecord[]

  constructor(options: RegistryOptions) {
    this.#options = options
    const state = loadRegistry(options.disk, options.path)
    for (const record of state.agents) this.#index(record)
    this.#tokens = state.tokens
  }

  list(): AgentRecord[] {
    const known = [...this.#byAgent.values()].sort((a, b) => (a.agent < b.agent ? -1 : 1))
    return [...known, ...this.#pending.values()]
  }

  byAgent(agent: string): AgentRecord | null {
    return this.#byAgent.get(agent) ?? null
  }

  byKey(publicKey: string): AgentRecord | null {
    return this.#byKey.get(publicKey) ?? null
  }

  createToken(options: NewToken = {}): { token: string; expiresMs: number } {
    const { clock, random } = this.#options
    if (options.agent !== undefined) checkAgent(options.agent)
    if (options.site !== undefined) checkSite(options.site)
    const now = clock.now()
    const token = `helio-${hex(random.bytes(TOKEN_BYTES))}`
    const expiresMs = now + (options.ttlMs ?? DEFAULT_TTL_MS)
    const live = this.#tokens.filter((other) => other.expiresMs > now).slice(-(MAX_TOKENS - 1))
    const record = { hash: this.#hash(token), expiresMs, agent: options.agent ?? null, site: options.site ?? null }
    this.#save(null, [...live, record])
    return { token, expiresMs }
  }

  enroll(request: EnrolmentRequest): AgentRecord {
    const { agent, publicKey } = request
    checkAgent(agent)
    checkKey(publicKey)
    const raw = decodePublicKey(publicKey)
    if (!this.#options.verifier.verify(enrolmentMessage(request), request.proof, raw))
      throw new EnrolmentError('BAD_PROOF', `Cannot enrol "${agent}": the proof is not signed by key "${publicKey}"`)
    const known = this.#byKey.get(publicKey)
    if (known?.status === 'revoked')
      throw new EnrolmentError(
        'REVOKED',
        `Cannot enrol "${agent}": key "${publicKey}" was revoked; ${howTo(agent, publicKey)}`,
      )
    // The answer to an earlier request may have been lost with the token spent: the same key may ask again.
    if (known?.agent === agent) return known
    const token = this.#findToken(request.token, agent)
    const site = token.site ?? request.site ?? DEFAULT_SITE
    checkSite(site)
    this.#checkFree(agent, publicKey)
    return this.#put(this.#record(agent, publicKey, site, 'approved'), token)
  }

  approve(options: { agent: string; publicKey: string; site?: string }): AgentRecord {
    const { agent, publicKey } = options
    checkAgent(agent)
    checkKey(publicKey)
    const known = this.#byKey.get(publicKey)
    const site = options.site ?? known?.site ?? DEFAULT_SITE
    checkSite(site)
    if (known?.agent !== agent) this.#checkFree(agent, publicKey)
    return this.#put(this.#record(agent, publicKey, site, 'approved'), null)
  }

  revoke(agent: string): AgentRecord {
    const known = this.#byAgent.get(agent)
    if (!known) throw new EnrolmentError('UNKNOWN_AGENT', `Cannot revoke "${agent}": no such agent is enrolled`)
    return this.#put({ ...known, status: 'revoked', changedMs: this.#options.clock.now() }, null)
  }

  authenticate(claim: ConnectClaim): Authenticated | { error: string } {
    const { nkey } = claim
    if (!isPublicKey(nkey)) return { error: `Cannot authenticate: "${nkey.slice(0, 64)}" is not a user nkey ("U…")` }
    if (!this.#options.verifier.verify(claim.nonce, claim.signature, decodePublicKey(nkey)))
      return { error: `Cannot authenticate key "${nkey}": the signature over the nonce does not match` }
    const record = this.#byKey.get(nkey)
    if (record?.status === 'approved') return { identity: record.agent, ...agentPermissions(record.agent) }
    if (record) return { error: `Cannot authenticate key "${nkey}": agent "${record.agent}" was revoked` }
    const agent = claim.name !== undefined && isAgentId(claim.name) ? claim.name : 'AGENT'
    this.#knocked(agent, nkey)
    return { error: `Cannot authenticate key "${nkey}": it is not enrolled; ${howTo(agent, nkey)}` }
  }

  onChange(fn: (record: AgentRecord) => void): void {
    this.#listeners.push(fn)
  }

  #record(agent: string, publicKey: string, site: string, status: AgentRecord['status']): AgentRecord {
    const now = this.#options.clock.now()
    return { agent, publicKey, site, status, enrolledMs: this.#byKey.get(publicKey)?.enrolledMs ?? now, changedMs: now }
  }

  #checkFree(agent: string, publicKey: string): void {
    const owner = this.#byAgent.get(agent)
    if (owner && owner.status !== 'revoked')
      throw new EnrolmentError(
        'AGENT_TAKEN',
        `Cannot enrol "${agent}": the id belongs to key "${owner.publicKey}"; revoke it first, or choose another id`,
      )
    const other = this.#byKey.get(publicKey)
    if (other)
      throw new EnrolmentError(
        'KEY_TAKEN',
        `Cannot enrol "${agent}": key "${publicKey}" belongs to agent "${other.agent}"; make a new key`,
      )
  }

  #findToken(text: string, agent: string): TokenRecord {
    const hash = this.#hash(text)
    const token = this.#tokens.find((each) => each.hash === hash)
    if (!token || (token.agent !== null && token.agent !== agent))
      throw new EnrolmentError(
        'BAD_TOKEN',
        `Cannot enrol "${agent}": the token is unknown, used, or meant for another agent; ask the hub for a new one`,
      )
    if (token.expiresMs <= this.#options.clock.now())
      throw new EnrolmentError(
        'TOKEN_EXPIRED',
        `Cannot enrol "${agent}": the token has expired; ask the hub for a new one`,
      )
    return token
  }

  /** One write takes the token and adds the agent: neither happens without the other. */
  #put(record: AgentRecord, spent: TokenRecord | null): AgentRecord {
    this.#save(record, spent ? this.#tokens.filter((token) => token !== spent) : this.#tokens)
    this.#options.log.info('Agent registry changed', {
      agent: record.agent,
      publicKey: record.publicKey,
      status: record.status,
    })
    for (const listener of this.#listeners) listener(record)
    return record
  }

  #save(changed: AgentRecord | null, tokens: readonly TokenRecord[]): void {
    const { disk, path } = this.#options
    const agents = [...this.#byKey.values()].filter((record) => record.publicKey !== changed?.publicKey)
    if (changed) agents.push(changed)
    saveRegistry(disk, path, { agents, tokens })
    this.#tokens = tokens
    if (changed) this.#index(changed)
  }

  #index(record: AgentRecord): void {
    this.#byKey.set(record.publicKey, record)
    this.#pending.delete(record.publicKey)
    // A revoked key's record must not hide the key that took its id over.
    const owner = this.#byAgent.get(record.agent)
    if (!owner || owner.publicKey === record.publicKey || owner.status === 'revoked')
      this.#byAgent.set(record.agent, record)
  }

  #knocked(agent: string, publicKey: string): void {
    if (this.#pending.has(publicKey) || this.#pending.size >= MAX_PENDING) return
    this.#pending.set(publicKey, this.#record(agent, publicKey, DEFAULT_SITE, 'pending'))
    this.#options.log.warn('Refused a key that is not enrolled', { publicKey, hint: howTo(agent, publicKey) })
  }

  #hash(token: string): string {
    return hex(this.#options.sha256(new TextEncoder().encode(token)))
  }
}

const howTo = (agent: string, publicKey: string): string =>
  `to allow it, run: heliograph-hub agents approve ${agent} ${publicKey}`

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

function checkAgent(agent: string): void {
  if (!isAgentId(agent))
    throw new EnrolmentError(
      'BAD_AGENT',
      `Cannot enrol "${agent.slice(0, 80)}": an agent id is 1 to 64 lower-case letters, digits and "-"`,
    )
}

function checkSite(site: string): void {
  if (!isToken(site))
    throw new EnrolmentError(
      'BAD_AGENT',
      `Cannot enrol at site "${site.slice(0, 80)}": a site is 1 to 64 letters, digits, "_" and "-"`,
    )
}

function checkKey(publicKey: string): void {
  if (!isPublicKey(publicKey))
    throw new EnrolmentError('BAD_KEY', `Cannot enrol key "${publicKey.slice(0, 80)}": expected a user nkey ("U…")`)
}
