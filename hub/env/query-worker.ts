/** Entry of a query worker: opens a reader on the shared pages, runs one task, gives the reader back. */

import v8 from 'node:v8'
import vm from 'node:vm'
import { threadId } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { answerBuffers, errorAnswer, runPart, type WorkerAnswer, type WorkerTask } from '../query/mod.ts'
import { openReader, StalePagesError } from '../tsdb/mod.ts'

/**
 * Workers wait for tasks without turning their event loop, so V8 never finds the idle time in which it would collect:
 * what a large query leaves would stay until the next large one.
 */
v8.setFlagsFromString('--expose-gc')
const collectGarbage = vm.runInNewContext('gc') as (options: object) => void
const COLLECT_AFTER_BYTES = 64 << 20
let bytesAfterCollection = usedBytes()

export function work(given: WorkerTask): WorkerAnswer {
  const { share, lane } = given
  const flags = new Int32Array(given.flags)
  let answer: WorkerAnswer
  try {
    // Tells whose claims to end, should this thread die. Pairs with the load in QueryService.
    Atomics.store(flags, 1 + lane, threadId)
    const reader = openReader(share, { owner: threadId })
    try {
      answer = runPart(given, reader, flags)
    } finally {
      reader.release()
    }
  } catch (error) {
    answer = error instanceof StalePagesError ? { ...errorAnswer(error), isStale: true } : errorAnswer(error)
  }
  if (usedBytes() > bytesAfterCollection + COLLECT_AFTER_BYTES) {
    collectGarbage({ type: 'major', execution: 'sync', flavor: 'regular' })
    bytesAfterCollection = usedBytes() - answer.body.length
  }
  // The body, or the columns, move to the main thread without a copy.
  return move({ [transferableSymbol]: answerBuffers(answer), [valueSymbol]: answer } as never) as never
}

/** Of this thread alone: its heap, and buffers outside of it. */
function usedBytes(): number {
  const { used_heap_size: heap, external_memory: external } = v8.getHeapStatistics()
  return heap + external
}
