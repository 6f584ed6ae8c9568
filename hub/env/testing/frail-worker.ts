/** Entry of a worker thread that does what it is told. */
import { threadId } from 'node:worker_threads'

export type FrailTask = {
  readonly answer: number
  /** It ends when this is opened. */
  readonly gate?: Int32Array<SharedArrayBuffer>
  /** Its own id is the answer. */
  readonly isNamed?: boolean
}

export function work({ answer, gate, isNamed }: FrailTask): number {
  if (gate !== undefined) Atomics.wait(gate, 0, 0)
  return isNamed === true ? threadId : answer
}
