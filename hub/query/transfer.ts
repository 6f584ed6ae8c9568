/** The buffers of a message between threads that move instead of being copied. */
import type { PartialResult } from '../promql/engine/mod.ts'
import type { WorkerAnswer, WorkerTask } from './contract.ts'

export function answerBuffers({ body, partial, shards = [] }: WorkerAnswer): ArrayBuffer[] {
  const out = partial === undefined ? [] : partialBuffers(partial)
  for (const shard of shards) if (shard?.partial !== undefined) out.push(...partialBuffers(shard.partial))
  if (body.length > 0) out.push(body.buffer as ArrayBuffer)
  return out
}

export function taskBuffers({ part }: WorkerTask): ArrayBuffer[] {
  return part.kind === 'merge' ? part.partials.flatMap(partialBuffers) : []
}

function partialBuffers({ cuts }: PartialResult): ArrayBuffer[] {
  const out: ArrayBuffer[] = []
  for (const cut of cuts) {
    if (cut === null) continue
    for (const column of Object.values(cut)) if (ArrayBuffer.isView(column)) out.push(column.buffer as ArrayBuffer)
  }
  return out
}
