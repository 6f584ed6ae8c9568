/** What every kind of ring must do; run over the tables in memory and over SQLite. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RingCommit, SlotGap } from '../../../protocol/env/mod.ts'
import { RingEngine, type RingFiles, readBatchHead } from '../mod.ts'
import { mergeGaps } from '../slot-runs.ts'
import { group, INTERVAL_MS, record, recordBytes, START_MS } from './records.ts'

/** `make` gives files over the same directory (or content) for the same key, as a restart would. */
export function ringSuite(name: string, make: (key: string, capBytes: number) => RingFiles): void {
  const engineOn = (key: string, capBytes = 8_000_000, maxAgeMs = 0): RingEngine =>
    new RingEngine(make(key, capBytes), readBatchHead, maxAgeMs)

  test(`${name}: what is appended is read back, in order and by range`, () => {
    const ring = engineOn('read')
    const { epoch } = ring.open(START_MS)
    for (let n = 0; n < 30; n++) ring.append(group(record({ epoch, sequence: n })))
    assert.deepEqual(
      ring
        .read(
          epoch,
          [
            [3, 4],
            [29, 40],
          ],
          1e9,
        )
        .map((b) => b.sequence),
      [3, 4, 29],
    )
    assert.deepEqual(ring.read(epoch, [[3, 3]], 1e9)[0]!.bytes, recordBytes(epoch, 3, 10_000))
    assert.equal(ring.read(epoch, [[0, 29]], 25_000).length, 2)
    assert.equal(ring.read(epoch, [[0, 29]], 1).length, 1)
    const page = ring.heads({ unackedOnly: false, after: { epoch, sequence: 9 }, limit: 5 })
    assert.deepEqual(
      page.map((h) => [h.sequence, h.base]),
      [
        [10, 0],
        [11, 0],
        [12, 0],
        [13, 0],
        [14, 0],
      ],
    )
    const timed = ring.heads({
      unackedOnly: false,
      after: null,
      timeRange: [START_MS + 7 * INTERVAL_MS, START_MS + 8 * INTERVAL_MS],
      limit: 100,
    })
    assert.deepEqual(
      timed.map((h) => h.sequence),
      [7, 8],
    )
    ring.close(START_MS)
  })

  test(`${name}: a restart finds batches, acknowledgements, slots, dictionaries, and a greater epoch`, () => {
    const first = engineOn('restart')
    const { epoch, cleanStopMs } = first.open(START_MS)
    assert.equal(cleanStopMs, null)
    for (let n = 0; n < 5; n++) first.append(group(record({ epoch, sequence: n })))
    first.append({
      ...group(record({ epoch, sequence: 5 })),
      dictionaries: [{ target: 'a', bytes: Uint8Array.of(1, 2, 3) }],
    })
    first.settle(
      epoch,
      [
        [0, 2],
        [4, 4],
      ],
      'acked',
    )
    first.settle(epoch, [[3, 3]], 'refused')
    first.close(START_MS + 60_000)

    const second = engineOn('restart')
    const opening = second.open(START_MS - 86_400_000)
    assert.ok(opening.epoch > epoch, 'the clock went back a day')
    assert.equal(opening.cleanStopMs, START_MS + 60_000)
    assert.deepEqual(opening.targets, [
      {
        target: 'a',
        slotMs: START_MS + 5 * INTERVAL_MS,
        intervalMs: INTERVAL_MS,
        dictionary: opening.targets[0]!.dictionary,
      },
    ])
    assert.deepEqual([...opening.targets[0]!.dictionary!], [1, 2, 3])
    const unacked = second.heads({ unackedOnly: true, after: null, limit: 10 })
    assert.deepEqual(
      unacked.map((h) => [h.epoch, h.sequence]),
      [[epoch, 5]],
    )
    assert.equal(second.stats().refusedBatches, 1)
    second.close(START_MS)
    assert.ok(engineOn('restart').open(START_MS).epoch > opening.epoch)
  })

  test(`${name}: batches over the age go, and those no hub has had become a gap`, () => {
    const ring = engineOn('age', 8_000_000, 4 * INTERVAL_MS)
    const { epoch } = ring.open(START_MS)
    for (let n = 0; n < 5; n++) {
      const { overwritten } = ring.append(group(record({ epoch, sequence: n })))
      assert.equal(overwritten, null)
    }
    ring.settle(epoch, [[0, 1]], 'acked')
    const last = ring.append(group({ ...record({ epoch, sequence: 5 }), base: 5, sealedMs: START_MS + 60_000_000 }))
    assert.deepEqual(
      ring.heads({ unackedOnly: false, after: null, limit: 10 }).map(({ sequence }) => sequence),
      [5],
    )
    assert.equal(last.overwritten?.batches, 3)
    assert.deepEqual(
      last.misses.map(({ slots }) => [slots.fromMs, slots.toMs, slots.reason]),
      [[START_MS + 2 * INTERVAL_MS, START_MS + 4 * INTERVAL_MS, 'overwritten']],
    )
    ring.close(START_MS)
  })

  test(`${name}: acknowledged batches make room first, and nothing is overwritten for them`, () => {
    const ring = engineOn('acked')
    const { epoch } = ring.open(START_MS)
    for (let n = 0; n < 1500; n++) {
      const commit = ring.append(group(record({ epoch, sequence: n })))
      assert.equal(commit.overwritten, null)
      ring.settle(epoch, [[n, n]], 'acked')
    }
    const kept = ring.heads({ unackedOnly: false, after: null, limit: 10_000 })
    assert.ok(kept.length > 300 && kept.length < 900, `${kept.length} batches of 10 kB kept`)
    assert.equal(kept[kept.length - 1]!.sequence, 1499)
    assert.equal(ring.stats().overwritten.batches, 0)
    ring.close(START_MS)
  })

  test(`${name}: overwritten batches are counted exactly and become gaps, once, over restarts too`, () => {
    let ring = engineOn('overwrite')
    const { epoch } = ring.open(START_MS)
    const gaps: SlotGap[] = []
    let samples = 0
    let batches = 0
    const take = (commit: RingCommit): void => {
      batches += commit.overwritten?.batches ?? 0
      samples += commit.overwritten?.samples ?? 0
      gaps.push(...commit.misses.map((m) => m.slots))
    }
    let announced: number[] = []
    for (let n = 0; n < 1000; n++) {
      const commit = ring.append({ ...group(record({ epoch, sequence: n })), announced })
      announced = commit.misses.map((m) => m.id)
      take(commit)
    }
    const kept = ring.heads({ unackedOnly: false, after: null, limit: 10_000 })
    assert.equal(batches, 1000 - kept.length)
    assert.equal(samples, 10 * batches)
    const keptSlots = new Set(kept.map((h) => h.minTimeMs))
    assert.equal(slotsIn(gaps).length, batches)
    for (const slot of slotsIn(gaps)) assert.ok(!keptSlots.has(slot))
    assert.equal(ring.stats().overwritten.batches, batches)
    assert.equal(ring.stats().pendingBatches, kept.length)
    // Not announced yet: the last ones come back after a restart.
    ring.close(START_MS)
    ring = engineOn('overwrite')
    assert.deepEqual(
      ring.open(START_MS).misses.map((m) => m.id),
      announced,
    )
    assert.equal(ring.stats().overwritten.batches, batches)
    ring.close(START_MS)
  })

  test(`${name}: what a dictionary's room costs is announced like the rest`, () => {
    const ring = engineOn('dictionary-room')
    const { epoch } = ring.open(START_MS)
    const gaps: SlotGap[] = []
    for (let n = 0; n < 1000; n++) {
      const dictionaries = n % 20 === 0 ? [{ target: `t${n}`, bytes: new Uint8Array(50_000).fill(n) }] : []
      const { misses } = ring.append({ ...group(record({ epoch, sequence: n, keyframeEvery: 1 })), dictionaries })
      gaps.push(...misses.map(({ slots }) => slots))
    }
    const kept = ring.heads({ unackedOnly: false, after: null, limit: 10_000 }).map(({ minTimeMs }) => minTimeMs)
    assert.deepEqual(
      [...slotsIn(gaps), ...kept].sort((a, b) => a - b),
      Array.from({ length: 1000 }, (_, n) => START_MS + n * INTERVAL_MS),
    )
    ring.close(START_MS)
  })

  test(`${name}: a keyframe stays while a kept batch stands on it, and the newest one always`, () => {
    const ring = engineOn('keyframes')
    const { epoch } = ring.open(START_MS)
    for (let n = 0; n < 1200; n++) {
      ring.append(group(record({ epoch, sequence: n, keyframeEvery: 100 })))
      if (n % 3 === 0) ring.settle(epoch, [[n, n]], 'acked')
      if (n % 100 !== 0) continue
      const kept = new Set(ring.heads({ unackedOnly: false, after: null, limit: 10_000 }).map((h) => h.sequence))
      for (const head of ring.heads({ unackedOnly: true, after: null, limit: 10_000 }))
        assert.ok(kept.has(head.base), `batch ${head.sequence} lost its keyframe ${head.base}`)
    }
    ring.close(START_MS)

    const lone = engineOn('lone-keyframe')
    const opened = lone.open(START_MS)
    for (let n = 0; n < 900; n++) {
      lone.append(group(record({ epoch: opened.epoch, sequence: n, keyframeEvery: 1e9 })))
      lone.settle(opened.epoch, [[n, n]], 'acked')
    }
    assert.equal(lone.read(opened.epoch, [[0, 0]], 1e9).length, 1)
    lone.close(START_MS)
  })

  test(`${name}: what an overwritten batch announced is announced again`, () => {
    const ring = engineOn('reannounce')
    const { epoch } = ring.open(START_MS)
    const missed: SlotGap = { target: 'b', fromMs: 0, toMs: 900, intervalMs: 100, reason: 'overrun' }
    ring.append(group({ ...record({ epoch, sequence: 0, keyframeEvery: 1 }), missed: [missed] }))
    const gaps: SlotGap[] = []
    for (let n = 1; n < 900; n++)
      gaps.push(...ring.append(group(record({ epoch, sequence: n, keyframeEvery: 1 }))).misses.map((m) => m.slots))
    assert.deepEqual(
      gaps.filter((g) => g.target === 'b'),
      [missed],
    )
    ring.close(START_MS)
  })

  test(`${name}: discarding a lost keyframe's dependents drops and counts them`, () => {
    const ring = engineOn('discard')
    const { epoch } = ring.open(START_MS)
    for (let n = 0; n < 40; n++) ring.append(group(record({ epoch, sequence: n })))
    ring.settle(epoch, [[0, 4]], 'acked')
    const commit = ring.discard(epoch, 0)
    assert.equal(commit.overwritten?.batches, 15)
    assert.deepEqual(mergeGaps(commit.misses.map((m) => m.slots)), [
      {
        target: 'a',
        fromMs: START_MS + 5 * INTERVAL_MS,
        toMs: START_MS + 19 * INTERVAL_MS,
        intervalMs: INTERVAL_MS,
        reason: 'overwritten',
      },
    ])
    ring.close(START_MS)
  })
}

export function slotsIn(gaps: readonly SlotGap[]): number[] {
  const out: number[] = []
  for (const gap of gaps) for (let at = gap.fromMs; at <= gap.toMs; at += gap.intervalMs) out.push(at)
  return out
}
