import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { MissReason } from '../../protocol/batch/types.ts'
import { Ledger } from './ledger.ts'
import { MAX_RUNS, SlotRuns } from './slots.ts'

const STEP = 1000
const collect = (ledger: Ledger, ...slots: number[]): void => {
  for (const slot of slots) ledger.collected({ target: 't', slotMs: slot * STEP, intervalMs: STEP })
}
const miss = (ledger: Ledger, from: number, to: number, reason: MissReason): void =>
  ledger.missed({ target: 't', fromMs: from * STEP, toMs: to * STEP, intervalMs: STEP, reason })
const gaps = (ledger: Ledger, complete = true): [number, number, string][] =>
  ledger.gaps(0, 1e9, complete).map((gap) => [gap.fromMs / STEP, gap.toMs / STEP, gap.reason])

test('collected slots in any order leave exactly the holes, and runs stay merged', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(50), { minLength: 1 }), fc.boolean(), (slots, complete) => {
      const ledger = new Ledger()
      collect(ledger, ...slots)
      const open = new Set<number>()
      for (let slot = Math.min(...slots); slot < Math.max(...slots); slot++) if (!slots.includes(slot)) open.add(slot)
      const found = new Set<number>()
      for (const [from, to, reason] of gaps(Ledger.load(ledger.save()), complete)) {
        assert.equal(reason, complete ? 'unknown' : 'pending')
        for (let slot = from; slot <= to; slot++) found.add(slot)
      }
      assert.deepEqual([...found].sort(), [...open].sort())
      const watermark = ledger.watermarkMs(complete)! / STEP
      assert.equal(watermark, complete || open.size === 0 ? Math.max(...slots) : Math.min(...open) - 1)
    }),
  )
})

test('missed slots keep their reason, and what was collected after all is no gap', () => {
  const ledger = new Ledger()
  collect(ledger, 0, 1, 2, 10, 11)
  miss(ledger, 3, 9, 'agent_down')
  assert.deepEqual(gaps(ledger), [[3, 9, 'agent_down']])
  collect(ledger, 5, 6)
  assert.deepEqual(gaps(ledger), [
    [3, 4, 'agent_down'],
    [7, 9, 'agent_down'],
  ])
  miss(ledger, 12, 12, 'overrun')
  assert.equal(ledger.watermarkMs(false), 12 * STEP)
  assert.deepEqual(gaps(ledger).at(-1), [12, 12, 'overrun'])
})

const announcement = fc.record({
  fromMs: fc.nat(60_000),
  slots: fc.nat(20),
  intervalMs: fc.constantFrom(0, 1000, 1500, 5000),
  reason: fc.constantFrom<MissReason | null>(null, null, 'overwritten', 'agent_down'),
})

test('what was stored wins over what was announced, on any grid, and no gap ends before it begins', () => {
  fc.assert(
    fc.property(fc.array(announcement, { maxLength: 12 }), fc.constantFrom(1, 250, 500), (announced, grain) => {
      const ledger = new Ledger()
      const stored = new Set<number>()
      const missed = new Set<number>()
      for (const { fromMs, slots, intervalMs, reason } of announced) {
        const first = fromMs - (fromMs % grain)
        const last = first + slots * intervalMs
        // Of a single slot, the interval may be 0.
        for (let slotMs = first; slotMs <= last; slotMs += Math.max(1, intervalMs)) {
          if (reason === null) ledger.collected({ target: 't', slotMs, intervalMs })
          ;(reason === null ? stored : missed).add(slotMs)
        }
        if (reason !== null) ledger.missed({ target: 't', fromMs: first, toMs: last, intervalMs, reason })
      }
      const found = new Set<number>()
      for (const { fromMs, toMs, intervalMs, reason } of Ledger.load(ledger.save()).gaps(-1e9, 1e9, true)) {
        assert.ok(fromMs <= toMs, `${reason} from ${fromMs} to ${toMs}`)
        for (let slotMs = fromMs; slotMs <= toMs; slotMs += intervalMs) {
          assert.ok(!stored.has(slotMs), `${slotMs} was stored, and yet is ${reason}`)
          if (reason !== 'unknown') found.add(slotMs)
        }
      }
      const byTime = (a: number, b: number): number => a - b
      assert.deepEqual([...found].sort(byTime), [...missed].filter((slot) => !stored.has(slot)).sort(byTime))
    }),
    { numRuns: 500 },
  )
})

test('gaps are clipped to the range that was asked for', () => {
  const ledger = new Ledger()
  collect(ledger, 0, 20)
  assert.deepEqual(
    ledger.gaps(5 * STEP, 7 * STEP, false).map((gap) => [gap.fromMs / STEP, gap.toMs / STEP, gap.reason]),
    [[5, 7, 'pending']],
  )
})

test('slots on another grid after a reload are no gap', () => {
  const ledger = new Ledger()
  collect(ledger, 0, 1, 2)
  ledger.collected({ target: 't', slotMs: 2 * STEP + 1400, intervalMs: 2000 })
  ledger.collected({ target: 't', slotMs: 2 * STEP + 3400, intervalMs: 2000 })
  assert.deepEqual(gaps(ledger), [])
})

test('memory is bounded: the oldest runs are forgotten, and said to be', () => {
  const runs = new SlotRuns()
  for (let i = 0; i < MAX_RUNS + 10; i++) runs.add(i * 10 * STEP, i * 10 * STEP, STEP, null)
  assert.equal(runs.runs.length, MAX_RUNS)
  assert.equal(runs.forgotten, 10)
  const ledger = new Ledger()
  for (let i = 0; i < MAX_RUNS + 10; i++) collect(ledger, i * 10)
  const first = ledger.gaps(0, 1e9, true)[0]!
  assert.deepEqual([first.reason, first.fromMs, first.toMs], ['forgotten', 0, 91 * STEP])
})

test('prune() forgets what lies before retention, targets included', () => {
  const ledger = new Ledger()
  collect(ledger, 0, 1, 5, 6)
  ledger.prune(3 * STEP)
  assert.deepEqual(gaps(ledger), [])
  ledger.prune(10 * STEP)
  assert.equal(ledger.watermarkMs(true), null)
})

test('slots between the end of a target and its return are told as removed, once every batch is there', () => {
  const ledger = new Ledger()
  collect(ledger, 0, 1, 2)
  ledger.collected({ target: 't', slotMs: 3 * STEP, intervalMs: STEP }, true)
  assert.deepEqual(gaps(ledger), [], 'nobody misses a target that is gone')
  collect(ledger, 9, 10, 14)
  assert.deepEqual(gaps(Ledger.load(ledger.save())), [
    [4, 8, 'removed'],
    [11, 13, 'unknown'],
  ])
  assert.deepEqual(gaps(ledger, false)[0], [4, 8, 'pending'])
  ledger.prune(4 * STEP)
  assert.deepEqual(gaps(ledger), [[11, 13, 'unknown']])
})

test('an agent that starts again while a target is removed does not count its slots as its own absence', () => {
  const ledger = new Ledger()
  collect(ledger, 0, 1)
  ledger.collected({ target: 't', slotMs: 2 * STEP, intervalMs: STEP }, true)
  miss(ledger, 3, 9, 'shutdown')
  collect(ledger, 10, 11)
  miss(ledger, 12, 14, 'agent_down')
  assert.deepEqual(gaps(ledger), [
    [3, 9, 'removed'],
    [12, 14, 'agent_down'],
  ])
})

test('a checkpoint without the ends of targets is read', () => {
  const ledger = new Ledger()
  ledger.collected({ target: 't', slotMs: 0, intervalMs: STEP }, true)
  collect(ledger, 5)
  const state = ledger.save().map(({ ended: _, ...rest }) => rest)
  assert.deepEqual(gaps(Ledger.load(state)), [[1, 4, 'unknown']])
})
