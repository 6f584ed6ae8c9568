/** Deltas made cumulative are stored as such for good: a restart forgets their streams, and changes nothing that is stored. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WriteKind } from '../../protocol/remote-write/mod.ts'
import { createDeltaConverter } from '../env/write-decoder.ts'
import { createHead, createSampleBuffer, headRestorer, openReader } from '../tsdb/mod.ts'
import type { IngestEngine } from './mod.ts'
import { NOW, World } from './testing/world.ts'

const KIND: WriteKind = { format: 'otlp-json', encoding: 'identity', settings: { convertDelta: true } }

function write(engine: IngestEngine, second: number, value: number, kind = KIND): number {
  const point = {
    startTimeUnixNano: `${NOW}000000`,
    timeUnixNano: `${NOW + 1000 * second}000000`,
    asInt: String(value),
  }
  const sum = { aggregationTemporality: 1, isMonotonic: true, dataPoints: [point] }
  const body = JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'd', sum }] }] }] })
  const { status } = engine.acceptRemoteWrite(new TextEncoder().encode(body), kind)
  engine.commit()
  return status
}

function stored(engine: IngestEngine): number[] {
  const reader = openReader(engine.share())
  const out = createSampleBuffer()
  const all: number[] = []
  for (const ref of reader.select([{ name: '__name__', op: '=', value: 'd_total' }], { minTime: 0, maxTime: 8e15 })) {
    reader.read(ref, { minTime: 0, maxTime: 8e15 }, out)
    all.push(...out.values.subarray(0, out.count))
  }
  reader.release()
  return all
}

test('deltas of OTLP are summed up where the feature says so, and what was stored outlives a crash', async () => {
  const world = new World(3)
  const open = (): Promise<IngestEngine> => {
    world.options = {
      prepareWrite: createDeltaConverter(),
      heads: { create: () => createHead(), restore: () => headRestorer() },
    }
    return world.open()
  }
  const engine = await open()
  assert.deepEqual(
    [5, 2, 3].map((value, i) => write(engine, i + 1, value)),
    [204, 204, 204],
  )
  assert.deepEqual(stored(engine), [5, 7, 10])
  assert.equal(write(engine, 3, 3), 204, 'a request that comes again changes nothing')
  assert.equal(write(engine, 4, 1, { ...KIND, settings: {} }), 400, 'without the feature they are refused')
  engine.close()
  world.disk = world.disk.crash(() => 0.5)
  const again = await open()
  assert.deepEqual(stored(again), [5, 7, 10])
  assert.equal(write(again, 5, 4), 204)
  assert.deepEqual(stored(again), [5, 7, 10, 4], 'a counter that begins anew')
  again.close()
})
