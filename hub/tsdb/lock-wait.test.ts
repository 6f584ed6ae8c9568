/** A writer that loses its processor in the middle of a change is waited for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { lock } from './chunk-writer.ts'
import { S_VERSION, SERIES } from './layout.ts'
import { Memory } from './memory.ts'
import { createHead, createSampleBuffer, openReader } from './mod.ts'
import { Table } from './table.ts'

/** Unlocks the record half a second after it is told to. */
const WRITER = `
const { parentPort, workerData: { page, at, flag } } = require('node:worker_threads')
parentPort.postMessage('ready')
Atomics.wait(flag, 0, 0)
Atomics.wait(flag, 1, 0, 500)
Atomics.add(new Uint32Array(page), at, 1)
`

test('a record that is locked for longer than the writer ever needs is read when it is not', async () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  const ref = head.series(labelsFrom({ __name__: 'x' }))
  for (let time = 0; time < 50; time++) head.appendFloat(ref, time, Float64Array.of(time), 0, 0)
  head.publish()
  const { control, pages } = head.share()
  const mem = new Memory(control, pages)
  const record = new Table(mem, SERIES).addr(ref)
  const flag = new Int32Array(new SharedArrayBuffer(8))
  // The first page begins at address 0.
  const workerData = { page: pages[0], at: record + S_VERSION, flag }
  const writer = new Worker(WRITER, { eval: true, workerData })
  await new Promise((resolve) => writer.once('message', resolve))
  lock(mem, record)
  Atomics.store(flag, 0, 1)
  Atomics.notify(flag, 0)
  const reader = openReader(head.share())
  const buffer = createSampleBuffer()
  reader.read(ref, { minTime: 0, maxTime: 100 }, buffer)
  assert.equal(buffer.count, 50)
  reader.release()
  await writer.terminate()
})

test('a writer that died inside a change is an error, for which one series alone is waited for long, until it publishes again', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  const refs = ['a', 'b'].map((i) => head.series(labelsFrom({ __name__: 'x', i })))
  for (const ref of refs) head.appendFloat(ref, 1, Float64Array.of(1), 0, 0)
  head.publish()
  const { control, pages } = head.share()
  const mem = new Memory(control, pages)
  for (const ref of refs) lock(mem, new Table(mem, SERIES).addr(ref))
  const reader = openReader(head.share())
  const timed = (ref: number): number => {
    const from = performance.now()
    assert.throws(() => reader.read(ref, { minTime: 0, maxTime: 100 }, createSampleBuffer()), /the writer died/)
    return performance.now() - from
  }
  const took = refs.map(timed)
  assert.ok(took[1]! < took[0]! / 2, `${took} ms`)
  // It was not dead: what it is changing now is waited for as at first.
  head.appendFloat(head.series(labelsFrom({ __name__: 'x', i: 'c' })), 2, Float64Array.of(1), 0, 0)
  head.publish()
  assert.ok(timed(refs[1]!) > took[1]! * 2)
  reader.release()
})
