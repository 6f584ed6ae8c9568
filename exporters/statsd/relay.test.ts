import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testClock } from '../testing/env.ts'
import { Relay } from './relay.ts'

/** Lines go through at `pushMs` of the monotonic clock; `dueMs` is when what waits is sent. */
function relayAt(pushMs: number, packetLength = 20) {
  const sent: string[] = []
  const timers: { readonly dueMs: number; readonly fire: () => void }[] = []
  const clock = {
    ...testClock,
    monotonic: () => pushMs,
    setTimer: (delayMs: number, fire: () => void) => {
      timers.push({ dueMs: pushMs + delayMs, fire })
      return { cancel: () => {} }
    },
  }
  const send = (packet: Uint8Array): void => void sent.push(new TextDecoder().decode(packet))
  const relay = new Relay({ target: 'a:1', packetLength, clock, send })
  return { relay, sent, timers, push: (line: string) => relay.push(new TextEncoder().encode(line)) }
}

for (const [what, pushMs, dueMs] of [
  ['found as a second begins goes on at once', 7000.4, 7050],
  ['found a moment later, too', 7049, 7050],
  ['come in between waits for the tick, a second at most', 7050, 8050],
  ['come just before a second begins waits no longer than that', 7999, 8050],
] as const)
  test(`a line ${what}`, () => {
    const { timers, sent, push } = relayAt(pushMs)
    push('a:1|c')
    push('b:1|c')
    assert.equal(timers.length, 1)
    assert.ok(timers[0]!.dueMs >= dueMs && timers[0]!.dueMs < dueMs + 1, `${timers[0]!.dueMs}`)
    timers[0]!.fire()
    assert.deepEqual(sent, ['a:1|c\nb:1|c\n'])
  })

test('lines are packed into packets of the length, and longer ones counted', () => {
  const { relay, sent, push } = relayAt(0, 12)
  for (const line of ['a:1|c', '', 'b:1|c', 'c:1|c', 'much:too:long|c']) push(line)
  assert.deepEqual(sent, ['a:1|c\nb:1|c\n'])
  relay.flush()
  relay.flush()
  assert.deepEqual(sent.slice(1), ['c:1|c\n'])
  assert.deepEqual([relay.lines, relay.longLines, relay.packets], [3, 1, 2])
})
