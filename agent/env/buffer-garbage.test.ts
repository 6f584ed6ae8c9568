import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BufferGarbage } from './buffer-garbage.ts'

test('collects once for every so many bytes', () => {
  let collections = 0
  const garbage = new BufferGarbage(() => collections++)
  for (let i = 0; i < 64; i++) garbage.add(64 * 1024)
  assert.equal(collections, 1)
  garbage.add(100)
  assert.equal(collections, 1)
  garbage.add(20 * 1024 * 1024)
  assert.equal(collections, 2)
})

test('on this runtime the memory of dropped buffers is given back', () => {
  const garbage = new BufferGarbage()
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  for (let i = 0; i < 2000; i++) {
    garbage.add(Buffer.alloc(64 * 1024).length)
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
  }
  assert.ok(most < 32 * 1024 * 1024, `${most} bytes were held`)
})
