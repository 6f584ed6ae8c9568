/** Limits and the window for late samples, through the whole engine and the real head. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress, type WriteSeries } from '../../protocol/remote-write/mod.ts'
import type { HeadStats } from '../tsdb/head-contract.ts'
import { createHead, type HeadOptions, headRestorer } from '../tsdb/mod.ts'
import { LimitSight } from './limit-sight.ts'
import type { IngestEngine } from './mod.ts'
import { NOW, World } from './testing/world.ts'

function series(labels: Record<string, string>, timeMs = NOW, value = 1): WriteSeries {
  return { labels: labelsFrom(labels), timestamps: [timeMs], values: Float64Array.of(value) }
}

function write(engine: IngestEngine, all: readonly WriteSeries[]): { status: number; message: string } {
  const { status, message } = engine.acceptRemoteWrite(snappyCompress(encodeWriteRequest(all)))
  engine.commit()
  return { status, message }
}

function worldWith(head: HeadOptions): World {
  const world = new World(31)
  world.options = { heads: { create: () => createHead(head), restore: () => headRestorer(head) } }
  return world
}

test('who exceeds which limit of series is named in status and log; what fits is stored', async () => {
  const head = {
    maxSeries: 6,
    maxSeriesPerJob: 3,
    maxLabelsPerSeries: 4,
    maxLabelNameLength: 8,
    maxLabelValueLength: 9,
  }
  const world = worldWith(head)
  const engine = await world.open()
  const job = (name: string, i: number) => series({ __name__: 'm', job: name, i: String(i) })
  const answers = [
    write(
      engine,
      [0, 1, 2, 3, 4].map((i) => job('a', i)),
    ).status,
    write(engine, [series({ __name__: 'wide', job: 'b', x: '1', y: '2', z: '3' })]).status,
    write(engine, [series({ __name__: 'm', job: 'b', much_too_long: '1' })]).status,
    write(engine, [series({ __name__: 'm', job: 'b', x: '0123456789' })]).status,
    write(
      engine,
      [0, 1, 2].map((i) => job('c', i)),
    ).status,
    write(engine, [job('d', 0)]).status,
  ]
  // What is wrong with labels stays wrong: the sender must not try again.
  assert.deepEqual(answers, [429, 400, 400, 400, 204, 429])
  assert.deepEqual(engine.status().exceeded, [
    { limit: 'series_per_job', who: 'a', refused: 2 },
    { limit: 'labels_per_series', who: 'wide of b', refused: 1 },
    { limit: 'label_name_length', who: 'm of b', refused: 1 },
    { limit: 'label_value_length', who: 'm of b', refused: 1 },
    { limit: 'series', who: 'd', refused: 1 },
  ])
  assert.equal(engine.status().head.series, 6)
  assert.equal(world.log.lines.filter(({ message }) => message === 'A limit refuses series').length, 5)
})

for (const checkpoints of [false, true])
  test(`limits that are lowered before a restart cost nothing that was acknowledged${checkpoints ? ', nor after a checkpoint' : ''}`, async () => {
    const world = worldWith({})
    const agent = world.agent('web-1')
    let engine = await world.open()
    const all = (value: number): WriteSeries[] =>
      [0, 1, 2].map((i) => series({ __name__: 'm', job: 'a', i: `number ${i}` }, NOW + value, value))
    const store = (value: number): void => {
      assert.equal(write(engine, all(value)).status, 204)
      const answer = engine.acceptBatch(agent.subject, agent.batch(2).bytes)
      assert.equal(answer.result, 'stored')
      const labels = [labelsFrom({ __name__: 'rule', job: 'a', n: String(value) })]
      assert.equal(
        engine.acceptRules({ timestampMs: NOW + value, labels, values: Float64Array.of(value), histograms: null }),
        true,
      )
      engine.commit()
    }
    store(1)
    if (checkpoints) engine.checkpoint()
    store(2)
    const { series: before, samplesAppended } = engine.status().head
    engine.close()
    const low: HeadOptions = { maxSeries: 2, maxSeriesPerJob: 1, maxLabelsPerSeries: 1, maxLabelValueLength: 2 }
    world.options = worldWith(low).options
    engine = await world.open()
    assert.deepEqual(engine.status().head.series, before)
    assert.equal(engine.status().head.samplesAppended, samplesAppended)
    assert.equal(write(engine, all(3)).status, 204, 'series that are there go on')
    assert.equal(write(engine, [series({ __name__: 'x' })]).status, 429, 'the limits are in force again')
    assert.deepEqual(
      engine.status().exceeded.map(({ limit }) => limit),
      ['series'],
    )
    engine.close()
  })

test('what a limit refused does not come back with a restart, whatever the limits are by then', async () => {
  const world = worldWith({ maxSeries: 3 })
  const agent = world.agent('web-1')
  let engine = await world.open()
  const rule = (n: number) => labelsFrom({ __name__: 'rule', n: String(n) })
  const local = (id: number) => ({ id, labels: labelsFrom({ __name__: 'local', id: String(id) }), metadata: null })
  assert.equal(write(engine, [series({ __name__: 'm' })]).status, 204)
  const scrape = {
    target: 't',
    slotMs: NOW,
    intervalMs: 1000,
    timestampMs: NOW,
    ids: Uint32Array.of(0, 1, 2),
    values: Float64Array.of(1, 2, 3),
    timestamps: null,
    startTimestamps: null,
    histograms: null,
    exemplars: null,
  }
  engine.acceptLocal({ source: 's', epoch: 1, definitions: [local(0)], scrape: null, missed: [] })
  engine.acceptRules({ timestampMs: NOW, labels: [rule(0)], values: Float64Array.of(1), histograms: null })
  engine.acceptLocal({ source: 's', epoch: 1, definitions: [local(1), local(2)], scrape, missed: [] })
  const labels = [rule(1), rule(0), rule(2)]
  engine.acceptRules({ timestampMs: NOW + 1, labels, values: Float64Array.of(1, 2, 3), histograms: null })
  assert.equal(engine.acceptBatch(agent.subject, agent.batch(2).bytes).result, 'stored')
  engine.commit()
  const shown = ({ series, samplesAppended }: HeadStats) => ({ series, samplesAppended })
  const before = shown(engine.status().head)
  assert.deepEqual(before, { series: 3, samplesAppended: 4 })
  engine.close()
  world.options = worldWith({}).options
  engine = await world.open()
  assert.deepEqual(shown(engine.status().head), before)
  engine.checkpoint()
  engine.close()
  engine = await world.open()
  assert.equal(engine.status().head.samplesAppended, before.samplesAppended)
  engine.close()
})

test('an agent beyond its limit is named', async () => {
  const world = worldWith({})
  world.options = { ...world.options, limits: { maxFutureMs: 600_000, maxSeriesPerAgent: 2 } }
  const agent = world.agent('web-1')
  const engine = await world.open()
  engine.acceptBatch(agent.subject, agent.batch(1).bytes)
  const [exceeded] = engine.status().exceeded
  assert.equal(exceeded?.limit, 'series_per_agent')
  assert.equal(exceeded?.who, 'web-1')
})

test('made-up names do not make the list grow, and a name is logged once a minute', () => {
  const world = new World(32)
  const sight = new LimitSight(world.clock, world.log)
  for (let i = 0; i < 5000; i++) sight.note('series_per_job', `job-${i % 1000}`)
  const exceeded = sight.exceeded()
  assert.equal(exceeded.length, 201)
  assert.deepEqual(exceeded[0], { limit: 'series_per_job', who: 'others', refused: 4000 })
  assert.equal(world.log.lines.length, 201)
})

const MINUTE = 60_000

for (const { window, late, tooLate } of [
  { window: null, late: [204, ''], tooLate: [204, ''] },
  { window: 0, late: [400, 'out of order sample'], tooLate: [400, 'out of order sample'] },
  { window: 10 * MINUTE, late: [204, ''], tooLate: [400, 'too old sample'] },
] as const)
  test(`late samples with out_of_order_time_window ${window === null ? 'not set' : `of ${window} ms`}`, async () => {
    const world = worldWith({})
    world.options = {
      ...world.options,
      limits: { maxFutureMs: 600_000, maxSeriesPerAgent: 100, outOfOrderWindowMs: window },
    }
    const engine = await world.open()
    const m = { __name__: 'm' }
    const answer = (...all: WriteSeries[]): [number, string] => {
      const { status, message } = write(engine, all)
      return [status, message]
    }
    assert.deepEqual(answer(series(m, NOW), series({ __name__: 'new' }, NOW - 60 * MINUTE)), [204, ''])
    assert.deepEqual(answer(series(m, NOW)), [204, ''], 'the same once more')
    assert.deepEqual(answer(series(m, NOW, 2)), [
      400,
      `duplicate sample for timestamp ${NOW}; overrides not allowed: existing 1, new value 2`,
    ])
    assert.deepEqual(answer(series(m, NOW - 5 * MINUTE)), late)
    const stored = engine.counters.samplesStored
    assert.deepEqual(answer(series(m, NOW - 20 * MINUTE), series({ __name__: 'good' }, NOW)), tooLate)
    assert.equal(engine.counters.samplesStored - stored, tooLate[0] === 204 ? 2 : 1, 'what is right is stored')
    // A series whose samples come in the wrong order within a request.
    const both = {
      labels: labelsFrom({ __name__: 'pair' }),
      timestamps: [NOW, NOW - MINUTE],
      values: Float64Array.of(1, 2),
    }
    assert.deepEqual(answer(both), late)
    assert.equal(engine.counters.samplesOutOfOrder, window === 0 ? 3 : 0)
    assert.equal(engine.counters.samplesTooOld, window === 10 * MINUTE ? 1 : 0)
  })

test('a limit on labels is named in the answer, and what else is in the request is stored', async () => {
  const engine = await worldWith({ maxLabelsPerSeries: 2 }).open()
  const wide = (name: string): WriteSeries => series({ __name__: name, job: 'b', x: '1' })
  assert.deepEqual(write(engine, [wide('m'), series({ __name__: 'fits' }), wide('n')]), {
    status: 400,
    message:
      'labels_per_series exceeded: 2 series of the request were not stored; see heliograph.limits.max_labels_per_series',
  })
  assert.equal(engine.counters.samplesStored, 1)
  engine.close()
})

test('nothing is acknowledged that memory has no room for, and all is accepted again once blocks were cut', async () => {
  const world = worldWith({ maxBytes: 1 << 20 })
  const agent = world.agent('web-1')
  const engine = await world.open()
  const fill = (n: number): WriteSeries[] =>
    Array.from({ length: 100 }, (_, i) => series({ __name__: 'm', n: String(n), i: String(i) }))
  let acknowledged = 0
  let answer = write(engine, fill(0))
  for (let n = 1; answer.status === 204 && n < 200; n++) {
    acknowledged += 100
    answer = write(engine, fill(n))
  }
  assert.deepEqual(answer, {
    status: 503,
    message: 'memory for recent samples is almost full: nothing is accepted until they are cut into blocks',
  })
  assert.equal(engine.counters.samplesStored, acknowledged)
  assert.equal(engine.acceptBatch(agent.subject, agent.batch(2).bytes).result, 'no-room')
  assert.equal(engine.status().refused['memory_full'], 1)
  assert.ok(engine.status().isMemoryFull)
  const told = world.log.lines.filter(({ message }) => message.startsWith('Memory for recent samples is almost full'))
  assert.equal(told.length, 1, 'the log hears of it, and not at each refusal')
  engine.closeBefore(NOW + 1)
  engine.commit()
  engine.evict()
  assert.ok(!engine.status().isMemoryFull)
  assert.equal(write(engine, fill(1)).status, 204)
  assert.equal(engine.acceptBatch(agent.subject, agent.batch(2).bytes).result, 'stored', 'it comes again')
  engine.close()
})

test('one write that is larger than what memory has left is not acknowledged', async () => {
  const engine = await worldWith({ maxBytes: 1 << 20 }).open()
  const all = Array.from({ length: 8000 }, (_, i) => series({ __name__: 'm', i: String(i) }))
  assert.deepEqual(write(engine, all), {
    status: 503,
    message: 'memory for recent samples is full; try again later',
  })
  engine.close()
})

test('samples too far in the future are refused, and have no say over what is late', async () => {
  const world = worldWith({})
  world.options = {
    ...world.options,
    limits: { maxFutureMs: 10 * MINUTE, maxSeriesPerAgent: 100, outOfOrderWindowMs: 10 * MINUTE },
  }
  const engine = await world.open()
  const m = { __name__: 'm' }
  assert.equal(write(engine, [series(m, NOW), series({ __name__: 'near' }, NOW + 10 * MINUTE - 1)]).status, 204)
  const far = write(engine, [series({ __name__: 'far' }, NOW + 11 * MINUTE), series({ __name__: 'good' }, NOW)])
  assert.equal(far.status, 400)
  assert.equal(far.message, 'out of bounds: timestamp is too far in the future')
  assert.equal(engine.counters.samplesStored, 3, 'what is right is stored')
  assert.equal(engine.counters.samplesAhead, 1)
  const both = { labels: labelsFrom(m), timestamps: [NOW + 60 * MINUTE, NOW + 1], values: Float64Array.of(1, 2) }
  assert.equal(write(engine, [both]).status, 400)
  assert.equal(engine.counters.samplesStored, 4, 'what comes after one in the future')
  engine.close()
})

test('a limit is told of beside what else is wrong with a request', async () => {
  const engine = await worldWith({ maxSeries: 1 }).open()
  assert.equal(write(engine, [series({ __name__: 'm' }, NOW, 1)]).status, 204)
  const { status, message } = write(engine, [series({ __name__: 'm' }, NOW, 2), series({ __name__: 'other' }, NOW, 1)])
  assert.equal(status, 400)
  assert.equal(
    message,
    `duplicate sample for timestamp ${NOW}; overrides not allowed: existing 1, new value 2\nseries limit reached: 1 series of the request were not stored`,
  )
  engine.close()
})
