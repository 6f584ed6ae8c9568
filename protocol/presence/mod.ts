/**
 * How an agent announces itself: a small JSON on `helio.v1.live.agents.<agent>`, on each connect and every minute. Any
 * subscriber may read it; hubs make targets of it.
 */
import { checkAgentId, liveSubject, SUBJECT_PREFIX } from '../subjects/mod.ts'

export type Presence = {
  readonly agent: string
  readonly site: string
  readonly version: string
  /** HOST:PORT of its HTTP endpoint, as others reach it. */
  readonly address: string
  /** Names of what it runs. */
  readonly exporters: readonly string[]
  readonly startedMs: number
}

export const PRESENCE_EVERY_MS = 60_000
export const PRESENCE_PATTERN = `${SUBJECT_PREFIX}.live.agents.*`
export const presenceSubject = (agent: string): string => liveSubject('agents', checkAgentId(agent))

const BYTES_MAX = 8192
const TEXT_MAX = 256
const LIST_MAX = 64

export const encodePresence = (presence: Presence): Uint8Array => new TextEncoder().encode(JSON.stringify(presence))

/** Null for what is none, says another agent than its subject, or is too large. */
export function decodePresence(subject: string, payload: Uint8Array): Presence | null {
  if (payload.length > BYTES_MAX) return null
  let raw: Readonly<Record<string, unknown>>
  try {
    raw = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)) as Readonly<Record<string, unknown>>
  } catch {
    return null
  }
  if (typeof raw !== 'object' || raw === null) return null
  const { agent, site, version, address, exporters, startedMs } = raw
  if (![agent, site, version, address].every(isText) || typeof startedMs !== 'number') return null
  if (!Array.isArray(exporters) || exporters.length > LIST_MAX || !exporters.every(isText)) return null
  const out = { agent, site, version, address, exporters, startedMs } as Presence
  return subject === `${SUBJECT_PREFIX}.live.agents.${out.agent}` ? out : null
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= TEXT_MAX
