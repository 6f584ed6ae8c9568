/** Blocks of memory near the cap. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Allocator } from './allocator.ts'
import { HeadFullError } from './errors.ts'
import { CONTROL_BYTES } from './layout.ts'
import { Memory } from './memory.ts'

const MIB = 2 ** 20
/** The first two pages, and eight others. */
const CAP_BYTES = (1 + 4 + 8 * 16) * MIB
const WORDS = 2048
const allocator = () => new Allocator(new Memory(new SharedArrayBuffer(CONTROL_BYTES), []), CAP_BYTES)

function fill(alloc: Allocator, words: number): number[] {
  const blocks: number[] = []
  try {
    for (;;) blocks.push(alloc.alloc(words))
  } catch (error) {
    if (!(error instanceof HeadFullError)) throw error
  }
  return blocks
}

test('blocks that do not overlap fill the memory up to the cap', () => {
  const alloc = allocator()
  const blocks = fill(alloc, WORDS).sort((a, b) => a - b)
  for (const [i, addr] of blocks.entries()) assert.ok(i === 0 || addr - blocks[i - 1]! >= WORDS)
  assert.equal(alloc.failures, 1)
  assert.ok(alloc.usedBytes <= CAP_BYTES && alloc.usedBytes > CAP_BYTES - 10 * 4 * WORDS)
})

test('with free memory in pieces that are too small, pages go beyond the cap by an eighth, and what is in use does not', () => {
  const alloc = allocator()
  const blocks = fill(alloc, WORDS)
  for (const [i, addr] of blocks.entries()) if (i % 2 === 0) alloc.free(addr, WORDS)
  const half = alloc.usedBytes
  const larger = fill(alloc, 2 * WORDS)
  assert.ok(larger.length > 0 && larger.length * 2 * WORDS * 4 <= 16 * MIB)
  assert.ok(alloc.pageBytes <= CAP_BYTES * 1.125 && alloc.usedBytes < CAP_BYTES)
  for (const addr of larger) alloc.free(addr, 2 * WORDS)
  assert.equal(alloc.usedBytes, half)
  fill(alloc, WORDS)
  assert.ok(alloc.usedBytes > CAP_BYTES - 10 * 4 * WORDS && alloc.usedBytes <= CAP_BYTES * 1.125)
})

test('coalesce() makes large blocks of small ones that lie side by side, and of no others', () => {
  const alloc = allocator()
  const blocks = fill(alloc, WORDS)
  const kept = new Set(blocks.filter((_, i) => i % 16 === 0))
  for (const addr of blocks) if (!kept.has(addr)) alloc.free(addr, WORDS)
  const used = alloc.usedBytes
  alloc.coalesce()
  assert.equal(alloc.usedBytes, used)
  const { pageBytes } = alloc
  const large = fill(alloc, 8 * WORDS)
  assert.ok(large.length > (0.8 * blocks.length) / 16)
  for (const addr of large)
    for (let at = addr; at < addr + 8 * WORDS; at += WORDS / 4) assert.ok(!kept.has(at), 'not what is in use')
  assert.equal(new Set(large).size, large.length)
  assert.ok(alloc.pageBytes - pageBytes <= CAP_BYTES / 8)
})

test('without a cap pages are made for as long as they are wanted', () => {
  const alloc = allocator()
  alloc.isCapped = false
  while (alloc.usedBytes < 1.5 * CAP_BYTES) alloc.alloc(WORDS)
  alloc.isCapped = true
  assert.throws(() => fill(alloc, WORDS).length > 0 && alloc.alloc(WORDS), HeadFullError)
})
