/** Whose batches are taken, and under which labels. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePublicKey, generateSeed, publicKeyOfSeed } from '../../protocol/identity/mod.ts'
import type { AgentRecord, AgentRegistry } from '../agents/mod.ts'
import { seededRandom } from '../wal/testing/mod.ts'
import { isApproved, knownAgents } from './known-agents.ts'

const random = seededRandom(3)
const record = (agent: string, status: AgentRecord['status']): AgentRecord => {
  const publicKey = publicKeyOfSeed(generateSeed(random))
  return { agent, publicKey, site: 'main', status, enrolledMs: 0, changedMs: 0 }
}
const records = [record('web-1', 'approved'), record('web-2', 'revoked'), record('web-3', 'pending')]

test('ingest knows approved and revoked agents, with the labels that are configured', () => {
  const registry = { list: () => records } as unknown as AgentRegistry
  assert.deepEqual(
    knownAgents(registry, ['agent', 'site', 'tenant']),
    records.slice(0, 2).map(({ agent, publicKey }, i) => ({
      agent,
      publicKey: decodePublicKey(publicKey),
      approved: i === 0,
      // An empty label is none.
      identity: ['agent', agent, 'site', 'main'],
    })),
  )
})

const states: readonly [agent: string, isApproved: boolean][] = [
  ['web-1', true],
  ['web-2', false],
  ['web-4', false],
]
for (const [agent, expected] of states)
  test(`isApproved() says ${expected} of ${agent}, without a look at the other agents`, () => {
    const byAgent = (name: string) => records.find((each) => each.agent === name) ?? null
    assert.equal(isApproved({ byAgent }, agent), expected)
  })
