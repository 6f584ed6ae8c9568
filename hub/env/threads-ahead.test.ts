import assert from 'node:assert/strict'
import { test } from 'node:test'
import { threadPool } from '../../agent/env/pool.ts'
import type { Pool, WorkerHandle, WorkerSpec } from '../../protocol/env/mod.ts'
import { beginHubThreads, threadsAhead } from './threads-ahead.ts'

const ENTRY = { url: 'file:///entry.ts', name: 'entry' }

/** Threads that do nothing but end when told to. */
class FakePool implements Pool {
  readonly spawned: WorkerSpec[] = []
  readonly posted: unknown[] = []
  end: (error: Error | null) => void = () => assert.fail('nobody listens')

  spawn(spec: WorkerSpec): WorkerHandle {
    this.spawned.push(spec)
    return {
      post: (message) => void this.posted.push(message),
      onMessage: () => {},
      onExit: (fn) => {
        this.end = fn
      },
      terminate: async () => {},
    }
  }
}

test('a thread that was begun gets its data as its first message, once', () => {
  const pool = new FakePool()
  const ahead = threadsAhead(pool, [ENTRY])
  assert.deepEqual(pool.spawned, [ENTRY])
  ahead.spawn({ ...ENTRY, data: { directory: '/data' } }).post('next')
  assert.deepEqual(pool.posted, [{ directory: '/data' }, 'next'])
  assert.equal(pool.spawned.length, 1)
  for (const spec of [
    { ...ENTRY, data: 'another of them' },
    { url: 'file:///other.ts', name: 'other', data: 1 },
  ]) {
    ahead.spawn(spec)
    assert.equal(pool.spawned.at(-1), spec)
  }
})

test('that a thread has ended before it was wanted is told to whoever wants it', async () => {
  const pool = new FakePool()
  const ahead = threadsAhead(pool, [ENTRY])
  const failure = new Error('cannot load its code')
  pool.end(failure)
  const worker = ahead.spawn({ ...ENTRY, data: {} })
  assert.equal(await new Promise((resolve) => worker.onExit(resolve)), failure)
})

for (const argv of [
  ['tsdb', 'list'],
  ['check-config'],
  ['test-rules', 'a.yml'],
  ['agents', 'list'],
  ['--help'],
  ['--log.level=info', '--version'],
])
  test(`"${argv.join(' ')}" begins no threads`, () => assert.equal(beginHubThreads(argv), threadPool))
