/** Lists of blocks and deletions between the main thread and query workers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlockView, WorkerTask } from '../query/mod.ts'
import { ListsIn, ListsOut, type PackedTask } from './block-lists.ts'

const viewOf = (count: number): BlockView => ({
  paths: Array.from({ length: count }, (_, i) => `/data/blocks/${i}-${i + 1}-${i}`),
  deletes: Array.from({ length: count }, (_, i) => i),
  coveredUntil: Number.NEGATIVE_INFINITY,
  evictions: 1,
  hidden: {
    tombstones: Array.from({ length: count }, (_, i) => ({
      id: i + 1,
      matchers: [{ name: '__name__', op: '=', value: `größe_${i}` }],
      minTime: 5 - i,
      maxTime: i,
      inHead: i % 2 === 0,
    })),
    floors: { rules: [], minTime: Number.NEGATIVE_INFINITY },
  },
})
const taskOf = (blocks: BlockView): WorkerTask => ({ blocks, lane: 3, queuedMs: 0.5 }) as unknown as WorkerTask
/** Text of what is copied: not shared memory. */
const charsOf = (task: PackedTask): number =>
  JSON.stringify(task, (_, value) => (value instanceof SharedArrayBuffer ? 'shared' : value)).length

test('a worker has the lists that the main thread had, whichever tasks it gets', () => {
  const out = new ListsOut()
  const views = [viewOf(0), viewOf(3), viewOf(500)]
  const tasks = [0, 1, 1, 2, 0, 2, 2].map((i) => taskOf(views[i]!))
  const packed = tasks.map((task) => structuredClone(out.pack(task)))
  for (const every of [1, 2, 3]) {
    const worker = new ListsIn()
    for (let i = 0; i < tasks.length; i += every) assert.deepEqual(worker.unpack(packed[i]!), tasks[i])
  }
})

test('a task does not grow with the lists, which are written once per change', () => {
  const out = new ListsOut()
  const [few, many] = [viewOf(1), viewOf(10_000)]
  const chars = charsOf(out.pack(taskOf(few)))
  const first = out.pack(taskOf(many))
  assert.ok(charsOf(first) < chars + 10, `${charsOf(first)} after ${chars}`)
  assert.equal(out.pack(taskOf({ ...many, coveredUntil: 5 })).blocks.lists, first.blocks.lists)
})
