/** The campaign of `npm run bench -- crash`, short; HELIO_LONG=1 kills 200 times, HELIO_SEED repeats a run. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLong, pickSeed } from '../e2e/bad-day/kit.ts'
import { withWorld } from '../e2e/world.ts'
import { runCampaign } from './campaign.ts'

const KILLS = isLong ? 200 : 20

test(`a hub that is killed ${KILLS} times, also while it recovers, cuts and merges, loses nothing it acknowledged`, (t) =>
  withWorld(async (world) => {
    const seed = pickSeed()
    t.diagnostic(`HELIO_SEED=${seed}`)
    const result = await runCampaign(world, { kills: KILLS, seed, say: (line) => t.diagnostic(line) })
    t.diagnostic(JSON.stringify(result))
    assert.deepEqual(result.problems, [])
    assert.equal(result.lost, 0)
    assert.ok(result.kills >= KILLS && result.acknowledged > 10_000, JSON.stringify(result))
    assert.ok((result.interrupted['replay'] ?? 0) > 0, 'no recovery was interrupted')
  }))
