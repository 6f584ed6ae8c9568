/** Entry of a query worker: opens a reader on the shared pages, runs one task, gives the reader back. */
import { move } from 'piscina'
import { errorAnswer, runTask, type WorkerAnswer, type WorkerTask } from '../query/mod.ts'
import { openReader } from '../tsdb/mod.ts'

export function work({ task, share, flags }: WorkerTask): WorkerAnswer {
  let answer: WorkerAnswer
  try {
    const reader = openReader(share)
    try {
      answer = runTask(task, reader, new Int32Array(flags))
    } finally {
      reader.release()
    }
  } catch (error) {
    answer = errorAnswer(error)
  }
  return { ...answer, body: move(answer.body as never) as unknown as Uint8Array }
}
