import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import {
  snappyCompress,
  snappyDecompress,
  WriteRequestDecoder,
  WriteRequestEncoder,
} from '../../protocol/remote-write/mod.ts'
import { type Part, SplitRequest, sendInParts } from './split.ts'

const NONE = { startMs: 0, metadata: null, exemplars: [] } as const
type Sample = { readonly series: number; readonly time: number }

function requestOf(samples: readonly Sample[]): SplitRequest {
  const encoder = new WriteRequestEncoder()
  for (const { series, time } of samples)
    encoder.float(labelsFrom({ __name__: 'm', series: String(series) }), time, Float64Array.of(time), 0, NONE)
  return new SplitRequest(snappyCompress(encoder.finish()))
}

function samplesOf({ body }: Part): Sample[] {
  const columns = new WriteRequestDecoder().decode(snappyDecompress(body))
  return Array.from({ length: columns.seriesCount }, (_, s) => ({
    series: Number(columns.labels(s).labels![3]),
    time: columns.timestamps[s]!,
  }))
}

/** As Prometheus: all of a request or nothing, and of each series only what is newer. */
class Receiver {
  readonly newest = new Map<number, number>()
  readonly taken: Sample[] = []
  readonly refused: Sample[] = []
  requests = 0
  readonly never: ReadonlySet<number>

  constructor(there: readonly Sample[], never: ReadonlySet<number> = new Set()) {
    for (const { series, time } of there) this.newest.set(series, time)
    this.never = never
  }

  async send(part: Part): Promise<'taken' | 'refused'> {
    this.requests++
    const samples = samplesOf(part)
    const next = new Map(this.newest)
    for (const { series, time } of samples) {
      if (this.never.has(series) || time <= (next.get(series) ?? 0)) return 'refused'
      next.set(series, time)
    }
    for (const [series, time] of next) this.newest.set(series, time)
    this.taken.push(...samples)
    return 'taken'
  }

  refuse(part: Part): void {
    this.refused.push(...samplesOf(part))
  }

  giveUp(): void {
    throw new Error('nothing is given up')
  }
}

const sorted = (samples: readonly Sample[]): string[] => samples.map(({ series, time }) => `${series} ${time}`).sort()

/** In the order of a log: times of each series ascend. */
const logs = fc
  .array(fc.record({ series: fc.nat(12), step: fc.integer({ min: 1, max: 3 }) }), { minLength: 1, maxLength: 120 })
  .map((rows) => {
    const times = new Map<number, number>()
    return rows.map(({ series, step }): Sample => {
      const time = (times.get(series) ?? 0) + step
      times.set(series, time)
      return { series, time }
    })
  })

test('of a request of which the first part is there already, just the rest is taken', async () => {
  await fc.assert(
    fc.asyncProperty(logs, fc.double({ min: 0, max: 1, noNaN: true }), async (log, share) => {
      const there = Math.floor(share * log.length)
      const receiver = new Receiver(log.slice(0, there))
      await sendInParts(requestOf(log), true, receiver)
      assert.deepEqual(sorted(receiver.taken), sorted(log.slice(there)))
      assert.deepEqual(sorted(receiver.refused), sorted(log.slice(0, there)))
    }),
    { numRuns: 300 },
  )
})

test('what is there already of many series is found with few requests', async () => {
  const log = Array.from({ length: 2000 }, (_, series) => ({ series, time: 1 }))
  for (const [there, most] of [
    [0, 13],
    [700, 13],
    [1999, 13],
    [2000, 1],
  ] as const) {
    const receiver = new Receiver(log.slice(0, there))
    await sendInParts(requestOf(log), true, receiver)
    assert.equal(receiver.taken.length, 2000 - there)
    assert.ok(receiver.requests <= most, `${receiver.requests} requests`)
  }
})

test('every sample is taken or refused, in the order of its series, whatever the receiver does not like', async () => {
  await fc.assert(
    fc.asyncProperty(logs, fc.array(fc.nat(12), { maxLength: 3 }), fc.boolean(), async (log, never, mayBeThere) => {
      const receiver = new Receiver([], new Set(never))
      await sendInParts(requestOf(log), mayBeThere, receiver)
      assert.deepEqual(sorted([...receiver.taken, ...receiver.refused]), sorted(log))
    }),
  )
})

test('a series that is never taken costs only itself', async () => {
  const log = Array.from({ length: 500 }, (_, series) => ({ series, time: 1 }))
  const receiver = new Receiver([], new Set([17, 333]))
  await sendInParts(requestOf(log), true, receiver)
  assert.deepEqual(sorted(receiver.refused), ['17 1', '333 1'])
})

test('a series that is never taken costs only itself wherever it stands, where nothing was sent before', async () => {
  const log = Array.from({ length: 500 }, (_, series) => ({ series, time: 1 }))
  for (const never of [0, 1, 124, 249, 250, 374, 498, 499]) {
    const receiver = new Receiver([], new Set([never]))
    await sendInParts(requestOf(log), false, receiver)
    assert.deepEqual(sorted(receiver.refused), [`${never} 1`])
    assert.ok(receiver.requests < 40, `${receiver.requests} requests`)
  }
  const receiver = new Receiver(log)
  await sendInParts(requestOf(log), false, receiver)
  assert.equal(receiver.refused.length, 500)
  assert.ok(receiver.requests <= 3, `${receiver.requests} requests`)
})

test('what is left when it is over is given up, once', async () => {
  const log = Array.from({ length: 10 }, (_, i) => ({ series: i % 2, time: i + 1 }))
  for (let after = 0; after < 8; after++) {
    const receiver = new Receiver(log.slice(0, 3))
    const tried: Sample[] = []
    const given: Sample[] = []
    await sendInParts(requestOf(log), after % 2 === 0, {
      send: async (part) => {
        if (receiver.requests < after) return receiver.send(part)
        tried.push(...samplesOf(part))
        return 'over'
      },
      refuse: (part) => receiver.refuse(part),
      giveUp: (part) => void given.push(...samplesOf(part)),
    })
    assert.deepEqual(sorted([...receiver.taken, ...receiver.refused, ...tried, ...given]), sorted(log))
  }
})
