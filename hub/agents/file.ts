/**
 * The registry on disk: one JSON file, replaced atomically, readable by its owner only.
 *
 *     { "version": 1,
 *       "agents": [{ "agent": "web-1", "publicKey": "U…", "site": "main", "status": "approved",
 *                    "enrolledMs": 1767225600000, "changedMs": 1767225600000 }],
 *       "tokens": [{ "hash": "<sha-256, hex>", "expiresMs": 1767229200000, "agent": null, "site": null }] }
 */
import { type Disk, DiskError } from '../../protocol/env/mod.ts'
import { decodePublicKey } from '../../protocol/identity/mod.ts'
import { isAgentId, isToken } from '../../protocol/subjects/mod.ts'
import { RegistryError } from './errors.ts'

export type AgentStatus = 'approved' | 'revoked' | 'pending'

export type AgentRecord = {
  readonly agent: string
  /** `U…` */
  readonly publicKey: string
  readonly site: string
  readonly status: AgentStatus
  readonly enrolledMs: number
  readonly changedMs: number
}

export type TokenRecord = {
  /** SHA-256 of the token, hex: the token itself is never stored. */
  readonly hash: string
  readonly expiresMs: number
  /** Only this agent may use it; null = any. */
  readonly agent: string | null
  /** The site it gives; null = what the agent asks for. */
  readonly site: string | null
}

export type RegistryState = { readonly agents: readonly AgentRecord[]; readonly tokens: readonly TokenRecord[] }

/** @throws RegistryError the file is there and is not a registry; DiskError */
export function loadRegistry(disk: Disk, path: string): RegistryState {
  let text: string
  try {
    text = disk.readText(path)
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return { agents: [], tokens: [] }
    throw error
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new RegistryError(path, 'it is not JSON', { cause: error })
  }
  const file = value as { version?: unknown; agents?: unknown; tokens?: unknown }
  if (file === null || typeof file !== 'object' || file.version !== 1)
    throw new RegistryError(path, `expected version 1, got ${JSON.stringify(file?.version)}`)
  if (!Array.isArray(file.agents) || !file.agents.every(isAgentRecord))
    throw new RegistryError(path, '"agents" holds something that is not an agent')
  if (!Array.isArray(file.tokens) || !file.tokens.every(isTokenRecord))
    throw new RegistryError(path, '"tokens" holds something that is not a token')
  return { agents: file.agents, tokens: file.tokens }
}

export function saveRegistry(disk: Disk, path: string, state: RegistryState): void {
  disk.writeFileAtomic(path, `${JSON.stringify({ version: 1, ...state }, null, 2)}\n`, { mode: 0o600 })
}

function isAgentRecord(value: unknown): value is AgentRecord {
  const record = value as AgentRecord
  return (
    typeof record === 'object' &&
    record !== null &&
    typeof record.agent === 'string' &&
    isAgentId(record.agent) &&
    isPublicKey(record.publicKey) &&
    typeof record.site === 'string' &&
    isToken(record.site) &&
    (record.status === 'approved' || record.status === 'revoked') &&
    Number.isFinite(record.enrolledMs) &&
    Number.isFinite(record.changedMs)
  )
}

function isTokenRecord(value: unknown): value is TokenRecord {
  const record = value as TokenRecord
  return (
    typeof record === 'object' &&
    record !== null &&
    typeof record.hash === 'string' &&
    /^[0-9a-f]{64}$/.test(record.hash) &&
    Number.isFinite(record.expiresMs) &&
    (record.agent === null || typeof record.agent === 'string') &&
    (record.site === null || typeof record.site === 'string')
  )
}

export function isPublicKey(text: unknown): boolean {
  try {
    return typeof text === 'string' && decodePublicKey(text).length === 32
  } catch {
    return false
  }
}
