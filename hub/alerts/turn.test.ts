import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../agent/scrape/testing/virtual-clock.ts'
import type { Claim } from '../cluster/mod.ts'
import type { Sent } from './nflog.ts'
import { Turn } from './turn.ts'

const told: Sent = { firing: ['a'], resolved: [], atMs: 1, expiresAtMs: 1e9 }

/** A member with two before it, and a log of one entry. */
function open(claims: Claim['kind'][], { onRefresh = () => {} }: { onRefresh?: (log: { last?: Sent }) => void } = {}) {
  const clock = new VirtualClock(0)
  const log: { last?: Sent } = {}
  const state = { isOver: false, released: 0 }
  const turn = new Turn(clock, {
    cluster: {
      waitMs: 30_000,
      claim: async () => {
        const kind = claims.shift() ?? 'held'
        return kind === 'held' ? { kind, release: () => void state.released++ } : { kind }
      },
    },
    key: 'k',
    last: () => log.last,
    refresh: async () => onRefresh(log),
    reason: (last) => (last ? null : 'first notification'),
    isOver: () => state.isOver,
    patienceMs: 10_000,
    signal: new AbortController().signal,
  })
  const outcome = turn.wait()
  const isOpen = async (): Promise<boolean> => (await Promise.race([outcome, Promise.resolve('open')])) === 'open'
  return { clock, log, state, turn, outcome, isOpen }
}

test('a turn comes after those before it, and lasts until it is released', async () => {
  const { clock, state, turn, outcome, isOpen } = open([])
  await clock.advance(29_999)
  assert.ok(await isOpen())
  await clock.advance(1)
  assert.equal(await outcome, 'ours')
  assert.equal(turn.reason, 'first notification')
  assert.equal(state.released, 0)
  turn.release()
  turn.release()
  assert.equal(state.released, 1)
})

test('what another has told while we waited need not be told', async () => {
  const { clock, log, outcome } = open([])
  await clock.advance(10_000)
  log.last = told
  await clock.advance(20_000)
  assert.equal(await outcome, 'told')
})

test('what the holder of a claim has told is known once the claim is ours, though no news of it came', async () => {
  const { clock, state, outcome } = open(['taken', 'held'], {
    onRefresh: (log) => {
      log.last = told
    },
  })
  await clock.advance(31_000)
  assert.equal(await outcome, 'told')
  assert.equal(state.released, 1)
})

test('a claim that another holds for too long is left to the next flush; one that nobody can tell of is as ours', async () => {
  const held = open(Array.from({ length: 50 }, () => 'taken' as const))
  await held.clock.advance(39_000)
  assert.ok(await held.isOpen())
  await held.clock.advance(2_000)
  assert.equal(await held.outcome, 'later')
  const away = open(['unknown'])
  await away.clock.advance(30_000)
  assert.equal(await away.outcome, 'ours')
})

test('nothing is told for a group that has ended meanwhile', async () => {
  const { clock, state, outcome } = open([])
  state.isOver = true
  await clock.advance(30_000)
  assert.equal(await outcome, 'later')
})
