/** The block thread without a thread: what it is asked, and what it answers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { openReader } from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { type Asked, decodeShared, dueCuts, type FromBlocks, NO_FLOORS, runBlockThread, type ToBlocks } from './mod.ts'
import { bitsOf, fillHead, memoryEnv } from './testing/samples.ts'

function started() {
  const answers: FromBlocks[] = []
  let ask: (message: ToBlocks) => void = () => {}
  const env = memoryEnv()
  const ended = runBlockThread(
    { post: (message) => void answers.push(message), onMessage: (fn) => (ask = fn) },
    { ...env, log: memoryLogger(), directory: '/data/blocks', openHead: (share) => openReader(share) },
  )
  return { env, answers, ended, ask: (message: ToBlocks) => ask(message) }
}

const NOW = 1_800_000_000_000
const NOTHING: Asked = { tombstones: [], floors: NO_FLOORS, deletes: 0 }
const listed = ({ digest }: FromBlocks) => decodeShared(digest.list)
const headOf = (...times: number[]) =>
  fillHead([
    {
      labels: labelsFrom({ __name__: 'm' }),
      samples: times.map((time) => ({ time, bits: bitsOf(time), start: 0, kind: 0 })),
    },
  ]).share()

test('cuts pass over the time in which there is nothing, however long', async () => {
  const { answers, ask, ended } = started()
  const share = headOf(0, 7_200_000 * 3, NOW)
  const due = dueCuts({ minTime: 0, maxTime: NOW }, NOW + 7_200_000 * 2, 3_600_000)
  const before = process.cpuUsage()
  ask({ kind: 'cut', id: 1, share, due, asked: NOTHING })
  // Of a CPU, whatever else the host does.
  assert.ok(process.cpuUsage(before).user < 5e6)
  const last = answers.at(-1)!
  assert.equal(last.kind, 'done')
  assert.deepEqual(
    listed(last).map(({ minTime }) => minTime),
    [0, 7_200_000 * 3, 7_200_000 * Math.floor(NOW / 7_200_000)],
  )
  ask({ kind: 'close', id: 2 })
  await ended
})

test('what fails is told, and the next question is answered', async () => {
  const { answers, ask, ended, env } = started()
  env.disk.fault = (point) => (point === 'write' ? 'ENOSPC' : null)
  const share = headOf(1000)
  const due = dueCuts({ minTime: 1000, maxTime: 1000 }, NOW, 0)
  const message = { kind: 'cut', share, due, asked: NOTHING } as const
  ask({ ...message, id: 1 })
  assert.deepEqual([answers.at(-1)!.kind, listed(answers.at(-1)!).length], ['failed', 0])
  env.disk.fault = () => null
  ask({ ...message, id: 2 })
  assert.deepEqual([answers.at(-1)!.kind, listed(answers.at(-1)!).length], ['done', 1])
  ask({ kind: 'share', share })
  ask({ kind: 'close', id: 3 })
  await ended
})
