/** Tasks whose threads die before they are ready. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { NoWorkerError } from '../query/mod.ts'
import { TaskThreads } from './task-threads.ts'
import type { FrailTask } from './testing/frail-worker.ts'

const threadsOf = (maxThreads: number): TaskThreads<FrailTask, number> =>
  new TaskThreads({
    filename: new URL('./testing/frail-worker.ts', import.meta.url).href,
    maxThreads,
    maxHeapMb: 64,
    idleMs: 60_000,
    nothing: { answer: 0 },
  })

test('what waits for a worker that dies in its first moments gets another one, and so does what comes later', async () => {
  const threads = threadsOf(1)
  try {
    const first = threads.run({ answer: 1 })
    await threads.threads[0]!.terminate()
    assert.equal(await first, 1)
    assert.equal(await threads.run({ answer: 2 }), 2)
  } finally {
    await threads.close()
  }
})

test('one that waits beside a busy worker does, too', async () => {
  const threads = threadsOf(2)
  try {
    assert.equal(await threads.run({ answer: 0 }), 0)
    const [ready] = threads.threads
    const gate = new Int32Array(new SharedArrayBuffer(4))
    const busy = threads.run({ answer: 1, gate })
    const waits = threads.run({ answer: 2 })
    await threads.threads.find((worker) => worker !== ready)!.terminate()
    assert.equal(await waits, 2)
    Atomics.store(gate, 0, 1)
    Atomics.notify(gate, 0)
    assert.equal(await busy, 1)
  } finally {
    await threads.close()
  }
})

test('when several die in a row all that waits is told; what comes later is tried afresh', async () => {
  const threads = threadsOf(2)
  let isKilling = true
  const killed = new Set<Worker>()
  const kill = (): void => {
    for (const worker of threads.threads) if (!killed.has(worker)) void worker.terminate()
    for (const worker of threads.threads) killed.add(worker)
    if (isKilling) setImmediate(kill)
  }
  try {
    const tasks = Promise.allSettled([threads.run({ answer: 1 }), threads.run({ answer: 2 })])
    kill()
    for (const each of await tasks) {
      assert.equal(each.status, 'rejected')
      assert.ok(each.reason instanceof NoWorkerError, String(each.reason))
    }
    isKilling = false
    assert.equal(await threads.run({ answer: 3 }), 3)
  } finally {
    isKilling = false
    await threads.close()
  }
})

test('a thread that is stuck is ended by its id: its task fails, and the next is served', async () => {
  const threads = threadsOf(1)
  try {
    const id = await threads.run({ answer: 0, isNamed: true })
    const gate = new Int32Array(new SharedArrayBuffer(4))
    const stuck = assert.rejects(threads.run({ answer: 1, gate }), /exited/)
    threads.end(id)
    await stuck
    assert.equal(await threads.run({ answer: 2 }), 2)
  } finally {
    await threads.close()
  }
})
