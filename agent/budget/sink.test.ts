import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Scrape } from '../../protocol/batch/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { isStaleAt, setStaleAt } from '../../protocol/samples/mod.ts'
import { BudgetSink } from './sink.ts'

const STEP_MS = 10_000

/** Scrapes of one target, of which every second slot is left out; series are numbers, those that end are negative. */
function everySecond(): { scrape(slot: number, ...series: number[]): void; kept(): [slot: number, told: string[]][] } {
  const scrapes: Scrape[] = []
  let ids = 0
  const sink = new BudgetSink(
    { epoch: 1, define: () => ids++, append: (scrape) => void scrapes.push(scrape), missed() {} },
    [],
    () => ({ factor: 2, dropped: new Set() }),
  )
  for (let i = 0; i < 9; i++) sink.define(labelsFrom({ __name__: `x${i}` }), null)
  return {
    scrape(slot, ...series) {
      const values = new Float64Array(series.length).fill(slot)
      const words = new Uint32Array(values.buffer)
      for (const [i, id] of series.entries()) if (id < 0) setStaleAt(words, i)
      const slotMs = slot * STEP_MS
      const columns = { ids: Uint32Array.from(series, Math.abs), values, timestamps: new Float64Array(series.length) }
      const none = { startTimestamps: null, histograms: null, exemplars: null }
      sink.append({ target: 't', slotMs, intervalMs: STEP_MS, timestampMs: slotMs, ...columns, ...none })
    },
    kept: () =>
      scrapes.map(({ slotMs, ids, values, timestamps }) => {
        const words = new Uint32Array(values.buffer)
        assert.equal(timestamps!.length, ids.length)
        return [slotMs / STEP_MS, Array.from(ids, (id, i) => `${id}${isStaleAt(words, i) ? ' ends' : ''}`)]
      }),
  }
}

test('a series that ends in a slot that is left out ends in the next one that is kept', () => {
  const world = everySecond()
  world.scrape(0, 1, 2, 3)
  world.scrape(1, 1, 2, -3)
  world.scrape(2, 1, 2)
  world.scrape(3, 1, -2)
  world.scrape(4, 1)
  world.scrape(6, 1)
  assert.deepEqual(world.kept(), [
    [0, ['1', '2', '3']],
    [2, ['1', '2', '3 ends']],
    [4, ['1', '2 ends']],
    [6, ['1']],
  ])
})

test('a series that is back by then does not end, wherever it came back', () => {
  const world = everySecond()
  world.scrape(1, 1, -2, -3)
  world.scrape(2, 1, 2)
  world.scrape(3, 1, -2)
  world.scrape(5, 1, 2)
  world.scrape(6, 1, 2)
  assert.deepEqual(world.kept(), [
    [2, ['1', '2', '3 ends']],
    [6, ['1', '2']],
  ])
})

test('the end of a target has what is owed with it', () => {
  const world = everySecond()
  world.scrape(0, 1, 2)
  world.scrape(1, 1, -2)
  world.scrape(3, -1)
  assert.deepEqual(world.kept(), [
    [0, ['1', '2']],
    [3, ['1 ends', '2 ends']],
  ])
})
