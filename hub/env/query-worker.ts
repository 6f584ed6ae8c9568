/** Entry of a query worker: opens a reader on the shared pages, runs one task, gives the reader back. */

import { threadId } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { errorAnswer, runTask, type WorkerAnswer, type WorkerTask } from '../query/mod.ts'
import { openReader, StalePagesError } from '../tsdb/mod.ts'

export function work({ task, share, flags }: WorkerTask): WorkerAnswer {
  let answer: WorkerAnswer
  try {
    // The owner tells whose claims to drop, should this thread die.
    const reader = openReader(share, { owner: threadId })
    try {
      answer = runTask(task, reader, new Int32Array(flags))
    } finally {
      reader.release()
    }
  } catch (error) {
    answer = error instanceof StalePagesError ? { ...errorAnswer(error), isStale: true } : errorAnswer(error)
  }
  // The body moves to the main thread without a copy.
  return move({ [transferableSymbol]: [answer.body.buffer], [valueSymbol]: answer } as never) as never
}
