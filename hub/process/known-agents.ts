/** The registry's agents as ingest and presence want them: whose batches are taken, and under which labels. */
import { decodePublicKey } from '../../protocol/identity/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import type { AgentRecord, AgentRegistry } from '../agents/mod.ts'
import type { KnownAgent } from '../ingest/mod.ts'

/** All but those that wait for approval: a revoked one is known, and refused. */
export function knownAgents(registry: AgentRegistry, identityLabels: readonly string[]): KnownAgent[] {
  return registry
    .list()
    .filter(({ status }) => status !== 'pending')
    .map((record) => knownAgent(record, identityLabels))
}

/** Asked for every message and every agent that is shown: not by way of the list. */
export function isApproved(registry: Pick<AgentRegistry, 'byAgent'>, agent: string): boolean {
  return registry.byAgent(agent)?.status === 'approved'
}

function knownAgent({ agent, publicKey, site, status }: AgentRecord, identityLabels: readonly string[]): KnownAgent {
  const values: Readonly<Record<string, string>> = { agent, site, tenant: '' }
  const identity = labelsFrom(identityLabels.map((name) => [name, values[name] ?? ''] as const))
  return { agent, publicKey: decodePublicKey(publicKey), approved: status === 'approved', identity }
}
