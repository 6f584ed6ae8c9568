/** Entry of a query worker: opens a reader on the shared pages, runs one task, gives the reader back. */

import { threadId } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { answerBuffers, errorAnswer, runPart, type WorkerAnswer, type WorkerTask } from '../query/mod.ts'
import { openReader, StalePagesError } from '../tsdb/mod.ts'

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
  // The body, or the columns, move to the main thread without a copy.
  return move({ [transferableSymbol]: answerBuffers(answer), [valueSymbol]: answer } as never) as never
}
