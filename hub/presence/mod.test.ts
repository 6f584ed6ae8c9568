import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../agent/scrape/testing/virtual-clock.ts'
import { encodePresence, presenceSubject } from '../../protocol/presence/mod.ts'
import { PresenceBoard } from './mod.ts'

const presence = (agent: string) => ({
  agent,
  site: 'lab',
  version: '1',
  address: `${agent}:9100`,
  exporters: ['node', 'mysql'],
  startedMs: 1,
})

test('agents that announce themselves are targets until they are silent or revoked', async () => {
  const clock = new VirtualClock(1_700_000_000_000)
  const approved = new Set(['web-1', 'web-2'])
  const board = new PresenceBoard(clock, (agent) => approved.has(agent))
  for (const agent of ['web-2', 'web-1', 'stranger'])
    board.take(presenceSubject(agent), encodePresence(presence(agent)))
  board.take(presenceSubject('web-1'), encodePresence(presence('web-2')))
  assert.equal(board.refused, 2)
  assert.deepEqual(
    board.targetGroups().map(({ targets, labels }) => [targets, labels['__meta_heliograph_exporters']]),
    [
      [['web-1:9100'], ',node,mysql,'],
      [['web-2:9100'], ',node,mysql,'],
    ],
  )
  await clock.advance(200_000)
  board.take(presenceSubject('web-2'), encodePresence(presence('web-2')))
  await clock.advance(60_000)
  assert.deepEqual(
    board.list().map(({ agent }) => agent),
    ['web-2'],
  )
  approved.delete('web-2')
  assert.equal(board.get('web-2'), null)
})
