/** Blocks are cut from a head that grows into new pages at the same time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { createHead, openReader, type ReaderShare, StalePagesError } from '../tsdb/mod.ts'
import { growingHead, openBlock, writeBlockInSlices } from './mod.ts'
import { contents, memoryEnv } from './testing/samples.ts'

const SERIES = 3000

test('a cut goes on when the head grows under it, and holds what was there', () => {
  const head = createHead()
  const refs = new Uint32Array(SERIES).map((_, i) => head.series(labelsFrom({ __name__: 'm', i: String(i) })))
  const values = new Float64Array(SERIES)
  let time = 0
  const grow = (steps: number): void => {
    for (let step = 0; step < steps; step++) {
      time += 15_000
      for (let i = 0; i < SERIES; i++) values[i] = Math.sin(time * (i + 1))
      head.appendColumn(time, refs, values, SERIES)
    }
    head.publish()
  }
  grow(50)
  const range = { minTime: 0, maxTime: time + 1 }
  const expected = contents(openReader(head.share()), { minTime: 0, maxTime: time })
  // As a thread has it that was sent a copy of the list of pages.
  const { control, pages } = head.share()
  const known: ReaderShare = { control, pages: [...pages] }
  const reader = openReader(known)
  let grown = 0
  const growing = growingHead(reader, () => {
    grown++
    openReader(head.share()).release()
    return true
  })
  const env = memoryEnv()
  const block = { range, sequence: 1, level: 1, sources: [] }
  const slices = writeBlockInSlices(env, '/data/blocks', growing, block)
  let rounds = 0
  let meta = slices.next()
  while (!meta.done) {
    if (rounds++ % 8 === 1) grow(300)
    meta = slices.next()
  }
  assert.ok(head.share().pages.length > pages.length)
  assert.ok(grown > 0, 'the reader met pages that it did not know')
  assert.deepEqual(contents(openBlock(env, `/data/blocks/${meta.value!.id}`)), expected)
  growing.release()
})

test('when the pages do not come the cut fails, to be tried again', () => {
  const head = createHead()
  const refs = new Uint32Array(SERIES).map((_, i) => head.series(labelsFrom({ __name__: 'm', i: String(i) })))
  const values = new Float64Array(SERIES)
  const append = (from: number, to: number): void => {
    for (let t = from; t < to; t++) {
      for (let i = 0; i < SERIES; i++) values[i] = Math.sin(t * (i + 1))
      head.appendColumn(t * 1000, refs, values, SERIES)
    }
    head.publish()
  }
  append(1, 20)
  const reader = growingHead(openReader(head.share()), () => false)
  append(20, 1500)
  assert.throws(() => contents(reader, { minTime: 0, maxTime: 19_000 }), StalePagesError)
  reader.release()
})
