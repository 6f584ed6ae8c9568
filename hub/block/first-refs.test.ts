/** What a thread remembers of the head's refs while series leave the head and come back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { createHead, openReader, type SeriesReader } from '../tsdb/mod.ts'
import { BlockSet, NOTHING_HIDDEN, writeBlock } from './mod.ts'
import { contents, memoryEnv, sorted } from './testing/samples.ts'

const BLOCK_MS = 7_200_000
const PATH = '/data/blocks'
const SERIES = 20
/** Until what nobody reads any more is freed. */
const PUBLISHES = 64

test('a series that has left the head and come back is found by its new ref, and by none while it is away', () => {
  const env = memoryEnv()
  const head = createHead()
  const remembering = new BlockSet(env, { cacheBytes: 1 << 20, valueBytes: 1 << 21, onDamage: () => {} })
  const paths: string[] = []
  const refsOf = new Map<string, Set<number>>()
  const seen = (set: BlockSet): string[] => {
    const view = { paths, deletes: paths.map(() => 0), hidden: NOTHING_HIDDEN }
    const reader: SeriesReader = set.behind(openReader(head.share()), view)
    try {
      return JSON.parse(JSON.stringify(sorted(contents(reader)))) as string[]
    } finally {
      reader.release()
    }
  }
  let known = 0
  for (let round = 0; round < 6; round++) {
    const [minTime, maxTime] = [round * BLOCK_MS, (round + 1) * BLOCK_MS]
    for (let i = 0; i < SERIES; i++) {
      // Some in all rounds, some in every other, some in one.
      if (i % 3 === 1 && round % 2 === 1) continue
      const labels = labelsFrom({ __name__: 'up', i: String(i), round: i % 3 === 2 ? String(round) : '' })
      const ref = head.series(labels)
      if (!refsOf.has(labels.join())) known++
      refsOf.set(labels.join(), (refsOf.get(labels.join()) ?? new Set()).add(ref))
      head.appendFloat(ref, minTime + 1000, Float64Array.of(i), 0, 0)
    }
    head.publish()
    const before = seen(remembering)
    assert.deepEqual(before, seen(new BlockSet(env, { cacheBytes: 1 << 20, onDamage: () => {} })))
    assert.equal(before.length, known)
    const reader = openReader(head.share())
    const meta = writeBlock(env, PATH, reader, { range: { minTime, maxTime }, sequence: round, level: 1, sources: [] })!
    reader.release()
    // While head and block both have them, each ref is found once more.
    paths.push(`${PATH}/${meta.id}`)
    for (let again = 0; again < 2; again++) assert.deepEqual(seen(remembering), before)
    head.closeBefore(maxTime)
    head.evict()
    for (let i = 0; i < PUBLISHES; i++) head.publish()
    assert.deepEqual(seen(remembering), before)
  }
  assert.ok([...refsOf.values()].some((of) => of.size > 2))
})
