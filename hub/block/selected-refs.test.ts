/** What a thread remembers of a block's selectors: what they found, within a limit that their text counts against too. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { openReader } from '../tsdb/mod.ts'
import { decodeIndex } from './index-format.ts'
import { BlockIndex } from './index-reader.ts'
import { writeBlock } from './mod.ts'
import { selectRefs } from './select.ts'
import { SelectedRefs } from './selected-refs.ts'
import { bitsOf, fillHead, memoryEnv } from './testing/samples.ts'

const PATH = '/data/blocks'

function indexOf(): BlockIndex {
  const env = memoryEnv()
  const all = Array.from({ length: 10 }, (_, i) => ({
    labels: labelsFrom({ __name__: 'm', i: `i${i}` }),
    samples: [{ time: 1000, bits: bitsOf(i), start: 0, kind: 0 }],
  }))
  const reader = openReader(fillHead(all).share())
  const range = { minTime: 0, maxTime: 7_200_000 }
  const meta = writeBlock(env, PATH, reader, { range, sequence: 1, level: 1, sources: [] })!
  const path = `${PATH}/${meta.id}`
  return new BlockIndex(decodeIndex(env.disk.readFile(`${path}/index`), path, env.compressor))
}

/** Of so many characters, and another for each `salt`. */
const selector = (chars: number, salt: number): Matcher[] => [
  { name: 'i', op: '=~', value: `i${salt % 10}|${String(salt).padStart(chars, 'x')}` },
]

test('what a selector found is remembered, unless its text is long', () => {
  const index = indexOf()
  const selected = new SelectedRefs(index)
  for (const [chars, isKept] of [
    [10, true],
    [10_000, true],
    [40_000, false],
  ] as const) {
    const found = selected.of(selector(chars, 3))
    assert.deepEqual(found, selectRefs(index, selector(chars, 3)))
    assert.equal(found.length, 1)
    assert.equal(selected.of(selector(chars, 3)) === found, isKept, `${chars}`)
  }
})

test('texts that are long together are forgotten', () => {
  const selected = new SelectedRefs(indexOf())
  const first = selected.of(selector(10_000, 0))
  for (let salt = 1; salt < 10; salt++) selected.of(selector(10_000, salt))
  assert.equal(selected.of(selector(10_000, 0)), first)
  for (let salt = 1; salt < 20; salt++) selected.of(selector(10_000, salt))
  assert.notEqual(selected.of(selector(10_000, 0)), first)
})
